package midden_test

import (
	"runtime"
	"testing"

	"github.com/midden-gc/midden"
)

// leaf stays nil inside; it has slots because most objects do.
type leaf struct{ left, right midden.Field[leaf] }

var _ = func(l *leaf) [2]bool { return [2]bool{l.left.Load().IsNil(), l.right.Load().IsNil()} }

// goHeap returns the bytes that live on Go's heap.
func goHeap() int64 {
	runtime.GC()
	runtime.GC() // cleanups of the first run in between
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// A process holds thousands of heaps, so one must be small: empty, and with a
// mutator and a few objects, before and after a cycle.
func TestThousandsOfHeaps(t *testing.T) {
	const (
		heaps     = 10_000
		maxEmpty  = 16 << 10
		maxSmall  = 64 << 10
		perHeap   = 8
		afterward = 4 << 20 // for all of them together, once closed
	)
	type tenant struct {
		heap    *midden.Heap
		mutator *midden.Mutator
		root    midden.Local[leaf]
	}
	before := goHeap()
	tenants := make([]tenant, heaps)
	for i := range tenants {
		h, err := midden.NewHeap(&midden.Options{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		tenants[i].heap = h
	}
	committed := func() (sum int64) {
		for _, x := range tenants {
			sum += x.heap.Stats().Committed
		}
		return sum
	}
	if each := (goHeap() - before + committed()) / heaps; each > maxEmpty {
		t.Errorf("an empty heap takes %d bytes, more than %d", each, maxEmpty)
	}
	for i := range tenants {
		x := &tenants[i]
		x.mutator = x.heap.NewMutator()
		for range perHeap {
			x.root = midden.NewLocal(x.mutator, midden.New[leaf](x.mutator))
		}
	}
	for _, when := range []string{"before", "after"} {
		if each := (goHeap() - before + committed()) / heaps; each > maxSmall {
			t.Errorf("%s a cycle, a heap with %d objects takes %d bytes, more than %d", when, perHeap, each, maxSmall)
		}
		for _, x := range tenants {
			if err := x.mutator.Collect(midden.KindFull); err != nil {
				t.Fatal(err)
			}
			if live := x.heap.Stats().Live; live == 0 || live > 1024 {
				t.Fatalf("%d bytes live of %d objects of %d", live, perHeap, midden.SizeOf[leaf]())
			}
		}
	}
	for _, x := range tenants {
		x.mutator.Close()
		if err := x.heap.Close(); err != nil {
			t.Fatal(err)
		}
		if s := x.heap.Stats(); s.Committed != 0 || s.Used != 0 {
			t.Fatalf("a closed heap holds memory: %+v", s)
		}
	}
	clear(tenants)
	if left := goHeap() - before; left > afterward {
		t.Errorf("%d heaps left %d bytes on Go's heap when closed", heaps, left)
	}
}
