package collector_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/internal/object"
)

type node struct {
	ID   int64
	Next midden.Field[node]
	Any  midden.AnyField
}

// Cycles run while everything happens that may happen beside them: external
// memory, figures, handles released by anybody and dropped, roots added and
// taken away, mutators opened, frozen and closed in every state, types described.
// Run it with the race detector.
func TestBesideCycles(t *testing.T) {
	for name, c := range map[string]collector.Collector{
		"immix":     immix.New(nil),
		"full only": immix.New(&immix.Options{FullOnly: true}),
		"semispace": semispace.New(nil),
		"epsilon":   epsilon.New(nil),
	} {
		t.Run(name, func(t *testing.T) { besideCycles(t, c) })
	}
}

func besideCycles(t *testing.T, c collector.Collector) {
	var told atomic.Uint64
	h, err := midden.NewHeap(&midden.Options{
		Collector: c,
		Stress:    midden.Stress{Verify: true, Poison: true},
		Workers:   2,
		Listener:  &midden.Listener{Cycle: func(midden.CycleInfo) { told.Add(1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	first := h.NewMutator()
	shared := midden.NewHandle(first, midden.New[node](first))
	first.Freeze()

	var wg sync.WaitGroup
	done := make(chan struct{})
	// until calls f until the cycles are done.
	until := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	handles := make(chan *midden.Handle[node], 16)

	for i := range 2 {
		wg.Go(func() {
			w := worker{t: t, heap: h, shared: shared, handles: handles, rand: rand.New(rand.NewPCG(1, uint64(i)))}
			defer w.close()
			for {
				select {
				case <-done:
					return
				default:
					w.work()
				}
			}
		})
	}
	until(func() {
		h.AddExternal(100_000)
		h.AddExternal(-40_000)
		h.AddExternal(-60_000)
	})
	var last midden.Stats
	until(func() {
		s := h.Stats()
		if s.Used < 0 || s.Live < 0 || s.Allocated < last.Allocated || s.Minor+s.Full < last.Minor+last.Full {
			t.Errorf("figures run backwards: %+v after %+v", s, last)
		}
		last = s
		_ = first.String()
		h.Collecting()
	})
	until(func() {
		select {
		case hd := <-handles:
			hd.Release()
			hd.Release()
		default:
			runtime.GC()
		}
	})
	until(func() {
		var a midden.AnyRef
		remove := h.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { v.Any(&a) }))
		runtime.Gosched()
		remove()
		remove()
	})
	n := 0
	until(func() {
		n++
		if _, err := object.Describe(reflect.ArrayOf(n%3000, reflect.TypeFor[int16]())); err != nil {
			t.Error(err)
		}
	})
	until(func() {
		h.PreventCollection(func() {
			before := h.Stats()
			runtime.Gosched()
			if after := h.Stats(); after.Minor+after.Full != before.Minor+before.Full {
				t.Error("a cycle ran inside PreventCollection")
			}
		})
	})

	for i := range 300 {
		if err := h.Collect(context.Background(), midden.Kind(i%3)); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
	if told.Load() < 10 {
		t.Errorf("the listener was told of %d cycles", told.Load())
	}
	if err := h.Close(); !errors.Is(err, midden.ErrMutators) {
		t.Errorf("Close with an open mutator: %v", err)
	}
	first.Close()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if s := h.Stats(); s.Used != 0 || s.Committed != 0 || s.Mutators != 0 {
		t.Errorf("after Close: %+v", s)
	}
}

// A worker is a goroutine with a mutator that comes and goes.
type worker struct {
	t       *testing.T
	heap    *midden.Heap
	shared  *midden.Handle[node]
	handles chan<- *midden.Handle[node]
	rand    *rand.Rand
	m       *midden.Mutator
	own     midden.Local[node]
	id      int64
}

func (w *worker) close() {
	if w.m != nil {
		w.m.Close()
		w.m = nil
	}
}

func (w *worker) work() {
	if w.m == nil {
		w.m = w.heap.NewMutator()
		w.own = midden.NewLocal(w.m, midden.New[node](w.m))
	}
	for range 50 {
		w.allocate()
	}
	w.m.Safepoint()
	switch w.rand.IntN(10) {
	case 0:
		w.m.Freeze()
		runtime.Gosched()
		w.m.Unfreeze()
	case 1:
		w.m.Freeze()
		w.close()
	case 2:
		other := w.m.NewMutator()
		midden.NewLocal(other, midden.New[node](other))
		other.Close()
		w.close()
	case 3:
		if err := w.m.Reserve(int64(w.rand.IntN(100_000))); err != nil {
			w.t.Error(err)
		}
	}
}

// allocate makes a node, and lets something refer to it.
func (w *worker) allocate() {
	w.id++
	n := midden.Alloc(w.m, node{ID: w.id})
	shared := w.shared.Get(w.m).Get()
	switch w.rand.IntN(6) {
	case 0:
		w.own.Ptr().Next.Store(w.m, n)
	case 1:
		w.own.Ptr().Any.Store(w.m, n.Any())
	case 2:
		shared.Next.StoreAtomic(w.m, n)
	case 3:
		shared.Next.CompareAndSwap(w.m, shared.Next.LoadAtomic(), n)
	case 4:
		if s := shared.Next.LoadAtomic(); !s.IsNil() && s.Get().ID <= 0 {
			w.t.Errorf("node %d is in a shared slot", s.Get().ID)
		}
	case 5:
		h := midden.NewHandle(w.m, n)
		select {
		case w.handles <- h:
		default: // dropped
		}
	}
}
