//go:build invariants

package midden

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

// stamp is the heap and the epoch in which a Ref was made. The epoch changes at
// each cycle, so a Ref that was not rooted across one is known by its stamp.
type stamp struct {
	owner uint32
	epoch uint32
}

// stamps is the present of one heap.
type stamps struct {
	epoch atomic.Uint32
	place atomic.Pointer[string] // of the last slow safepoint
}

// heapsByOwner finds the heap that a block belongs to.
var heapsByOwner sync.Map // uint32 → *Heap

func (s *stamps) init(h *Heap) {
	s.epoch.Store(1)
	heapsByOwner.Store(h.owner, h)
}

func (s *stamps) close(h *Heap) { heapsByOwner.Delete(h.owner) }

func (s *stamps) next() { s.epoch.Add(1) }

// stopping notes where a mutator is at a safepoint, for messages.
func (s *stamps) stopping() {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/midden-gc/midden.") || strings.HasSuffix(f.File, "_test.go") {
			place := fmt.Sprintf("%s:%d", f.File, f.Line)
			s.place.Store(&place)
			return
		}
		if !more {
			return
		}
	}
}

// ownerOf returns the heap in which w lies, nil when it lies in none.
func ownerOf(w object.Word) *Heap {
	h, ok := heapsByOwner.Load(cage.Owner(cage.BlockOf(cage.At(uintptr(w)))))
	if !ok {
		return nil
	}
	return h.(*Heap)
}

// stampOf returns the stamp of a reference to w made now.
func stampOf(w object.Word) stamp {
	if w == 0 {
		return stamp{}
	}
	h := ownerOf(w)
	if h == nil {
		return stamp{}
	}
	return stamp{h.owner, h.stamps.epoch.Load()}
}

func (r Ref[T]) stamped() Ref[T] {
	r.stamp = stampOf(r.ref.W)
	return r
}

func (a AnyRef) stamped() AnyRef {
	a.stamp = stampOf(a.ref.W)
	return a
}

// stampOf returns the stamp of a root that holds w after the cycle.
func (v *Visitor) stampOf(w object.Word) stamp {
	if w == 0 {
		return stamp{}
	}
	return stamp{v.heap.owner, v.heap.stamps.epoch.Load()}
}

// check panics if the reference is of another time than now.
func (s stamp) check(w object.Word, name func() string) {
	if w == 0 {
		return
	}
	h, ok := heapsByOwner.Load(s.owner)
	if !ok {
		panic(fmt.Sprintf("midden: Ref[%s] into a heap that is closed", name()))
	}
	now := &h.(*Heap).stamps
	if epoch := now.epoch.Load(); epoch != s.epoch {
		place := "an unknown place"
		if p := now.place.Load(); p != nil {
			place = *p
		}
		panic(fmt.Sprintf("midden: Ref[%s] from epoch %d used in epoch %d: it was not rooted across the safepoint at %s",
			name(), s.epoch, epoch, place))
	}
}

// checkHeap panics if the reference is of another heap than the mutator's.
func (s stamp) checkHeap(m *Mutator, w object.Word, name func() string) {
	s.check(w, name)
	m.check()
	if w != 0 && s.owner != m.heap.owner {
		panic(fmt.Sprintf("midden: Ref[%s] of another heap than the mutator's", name()))
	}
}

// checkStore panics if a store would make one heap refer into another.
func (s stamp) checkStore(m *Mutator, slot unsafe.Pointer, w object.Word, name func() string) {
	s.checkHeap(m, w, name)
	if cage.Contains(slot) && cage.Owner(cage.BlockOf(slot)) != m.heap.owner {
		panic(fmt.Sprintf("midden: Store of a Ref[%s] to an object of another heap than the mutator's", name()))
	}
}
