package midden

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// phantom makes types that differ only in T distinct, so that a Ref[A] cannot be
// converted to a Ref[B]. It has no size and asks for no alignment.
type phantom[T any] struct{}

// Ref is a reference to an object of type T in a heap. It is 4 bytes, its zero
// value is nil, and two are equal when they refer to the same object.
//
// A Ref needs no registration, and is good until its mutator's next safepoint.
// What must survive that is kept in a Local, a Handle or a Field, or passed
// through the safepoint by the functions Safepoint, Safepoint2 and Safepoint3.
type Ref[T any] struct {
	_     phantom[T]
	stamp stamp
	ref   object.BareRef
}

// AnyRef is a Ref whose type is known at run time only.
type AnyRef struct {
	stamp stamp
	ref   object.BareRef
}

// Nil returns the reference to nothing.
func Nil[T any]() Ref[T] { return Ref[T]{} }

// IsNil reports whether r refers to nothing.
func (r Ref[T]) IsNil() bool { return r.ref.W == 0 }

// Get returns the object, nil for nil. The pointer is good until the mutator's
// next safepoint, like r itself.
func (r Ref[T]) Get() *T {
	if invariants.Enabled {
		r.stamp.check(r.ref.W, nameOf[T])
	}
	if r.ref.W == 0 {
		return nil
	}
	return (*T)(cage.At(uintptr(r.ref.W)))
}

// Any forgets the type of r.
func (r Ref[T]) Any() AnyRef {
	if invariants.Enabled {
		r.stamp.check(r.ref.W, nameOf[T])
	}
	return AnyRef{stamp: r.stamp, ref: r.ref}
}

// IsNil reports whether a refers to nothing.
func (a AnyRef) IsNil() bool { return a.ref.W == 0 }

// TypeName returns the name of the object's type as Go writes it, such as
// "main.Node" or "midden.Array[int32]", and "nil" for nil.
func (a AnyRef) TypeName() string {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		return "nil"
	}
	return object.ByID(a.typeID()).Name
}

func (a AnyRef) typeID() object.TypeID {
	return object.HeaderOf(cage.At(uintptr(a.ref.W))).Type()
}

// Cast returns a as a Ref[T], and whether it refers to a T. Nil is of every
// type.
func Cast[T any](a AnyRef) (Ref[T], bool) {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		return Ref[T]{}, true
	}
	if a.typeID() != typeIDFor[T]() {
		return Ref[T]{}, false
	}
	return Ref[T]{stamp: a.stamp, ref: a.ref}, true
}

// madeRef returns a reference, made now, to the object at w.
func madeRef[T any](w object.Word) Ref[T] {
	return Ref[T]{ref: object.BareRef{W: w}}.stamped()
}

// inCage panics unless p points into the cage.
func inCage(p unsafe.Pointer, what string) {
	if !cage.Contains(p) {
		panic("midden: " + what)
	}
}
