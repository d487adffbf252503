package middentest

import (
	"slices"
	"testing"

	"github.com/midden-gc/midden"
)

var rootTests = []test{
	{"Local", 0, (*suite).locals},
	{"ManyLocals", 0, (*suite).manyLocals},
	{"NestedScopes", 0, (*suite).nestedScopes},
	{"Safepoint", 0, (*suite).safepoints},
	{"SafepointAsked", 0, (*suite).safepointsAsked},
	{"HeapTracer", 0, (*suite).heapTracer},
	{"MutatorTracer", 0, (*suite).mutatorTracer},
	{"RemovedTracer", frees, (*suite).removedTracer},
	{"ClosedMutatorTracer", frees, (*suite).closedMutatorTracer},
	{"FrozenMutator", 0, (*suite).frozenRoots},
	{"ManyMutators", 0, (*suite).manyMutators},
	{"ThroughObjects", 0, (*suite).throughObjects},
	{"Moved", moves, (*suite).moved},
}

func (s *suite) locals(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 10))
	empty := midden.NewLocal(m, midden.Nil[node]())
	text := midden.NewLocal(m, midden.NewString(m, "text"))
	for round := range 10 {
		for _, k := range kinds {
			litter(m, 300)
			collect(t, m, k)
			checkList(t, "a local", l.Get(), 10+round)
			equal(t, "Ptr", l.Ptr(), l.Get().Get())
			equal(t, "a local string", text.Ptr().View(), "text")
			if !empty.Get().IsNil() || empty.Ptr() != nil {
				t.Fatal("a nil local is not nil")
			}
		}
		l.Set(newList(m, 10+round+1))
	}
	l.Set(midden.Nil[node]())
	collect(t, m, midden.KindFull)
	if !l.Get().IsNil() {
		t.Fatal("a local was set to nil and is not")
	}
}

// manyLocals makes the shadow stack grow in one scope, while old locals stay in use.
func (s *suite) manyLocals(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	var locals []midden.Local[node]
	n := s.size(20000)
	for id := range n {
		locals = append(locals, midden.NewLocal(m, newNode(m, int64(id))))
		if id%(n/4+1) == 0 {
			m.Safepoint()
		}
	}
	for _, k := range kinds {
		collect(t, m, k)
		for id, l := range locals {
			checkNode(t, "local", l.Get(), int64(id))
			l.Set(newNode(m, int64(id)))
		}
	}
}

func (s *suite) nestedScopes(t *testing.T) {
	_, m := s.alone(t)
	const depth = 100
	var scopes []midden.Scope
	var locals []midden.Local[node]
	for id := range depth {
		scopes = append(scopes, m.Scope())
		for range id % 3 { // Some scopes are empty.
			locals = append(locals, midden.NewLocal(m, newNode(m, int64(id))))
		}
	}
	check := func() {
		t.Helper()
		i := 0
		for id := range scopes {
			for range id % 3 {
				checkNode(t, "local", locals[i].Get(), int64(id))
				i++
			}
		}
	}
	for len(scopes) > 0 {
		collect(t, m, kinds[len(scopes)%len(kinds)])
		check()
		last := len(scopes) - 1
		scopes[last].Close()
		scopes = scopes[:last]
		locals = locals[:len(locals)-last%3]
		// What takes the place of the locals that went must not disturb the others.
		scope := m.Scope()
		midden.NewLocal(m, newNode(m, -1))
		check()
		scope.Close()
	}
}

// safepoints checks the safepoints that keep references, when nothing was asked for.
func (s *suite) safepoints(t *testing.T) {
	_, m := s.alone(t)
	a, b, c := newList(m, 3), midden.NewString(m, "b"), midden.NewArray[nodeField](m, 5)
	for id := range 5 {
		c.Get().At(id).Store(m, newNode(m, int64(id)))
	}
	for range 50 {
		c = keepThree(t, m, a, b, c, &a, &b)
		litter(m, 50)
	}
}

// safepointsAsked does the same while others collect.
func (s *suite) safepointsAsked(t *testing.T) {
	h, m := s.alone(t)
	a, b, c := newList(m, 3), midden.NewString(m, "b"), midden.NewArray[nodeField](m, 5)
	for id := range 5 {
		c.Get().At(id).Store(m, newNode(m, int64(id)))
	}
	for range 10 {
		for _, k := range kinds {
			outside(t, h, k, func() { c = keepThree(t, m, a, b, c, &a, &b) })
			litter(m, 50)
		}
	}
}

// keepThree keeps three references across safepoints, one, two and three at a time.
func keepThree(t *testing.T, m *midden.Mutator, a nodeRef, b midden.Ref[midden.String], c midden.Ref[nodeArray],
	pa *nodeRef, pb *midden.Ref[midden.String]) midden.Ref[nodeArray] {
	t.Helper()
	scope := m.Scope()
	defer scope.Close()
	la, lb, lc := midden.NewLocal(m, a), midden.NewLocal(m, b), midden.NewLocal(m, c)
	a = midden.Safepoint(m, a)
	checkList(t, "Safepoint", a, 3)
	equal(t, "what Safepoint returns", a, la.Get())
	c, a = midden.Safepoint2(m, lc.Get(), a)
	checkList(t, "Safepoint2", a, 3)
	equal(t, "what Safepoint2 returns", c, lc.Get())
	a, b, c = midden.Safepoint3(m, a, lb.Get(), c)
	checkList(t, "Safepoint3", a, 3)
	equal(t, "string", b.Get().View(), "b")
	for id := range 5 {
		checkNode(t, "element", c.Get().At(id).Load(), int64(id))
	}
	*pa, *pb = a, b
	return c
}

// ownRoots is a Tracer as a virtual machine has one: its stack, in Go's memory.
type ownRoots struct {
	nodes  []nodeRef
	texts  []midden.Ref[midden.String]
	anys   []midden.AnyRef
	traced int
}

func (o *ownRoots) Trace(v *midden.Visitor) {
	o.traced++
	for i := range o.nodes {
		midden.Visit(v, &o.nodes[i])
	}
	for i := range o.texts {
		midden.Visit(v, &o.texts[i])
	}
	for i := range o.anys {
		v.Any(&o.anys[i])
	}
}

// fill adds n roots of every sort, every third nil.
func (o *ownRoots) fill(m *midden.Mutator, n int) {
	for id := range n {
		if id%3 == 2 {
			o.nodes = append(o.nodes, nodeRef{})
			o.texts = append(o.texts, midden.Nil[midden.String]())
			o.anys = append(o.anys, midden.AnyRef{})
			continue
		}
		o.nodes = append(o.nodes, newList(m, id))
		o.texts = append(o.texts, midden.NewString(m, string(rune('a'+id%26))))
		if id%2 == 0 {
			o.anys = append(o.anys, newNode(m, int64(id)).Any())
		} else {
			// One object that several roots refer to.
			o.anys = append(o.anys, o.texts[id].Any())
		}
	}
}

func (o *ownRoots) check(t *testing.T) {
	t.Helper()
	for id := range o.nodes {
		if id%3 == 2 {
			if !o.nodes[id].IsNil() || !o.texts[id].IsNil() || !o.anys[id].IsNil() {
				t.Fatal("a nil root is not nil any more")
			}
			continue
		}
		checkList(t, "root of a Tracer", o.nodes[id], id)
		equal(t, "root of a Tracer", o.texts[id].Get().View(), string(rune('a'+id%26)))
		if id%2 == 0 {
			r, _ := midden.Cast[node](o.anys[id])
			checkNode(t, "AnyRef of a Tracer", r, int64(id))
		} else {
			equal(t, "AnyRef of a Tracer", o.anys[id], o.texts[id].Any())
		}
	}
}

func (s *suite) heapTracer(t *testing.T) {
	h, m := s.alone(t)
	var a, b ownRoots
	removeA, removeB := h.AddRoots(&a), h.AddRoots(&b)
	a.fill(m, 30)
	b.fill(m, 10)
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		a.check(t)
		b.check(t)
	}
	removeA()
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		b.check(t)
	}
	removeB()
	collect(t, m, midden.KindFull)
}

func (s *suite) mutatorTracer(t *testing.T) {
	h, m := s.alone(t)
	var roots ownRoots
	remove := m.AddRoots(&roots)
	roots.fill(m, 30)
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		roots.check(t)
		m.Blocking(func() {
			if err := h.Collect(t.Context(), k); err != nil {
				t.Errorf("Collect: %v", err)
			}
		})
		litter(m, 1000)
		roots.check(t)
	}
	remove()
	collect(t, m, midden.KindFull)
}

// removedTracer checks that roots that were removed are not asked for any more, and that removing
// one of several leaves the others.
func (s *suite) removedTracer(t *testing.T) {
	h, m := s.alone(t)
	tracers := make([]ownRoots, 6)
	var removes []func()
	for i := range tracers {
		if i%2 == 0 {
			removes = append(removes, h.AddRoots(&tracers[i]))
		} else {
			removes = append(removes, m.AddRoots(&tracers[i]))
		}
	}
	for _, gone := range []int{3, 0, 5, 2, 1, 4} {
		for i := range tracers {
			tracers[i].traced = 0
		}
		collect(t, m, midden.KindFull)
		for i := range tracers {
			if asked, there := tracers[i].traced > 0, removes[i] != nil; asked != there {
				t.Errorf("tracer %d: asked for roots %t, added %t", i, asked, there)
			}
		}
		removes[gone]()
		removes[gone] = nil
	}
}

func (s *suite) closedMutatorTracer(t *testing.T) {
	h, m := s.alone(t)
	for _, frozen := range []bool{false, true} {
		other := m.NewMutator()
		var roots ownRoots
		other.AddRoots(&roots)
		roots.fill(other, 3)
		other.Freeze()
		collect(t, m, midden.KindFull)
		if roots.traced == 0 {
			t.Error("the roots of a frozen mutator were not asked for")
		}
		if !frozen {
			m.Blocking(other.Unfreeze)
		}
		other.Close()
		roots.traced = 0
		collect(t, m, midden.KindFull)
		if roots.traced != 0 {
			t.Error("the roots of a closed mutator were asked for")
		}
	}
	equal(t, "Mutators", h.Stats().Mutators, 1)
}

// frozenRoots checks that the roots of a frozen mutator keep objects and are up to date afterwards.
func (s *suite) frozenRoots(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 100))
	for range 5 {
		for _, k := range kinds {
			m.Freeze()
			if err := h.Collect(t.Context(), k); err != nil {
				t.Fatalf("Collect: %v", err)
			}
			m.Unfreeze()
			litter(m, 500)
			checkList(t, "local of a frozen mutator", l.Get(), 100)
		}
	}
}

// manyMutators checks that each mutator has a shadow stack of its own.
func (s *suite) manyMutators(t *testing.T) {
	_, m := s.alone(t)
	n := s.size(300)
	var mutators []*midden.Mutator
	var locals []midden.Local[node]
	for id := range n {
		other := m.NewMutator()
		other.Scope()
		locals = append(locals, midden.NewLocal(other, newNode(other, int64(id))))
		other.Freeze()
		mutators = append(mutators, other)
	}
	for len(mutators) > 0 {
		collect(t, m, kinds[len(mutators)%len(kinds)])
		for i, other := range mutators {
			m.Blocking(other.Unfreeze)
			checkNode(t, "local of another mutator", locals[i].Get(), locals[i].Ptr().ID)
			locals[i].Set(newNode(other, locals[i].Ptr().ID))
			other.Freeze()
		}
		for i := len(mutators) - 1; i >= 0; i -= 2 {
			mutators[i].Close()
			mutators, locals = slices.Delete(mutators, i, i+1), slices.Delete(locals, i, i+1)
		}
	}
}

// throughObjects keeps everything by one root through objects of every kind.
func (s *suite) throughObjects(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	n := s.size(3000)
	l := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, 3*n))
	for i := range n {
		list := midden.NewArray[nodeField](m, i%7)
		for j := range i % 7 {
			list.Get().At(j).Store(m, newNode(m, int64(i+j)))
		}
		l.Ptr().At(3*i).Store(m, list.Any())
		l.Ptr().At(3*i+1).Store(m, newList(m, i%5).Any())
		l.Ptr().At(3*i+2).Store(m, midden.NewString(m, string(rune('a'+i%26))).Any())
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for i := range n {
			list, _ := midden.Cast[nodeArray](l.Ptr().At(3 * i).Load())
			equal(t, "length", list.Get().Len(), i%7)
			for j := range i % 7 {
				checkNode(t, "element", list.Get().At(j).Load(), int64(i+j))
			}
			head, _ := midden.Cast[node](l.Ptr().At(3*i + 1).Load())
			checkList(t, "list in an AnyField", head, i%5)
			text, _ := midden.Cast[midden.String](l.Ptr().At(3*i + 2).Load())
			equal(t, "string in an AnyField", text.Get().View(), string(rune('a'+i%26)))
		}
	}
}

// moved checks that stress moves objects, without which the stressed tests would prove little.
func (s *suite) moved(t *testing.T) {
	if !s.stress.Move {
		t.Skip("only under Stress.Move")
	}
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newNode(m, 1))
	for range 10 {
		before := l.Get()
		collect(t, m, midden.KindFull)
		if l.Get() == before {
			t.Error("Stress.Move is on, and an object is where it was")
		}
		checkNode(t, "moved", l.Get(), 1)
	}
}
