package midden

import (
	"sync/atomic"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// TypeID names the type of an object: one for each Go type, for each type of
// arrays, and for each Shape. It is 0 for nil, and for a Value that is no
// reference. A type's id is the same in all heaps for as long as the program
// runs, and another when it runs again; that of a Shape is used again once its
// heap is closed.
//
// It is what a switch over types compares: a load and a comparison for each case.
type TypeID uint32

// TypeIDFor returns the id of objects of type T; unlike with TypeFor, T may be an
// Array or a String. Resolve it once, for example in a package variable. It
// panics as TypeFor does.
func TypeIDFor[T any]() TypeID { return TypeID(typeIDFor[T]()) }

// ID returns the id of objects of type T.
func (t *Type[T]) ID() TypeID { return TypeID(t.info.header.Type()) }

// TypeID returns the id of the object's type, 0 for nil.
func (a AnyRef) TypeID() TypeID {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		return 0
	}
	return TypeID(a.typeID())
}

// TypeID returns the id of the type of the object that v refers to, 0 if v is no
// reference.
func (v Value) TypeID() TypeID {
	if !v.IsRef() {
		return 0
	}
	if invariants.Enabled {
		v.check()
	}
	return TypeID(object.HeaderOf(cage.At(uintptr(uint32(v.word.W)))).Type())
}

// Cast is the function Cast, without looking the type up.
func (t *Type[T]) Cast(a AnyRef) (Ref[T], bool) {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W != 0 && a.typeID() != t.info.header.Type() {
		return Ref[T]{}, false
	}
	return Ref[T]{stamp: a.stamp, ref: a.ref}, true
}

// As is the function As, without looking the type up.
func (t *Type[T]) As(v Value) (Ref[T], bool) {
	if v.TypeID() != t.ID() {
		return Ref[T]{}, false
	}
	return madeRef[T](object.Word(v.word.W)), true
}

// casts has the ids of types that were cast to, with their keys above them: what
// TypeIDFor finds without a lock.
var casts [1024]atomic.Uint64

const castBits = 20 // of a type id

func typeIDFor[T any]() object.TypeID {
	key := uint64(typeKey[T]() >> 5) // run-time types are 32 bytes apart at least
	cast := &casts[key%uint64(len(casts))]
	if c := cast.Load(); c>>castBits == key {
		return object.TypeID(c & (1<<castBits - 1))
	}
	id := describe[T]().desc.ID
	cast.Store(key<<castBits | uint64(id))
	return id
}

// UserBits returns 32 bits of the object's header that are yours: to mark what is
// frozen or shared, or to number things. They are 0 in a new object, and stay with
// it when it moves. Arrays and strings have none, and it panics for them, and for
// nil.
func (a AnyRef) UserBits() uint32 { return *a.userBits() }

// SetUserBits changes what UserBits returns.
func (a AnyRef) SetUserBits(bits uint32) { *a.userBits() = bits }

// CompareAndSwapUserBits changes the bits to new if they are old, in one step,
// and reports whether they were.
func (a AnyRef) CompareAndSwapUserBits(old, new uint32) bool {
	return atomic.CompareAndSwapUint32(a.userBits(), old, new)
}

func (a AnyRef) userBits() *uint32 {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		panic("midden: user bits of nil")
	}
	h := object.HeaderOf(cage.At(uintptr(a.ref.W)))
	if object.Scans()[h.Type()].Mode.Arrays() {
		panic("midden: user bits of a " + a.TypeName() + ": an array has its length in their place")
	}
	return object.UpperOf(h)
}

// IdentityHash returns a number that stays with the object for as long as it
// lives, wherever it moves. It is made of where the object lies now: objects that
// are first asked at one time have different ones, and an object that later comes
// to lie where another was may have the same. It is not the same when the program
// runs again. The hash of nil is 0.
//
// It costs the object nothing, unless the object is moved afterwards: then 8
// bytes, once. The mutator must be active.
func (a AnyRef) IdentityHash(m *Mutator) uint64 {
	if invariants.Enabled {
		a.stamp.checkHeap(m, a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		return 0
	}
	hash, first := object.Hash(a.ref.W, cage.At(uintptr(a.ref.W)))
	if first {
		m.heap.space.NoteGrowth(object.TailSize)
	}
	return hash
}

// anyObject stands for the type of whatever an AnyRef refers to.
type anyObject struct{}

func (a AnyRef) typed() Ref[anyObject] { return Ref[anyObject]{stamp: a.stamp, ref: a.ref} }
func (r Ref[T]) untyped() AnyRef       { return AnyRef{stamp: r.stamp, ref: r.ref} }

// AnyLocal is a Local for an AnyRef.
type AnyLocal struct {
	_     object.RootMark
	local Local[anyObject]
}

// NewAnyLocal makes a a root in m's innermost scope; without an open one, until m
// is closed. The mutator must be active.
func NewAnyLocal(m *Mutator, a AnyRef) AnyLocal {
	return AnyLocal{local: NewLocal(m, a.typed())}
}

// Get returns the reference. It panics as Local.Get does.
func (l AnyLocal) Get() AnyRef { return l.local.Get().untyped() }

// Set makes the root refer to what a refers to.
func (l AnyLocal) Set(a AnyRef) { l.local.Set(a.typed()) }

// AnyHandle is a Handle for an AnyRef.
type AnyHandle struct {
	_      object.RootMark
	handle *Handle[anyObject]
}

// NewAnyHandle makes a a root of m's heap. The mutator must be active.
func NewAnyHandle(m *Mutator, a AnyRef) AnyHandle {
	return AnyHandle{handle: NewHandle(m, a.typed())}
}

// Get returns the reference, good until m's next safepoint. It panics as
// Handle.Get does.
func (h AnyHandle) Get(m *Mutator) AnyRef { return h.handle.Get(m).untyped() }

// Release ends the handle, as Handle.Release does.
func (h AnyHandle) Release() { h.handle.Release() }
