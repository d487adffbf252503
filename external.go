package midden

import (
	"fmt"
	"unsafe"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// External is a slot inside an object that holds any Go value: a file, a channel,
// a function, a pointer to something on Go's heap. The value is kept alive by the
// object: when a cycle finds the object dead, or the heap is closed, the heap
// lets the value go, once, and Go's collector does the rest. Nothing is called; a
// value that has to be closed is found with a Guardian, or closes itself by
// runtime.AddCleanup.
//
// The value must not refer to objects of the heap but through a Handle, and such
// a circle is never collected: an object that holds an External that holds a
// Handle to the object.
//
// A slot takes 4 bytes of the object, and some 30 of Go's heap once something is
// stored. If the value is large, tell the heap by AddExternal. A copy of the
// struct that has the slot, made with Alloc, Assign or Copy, shares the value:
// what is stored in one is in both.
type External[T any] struct {
	_    phantom[T]
	slot object.ExternalSlot
}

// Store keeps v. It panics if x lies outside the heap. The mutator must be active.
func (x *External[T]) Store(m *Mutator, v T) {
	inCage(unsafe.Pointer(x), "Store to an External outside the heap: allocate the object first")
	if invariants.Enabled {
		m.checkOwn(unsafe.Pointer(x))
	}
	if id := x.slot.ID; id != 0 {
		m.heap.externals.Set(id, v)
		return
	}
	x.slot.ID = m.heap.externals.Add(v, isOld(unsafe.Pointer(x)))
}

// Load returns the value, the zero T if nothing was stored. The mutator must be
// active.
func (x *External[T]) Load(m *Mutator) (v T) {
	id := x.slot.ID
	if id == 0 {
		return v
	}
	if invariants.Enabled {
		m.checkOwn(unsafe.Pointer(x))
	}
	// A nil interface is of no type.
	any := m.heap.externals.Get(id)
	v, ok := any.(T)
	if !ok && any != nil {
		panic(fmt.Sprintf("midden: External[%s] holds a %T: it is of another heap than the mutator, or was not rooted", nameOf[T](), any))
	}
	return v
}

// copiedExternal is the barrier for a slot that was copied.
func (m *Mutator) copiedExternal(slot *object.ExternalSlot) {
	if slot.ID != 0 && isOld(unsafe.Pointer(slot)) {
		m.heap.externals.Copied(slot.ID)
	}
}
