package midden

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// The line-mark table tells old from young for any address, because new objects
// lie only in lines that were free. So the barrier is two bytes of it: a store
// is remembered when the slot's line is old and the target's is not. Collectors
// that do not tell old from new mark no line as old, and nothing is remembered.

// barrier is the write barrier. It panics if the slot lies outside the heap.
func barrier(m *Mutator, slot unsafe.Pointer, w object.Word) {
	off := uintptr(slot) - uintptr(cage.Base)
	if off >= cage.Size {
		panicStoreOutside()
	}
	from := *(*uint8)(unsafe.Add(cage.Lines, off>>cage.LineShift))
	to := *(*uint8)(unsafe.Add(cage.Lines, uintptr(w)>>(cage.LineShift-cage.UnitShift)))
	if from&^to&space.OldLine != 0 {
		m.remember(slot)
	}
}

func panicStoreOutside() {
	panic("midden: Store to a Field outside the heap: fill a struct for Alloc with FieldOf")
}

// remember notes a slot of an old object that refers to a new one, for the next
// minor cycle.
func (m *Mutator) remember(slot unsafe.Pointer) {
	m.remembered = append(m.remembered, slot)
}

// barriers applies the barrier to every slot of n values of type t at p.
func (m *Mutator) barriers(t *object.Type, p unsafe.Pointer, n int) {
	if len(t.Slots) == 0 {
		return
	}
	for range n {
		for _, off := range t.Slots {
			slot := (*object.Word)(unsafe.Add(p, off))
			barrier(m, unsafe.Pointer(slot), *slot)
		}
		p = unsafe.Add(p, t.Size)
	}
}
