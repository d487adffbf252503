//go:build invariants

package midden_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/semispace"
)

// With the tag invariants a Value that holds a reference knows its time, and its
// heap.
func TestStaleValues(t *testing.T) {
	h, m := newHeap(t)
	defer h.Close()
	defer m.Close()
	other, n := newHeap(t)
	defer other.Close()
	defer n.Close()
	scope := m.Scope()
	defer scope.Close()

	kept := midden.NewLocal(m, midden.NewArray[midden.ValueField](m, 2))
	stack := &adder{}
	defer m.AddRoots(stack)()
	stale := kept.Get().Value()
	stack.push(stale)
	if err := m.Collect(midden.KindFull); err != nil {
		t.Fatal(err)
	}
	fresh := stack.stack[0]
	foreign := midden.NewString(n, "foreign").Value()
	for what, f := range map[string]func(){
		"Any":            func() { stale.Any() },
		"As":             func() { midden.As[midden.String](stale) },
		"Type.As":        func() { midden.TypeFor[int]().As(stale) },
		"TypeID":         func() { stale.TypeID() },
		"String":         func() { _ = stale.String() },
		"ValueFieldOf":   func() { midden.ValueFieldOf(stale) },
		"Store":          func() { kept.Ptr().At(0).Store(m, stale) },
		"StoreAtomic":    func() { kept.Ptr().At(0).StoreAtomic(m, stale) },
		"CompareAndSwap": func() { kept.Ptr().At(0).CompareAndSwap(m, midden.Value{}, stale) },
		"StoreValues":    func() { midden.StoreValues(m, kept.Ptr().Slice(), []midden.Value{stale}) },
	} {
		if message := fmt.Sprint(recovered(f)); !strings.Contains(message, "was not rooted across the safepoint") {
			t.Errorf("%s of a stale Value: %s", what, message)
		}
	}
	for what, f := range map[string]func(){
		"Store of another heap's":  func() { kept.Ptr().At(0).Store(m, foreign) },
		"Store to another heap's":  func() { midden.NewArray[midden.ValueField](n, 1).Get().At(0).Store(m, fresh) },
		"CompareAndSwap likewise":  func() { kept.Ptr().At(0).CompareAndSwap(m, midden.Value{}, foreign) },
		"IdentityHash of anothers": func() { foreign.Any().IdentityHash(m) },
	} {
		if message := fmt.Sprint(recovered(f)); !strings.Contains(message, "another heap than the mutator's") {
			t.Errorf("%s Value: %s", what, message)
		}
	}
	if kept.Ptr().At(0).Load() != (midden.Value{}) {
		t.Error("a Value was stored")
	}
	// What was rooted is good, and equal to what comes from anywhere else.
	kept.Ptr().At(0).Store(m, fresh)
	if fresh.Any() != kept.Get().Any() || fresh != kept.Get().Value() || kept.Ptr().At(0).Load() != fresh {
		t.Error("a Value that was rooted is not the reference")
	}
	if !kept.Ptr().At(0).CompareAndSwap(m, fresh, midden.IntValue(1)) {
		t.Error("CompareAndSwap does not find what was stored")
	}
}

// Epochs have 16 bits in a Value, and more elsewhere.
func TestManyEpochs(t *testing.T) {
	h, err := midden.NewHeap(&midden.Options{Collector: semispace.New(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	h.SetEpoch(5<<16 - 20)
	stack := &adder{}
	defer m.AddRoots(stack)()
	stack.push(midden.NewString(m, "text").Value())
	for range 40 {
		old := stack.stack[0]
		if err := m.Collect(midden.KindFull); err != nil {
			t.Fatal(err)
		}
		if s, ok := midden.As[midden.String](stack.stack[0]); !ok || s.Get().View() != "text" {
			t.Fatal("the Value is lost")
		}
		if recovered(func() { old.Any() }) == nil {
			t.Fatal("a stale Value is used")
		}
	}
}
