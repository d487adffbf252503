package middentest

import (
	"context"
	"runtime"
	"testing"

	"github.com/midden-gc/midden"
)

var preventionTests = []test{
	{"Mutator", 0, (*suite).mutatorPrevents},
	{"MutatorWhilePending", 0, (*suite).mutatorPreventsPending},
	{"MutatorPanics", 0, (*suite).mutatorPreventPanics},
	{"Heap", 0, (*suite).heapPrevents},
	{"HeapNested", 0, (*suite).heapPreventsNested},
	{"HeapPanics", 0, (*suite).heapPreventPanics},
	{"HeapBesideFrozen", 0, (*suite).heapPreventsBesideFrozen},
}

// mutatorPrevents checks that references stay good in f, which has safepoints and asks to collect.
func (s *suite) mutatorPrevents(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, newList(m, 10))
	ran := 0
	var prevented func(depth int)
	prevented = func(depth int) {
		before := cycles(h)
		r := newList(m, 20)
		m.Safepoint()
		for _, k := range kinds {
			if err := m.Collect(k); err == nil {
				t.Errorf("Collect(%v) inside PreventCollection: no error", k)
			}
		}
		if depth > 0 {
			m.PreventCollection(func() { prevented(depth - 1) })
		}
		r = midden.Safepoint(m, r)
		checkList(t, "a reference in a variable", r, 20)
		equal(t, "cycles", cycles(h), before)
		ran++
	}
	m.PreventCollection(func() { prevented(5) })
	equal(t, "calls of f", ran, 6)
	collect(t, m, midden.KindFull)
	litter(m, 100)
	checkList(t, "local", l.Get(), 10)
}

// mutatorPreventsPending does it while a collection waits already.
func (s *suite) mutatorPreventsPending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	p.m.PreventCollection(func() {
		r := newList(p.m, 20)
		for range 10 {
			p.m.PreventCollection(func() {
				p.m.Safepoint()
				if err := p.m.Collect(midden.KindFull); err == nil {
					t.Error("Collect inside PreventCollection: no error")
				}
				other := p.m.NewMutator()
				newNode(other, 1)
				other.Close()
			})
			p.m.Safepoint()
			runtime.Gosched()
		}
		litter(p.m, 1000)
		checkList(t, "a reference in a variable", r, 20)
		select {
		case err := <-p.done:
			t.Errorf("a collection ran inside PreventCollection: %v", err)
		default:
		}
	})
	p.mustFinish(t)
}

func (s *suite) mutatorPreventPanics(t *testing.T) {
	h, m := s.alone(t)
	p := recovered(func() {
		m.PreventCollection(func() { m.PreventCollection(func() { panic("out of f") }) })
	})
	equal(t, "the panic", p, any("out of f"))
	collect(t, m, midden.KindFull)
	outside(t, h, midden.KindFull, m.Safepoint)
}

// heapPrevents checks that no collection begins while f runs, and that one that was asked for meanwhile
// comes afterwards.
func (s *suite) heapPrevents(t *testing.T) {
	h := s.heap(t, midden.Options{})
	for range s.size(300) {
		done := make(chan error, 1)
		h.PreventCollection(func() {
			before := cycles(h)
			go func() { done <- h.Collect(context.Background(), midden.KindFull) }()
			for range 20 {
				runtime.Gosched()
				select {
				case err := <-done:
					t.Errorf("a collection ran inside PreventCollection: %v", err)
				default:
				}
			}
			equal(t, "cycles", cycles(h), before)
		})
		if err := <-done; err != nil {
			t.Errorf("Collect that waited for PreventCollection: %v", err)
		}
	}
}

func (s *suite) heapPreventsNested(t *testing.T) {
	h := s.heap(t, midden.Options{})
	h.PreventCollection(func() {
		panics(t, "PreventCollection inside PreventCollection", func() { h.PreventCollection(func() {}) }, "Prevent")
	})
	// Nobody holds anything any more, and other goroutines were never meant.
	if err := h.Collect(t.Context(), midden.KindFull); err != nil {
		t.Errorf("Collect: %v", err)
	}
	h.PreventCollection(func() {
		other := make(chan struct{})
		go func() {
			defer close(other)
			h.PreventCollection(func() {})
		}()
		<-other
	})
}

func (s *suite) heapPreventPanics(t *testing.T) {
	h := s.heap(t, midden.Options{})
	p := recovered(func() { h.PreventCollection(func() { panic("out of f") }) })
	equal(t, "the panic", p, any("out of f"))
	if err := h.Collect(t.Context(), midden.KindFull); err != nil {
		t.Errorf("Collect: %v", err)
	}
	h.PreventCollection(func() {})
}

// heapPreventsBesideFrozen checks that a goroutine whose mutator is frozen may prevent through the heap.
func (s *suite) heapPreventsBesideFrozen(t *testing.T) {
	h, m := s.alone(t)
	m.Blocking(func() {
		done := make(chan error, 1)
		h.PreventCollection(func() {
			go func() { done <- h.Collect(context.Background(), midden.KindFull) }()
			runtime.Gosched()
		})
		if err := <-done; err != nil {
			t.Errorf("Collect: %v", err)
		}
	})
	collect(t, m, midden.KindFull)
}
