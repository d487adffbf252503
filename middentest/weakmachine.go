package middentest

import (
	"fmt"
	"slices"

	"github.com/midden-gc/midden"
)

// weakPart is what a machine has of weak things: tables in the heap of weak slots and of ephemerons, a
// guardian, and what the model says of them.
//
// The model does not know when cycles run. But it knows what can be reached, and nothing that cannot
// comes back, because the machine takes nothing from a weak slot that it could not have from elsewhere.
// So at any time, what can be reached must be there; and after a full cycle, what cannot must not.
type weakPart struct {
	tables   stack // of two: the slots, and the ephemerons; a root that pick does not know
	remove   func()
	exact    bool // a full cycle finds everything that is dead
	slots    [weakTable]*shadow
	pairs    [weakTable]pairShadow
	guardian *midden.AnyGuardian
	waiting  []*shadow // registered, in order
}

const weakTable = 24

// A pairShadow is an ephemeron of the model.
type pairShadow struct{ key, value *shadow }

type (
	weakSlots      = midden.Array[midden.AnyWeak]
	weakEphemerons = midden.Array[midden.Field[midden.AnyEphemeron]]
)

// weaken makes the tables when they are needed first, and reports whether they are there.
func (mc *machine) weaken() bool {
	w := &mc.weak
	if w.remove != nil {
		return true
	}
	var tables []midden.AnyRef
	refusal(func() {
		slots := midden.NewArray[midden.AnyWeak](mc.now.m, weakTable).Any()
		tables = []midden.AnyRef{slots, midden.NewArray[midden.Field[midden.AnyEphemeron]](mc.now.m, weakTable).Any()}
	})
	if tables == nil {
		return false
	}
	w.tables.refs = tables
	w.remove = mc.heap.AddRoots(&w.tables)
	w.guardian = midden.NewAnyGuardian(mc.heap)
	return true
}

// close drops the tables and the guardian.
func (w *weakPart) close() {
	if w.remove != nil {
		w.remove()
		w.guardian.Release()
	}
}

// endGuardian drops the guardian, with all that it keeps.
func (w *weakPart) endGuardian() {
	if w.remove != nil {
		w.guardian.Release()
	}
}

func (w *weakPart) slot(i int) *midden.AnyWeak { return cast[weakSlots](w.tables.refs[0]).At(i) }

func (w *weakPart) ephemeron(i int) *midden.Field[midden.AnyEphemeron] {
	return cast[weakEphemerons](w.tables.refs[1]).At(i)
}

// storeWeak lets a weak slot refer to an object.
func (mc *machine) storeWeak() {
	if !mc.weaken() {
		return
	}
	i := mc.below(weakTable)
	a, s := mc.pick()
	mc.weak.slot(i).Store(mc.now.m, a)
	mc.weak.slots[i] = s
}

// newEphemeron joins two objects. At the limit nothing happens.
func (mc *machine) newEphemeron() {
	i := mc.below(weakTable)
	k, sk := mc.pick()
	v, sv := mc.pick()
	if sk == nil || !mc.weaken() {
		return
	}
	refusal(func() {
		e := midden.NewAnyEphemeron(mc.now.m, k, v)
		mc.weak.ephemeron(i).Store(mc.now.m, e)
		mc.weak.pairs[i] = pairShadow{sk, sv}
	})
}

// setValue gives a key another value, if it is alive still.
func (mc *machine) setValue() {
	i := mc.below(weakTable)
	v, sv := mc.pick()
	if !mc.weaken() {
		return
	}
	e := mc.weak.ephemeron(i).Get()
	if e == nil {
		return
	}
	alive := !e.Key().IsNil()
	e.SetValue(mc.now.m, v)
	if alive {
		mc.weak.pairs[i].value = sv
	}
}

// register asks for an object back.
func (mc *machine) register() {
	a, s := mc.pick()
	if s == nil || len(mc.weak.waiting) > 30 || !mc.weaken() {
		return
	}
	if !s.shared {
		s.hash = a.IdentityHash(mc.now.m)
	}
	mc.weak.guardian.Register(mc.now.m, a)
	mc.weak.waiting = append(mc.weak.waiting, s)
}

// ask asks once for an object that is dead.
func (mc *machine) ask() {
	if mc.weaken() {
		mc.delivered(mc.reachable())
	}
}

// delivered takes one object from the guardian, which must be one that was registered and cannot be
// reached, and forgets it. It returns the object's place among those that wait, or -1.
func (mc *machine) delivered(reach map[*shadow]bool) int {
	a, ok := mc.weak.guardian.Next(mc.now.m)
	if !ok {
		return -1
	}
	for i := len(mc.weak.waiting) - 1; i >= 0; i-- {
		s := mc.weak.waiting[i]
		if !reach[s] && a.IdentityHash(mc.now.m) == s.hash {
			newMatcher().match(a, s)
			mc.weak.waiting = slices.Delete(mc.weak.waiting, i, i+1)
			return i
		}
	}
	panic(fmt.Sprintf("the guardian delivers a %s that was not registered, or is alive", a.TypeName()))
}

// collectWeak collects until the guardian has nothing more to deliver, and then compares exactly.
func (mc *machine) collectWeak() {
	if !mc.weaken() {
		return
	}
	for again := true; again; {
		if mc.now.m.Collect(kinds[1+mc.below(2)]) != nil {
			return // the collector had no memory to work with
		}
		again = false
		reach := mc.reachable()
		for last := len(mc.weak.waiting); ; {
			i := mc.delivered(reach)
			if i < 0 {
				break
			}
			if i >= last {
				panic("the guardian delivers an object after one that was registered before it")
			}
			last, again = i, true
		}
	}
	reach := mc.reachable()
	for _, s := range mc.weak.waiting {
		if mc.weak.exact && !reach[s] {
			panic("the guardian does not deliver an object that is dead")
		}
	}
	mc.checkWeak(newMatcher(), reach, mc.weak.exact)
}

// checkWeak compares the weak slots and ephemerons with the model. Exact says that a full cycle has run
// since anything changed.
func (mc *machine) checkWeak(m *matcher, reach map[*shadow]bool, exact bool) {
	if mc.weak.remove == nil {
		return
	}
	check := func(what string, a midden.AnyRef, s *shadow) {
		switch {
		case s != nil && reach[s]:
			m.match(a, s)
		case !a.IsNil() && s == nil:
			panic(what + " refers to something, and should not")
		case !a.IsNil() && exact:
			panic(what + " refers to an object that is dead")
		case !a.IsNil():
			newMatcher().match(a, s) // dead, and still whole
		}
	}
	for i, s := range mc.weak.slots {
		check("a weak slot", mc.weak.slot(i).Load(), s)
	}
	for i, p := range mc.weak.pairs {
		e := mc.weak.ephemeron(i).Get()
		if (e == nil) != (p.key == nil) {
			panic("an ephemeron is missing")
		}
		if e == nil {
			continue
		}
		check("the key of an ephemeron", e.Key(), p.key)
		if e.Key().IsNil() {
			p.value = nil
		}
		check("the value of an ephemeron", e.Value(), p.value)
	}
}

// reachable is every object that the machine can reach from its roots, and what ephemerons keep.
func (mc *machine) reachable() map[*shadow]bool {
	reach := map[*shadow]bool{}
	var todo []*shadow
	add := func(s *shadow) {
		if s != nil && !reach[s] {
			reach[s] = true
			todo = append(todo, s)
		}
	}
	for _, r := range mc.handles {
		add(r.shadow)
	}
	for _, a := range mc.actors {
		for _, f := range a.scopes {
			for _, l := range f.locals {
				add(l.shadow)
			}
		}
		for _, s := range a.tracers.shadows {
			add(s)
		}
	}
	for _, s := range mc.tracers.shadows {
		add(s)
	}
	for _, s := range slices.Concat(mc.weak.slots[:], mc.weak.waiting) {
		if s != nil && s.shared {
			add(s) // another machine keeps it
		}
	}
	for _, p := range mc.weak.pairs {
		if p.key != nil && p.key.shared {
			add(p.key)
		}
	}
	for {
		for len(todo) > 0 {
			s := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, target := range s.slots {
				add(target)
			}
		}
		for _, p := range mc.weak.pairs {
			if reach[p.key] {
				add(p.value)
			}
		}
		if len(todo) == 0 {
			return reach
		}
	}
}
