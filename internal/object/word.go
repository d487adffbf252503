package object

import "unsafe"

// Word is a reference as it lies in a slot: how many units of 8 bytes the
// object's payload lies above the base of the cage; 0 is nil.
type Word uint32

// WordSize is the size of a Word in bytes.
const WordSize = 4

// A slot is recognised by the type it is made of, whatever the type that wraps
// it is called.

// StrongSlot is the word inside Field and AnyField.
type StrongSlot struct{ W Word }

// TaggedSlot is the word inside ValueField. It is a number, or whatever else, if
// its upper half is not 0, and a reference otherwise: then its lower half is a
// Word. The supported systems are little-endian, so that the Word lies where the
// slot begins, and a reference of either kind is updated in the same way.
type TaggedSlot struct{ W uint64 }

// SchemeSlot is the word inside TaggedField. The struct that contains it has
// another field, without size, whose type is the Scheme.
type SchemeSlot struct{ W uint64 }

// TaggedSize is the size of a TaggedSlot, and of a SchemeSlot, in bytes.
const TaggedSize = 8

// HoldsWord reports whether a tagged word is a reference, or nil.
func HoldsWord(w uint64) bool { return w>>32 == 0 }

// WeakSlot is the word inside Weak and AnyWeak: a reference that keeps nothing
// alive.
type WeakSlot struct{ W Word }

// ExternalSlot is the word inside External: the index of a Go value, 0 for none.
type ExternalSlot struct{ ID uint32 }

// Pair is what an ephemeron consists of: a key that it does not keep alive, and
// a value that it keeps alive for as long as it and the key live.
type Pair struct{ Key, Value Word }

// PairAt returns the ephemeron with the given payload.
func PairAt(payload unsafe.Pointer) *Pair { return (*Pair)(payload) }

// BareRef is the word inside Ref and AnyRef: a reference that no collector
// would find if it lay inside an object.
type BareRef struct{ W Word }

// BareValue is the word inside Value, a reference that no collector would find
// likewise.
type BareValue struct{ W uint64 }

// RootMark marks types that belong to a mutator or a heap, not to an object.
type RootMark struct{}

// InlineMark marks types that exist only as objects of their own.
type InlineMark struct{}
