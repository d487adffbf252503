package object

// Word is a reference as it lies in a slot: how many units of 8 bytes the
// object's payload lies above the base of the cage; 0 is nil.
type Word uint32

// WordSize is the size of a Word in bytes.
const WordSize = 4

// A slot is recognised by the type it is made of, whatever the type that wraps
// it is called.

// StrongSlot is the word inside Field and AnyField.
type StrongSlot struct{ W Word }

// BareRef is the word inside Ref and AnyRef: a reference that no collector
// would find if it lay inside an object.
type BareRef struct{ W Word }

// RootMark marks types that belong to a mutator or a heap, not to an object.
type RootMark struct{}

// InlineMark marks types that exist only as objects of their own.
type InlineMark struct{}
