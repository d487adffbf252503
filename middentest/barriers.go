package middentest

import (
	"testing"

	"github.com/midden-gc/midden"
)

var barrierTests = []test{
	{"OldToYoung", 0, (*suite).oldToYoung},
	{"OldAnyFields", 0, (*suite).oldAnyFields},
	{"OldArrays", 0, (*suite).oldArrays},
	{"OldRoots", 0, (*suite).oldRoots},
	{"ManyStores", 0, (*suite).manyStores},
	{"Overwritten", frees, (*suite).overwritten},
	{"Omitted", generations, (*suite).omitted},
	{"Assign", 0, (*suite).assign},
	{"Atomics", 0, (*suite).atomics},
	{"BetweenMutators", 0, (*suite).betweenMutators},
}

// stores is every way to write a reference to a slot of an existing object.
var stores = []struct {
	name  string
	store func(m *midden.Mutator, n *node, r nodeRef)
}{
	{"Store", func(m *midden.Mutator, n *node, r nodeRef) { n.Next.Store(m, r) }},
	{"StoreAtomic", func(m *midden.Mutator, n *node, r nodeRef) { n.Next.StoreAtomic(m, r) }},
	{"CompareAndSwap", func(m *midden.Mutator, n *node, r nodeRef) { n.Next.CompareAndSwap(m, n.Next.Load(), r) }},
	{"Assign to the struct", func(m *midden.Mutator, n *node, r nodeRef) {
		midden.Assign(m, n, node{ID: n.ID, Next: midden.FieldOf(r), Other: n.Other})
	}},
	{"Assign to the slot", func(m *midden.Mutator, n *node, r nodeRef) {
		midden.Assign(m, &n.Next, midden.FieldOf(r))
	}},
	{"Copy", func(m *midden.Mutator, n *node, r nodeRef) {
		source := midden.NewArray[node](m, 2).Get()
		source.At(1).ID = n.ID
		source.At(1).Next.Store(m, r)
		target := midden.NewArray[node](m, 1)
		midden.Copy(m, target.Get().Slice(), source.Slice()[1:])
		midden.Assign(m, n, *target.Get().At(0))
	}},
}

// oldToYoung checks, for every way to store, that an object to which only an old one refers outlives
// minor collections: of one old object after the other, and again and again of the same.
func (s *suite) oldToYoung(t *testing.T) {
	_, m := s.alone(t)
	for _, way := range stores {
		scope := m.Scope()
		old := midden.NewLocal(m, newNode(m, 0))
		age(t, m)
		for id := range int64(20) {
			way.store(m, old.Ptr(), midden.Alloc(m, node{ID: id, Next: midden.FieldOf(newList(m, 3))}))
			litter(m, 100)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			checkNode(t, way.name, old.Ptr().Next.Load(), id)
			checkList(t, way.name, old.Ptr().Next.Get().Next.Load(), 3)
			if id%5 == 4 {
				age(t, m)
			}
		}
		scope.Close()
	}
}

// oldAnyFields does the same for every way to store to an AnyField.
func (s *suite) oldAnyFields(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	old := midden.NewLocal(m, midden.New[cell](m))
	age(t, m)
	field := func() *midden.AnyField { return &old.Ptr().Inner.Any }
	for id := range int64(20) {
		for what, store := range map[string]func(a midden.AnyRef){
			"Store":          func(a midden.AnyRef) { field().Store(m, a) },
			"StoreAtomic":    func(a midden.AnyRef) { field().StoreAtomic(m, a) },
			"CompareAndSwap": func(a midden.AnyRef) { field().CompareAndSwap(m, field().Load(), a) },
			"Assign":         func(a midden.AnyRef) { midden.Assign(m, field(), midden.AnyFieldOf(a)) },
		} {
			litter(m, 30)
			store(newNode(m, id).Any())
			litter(m, 30)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			r, _ := midden.Cast[node](field().Load())
			checkNode(t, what, r, id)
		}
	}
}

// oldArrays does the same for slots of arrays, small and large ones, first, last and in between.
func (s *suite) oldArrays(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{1, 40, 1000, 30000} {
		scope := m.Scope()
		slots := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
		anys := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, n))
		nodes := midden.NewLocal(m, midden.NewArray[node](m, n))
		age(t, m)
		for _, i := range []int{0, n / 3, n / 2, n - 1} {
			// Garbage in between, so that none of the three is kept by the line of another.
			slots.Ptr().At(i).Store(m, newNode(m, 1))
			litter(m, 30)
			anys.Ptr().At(i).Store(m, newNode(m, 2).Any())
			litter(m, 30)
			nodes.Ptr().At(i).Other.Store(m, newNode(m, 3))
			litter(m, 30)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			checkNode(t, "slot of an old array", slots.Ptr().At(i).Load(), 1)
			r, _ := midden.Cast[node](anys.Ptr().At(i).Load())
			checkNode(t, "AnyField of an old array", r, 2)
			checkNode(t, "slot of a struct of an old array", nodes.Ptr().At(i).Other.Load(), 3)
		}
		// All at once, by Copy from a young array, and within the old one.
		young := midden.NewArray[nodeField](m, n).Get().Slice()
		for i := range young {
			young[i].Store(m, newNode(m, int64(i)))
		}
		midden.Copy(m, slots.Ptr().Slice(), young)
		midden.Copy(m, slots.Ptr().Slice()[n/2:], slots.Ptr().Slice())
		collect(t, m, midden.KindMinor)
		litter(m, 1000)
		for i := range n {
			want := i
			if i >= n/2 {
				want -= n / 2
			}
			checkNode(t, "copied slot of an old array", slots.Ptr().At(i).Load(), int64(want))
		}
		scope.Close()
	}
}

// oldRoots checks that a root may come to hold a new object at any time.
func (s *suite) oldRoots(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newNode(m, -1))
	var roots ownRoots
	defer h.AddRoots(&roots)()
	roots.nodes = []nodeRef{newNode(m, -1)}
	age(t, m)
	for id := range int64(20) {
		l.Set(newNode(m, id))
		roots.nodes[0] = newNode(m, id)
		handle := midden.NewHandle(m, newNode(m, id))
		for range 3 {
			collect(t, m, midden.KindMinor)
			litter(m, 500)
			checkNode(t, "an old local", l.Get(), id)
			checkNode(t, "an old Tracer", roots.nodes[0], id)
			checkNode(t, "a handle", handle.Get(m), id)
		}
		handle.Release()
	}
}

// manyStores stores into more old slots than any buffer holds, and to some of them often.
func (s *suite) manyStores(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	n := s.size(100000)
	l := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
	for i := range n {
		l.Ptr().At(i).Store(m, newNode(m, -1))
	}
	age(t, m)
	young := newNode(m, 77)
	for i := range n {
		old := l.Ptr().At(i).Get()
		old.Next.Store(m, young)
		old.Next.Store(m, nodeRef{})
		old.Next.Store(m, newNode(m, int64(i)))
		old.Other.Store(m, young)
		l.Ptr().At(0).Get().Next.Store(m, newNode(m, 0))
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for i := range n {
			checkNode(t, "Next of an old object", l.Ptr().At(i).Get().Next.Load(), int64(i))
			checkNode(t, "Other of an old object", l.Ptr().At(i).Get().Other.Load(), 77)
		}
	}
}

// overwritten checks that what old objects no longer refer to is freed all the same.
func (s *suite) overwritten(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	old := midden.NewLocal(m, midden.NewArray[midden.Field[midden.Array[byte]]](m, 100))
	age(t, m)
	before := h.Stats().Live
	for i := range 100 {
		old.Ptr().At(i).Store(m, midden.NewArray[byte](m, 100_000))
	}
	collect(t, m, midden.KindMinor)
	for i := range 100 {
		old.Ptr().At(i).Store(m, midden.Nil[midden.Array[byte]]())
	}
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live > before+1_000_000 {
		t.Errorf("%d bytes live after 10 MB were overwritten, %d before", live, before)
	}
}

// omitted checks that the verifier finds a slot that was written without Store.
func (s *suite) omitted(t *testing.T) {
	if !s.stress.Verify {
		t.Skip("only under Stress.Verify")
	}
	h := s.open(t, midden.Options{}) // and left alone: it is damaged
	m := h.NewMutator()
	m.Scope()
	old := midden.NewLocal(m, newNode(m, 0))
	age(t, m)
	*old.Ptr() = node{ID: 1, Next: midden.FieldOf(newNode(m, 2))}
	panics(t, "a minor collection after a plain assignment to an old object", func() { _ = m.Collect(midden.KindMinor) }, "midden: ")
}

// assign checks that Assign writes what a plain assignment would, and nothing else.
func (s *suite) assign(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, midden.NewArray[cell](m, 5))
	for id := range 5 {
		for i := range cellSlots {
			setCell(m, l.Ptr().At(id), int64(id), i)
		}
	}
	age(t, m)
	ids := []int64{0, 1, 2, 3, 4}
	for round := range 5 {
		fresh := midden.New[cell](m)
		for i := range cellSlots {
			setCell(m, fresh.Get(), int64(10+round), i)
		}
		fresh.Get().Tag = uint8(round)
		midden.Assign(m, l.Ptr().At(round), *fresh.Get())
		ids[round] = int64(10 + round)
		collect(t, m, kinds[round%len(kinds)])
		litter(m, 1000)
		for i, id := range ids {
			checkCell(t, l.Ptr().At(i), id)
		}
		equal(t, "the number in an assigned struct", l.Ptr().At(round).Tag, uint8(round))
	}
	number := midden.New[[3]int64](m)
	midden.Assign(m, number.Get(), [3]int64{1, 2, 3})
	equal(t, "an assigned array", *number.Get(), [3]int64{1, 2, 3})
}

func (s *suite) atomics(t *testing.T) {
	_, m := s.alone(t)
	a, b := newNode(m, 1), newNode(m, 2)
	n := newNode(m, 0).Get()
	equal(t, "CompareAndSwap of another", n.Next.CompareAndSwap(m, a, b), false)
	equal(t, "CompareAndSwap of nil", n.Next.CompareAndSwap(m, nodeRef{}, a), true)
	equal(t, "the slot", n.Next.LoadAtomic(), a)
	equal(t, "CompareAndSwap of the same", n.Next.CompareAndSwap(m, a, b), true)
	equal(t, "the slot", n.Next.Load(), b)
	n.Next.StoreAtomic(m, a)
	equal(t, "the slot", n.Next.LoadAtomic(), a)
	f := midden.NewArray[midden.AnyField](m, 1).Get().At(0)
	equal(t, "CompareAndSwap of another", f.CompareAndSwap(m, a.Any(), b.Any()), false)
	equal(t, "CompareAndSwap of nil", f.CompareAndSwap(m, midden.AnyRef{}, b.Any()), true)
	equal(t, "the slot", f.LoadAtomic(), b.Any())
	f.StoreAtomic(m, a.Any())
	equal(t, "the slot", f.Load(), a.Any())
}

// betweenMutators stores objects of one mutator into old objects of another.
func (s *suite) betweenMutators(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newNode(m, 0))
	age(t, m)
	other := m.NewMutator()
	for id := range int64(20) {
		l.Ptr().Next.Store(other, newNode(m, id))
		l.Ptr().Other.Store(m, newNode(other, id))
		other.Freeze()
		collect(t, m, midden.KindMinor)
		litter(m, 500)
		checkNode(t, "Next", l.Ptr().Next.Load(), id)
		checkNode(t, "Other", l.Ptr().Other.Load(), id)
		m.Blocking(other.Unfreeze)
	}
	l.Ptr().Next.Store(other, newNode(other, 50))
	l.Ptr().Other.Store(other, newNode(other, 51))
	other.Close()
	collect(t, m, midden.KindMinor)
	litter(m, 500)
	checkNode(t, "Next after Close", l.Ptr().Next.Load(), 50)
	checkNode(t, "Other after Close", l.Ptr().Other.Load(), 51)
}
