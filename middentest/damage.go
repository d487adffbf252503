package middentest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/midden-gc/midden"
)

var damageTests = []test{
	{"CallFromTracer", frees, (*suite).callFromTracer},
	{"TracerPanics", frees, (*suite).tracerPanics},
	{"TracerPanicsOutside", frees, (*suite).tracerPanicsOutside},
}

// A tracerFunc is a Tracer that does what it likes.
type tracerFunc func(v *midden.Visitor)

func (f tracerFunc) Trace(v *midden.Visitor) { f(v) }

// callFromTracer checks that a Tracer that calls into the heap gets ErrCollecting, and that nothing
// comes of it.
func (s *suite) callFromTracer(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, newList(m, 100))
	heapCalls := map[string]func() error{
		"Heap.NewMutator":        func() error { h.NewMutator(); return nil },
		"Heap.Collect":           func() error { return h.Collect(context.Background(), midden.KindFull) },
		"Heap.PreventCollection": func() error { h.PreventCollection(func() {}); return nil },
	}
	mutatorCalls := map[string]func() error{
		"Mutator.Collect":           func() error { return m.Collect(midden.KindFull) },
		"Mutator.Reserve":           func() error { return m.Reserve(100) },
		"Mutator.PreventCollection": func() error { m.PreventCollection(func() {}); return nil },
		"Mutator.NewMutator":        func() error { m.NewMutator(); return nil },
		"New":                       func() error { midden.New[node](m); return nil },
		"NewArray":                  func() error { midden.NewArray[byte](m, 100_000); return nil },
	}
	traced, collecting, frozen := 0, true, false
	remove := h.AddRoots(tracerFunc(func(*midden.Visitor) {
		traced++
		for what, call := range heapCalls {
			if err := failure(call); !errors.Is(err, midden.ErrCollecting) {
				t.Errorf("%s from a Tracer: %v, want ErrCollecting", what, err)
			}
		}
		for what, call := range mutatorCalls {
			// A frozen mutator has another reason to refuse.
			if err := failure(call); err == nil || !frozen && !errors.Is(err, midden.ErrCollecting) {
				t.Errorf("%s from a Tracer: %v, want ErrCollecting", what, err)
			}
		}
		collecting = collecting && h.Collecting()
		h.Stats()
	}))
	collect(t, m, midden.KindFull)
	m.Blocking(func() {
		frozen = true
		if err := h.Collect(t.Context(), midden.KindFull); err != nil {
			t.Errorf("Heap.Collect: %v", err)
		}
	})
	remove()
	if traced < 2 || !collecting {
		t.Errorf("the Tracer was called %d times, Collecting was %t", traced, collecting)
	}
	equal(t, "Collecting afterwards", h.Collecting(), false)
	equal(t, "Mutators", h.Stats().Mutators, 1)
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	checkList(t, "local", l.Get(), 100)
}

// damaged checks that every call that could meet the damage reports it.
func damaged(t *testing.T, h *midden.Heap, m *midden.Mutator) {
	t.Helper()
	calls := map[string]func() error{
		"Heap.NewMutator":        func() error { h.NewMutator(); return nil },
		"Heap.Collect":           func() error { return h.Collect(context.Background(), midden.KindFull) },
		"Heap.PreventCollection": func() error { h.PreventCollection(func() {}); return nil },
	}
	if m != nil {
		calls["Mutator.Safepoint"] = func() error { m.Safepoint(); return nil }
		calls["Safepoint"] = func() error { midden.Safepoint(m, midden.Nil[node]()); return nil }
		calls["Mutator.Collect"] = func() error { return m.Collect(midden.KindFull) }
		calls["Mutator.Reserve"] = func() error { return m.Reserve(100) }
		calls["NewArray"] = func() error { midden.NewArray[byte](m, 100_000); return nil }
		calls["New"] = func() error { midden.New[node](m); return nil }
	}
	for range 2 {
		for what, call := range calls {
			if err := failure(call); !errors.Is(err, midden.ErrDamaged) {
				t.Errorf("%s on a damaged heap: %v, want ErrDamaged", what, err)
			}
		}
	}
}

// tracerPanics checks what a Tracer that panics leaves behind: the panic reaches who collected, the
// others are let go and learn of it, and so does everybody later.
func (s *suite) tracerPanics(t *testing.T) {
	h := s.open(t, midden.Options{})
	m := h.NewMutator()
	var armed atomic.Bool
	h.AddRoots(tracerFunc(func(*midden.Visitor) {
		if armed.Load() {
			panic("the tracer's own")
		}
	}))
	collect(t, m, midden.KindFull)

	const others = 3
	outcomes := make(chan error, others)
	var over atomic.Bool
	var ready sync.WaitGroup
	ready.Add(others)
	for range others {
		other := m.NewMutator()
		go func() {
			ready.Done()
			outcomes <- failure(func() error {
				for !over.Load() {
					other.Safepoint()
					runtime.Gosched()
				}
				return nil
			})
		}()
	}
	m.Blocking(ready.Wait)
	armed.Store(true)
	all := []error{failure(func() error { return m.Collect(midden.KindFull) })}
	if all[0] == nil { // Otherwise the others must find out by themselves.
		over.Store(true)
	}
	for range others {
		all = append(all, <-outcomes)
	}
	own := 0
	for i, err := range all {
		// Whose collection it was is open if every safepoint collects.
		if err != nil && strings.Contains(err.Error(), "the tracer's own") && !errors.Is(err, midden.ErrDamaged) {
			own++
			if i > 0 && !s.stress.EverySafepoint {
				t.Errorf("the panic of a Tracer came to a mutator that did not collect")
			}
		} else if !errors.Is(err, midden.ErrDamaged) {
			t.Errorf("a mutator that met a collection that failed: %v, want ErrDamaged", err)
		}
	}
	equal(t, "the number of mutators that the panic of a Tracer came to", own, 1)
	armed.Store(false)
	damaged(t, h, m)
	// What is still to be had of a damaged heap is that it goes.
	_ = failure(func() error { m.Close(); return nil })
	_ = failure(h.Close)
}

// tracerPanicsOutside does the same when a goroutine without a mutator collects.
func (s *suite) tracerPanicsOutside(t *testing.T) {
	h := s.open(t, midden.Options{})
	m := h.NewMutator()
	m.AddRoots(tracerFunc(func(*midden.Visitor) { panic("the tracer's own") }))
	m.Freeze()
	panics(t, "Collect with a Tracer that panics", func() { _ = h.Collect(t.Context(), midden.KindFull) }, "the tracer's own")
	damaged(t, h, nil)
	if err := failure(func() error { m.Unfreeze(); m.Safepoint(); return nil }); !errors.Is(err, midden.ErrDamaged) {
		t.Errorf("Unfreeze and Safepoint on a damaged heap: %v, want ErrDamaged", err)
	}
}
