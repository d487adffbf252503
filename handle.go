package midden

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Handle is a root of the heap that belongs to no mutator. Any goroutine may
// hold it, and any active mutator of the heap may use it. It is released by
// Release, or some time after the last pointer to it is gone.
type Handle[T any] struct {
	_        phantom[T]
	_        object.RootMark
	heap     *Heap
	slot     *handleSlot
	released atomic.Bool
	cleanup  runtime.Cleanup
}

// NewHandle makes r a root of m's heap. The mutator must be active.
func NewHandle[T any](m *Mutator, r Ref[T]) *Handle[T] {
	m.check()
	if invariants.Enabled {
		r.stamp.checkHeap(m, r.ref.W, nameOf[T])
	}
	h := &Handle[T]{heap: m.heap, slot: m.heap.handles.take(r.ref.W)}
	h.cleanup = runtime.AddCleanup(h, m.heap.handles.release, h.slot)
	return h
}

// Get returns the reference, good until m's next safepoint. It panics if the
// handle was released, or belongs to another heap than m. The mutator must be
// active.
func (h *Handle[T]) Get(m *Mutator) Ref[T] {
	if invariants.Enabled {
		m.check()
	}
	if h.heap != m.heap {
		panic("midden: a Handle was used with a Mutator of another heap")
	}
	if h.released.Load() {
		panic("midden: a Handle was used after Release")
	}
	w := h.slot.w
	runtime.KeepAlive(h)
	return madeRef[T](w)
}

// Release ends the handle; its object lives on only if something else keeps it.
// To release it again does nothing. Any goroutine may call it, with or without a
// mutator.
func (h *Handle[T]) Release() {
	if h.released.CompareAndSwap(false, true) {
		h.cleanup.Stop()
		h.heap.handles.release(h.slot)
	}
}

// handles are the slots of all handles of a heap. Go's collector may find a
// dropped handle at any time, also in the middle of a cycle, and Release needs
// no mutator; so releasing only pushes the slot on a list, and its word is left
// alone until a mutator or the next cycle takes the list.
type handles struct {
	released atomic.Pointer[handleSlot]

	mu    sync.Mutex
	slabs []*[slabSize]handleSlot
	free  *handleSlot
	fresh int // slots of the last slab that were never used
}

const slabSize = 128

type handleSlot struct {
	w    object.Word
	next *handleSlot
}

// take returns a slot that holds w. Its caller holds an active mutator, so no
// cycle is reading the slots.
func (hs *handles) take(w object.Word) *handleSlot {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.free == nil {
		hs.collect()
	}
	s := hs.free
	if s != nil {
		hs.free = s.next
	} else {
		if hs.fresh == 0 {
			hs.slabs = append(hs.slabs, new([slabSize]handleSlot))
			hs.fresh = slabSize
		}
		s = &hs.slabs[len(hs.slabs)-1][slabSize-hs.fresh]
		hs.fresh--
	}
	s.w = w
	return s
}

func (hs *handles) release(s *handleSlot) {
	for {
		top := hs.released.Load()
		s.next = top
		if hs.released.CompareAndSwap(top, s) {
			return
		}
	}
}

// drain begins a cycle: what was released is no root any more.
func (hs *handles) drain() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.collect()
}

// collect clears the released slots and makes them free.
func (hs *handles) collect() {
	for s := hs.released.Swap(nil); s != nil; {
		next := s.next
		s.w = 0
		s.next = hs.free
		hs.free = s
		s = next
	}
}

// each calls visit for every slot that holds a reference.
func (hs *handles) each(visit func(*object.Word)) {
	hs.mu.Lock()
	slabs := hs.slabs
	hs.mu.Unlock()
	for _, slab := range slabs {
		for i := range slab {
			if slab[i].w != 0 {
				visit(&slab[i].w)
			}
		}
	}
}
