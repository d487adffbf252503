package middentest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/midden-gc/midden"
)

var guardianTests = []test{
	{"Order", frees, (*suite).guardianOrder},
	{"Late", frees, (*suite).guardianLate},
	{"Twice", frees, (*suite).guardianTwice},
	{"LivingStay", 0, (*suite).guardianLiving},
	{"Graphs", frees, (*suite).guardianGraphs},
	{"KeptUntilDelivered", frees, (*suite).guardianKept},
	{"Resurrection", frees, (*suite).guardianResurrection},
	{"DiesYoung", generations, (*suite).guardianYoung},
	{"Grows", frees, (*suite).guardianGrows},
	{"Any", frees, (*suite).guardianAny},
	{"DeliverAll", 0, (*suite).guardianAll},
	{"Release", frees, (*suite).guardianRelease},
	{"Dropped", frees, (*suite).guardianDropped},
	{"Close", 0, (*suite).guardianClose},
	{"Misuse", 0, (*suite).guardianMisuse},
	{"ManyMutators", frees, (*suite).guardianMutators},
}

// delivered is the IDs of everything that g has ready, in order. It drops the nodes.
func delivered(m *midden.Mutator, g *midden.Guardian[node]) (ids []int64) {
	for {
		r, ok := g.Next(m)
		if !ok {
			if !r.IsNil() {
				panic("Next returns no object and one")
			}
			return ids
		}
		ids = append(ids, r.Get().ID)
	}
}

// delivers fails the test unless g delivers these nodes and no more.
func delivers(t *testing.T, what string, m *midden.Mutator, g *midden.Guardian[node], want ...int64) {
	t.Helper()
	if got := delivered(m, g); !slices.Equal(got, want) {
		t.Fatalf("%s: delivered %v, want %v", what, got, want)
	}
}

// guardianOrder checks that what dies is delivered once, the last registered first.
func (s *suite) guardianOrder(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	delivers(t, "before anything", m, g)
	l := midden.NewLocal(m, newNode(m, 1))
	g.Register(m, l.Get())
	for id := range int64(5) {
		litter(m, 20)
		g.Register(m, newNode(m, 10+id))
	}
	delivers(t, "before a cycle", m, g)
	collect(t, m, midden.KindFull)
	litter(m, 500)
	delivers(t, "after a cycle", m, g, 14, 13, 12, 11, 10)
	collect(t, m, midden.KindFull)
	delivers(t, "after the next", m, g)
	checkNode(t, "the one that lives", l.Get(), 1)
	l.Set(nodeRef{})
	collect(t, m, midden.KindFull)
	delivers(t, "when it died", m, g, 1)
	collect(t, m, midden.KindFull)
	delivers(t, "in the end", m, g)
}

// guardianLate checks the order of what became ready in several cycles.
func (s *suite) guardianLate(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	var locals []midden.Local[node]
	for id := range int64(10) {
		locals = append(locals, midden.NewLocal(m, newNode(m, id)))
		g.Register(m, locals[id].Get())
		if id == 5 {
			age(t, m)
		}
	}
	for _, ids := range [][]int{{4, 7}, {2, 9}, {0, 3, 5, 8}} {
		for _, id := range ids {
			locals[id].Set(nodeRef{})
		}
		collect(t, m, midden.KindFull)
		litter(m, 200)
	}
	r, _ := g.Next(m)
	checkNode(t, "the last of all", r, 9)
	locals[6].Set(nodeRef{})
	collect(t, m, midden.KindFull)
	delivers(t, "after four cycles", m, g, 8, 7, 6, 5, 4, 3, 2, 0)
}

// guardianTwice registers objects more than once, with one guardian and with several.
func (s *suite) guardianTwice(t *testing.T) {
	h, m := s.alone(t)
	a, b := midden.NewGuardian[node](h), midden.NewGuardian[node](h)
	for id := range int64(3) {
		r := newNode(m, id)
		a.Register(m, r)
		b.Register(m, r)
		a.Register(m, r)
	}
	collect(t, m, midden.KindFull)
	litter(m, 200)
	delivers(t, "registered twice", m, a, 2, 2, 1, 1, 0, 0)
	collect(t, m, midden.KindFull)
	litter(m, 200)
	delivers(t, "registered with two", m, b, 2, 1, 0)
	collect(t, m, midden.KindFull)
	delivers(t, "later", m, a)
	delivers(t, "later", m, b)
	// Both have it at once, in one cycle.
	r := newNode(m, 5)
	a.Register(m, r)
	b.Register(m, r)
	collect(t, m, midden.KindFull)
	delivers(t, "by the first of two", m, a, 5)
	delivers(t, "by the second of two", m, b, 5)
}

// guardianLiving checks that what lives is not delivered, with any collector.
func (s *suite) guardianLiving(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	l := midden.NewLocal(m, newList(m, 50))
	for r := l.Get(); !r.IsNil(); r = r.Get().Next.Load() {
		g.Register(m, r)
	}
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 500)
		delivers(t, "while all live", m, g)
		checkList(t, "the list", l.Get(), 50)
	}
}

// guardianGraphs checks that all of a structure that died is delivered in one cycle, and whole.
func (s *suite) guardianGraphs(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	list := newList(m, 6)
	list.Get().Next.Get().Other.Store(m, list) // a circle
	for r := list; !r.IsNil(); r = r.Get().Next.Load() {
		g.Register(m, r)
	}
	collect(t, m, midden.KindFull)
	litter(m, 500)
	head := midden.NewLocal(m, nodeRef{})
	for id := int64(6); id > 0; id-- {
		r, _ := g.Next(m)
		checkNode(t, "of a list", r, id)
		head.Set(r)
		collect(t, m, midden.KindFull)
		litter(m, 500)
	}
	delivers(t, "after the list", m, g)
	checkList(t, "the list, back in use", head.Get(), 6)
	checkNode(t, "the circle", head.Ptr().Next.Get().Other.Load(), 1)
}

// guardianKept checks that what is ready lives, with what it refers to, until somebody asks for it, and
// dies then.
func (s *suite) guardianKept(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	weak := midden.NewLocal(m, midden.New[holder](m))
	r := midden.Alloc(m, node{ID: 1, Next: midden.FieldOf(newList(m, 20))})
	weak.Ptr().Weak.Store(m, r)
	g.Register(m, r)
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 500)
	}
	r, ok := g.Next(m)
	equal(t, "ready", ok, true)
	checkNode(t, "delivered", r, 1)
	checkList(t, "what it refers to", r.Get().Next.Load(), 20)
	checkNode(t, "a weak slot that refers to it", weak.Ptr().Weak.Load(), 1)
	collect(t, m, midden.KindFull)
	equal(t, "the weak slot when it was dropped: nil", weak.Ptr().Weak.Load().IsNil(), true)
	delivers(t, "when it was dropped", m, g)
}

// guardianResurrection checks that an object that is delivered is seen by weak things as it was, and sees
// its own as they were; and that all of it dies in the end.
func (s *suite) guardianResurrection(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[holder](h)
	weak := midden.NewLocal(m, midden.New[holder](m))
	back := midden.NewLocal(m, midden.NewArray[midden.Weak[holder]](m, 1))
	table := midden.NewLocal(m, midden.NewArray[midden.Field[midden.Ephemeron[holder, node]]](m, 2))

	// The holder that dies refers to a friend, and weakly too; the friend is the value of an ephemeron
	// with the holder as key, and another ephemeron leads on from the friend.
	friend := newNode(m, 2)
	r := newHolder(m, friend)
	r.Get().ID = 1
	r.Get().Next.Store(m, friend)
	table.Ptr().At(0).Store(m, midden.NewEphemeron(m, r, newNode(m, 3)))
	back.Ptr().At(0).Store(m, r)
	weak.Ptr().Weak.Store(m, friend)
	g.Register(m, r)

	for range 2 {
		collect(t, m, midden.KindFull)
		litter(m, 500)
	}
	r, ok := g.Next(m)
	equal(t, "delivered", ok && r.Get().ID == 1, true)
	checkWeaks(t, "of the object that was delivered", r.Get(), 2)
	checkNode(t, "what it refers to", r.Get().Next.Load(), 2)
	equal(t, "a weak slot that refers to it", back.Ptr().At(0).Load(), r)
	checkNode(t, "a weak slot that refers to its friend", weak.Ptr().Weak.Load(), 2)
	equal(t, "the key of an ephemeron", table.Ptr().At(0).Get().Key(), r)
	checkNode(t, "its value", table.Ptr().At(0).Get().Value(), 3)

	// Registered again, and kept: it is like any other.
	g.Register(m, r)
	l := midden.NewLocal(m, r)
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 500)
		checkWeaks(t, "of an object that was kept", l.Ptr(), 2)
		_, ok := g.Next(m)
		equal(t, "delivered while it lives", ok, false)
	}
	l.Set(midden.Nil[holder]())
	collect(t, m, midden.KindFull)
	r, ok = g.Next(m)
	equal(t, "delivered again", ok && r.Get().ID == 1, true)
	collect(t, m, midden.KindFull)
	_, ok = g.Next(m)
	equal(t, "delivered a third time", ok, false)
	equal(t, "the weak slot in the end: nil", back.Ptr().At(0).Load().IsNil(), true)
	equal(t, "its friend's in the end: nil", weak.Ptr().Weak.Load().IsNil(), true)
	equal(t, "the key in the end: nil", table.Ptr().At(0).Get().Key().IsNil(), true)
	equal(t, "the value in the end: nil", table.Ptr().At(0).Get().Value().IsNil(), true)
}

// guardianYoung checks that minor cycles deliver what died young, and keep what is ready.
func (s *suite) guardianYoung(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	old := midden.NewLocal(m, newNode(m, 1))
	g.Register(m, old.Get())
	age(t, m)
	g.Register(m, old.Get()) // an old object, newly registered
	l := midden.NewLocal(m, newNode(m, 3))
	g.Register(m, l.Get())
	g.Register(m, midden.Alloc(m, node{ID: 4, Next: midden.FieldOf(newList(m, 3))}))
	for range 3 {
		collect(t, m, midden.KindMinor)
		litter(m, 1000)
	}
	r, _ := g.Next(m)
	checkNode(t, "died young", r, 4)
	checkList(t, "what it refers to", r.Get().Next.Load(), 3)
	delivers(t, "the rest lives", m, g)
	l.Set(nodeRef{})
	old.Set(nodeRef{})
	collect(t, m, midden.KindFull)
	delivers(t, "after a full cycle", m, g, 3, 1, 1)
}

// guardianGrows registers many, of which some die at once, some later and some not.
func (s *suite) guardianGrows(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	n := s.size(20000)
	kept := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
	count := func() (n int) {
		for last := int64(1 << 60); ; n++ {
			r, ok := g.Next(m)
			if !ok {
				return n
			}
			if id := r.Get().ID; id >= last {
				t.Fatalf("node %d is delivered after node %d", id, last)
			} else {
				last = id
			}
		}
	}
	dead := 0
	for i := range n {
		r := newNode(m, int64(i))
		g.Register(m, r)
		if i%3 != 0 {
			kept.Ptr().At(i).Store(m, r)
		} else {
			dead++
		}
	}
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	equal(t, "delivered at once", count(), dead)
	dead = 0
	for i := range n {
		if i%3 == 1 {
			kept.Ptr().At(i).Store(m, nodeRef{})
			dead++
		}
	}
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	equal(t, "delivered later", count(), dead)
	for i := range n {
		if i%3 == 2 {
			checkNode(t, "kept", kept.Ptr().At(i).Load(), int64(i))
		}
	}
}

func (s *suite) guardianAny(t *testing.T) {
	h, m := s.alone(t)
	g := midden.NewAnyGuardian(h)
	g.Register(m, newNode(m, 1).Any())
	g.Register(m, midden.NewString(m, "text").Any())
	panics(t, "Register of nil", func() { g.Register(m, midden.AnyRef{}) }, "midden: ", "nil")
	collect(t, m, midden.KindFull)
	litter(m, 200)
	a, _ := g.Next(m)
	text, ok := midden.Cast[midden.String](a)
	equal(t, "the text", ok && text.Get().String() == "text", true)
	a, _ = g.Next(m)
	r, _ := midden.Cast[node](a)
	checkNode(t, "the node", r, 1)
	_, ok = g.Next(m)
	equal(t, "more", ok, false)
	l := newNode(m, 2)
	g.Register(m, l.Any())
	g.DeliverAll(m)
	a, _ = g.Next(m)
	equal(t, "delivered while it lives", a, l.Any())
	g.Release()
	panics(t, "Next after Release", func() { g.Next(m) }, "midden: ", "Release")
}

// guardianAll checks that DeliverAll delivers what lives too, and keeps it until then.
func (s *suite) guardianAll(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g := midden.NewGuardian[node](h)
	l := midden.NewLocal(m, newNode(m, 1))
	g.Register(m, l.Get())
	age(t, m)
	g.Register(m, newNode(m, 2))
	g.Register(m, l.Get())
	g.Register(m, newNode(m, 3))
	g.DeliverAll(m)
	g.DeliverAll(m)
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
	}
	delivers(t, "all", m, g, 3, 1, 2, 1)
	delivers(t, "more", m, g)
}

func (s *suite) guardianRelease(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	g, other := midden.NewGuardian[node](h), midden.NewGuardian[node](h)
	weak := midden.NewLocal(m, midden.NewArray[midden.Weak[node]](m, 3))
	for i := range 3 {
		r := newNode(m, int64(i))
		weak.Ptr().At(i).Store(m, r)
		g.Register(m, r)
		if i == 1 {
			other.Register(m, r)
			collect(t, m, midden.KindFull) // 0 and 1 are ready
		}
	}
	g.Release()
	g.Release()
	collect(t, m, midden.KindFull)
	litter(m, 200)
	for i := range 3 {
		equal(t, "nil after Release", weak.Ptr().At(i).Load().IsNil(), i != 1)
	}
	delivers(t, "of another guardian", m, other, 1)
	panics(t, "Next after Release", func() { g.Next(m) }, "midden: ", "Release")
	panics(t, "Register after Release", func() { g.Register(m, newNode(m, 1)) }, "midden: ", "Release")
}

// guardianDropped checks that a guardian that Go's collector has found forgets what it guarded.
func (s *suite) guardianDropped(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	weak := midden.NewLocal(m, midden.NewArray[midden.Weak[node]](m, 1))
	func() {
		g := midden.NewGuardian[node](h)
		r := newNode(m, 1)
		weak.Ptr().At(0).Store(m, r)
		g.Register(m, r)
		runtime.KeepAlive(g)
	}()
	for range 500 {
		runtime.GC()
		collect(t, m, midden.KindFull)
		if weak.Ptr().At(0).Load().IsNil() {
			return
		}
		runtime.Gosched()
	}
	t.Error("a guardian that was dropped keeps its objects")
}

// guardianClose closes the heap with things registered and ready, and the guardian after it.
func (s *suite) guardianClose(t *testing.T) {
	h := s.open(t, midden.Options{})
	m := h.NewMutator()
	g := midden.NewGuardian[node](h)
	g.Register(m, newNode(m, 1))
	collect(t, m, midden.KindFull)
	g.Register(m, newNode(m, 2))
	m.Close()
	if err := h.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	panics(t, "Next with a closed mutator", func() { g.Next(m) }, "midden: ")
	g.Release()
}

func (s *suite) guardianMisuse(t *testing.T) {
	h, m := s.alone(t)
	_, stranger := s.alone(t)
	g := midden.NewGuardian[node](h)
	panics(t, "Register of nil", func() { g.Register(m, nodeRef{}) }, "midden: ", "nil")
	panics(t, "Next with a mutator of another heap", func() { g.Next(stranger) }, "midden: ", "another heap")
	panics(t, "DeliverAll with a mutator of another heap", func() { g.DeliverAll(stranger) }, "midden: ", "another heap")
	m.Freeze()
	panics(t, "Next with a frozen mutator", func() { g.Next(m) }, "midden: ", "frozen")
	m.Unfreeze()
	type bad struct{ G midden.Guardian[node] }
	panics(t, "a guardian in an object", func() { midden.New[bad](m) }, "midden: ", "root")
}

// guardianMutators lets several mutators register with one guardian and take from it, while they collect.
// Each object must come out once.
func (s *suite) guardianMutators(t *testing.T) {
	h, m := s.alone(t)
	g := midden.NewGuardian[node](h)
	var mu sync.Mutex
	seen := map[int64]int{}
	take := func(m *midden.Mutator) {
		for _, id := range delivered(m, g) {
			mu.Lock()
			seen[id]++
			mu.Unlock()
		}
	}
	n := s.size(3000)
	wg := crew{t: t}
	const mutators = 4
	for i := range mutators {
		other := m.NewMutator()
		wg.Go(func() {
			defer other.Close()
			for j := range n {
				g.Register(other, newNode(other, int64(i*n+j)))
				other.Safepoint()
				if j%50 == 0 {
					if err := other.Collect(kinds[j/50%len(kinds)]); err != nil {
						t.Errorf("Collect: %v", err)
					}
					take(other)
				}
			}
		})
	}
	m.Blocking(wg.Wait)
	collect(t, m, midden.KindFull)
	take(m)
	equal(t, "different nodes delivered", len(seen), mutators*n)
	for id, times := range seen {
		equal(t, fmt.Sprintf("how often node %d was delivered", id), times, 1)
	}
}
