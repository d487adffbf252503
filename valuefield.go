package midden

import (
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// ValueField is a slot inside an object that holds a Value. It is 8 bytes, and
// is used as Field is: a slot of an object in a heap is written only through
// Store, its atomic forms, StoreValues, Assign and Copy.
type ValueField struct{ slot object.TaggedSlot }

// ValueFieldOf returns a ValueField that holds v, for a struct that will be given
// to Alloc.
func ValueFieldOf(v Value) ValueField {
	if invariants.Enabled {
		v.check()
	}
	return ValueField{object.TaggedSlot{W: v.bare()}}
}

// Load returns the Value in f.
func (f *ValueField) Load() Value { return valueOf(f.slot.W).stamped() }

// Store makes f hold v. It panics if f lies outside the heap: a struct that is
// being prepared for Alloc is filled with ValueFieldOf. The mutator must be
// active.
func (f *ValueField) Store(m *Mutator, v Value) {
	if invariants.Enabled {
		v.checkStore(m, unsafe.Pointer(f))
		v = valueOf(v.bare())
	}
	// Numbers need no barrier. This is written out, or it would not be inlined.
	f.slot = object.TaggedSlot(v.word)
	if f.slot.W < 1<<halfBit || uintptr(unsafe.Pointer(f))-uintptr(cage.Base) >= cage.Size {
		barrierTagged(m, f)
	}
}

// LoadAtomic is Load for a slot that several mutators use at once.
func (f *ValueField) LoadAtomic() Value {
	return valueOf(atomic.LoadUint64(&f.slot.W)).stamped()
}

// StoreAtomic is Store for a slot that several mutators use at once.
func (f *ValueField) StoreAtomic(m *Mutator, v Value) {
	if invariants.Enabled {
		v.checkStore(m, unsafe.Pointer(f))
	}
	atomic.StoreUint64(&f.slot.W, v.bare())
	barrierTagged(m, f)
}

// CompareAndSwap stores new if f holds old, bit by bit, in one step, and reports
// whether it did.
func (f *ValueField) CompareAndSwap(m *Mutator, old, new Value) bool {
	if invariants.Enabled {
		new.checkStore(m, unsafe.Pointer(f))
	}
	ok := atomic.CompareAndSwapUint64(&f.slot.W, old.bare(), new.bare())
	barrierTagged(m, f)
	return ok
}

// LoadValues copies what the slots hold to dst, for example to a stack of yours,
// and returns how many: the lesser of both lengths.
func LoadValues(dst []Value, src []ValueField) int {
	n := min(len(dst), len(src))
	for i := range n {
		dst[i] = src[i].Load()
	}
	return n
}

// StoreValues stores Values to slots of an object, and returns how many: the
// lesser of both lengths. The mutator must be active.
func StoreValues(m *Mutator, dst []ValueField, src []Value) int {
	n := min(len(dst), len(src))
	for i := range n {
		dst[i].Store(m, src[i])
	}
	return n
}
