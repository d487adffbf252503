package midden

import (
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Weak is a slot inside an object that holds a Ref[T] and does not keep its
// object alive. It is 4 bytes. A cycle that finds the object dead makes the slot
// nil, in the middle of the pause; between two safepoints of a mutator nothing
// changes. A minor cycle finds dead what died young, a full one everything.
//
// A Weak is written as a Field is, with Store, its atomic forms, Assign and Copy.
// An object that a Guardian delivers is not dead, and its Weak slots still lead to
// it.
type Weak[T any] struct {
	_    phantom[T]
	slot object.WeakSlot
}

// WeakOf returns a Weak that holds r, for a struct that will be given to Alloc: a
// new object needs no barrier.
func WeakOf[T any](r Ref[T]) Weak[T] {
	if invariants.Enabled {
		r.stamp.check(r.ref.W, nameOf[T])
	}
	return Weak[T]{slot: object.WeakSlot{W: r.ref.W}}
}

// Load returns the reference in w, nil if its object has died. From then on until
// the mutator's next safepoint the object lives, as any does of which there is a
// Ref.
func (w *Weak[T]) Load() Ref[T] { return madeRef[T](w.slot.W) }

// Store makes w refer to what r refers to. It panics if w lies outside the heap:
// a struct that is being prepared for Alloc is filled with WeakOf. The mutator
// must be active.
func (w *Weak[T]) Store(m *Mutator, r Ref[T]) {
	w.toStore(m, r)
	w.slot.W = r.ref.W
}

// toStore is what comes before every store.
func (w *Weak[T]) toStore(m *Mutator, r Ref[T]) {
	if invariants.Enabled {
		r.stamp.checkStore(m, unsafe.Pointer(w), r.ref.W, nameOf[T])
	}
	barrierOf(m, unsafe.Pointer(w), r.ref.W, weakKind)
}

// LoadAtomic is Load for a slot that several mutators use at once, and of which
// one may store.
func (w *Weak[T]) LoadAtomic() Ref[T] {
	return madeRef[T](object.Word(atomic.LoadUint32((*uint32)(&w.slot.W))))
}

// StoreAtomic is Store for a slot that several mutators use at once.
func (w *Weak[T]) StoreAtomic(m *Mutator, r Ref[T]) {
	w.toStore(m, r)
	atomic.StoreUint32((*uint32)(&w.slot.W), uint32(r.ref.W))
}

// CompareAndSwap stores new if w holds old, in one step, and reports whether it
// did.
func (w *Weak[T]) CompareAndSwap(m *Mutator, old, new Ref[T]) bool {
	w.toStore(m, new)
	return atomic.CompareAndSwapUint32((*uint32)(&w.slot.W), uint32(old.ref.W), uint32(new.ref.W))
}

// AnyWeak is a slot that holds an AnyRef and does not keep its object alive. It is
// used as Weak is.
type AnyWeak struct{ slot object.WeakSlot }

// AnyWeakOf returns an AnyWeak that holds a, for a struct that will be given to
// Alloc.
func AnyWeakOf(a AnyRef) AnyWeak {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	return AnyWeak{slot: object.WeakSlot{W: a.ref.W}}
}

// Load returns the reference in w, nil if its object has died.
func (w *AnyWeak) Load() AnyRef { return AnyRef{ref: object.BareRef{W: w.slot.W}}.stamped() }

// Store makes w refer to what a refers to, as Weak.Store does.
func (w *AnyWeak) Store(m *Mutator, a AnyRef) {
	if invariants.Enabled {
		a.stamp.checkStore(m, unsafe.Pointer(w), a.ref.W, nameOfAny)
	}
	barrierOf(m, unsafe.Pointer(w), a.ref.W, weakKind)
	w.slot.W = a.ref.W
}
