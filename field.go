package midden

import (
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Field is a slot inside an object that holds a Ref[T]. It is 4 bytes.
//
// A slot of an object in a heap is written only through Store, its atomic forms,
// Assign and Copy, which tell the collector; never by assigning the struct that
// contains it.
type Field[T any] struct {
	_    phantom[T]
	slot object.StrongSlot
}

// FieldOf returns a Field that holds r, for a struct that will be given to
// Alloc: a new object needs no barrier.
func FieldOf[T any](r Ref[T]) Field[T] {
	if invariants.Enabled {
		r.stamp.check(r.ref.W, nameOf[T])
	}
	return Field[T]{slot: object.StrongSlot{W: r.ref.W}}
}

// Load returns the reference in f.
func (f *Field[T]) Load() Ref[T] {
	return madeRef[T](f.slot.W)
}

// Get returns the object that f refers to, nil for nil; good until the mutator's
// next safepoint.
func (f *Field[T]) Get() *T {
	if f.slot.W == 0 {
		return nil
	}
	return (*T)(cage.At(uintptr(f.slot.W)))
}

// Store makes f refer to what r refers to. It panics if f lies outside the heap:
// a struct that is being prepared for Alloc is filled with FieldOf. The mutator
// must be active.
func (f *Field[T]) Store(m *Mutator, r Ref[T]) {
	if invariants.Enabled {
		r.stamp.checkStore(m, unsafe.Pointer(f), r.ref.W, nameOf[T])
	}
	barrier(m, unsafe.Pointer(f), r.ref.W)
	f.slot.W = r.ref.W
}

// LoadAtomic is Load for a slot that several mutators use at once.
func (f *Field[T]) LoadAtomic() Ref[T] {
	return madeRef[T](loadWord(&f.slot))
}

// StoreAtomic is Store for a slot that several mutators use at once.
func (f *Field[T]) StoreAtomic(m *Mutator, r Ref[T]) {
	if invariants.Enabled {
		r.stamp.checkStore(m, unsafe.Pointer(f), r.ref.W, nameOf[T])
	}
	barrier(m, unsafe.Pointer(f), r.ref.W)
	storeWord(&f.slot, r.ref.W)
}

// CompareAndSwap stores new if f holds old, in one step, and reports whether it
// did.
func (f *Field[T]) CompareAndSwap(m *Mutator, old, new Ref[T]) bool {
	if invariants.Enabled {
		new.stamp.checkStore(m, unsafe.Pointer(f), new.ref.W, nameOf[T])
	}
	barrier(m, unsafe.Pointer(f), new.ref.W)
	return casWord(&f.slot, old.ref.W, new.ref.W)
}

// AnyField is a slot that holds an AnyRef. It is used as Field is.
type AnyField struct{ slot object.StrongSlot }

// AnyFieldOf returns an AnyField that holds a, for a struct that will be given to
// Alloc.
func AnyFieldOf(a AnyRef) AnyField {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	return AnyField{slot: object.StrongSlot{W: a.ref.W}}
}

// Load returns the reference in f.
func (f *AnyField) Load() AnyRef { return AnyRef{ref: object.BareRef{W: f.slot.W}}.stamped() }

// Store makes f refer to what a refers to, as Field.Store does.
func (f *AnyField) Store(m *Mutator, a AnyRef) {
	if invariants.Enabled {
		a.stamp.checkStore(m, unsafe.Pointer(f), a.ref.W, nameOfAny)
	}
	barrier(m, unsafe.Pointer(f), a.ref.W)
	f.slot.W = a.ref.W
}

// LoadAtomic is Load for a slot that several mutators use at once.
func (f *AnyField) LoadAtomic() AnyRef {
	return AnyRef{ref: object.BareRef{W: loadWord(&f.slot)}}.stamped()
}

// StoreAtomic is Store for a slot that several mutators use at once.
func (f *AnyField) StoreAtomic(m *Mutator, a AnyRef) {
	if invariants.Enabled {
		a.stamp.checkStore(m, unsafe.Pointer(f), a.ref.W, nameOfAny)
	}
	barrier(m, unsafe.Pointer(f), a.ref.W)
	storeWord(&f.slot, a.ref.W)
}

// CompareAndSwap stores new if f holds old, in one step, and reports whether it
// did.
func (f *AnyField) CompareAndSwap(m *Mutator, old, new AnyRef) bool {
	if invariants.Enabled {
		new.stamp.checkStore(m, unsafe.Pointer(f), new.ref.W, nameOfAny)
	}
	barrier(m, unsafe.Pointer(f), new.ref.W)
	return casWord(&f.slot, old.ref.W, new.ref.W)
}

func loadWord(s *object.StrongSlot) object.Word {
	return object.Word(atomic.LoadUint32((*uint32)(&s.W)))
}

func storeWord(s *object.StrongSlot, w object.Word) { atomic.StoreUint32((*uint32)(&s.W), uint32(w)) }

func casWord(s *object.StrongSlot, old, new object.Word) bool {
	return atomic.CompareAndSwapUint32((*uint32)(&s.W), uint32(old), uint32(new))
}

// Assign overwrites *dst, a struct inside an object that may contain slots, with
// v. It panics if dst lies outside the heap. The mutator must be active.
func Assign[T any](m *Mutator, dst *T, v T) {
	inCage(unsafe.Pointer(dst), "Assign to a variable outside the heap: assign it plainly")
	*dst = v
	m.barriers(infoFor[T]().desc, unsafe.Pointer(dst), 1)
}

// Copy copies elements as Go's copy does, into a view of an array whose elements
// may contain slots, and returns how many. It panics if dst lies outside the
// heap. The mutator must be active.
func Copy[T any](m *Mutator, dst, src []T) int {
	n := copy(dst, src)
	if n > 0 {
		inCage(unsafe.Pointer(&dst[0]), "Copy to a slice outside the heap: use Go's copy")
		m.barriers(infoFor[T]().desc, unsafe.Pointer(&dst[0]), n)
	}
	return n
}
