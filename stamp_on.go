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

// checkOwn panics if p lies in an object of another heap.
func (m *Mutator) checkOwn(p unsafe.Pointer) {
	m.check()
	if cage.Contains(p) && cage.Owner(cage.BlockOf(p)) != m.heap.owner {
		panic("midden: an External of another heap than the mutator's")
	}
}

// checkStore panics if a store would make one heap refer into another.
func (s stamp) checkStore(m *Mutator, slot unsafe.Pointer, w object.Word, name func() string) {
	s.checkHeap(m, w, name)
	if cage.Contains(slot) && cage.Owner(cage.BlockOf(slot)) != m.heap.owner {
		panic(fmt.Sprintf("midden: Store of a Ref[%s] to an object of another heap than the mutator's", name()))
	}
}

// A Value has room for 16 bits of the epoch, and the heap is that of the block.

// stampedValue returns a reference as a Value.
func stampedValue(w object.Word, s stamp) Value {
	if w == 0 {
		return Value{}
	}
	return valueOf(uint64(w) | uint64(uint16(s.epoch))<<halfBit)
}

// stamped returns v, which comes from an object, with the epoch.
func (v Value) stamped() Value {
	if !v.IsRef() {
		return v
	}
	w := object.Word(v.word.W)
	return stampedValue(w, stampOf(w))
}

// bare returns v as it lies in an object.
func (v Value) bare() uint64 {
	if v.IsRef() {
		return uint64(uint32(v.word.W))
	}
	return v.word.W
}

// check panics if v is a reference of another time than now.
func (v Value) check() {
	if v.IsRef() {
		v.stamp().check(object.Word(v.word.W), nameOfValue)
	}
}

// checkStore panics if v is one, or if a store would make one heap refer into
// another.
func (v Value) checkStore(m *Mutator, slot unsafe.Pointer) {
	if v.IsRef() {
		v.stamp().checkStore(m, slot, object.Word(v.word.W), nameOfValue)
	} else {
		m.check()
	}
}

// stamp returns the stamp of the reference in v: the present one if the lower
// bits of the epoch are the same.
func (v Value) stamp() stamp {
	s := stampOf(object.Word(v.word.W))
	if epoch := uint16(v.word.W >> halfBit); epoch != uint16(s.epoch) {
		s.epoch -= uint32(uint16(s.epoch) - epoch)
	}
	return s
}

func nameOfValue() string { return "Value" }

// restamp gives *v the epoch after the cycle.
func (v *Visitor) restamp(u *Value) {
	w := object.Word(u.word.W)
	*u = stampedValue(w, v.stampOf(w))
}
