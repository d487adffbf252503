package middentest

import (
	"errors"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var lifecycleTests = []test{
	{"BadOptions", 0, (*suite).badOptions},
	{"Close", 0, (*suite).closing},
	{"CloseEmpty", 0, (*suite).closingEmpty},
	{"Mutators", 0, (*suite).countMutators},
	{"SingleMutator", 0, (*suite).singleMutator},
	{"SingleMutatorWorks", 0, (*suite).singleMutatorWorks},
	{"Isolation", 0, (*suite).isolation},
	{"SharedCollector", 0, (*suite).sharedCollector},
}

func (s *suite) badOptions(t *testing.T) {
	for field, o := range map[string]midden.Options{
		"Limit":   {Limit: -1},
		"Workers": {Workers: -1},
	} {
		o.Collector = s.newCollector()
		h, err := midden.NewHeap(&o)
		if err == nil {
			t.Errorf("a negative %s: no error", field)
			_ = h.Close()
			continue
		}
		if h != nil {
			t.Errorf("a negative %s: an error and a heap", field)
		}
		if !strings.Contains(err.Error(), field) {
			t.Errorf("a negative %s: the error %q does not name the field", field, err)
		}
	}
}

func (s *suite) closing(t *testing.T) {
	h := s.open(t, midden.Options{})
	a := h.NewMutator()
	b := a.NewMutator()
	refused := func(what string) {
		t.Helper()
		if err := h.Close(); !errors.Is(err, midden.ErrMutators) {
			t.Errorf("Close with %s: %v, want ErrMutators", what, err)
		}
	}
	refused("two active mutators")
	b.Freeze()
	refused("one of two frozen")
	// A refusal harms nothing.
	checkList(t, "after a refused Close", newList(a, 100), 100)
	collect(t, a, midden.KindFull)
	a.Close()
	refused("a frozen mutator")
	b.Close()
	for range 3 {
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	panicsWith(t, "NewMutator of a closed heap", midden.ErrClosed, func() { h.NewMutator() })
	if err := h.Collect(t.Context(), midden.KindFull); !errors.Is(err, midden.ErrClosed) {
		t.Errorf("Collect of a closed heap: %v, want ErrClosed", err)
	}
}

func (s *suite) closingEmpty(t *testing.T) {
	for range s.size(1000) {
		h := s.open(t, midden.Options{})
		if err := h.Close(); err != nil {
			t.Fatalf("Close of an empty heap: %v", err)
		}
	}
}

func (s *suite) countMutators(t *testing.T) {
	h := s.heap(t, midden.Options{})
	count := func(mutators, frozen int) {
		t.Helper()
		stats := h.Stats()
		if stats.Mutators != mutators || stats.Frozen != frozen {
			t.Errorf("%d mutators, %d frozen; want %d and %d", stats.Mutators, stats.Frozen, mutators, frozen)
		}
	}
	count(0, 0)
	a := h.NewMutator()
	count(1, 0)
	b := a.NewMutator()
	count(2, 0)
	b.Freeze()
	count(2, 1)
	a.Freeze()
	count(2, 2)
	b.Unfreeze()
	count(2, 1)
	a.Close()
	count(1, 0)
	b.Close()
	count(0, 0)
	// A heap lives without mutators, and takes new ones.
	if err := h.Collect(t.Context(), midden.KindFull); err != nil {
		t.Errorf("Collect without mutators: %v", err)
	}
	c := h.NewMutator()
	checkNode(t, "new", newNode(c, 1), 1)
	c.Close()
}

func (s *suite) singleMutator(t *testing.T) {
	h := s.heap(t, midden.Options{SingleMutator: true})
	for range 3 {
		m := h.NewMutator()
		panicsWith(t, "a second mutator", midden.ErrSingleMutator, func() { m.NewMutator() })
		m.Freeze()
		panicsWith(t, "a second mutator", midden.ErrSingleMutator, func() { h.NewMutator() })
		if err := h.Close(); !errors.Is(err, midden.ErrMutators) {
			t.Errorf("Close with a mutator: %v, want ErrMutators", err)
		}
		m.Unfreeze()
		checkNode(t, "after a second mutator was refused", newNode(m, 1), 1)
		m.Close()
	}
}

// singleMutatorWorks checks that the whole API is there for one mutator.
func (s *suite) singleMutatorWorks(t *testing.T) {
	h := s.heap(t, midden.Options{SingleMutator: true, Limit: 8 * mib})
	m := s.mutator(t, h)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 100))
	handle := midden.NewHandle(m, newList(m, 5))
	var roots ownRoots
	remove := h.AddRoots(&roots)
	roots.fill(m, 10)
	check := func() {
		t.Helper()
		litter(m, 500)
		checkList(t, "local", l.Get(), 100)
		checkList(t, "handle", handle.Get(m), 5)
		roots.check(t)
	}
	for _, k := range kinds {
		collect(t, m, k)
		check()
		m.Blocking(func() {
			if err := h.Collect(t.Context(), k); err != nil {
				t.Errorf("Collect: %v", err)
			}
			h.PreventCollection(func() {})
		})
		check()
		m.Safepoint()
		check()
		if err := m.Reserve(mib); err != nil {
			t.Errorf("Reserve: %v", err)
		}
		check()
		m.PreventCollection(func() {
			r := newNode(m, 1)
			m.Safepoint()
			checkNode(t, "inside PreventCollection", r, 1)
			if m.Collect(k) == nil {
				t.Error("Collect inside PreventCollection: no error")
			}
		})
		if h.Collecting() {
			t.Error("Collecting, and nobody is")
		}
	}
	handle.Release()
	remove()
}

// isolation checks that heaps know nothing of each other.
func (s *suite) isolation(t *testing.T) {
	h1, m1 := s.alone(t)
	h2, m2 := s.alone(t)
	defer m1.Scope().Close()
	defer m2.Scope().Close()
	l1, l2 := midden.NewLocal(m1, newList(m1, 10)), midden.NewLocal(m2, newList(m2, 20))
	m2.Freeze()
	for range 5 {
		collect(t, m1, midden.KindFull)
		litter(m1, 1000)
	}
	before := h1.Stats()
	m2.Unfreeze()
	for range 5 {
		litter(m2, 1000)
		checkList(t, "local of the second heap", l2.Get(), 20)
		// m1 is active all the time, in this very goroutine, and is not waited for.
		collect(t, m2, midden.KindFull)
		checkList(t, "local of the first heap", l1.Get(), 10)
	}
	equal(t, "cycles of the first heap", cycles(h1), before.Minor+before.Full)
	if s.can&frees != 0 && cycles(h2) == 0 {
		t.Error("the second heap had no cycle")
	}
}

// sharedCollector checks that one collector, which is an algorithm and its options, serves many heaps.
func (s *suite) sharedCollector(t *testing.T) {
	c := s.newCollector()
	var locals []midden.Local[node]
	var mutators []*midden.Mutator
	for id := range 5 {
		h, err := midden.NewHeap(&midden.Options{Collector: c, Stress: s.stress})
		if err != nil {
			t.Fatalf("NewHeap: %v", err)
		}
		m := h.NewMutator()
		m.Scope()
		locals = append(locals, midden.NewLocal(m, newNode(m, int64(id))))
		mutators = append(mutators, m)
		defer func() {
			m.Close()
			if err := h.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
	}
	for range 3 {
		for id, m := range mutators {
			collect(t, m, kinds[id%len(kinds)])
			litter(m, 1000)
			checkNode(t, "local", locals[id].Get(), int64(id))
		}
	}
}
