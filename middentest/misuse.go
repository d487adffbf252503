package middentest

import (
	"testing"

	"github.com/midden-gc/midden"
)

var misuseTests = []test{
	{"ClosedMutator", 0, (*suite).closedMutator},
	{"FreezeTwice", 0, (*suite).freezeTwice},
	{"WhileFrozen", 0, (*suite).whileFrozen},
	{"Scopes", 0, (*suite).scopes},
}

// closedMutator checks that every use of a closed mutator panics and says why.
func (s *suite) closedMutator(t *testing.T) {
	h := s.heap(t, midden.Options{})
	for _, frozen := range []bool{false, true} {
		m := h.NewMutator()
		if frozen {
			m.Freeze()
		}
		m.Close()
		for what, f := range map[string]func(){
			"New":               func() { midden.New[node](m) },
			"Alloc":             func() { midden.Alloc(m, node{}) },
			"NewArray":          func() { midden.NewArray[byte](m, 100) },
			"NewArray, large":   func() { midden.NewArray[byte](m, 100_000) },
			"NewString":         func() { midden.NewString(m, "text") },
			"Safepoint":         m.Safepoint,
			"Safepoint with r":  func() { midden.Safepoint(m, midden.Nil[node]()) },
			"Collect":           func() { _ = m.Collect(midden.KindFull) },
			"Reserve":           func() { _ = m.Reserve(100) },
			"Freeze":            m.Freeze,
			"Unfreeze":          m.Unfreeze,
			"Blocking":          func() { m.Blocking(func() {}) },
			"PreventCollection": func() { m.PreventCollection(func() {}) },
			"NewMutator":        func() { m.NewMutator() },
			"AddRoots":          func() { m.AddRoots(&ownRoots{}) },
			"Scope":             func() { m.Scope() },
			"NewHandle":         func() { midden.NewHandle(m, midden.Nil[node]()) },
		} {
			panics(t, what+" of a closed mutator", f, "clos")
		}
	}
	m := h.NewMutator()
	checkNode(t, "after all that", newNode(m, 1), 1)
	m.Close()
	equal(t, "Mutators", h.Stats().Mutators, 0)
}

func (s *suite) freezeTwice(t *testing.T) {
	h, m := s.alone(t)
	panics(t, "Unfreeze of an active mutator", m.Unfreeze, "Unfreeze")
	m.Freeze()
	panics(t, "Freeze of a frozen mutator", m.Freeze, "Freeze")
	if err := h.Collect(t.Context(), midden.KindFull); err != nil {
		t.Errorf("Collect: %v", err)
	}
	m.Unfreeze()
	panics(t, "Unfreeze of an active mutator", m.Unfreeze, "Unfreeze")
	m.Blocking(func() {
		panics(t, "Blocking inside Blocking", func() { m.Blocking(func() {}) }, "frozen")
	})
	checkNode(t, "after all that", newNode(m, 1), 1)
	collect(t, m, midden.KindFull)
	stats := h.Stats()
	equal(t, "Mutators", stats.Mutators, 1)
	equal(t, "Frozen", stats.Frozen, 0)
}

// whileFrozen checks that a frozen mutator, beside which a collection may be running, refuses to work.
func (s *suite) whileFrozen(t *testing.T) {
	h, m := s.alone(t)
	// With room in its buffer or without.
	newNode(m, 1)
	m.Freeze()
	for what, f := range map[string]func(){
		"New":               func() { midden.New[node](m) },
		"Alloc":             func() { midden.Alloc(m, node{}) },
		"NewArray":          func() { midden.NewArray[byte](m, 100) },
		"NewArray, large":   func() { midden.NewArray[byte](m, 100_000) },
		"NewString":         func() { midden.NewString(m, "text") },
		"Collect":           func() { _ = m.Collect(midden.KindFull) },
		"Reserve":           func() { _ = m.Reserve(100) },
		"PreventCollection": func() { m.PreventCollection(func() {}) },
		"NewMutator":        func() { m.NewMutator() },
	} {
		panics(t, what+" of a frozen mutator", f, "frozen")
	}
	equal(t, "Frozen", h.Stats().Frozen, 1)
	m.Unfreeze()
	checkNode(t, "after all that", newNode(m, 1), 1)
}

func (s *suite) scopes(t *testing.T) {
	_, m := s.alone(t)
	empty := m.Scope()
	empty.Close()
	panics(t, "closing a scope twice", empty.Close, "midden: ")

	outer := m.Scope()
	kept := midden.NewLocal(m, newNode(m, 1))
	middle := m.Scope()
	midden.NewLocal(m, newNode(m, 2))
	inner := m.Scope()
	midden.NewLocal(m, newNode(m, 3))
	middle.Close()
	panics(t, "closing a scope that was popped with an outer one", inner.Close, "midden: ")
	panics(t, "closing a scope twice", middle.Close, "midden: ")
	collect(t, m, midden.KindFull)
	checkNode(t, "local of the outer scope", kept.Get(), 1)

	again := m.Scope() // where middle was
	panics(t, "closing a popped scope when there is another of its depth", middle.Close, "midden: ")
	fresh := midden.NewLocal(m, newNode(m, 4))
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	checkNode(t, "local of the new scope", fresh.Get(), 4)
	checkNode(t, "local of the outer scope", kept.Get(), 1)
	again.Close()
	outer.Close()
	panics(t, "closing a scope twice", outer.Close, "midden: ")
}
