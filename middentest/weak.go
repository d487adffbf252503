package middentest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/midden-gc/midden"
)

var weakTests = []test{
	{"Slots", frees, (*suite).weakSlots},
	{"SlotsStay", 0, (*suite).weakSlotsStay},
	{"OldToYoung", 0, (*suite).weakOldToYoung},
	{"DiesYoung", generations, (*suite).weakDiesYoung},
	{"EveryWayToStore", frees, (*suite).weakStores},
	{"Arrays", frees, (*suite).weakArrays},
	{"KeepNothing", frees, (*suite).weakKeepsNothing},
	{"ManyReaders", frees, (*suite).weakReaders},
	{"Ephemeron", frees, (*suite).ephemeron},
	{"EphemeronAny", frees, (*suite).ephemeronAny},
	{"EphemeronMisuse", 0, (*suite).ephemeronMisuse},
	{"ValueRefersToKey", frees, (*suite).ephemeronCircle},
	{"Chains", frees, (*suite).ephemeronChains},
	{"ChainOfTables", frees, (*suite).ephemeronTables},
	{"DeadEphemeron", frees, (*suite).ephemeronDead},
	{"SetValue", 0, (*suite).ephemeronSetValue},
	{"OldTable", 0, (*suite).ephemeronOldTable},
	{"YoungKeyDies", generations, (*suite).ephemeronYoungKeyDies},
}

// A holder has weak slots among others.
type holder struct {
	ID   int64
	Weak midden.Weak[node]
	Next nodeField
	Any  midden.AnyWeak
	More [2]struct{ W midden.Weak[node] }
}

// weaks returns what the weak slots of a holder refer to.
func (h *holder) weaks() []nodeRef {
	any, _ := midden.Cast[node](h.Any.Load())
	return []nodeRef{h.Weak.Load(), any, h.More[0].W.Load(), h.More[1].W.Load()}
}

// checkWeaks fails the test unless all weak slots refer to node id, or are nil if id is negative.
func checkWeaks(t *testing.T, what string, h *holder, id int64) {
	t.Helper()
	for i, r := range h.weaks() {
		what := fmt.Sprintf("%s, weak slot %d", what, i)
		if id >= 0 {
			checkNode(t, what, r, id)
		} else if !r.IsNil() {
			t.Fatalf("%s: node %d, want nil", what, r.Get().ID)
		}
	}
}

func newHolder(m *midden.Mutator, r nodeRef) midden.Ref[holder] {
	h := midden.Alloc(m, holder{Weak: midden.WeakOf(r), Any: midden.AnyWeakOf(r.Any())})
	h.Get().More[0].W.Store(m, r)
	h.Get().More[1].W.StoreAtomic(m, r)
	return h
}

// weakSlots checks that weak slots follow an object for as long as it lives, and are nil then.
func (s *suite) weakSlots(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, newNode(m, 1))
	h := midden.NewLocal(m, newHolder(m, l.Get()))
	other := midden.NewLocal(m, newHolder(m, newNode(m, 2)))
	for _, k := range append(kinds, kinds...) {
		checkWeaks(t, "of a living node", h.Ptr(), 1)
		collect(t, m, k)
		litter(m, 500)
		equal(t, "the weak slot and the local", h.Ptr().Weak.Load(), l.Get())
	}
	collect(t, m, midden.KindFull)
	checkWeaks(t, "of a dead node", other.Ptr(), -1)
	l.Set(nodeRef{})
	checkWeaks(t, "before the cycle", h.Ptr(), 1)
	collect(t, m, midden.KindFull)
	checkWeaks(t, "after it", h.Ptr(), -1)
	// The slot is of use again.
	l.Set(newNode(m, 3))
	h.Ptr().Weak.Store(m, l.Get())
	collect(t, m, midden.KindFull)
	checkNode(t, "a weak slot that was used before", h.Ptr().Weak.Load(), 3)
}

// weakSlotsStay checks that nothing is cleared that lives, with any collector.
func (s *suite) weakSlotsStay(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	var nodes []midden.Local[node]
	var holders []midden.Local[holder]
	for id := range int64(50) {
		nodes = append(nodes, midden.NewLocal(m, newNode(m, id)))
		litter(m, 20)
		holders = append(holders, midden.NewLocal(m, newHolder(m, nodes[id].Get())))
		litter(m, 20)
	}
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 500)
		for id := range int64(50) {
			checkWeaks(t, "of a living node", holders[id].Ptr(), id)
		}
	}
}

// weakOldToYoung checks weak slots of old objects that are made to refer to new ones, which live because
// of a root, or of another old object that refers to them.
func (s *suite) weakOldToYoung(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	h := midden.NewLocal(m, midden.New[holder](m))
	keeper := midden.NewLocal(m, newNode(m, 0))
	root := midden.NewLocal(m, nodeRef{})
	age(t, m)
	for id := range int64(20) {
		litter(m, 30)
		young := newNode(m, id)
		root.Set(nodeRef{})
		if id%2 == 0 {
			root.Set(young)
		} else {
			keeper.Ptr().Next.Store(m, young)
		}
		h.Ptr().Weak.Store(m, young)
		h.Ptr().Any.Store(m, young.Any())
		h.Ptr().More[0].W.Store(m, young)
		h.Ptr().More[1].W.CompareAndSwap(m, h.Ptr().More[1].W.LoadAtomic(), young)
		for range 3 {
			collect(t, m, midden.KindMinor)
			litter(m, 500)
			checkWeaks(t, "of an old holder", h.Ptr(), id)
		}
	}
}

// weakDiesYoung checks that a minor cycle clears the weak slots to what died young, in old holders and
// new ones.
func (s *suite) weakDiesYoung(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	old := midden.NewLocal(m, midden.New[holder](m))
	age(t, m)
	young := midden.NewLocal(m, midden.New[holder](m))
	r := newNode(m, 1)
	for _, h := range []midden.Local[holder]{old, young} {
		midden.Assign(m, h.Ptr(), *newHolder(m, r).Get())
	}
	collect(t, m, midden.KindMinor)
	litter(m, 100)
	checkWeaks(t, "of an old holder", old.Ptr(), -1)
	checkWeaks(t, "of a new holder", young.Ptr(), -1)
}

// weakStores checks every way to fill a weak slot of an old object.
func (s *suite) weakStores(t *testing.T) {
	_, m := s.alone(t)
	for what, store := range map[string]func(h *holder, r nodeRef){
		"Store":          func(h *holder, r nodeRef) { h.Weak.Store(m, r) },
		"StoreAtomic":    func(h *holder, r nodeRef) { h.Weak.StoreAtomic(m, r) },
		"CompareAndSwap": func(h *holder, r nodeRef) { h.Weak.CompareAndSwap(m, nodeRef{}, r) },
		"Assign":         func(h *holder, r nodeRef) { midden.Assign(m, h, holder{Weak: midden.WeakOf(r)}) },
		"Copy": func(h *holder, r nodeRef) {
			a := midden.NewArray[midden.Weak[node]](m, 1).Get()
			a.At(0).Store(m, r)
			midden.Assign(m, &h.Weak, a.Slice()[0])
		},
	} {
		scope := m.Scope()
		h := midden.NewLocal(m, midden.New[holder](m))
		age(t, m)
		keep := midden.NewLocal(m, newNode(m, 5))
		store(h.Ptr(), keep.Get())
		for range 2 {
			collect(t, m, midden.KindMinor)
			litter(m, 500)
			checkNode(t, what, h.Ptr().Weak.LoadAtomic(), 5)
		}
		keep.Set(nodeRef{})
		collect(t, m, midden.KindFull)
		equal(t, what+" and a full cycle: nil", h.Ptr().Weak.Load().IsNil(), true)
		scope.Close()
	}
}

// weakArrays checks arrays of weak slots of all sizes, of which some targets die.
func (s *suite) weakArrays(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{1, 7, 300, 30000} {
		scope := m.Scope()
		weak := midden.NewLocal(m, midden.NewArray[midden.Weak[node]](m, n))
		strong := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
		age(t, m) // the large one is old by all of its lines
		kept := func(i int) bool { return i%3 == 0 }
		for i := range n {
			r := newNode(m, int64(i))
			weak.Ptr().At(i).Store(m, r)
			if kept(i) {
				strong.Ptr().At(i).Store(m, r)
			}
		}
		check := func(what string, dead bool) {
			litter(m, 1000)
			for i := range n {
				r := weak.Ptr().At(i).Load()
				if kept(i) {
					checkNode(t, what, r, int64(i))
				} else if dead && !r.IsNil() {
					t.Fatalf("%s: slot %d of %d refers to a dead object", what, i, n)
				}
			}
		}
		collect(t, m, midden.KindMinor)
		check("after a minor cycle", s.can&generations != 0)
		collect(t, m, midden.KindFull)
		check("after a full cycle", true)
		scope.Close()
	}
}

// weakKeepsNothing checks that what only weak things refer to is freed.
func (s *suite) weakKeepsNothing(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	type large = midden.Array[byte]
	slots := midden.NewLocal(m, midden.NewArray[midden.Weak[large]](m, 100))
	es := midden.NewLocal(m, midden.NewArray[midden.Field[midden.Ephemeron[large, large]]](m, 100))
	age(t, m)
	before := h.Stats().Live
	for i := range 100 {
		r := midden.NewArray[byte](m, 100_000)
		slots.Ptr().At(i).Store(m, r)
		es.Ptr().At(i).Store(m, midden.NewEphemeron(m, r, r))
	}
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live > before+100_000 {
		t.Errorf("%d bytes live, %d before 10 MB were made to which only weak things refer", live, before)
	}
}

// weakReaders lets many mutators read and write weak slots while others collect.
func (s *suite) weakReaders(t *testing.T) {
	h, m := s.alone(t)
	const slots = 64
	shared := midden.NewHandle(m, midden.NewArray[midden.Weak[node]](m, slots))
	wg := crew{t: t}
	for g := range 4 {
		other := m.NewMutator()
		wg.Go(func() {
			defer other.Close()
			random := rand.New(rand.NewPCG(uint64(g), 5))
			for range s.size(2000) {
				func() {
					defer other.Scope().Close()
					i := random.IntN(slots)
					l := midden.NewLocal(other, shared.Get(other).Get().At(i).LoadAtomic())
					if l.Get().IsNil() {
						l.Set(newNode(other, int64(i)))
						shared.Get(other).Get().At(i).StoreAtomic(other, l.Get())
					}
					other.Safepoint()
					if random.IntN(100) == 0 {
						if err := other.Collect(kinds[random.IntN(len(kinds))]); err != nil {
							t.Errorf("Collect: %v", err)
						}
					}
					if r := shared.Get(other).Get().At(i).LoadAtomic(); r.IsNil() || r.Get().ID != int64(i) || l.Ptr().ID != int64(i) {
						t.Errorf("slot %d does not refer to its node, which lives", i)
					}
				}()
			}
		})
	}
	m.Blocking(wg.Wait)
	collect(t, m, midden.KindFull)
	for i := range slots {
		equal(t, "a slot when all is over: nil", shared.Get(m).Get().At(i).Load().IsNil(), true)
	}
	shared.Release()
	_ = h
}

type pairing = midden.Ephemeron[node, node]

// checkPairing fails the test unless e has this key and value, or is dead if the key is negative.
func checkPairing(t *testing.T, what string, e midden.Ref[pairing], key, value int64) {
	t.Helper()
	if key < 0 {
		if k, v := e.Get().Key(), e.Get().Value(); !k.IsNil() || !v.IsNil() {
			t.Fatalf("%s: the key is nil: %v, the value is nil: %v; want both", what, k.IsNil(), v.IsNil())
		}
		return
	}
	checkNode(t, what+", key", e.Get().Key(), key)
	checkNode(t, what+", value", e.Get().Value(), value)
}

// ephemeron checks that a value lives as long as its key, whoever else is there.
func (s *suite) ephemeron(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	key := midden.NewLocal(m, newNode(m, 1))
	e := midden.NewLocal(m, midden.NewEphemeron(m, key.Get(), newNode(m, 2)))
	second := midden.NewLocal(m, midden.NewEphemeron(m, key.Get(), newNode(m, 3)))
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 500)
		checkPairing(t, "while the key lives", e.Get(), 1, 2)
		checkPairing(t, "the second with this key", second.Get(), 1, 3)
	}
	value := midden.NewLocal(m, e.Ptr().Value())
	key.Set(nodeRef{})
	collect(t, m, midden.KindFull)
	checkPairing(t, "after the key died", e.Get(), -1, 0)
	checkPairing(t, "the second", second.Get(), -1, 0)
	checkNode(t, "a value that has a root", value.Get(), 2)
	e.Ptr().SetValue(m, value.Get())
	checkPairing(t, "SetValue after the key died", e.Get(), -1, 0)
	collect(t, m, midden.KindFull)
	checkPairing(t, "later", e.Get(), -1, 0)
}

func (s *suite) ephemeronAny(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	key := midden.NewLocal(m, midden.NewString(m, "key"))
	e := midden.NewLocal(m, midden.NewAnyEphemeron(m, key.Get().Any(), newNode(m, 1).Any()))
	any := midden.NewLocal(m, midden.New[cell](m))
	any.Ptr().Inner.Any.Store(m, e.Get().Any())
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 500)
		equal(t, "the key", e.Ptr().Key(), key.Get().Any())
		r, _ := midden.Cast[node](e.Ptr().Value())
		checkNode(t, "the value", r, 1)
	}
	r, ok := midden.Cast[midden.AnyEphemeron](any.Ptr().Inner.Any.Load())
	equal(t, "the cast", ok && r == e.Get(), true)
	_, ok = midden.Cast[pairing](any.Ptr().Inner.Any.Load())
	equal(t, "the cast to another ephemeron", ok, false)
	e.Ptr().SetValue(m, midden.NewString(m, "value").Any())
	collect(t, m, midden.KindMinor)
	text, _ := midden.Cast[midden.String](e.Ptr().Value())
	equal(t, "the new value", text.Get().String(), "value")
	key.Set(midden.Nil[midden.String]())
	collect(t, m, midden.KindFull)
	equal(t, "the key and the value of a dead one: nil", e.Ptr().Key().IsNil() && e.Ptr().Value().IsNil(), true)
}

func (s *suite) ephemeronMisuse(t *testing.T) {
	_, m := s.alone(t)
	e := midden.NewEphemeron(m, newNode(m, 1), nodeRef{})
	equal(t, "a value that is nil", e.Get().Value().IsNil(), true)
	equal(t, "the size", midden.SizeOf[pairing](), 16)
	panics(t, "a nil key", func() { midden.NewEphemeron(m, nodeRef{}, newNode(m, 1)) }, "midden: ", "nil key")
	panics(t, "a nil key", func() { midden.NewAnyEphemeron(m, midden.AnyRef{}, newNode(m, 1).Any()) }, "midden: ", "nil key")
	panics(t, "a nil ephemeron", func() { midden.Nil[pairing]().Get().Key() }, "midden: ", "nil")
	var prepared pairing
	panics(t, "an ephemeron outside the heap", func() { prepared.Key() }, "midden: ", "copied")
	panics(t, "an ephemeron outside the heap", func() { prepared.SetValue(m, nodeRef{}) }, "midden: ", "copied")
	panics(t, "New of an ephemeron", func() { midden.New[pairing](m) }, "midden: ", "object of its own")
	var h holder
	panics(t, "Store outside the heap", func() { h.Weak.Store(m, newNode(m, 1)) }, "midden: ", "outside the heap")
	panics(t, "Store outside the heap", func() { h.Any.Store(m, newNode(m, 1).Any()) }, "midden: ", "outside the heap")
}

// ephemeronCircle checks that neither a value that refers to its key, nor ephemerons that keep each
// other's keys, keep anything alive.
func (s *suite) ephemeronCircle(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	key := midden.NewLocal(m, newNode(m, 1))
	self := midden.NewLocal(m, midden.NewEphemeron(m, key.Get(), midden.Alloc(m, node{ID: 2, Next: midden.FieldOf(key.Get())})))
	a, b := newNode(m, 3), newNode(m, 4)
	ab := midden.NewLocal(m, midden.NewEphemeron(m, a, b))
	ba := midden.NewLocal(m, midden.NewEphemeron(m, b, a))
	own := midden.NewLocal(m, midden.NewEphemeron(m, newNode(m, 5), nodeRef{}))
	own.Ptr().SetValue(m, own.Ptr().Key())
	collect(t, m, midden.KindFull)
	checkPairing(t, "a value that refers to its key, which lives", self.Get(), 1, 2)
	checkPairing(t, "a circle of two", ab.Get(), -1, 0)
	checkPairing(t, "a circle of two", ba.Get(), -1, 0)
	checkPairing(t, "a circle of one", own.Get(), -1, 0)
	key.Set(nodeRef{})
	collect(t, m, midden.KindFull)
	checkPairing(t, "a value that refers to its key, which is dead", self.Get(), -1, 0)
}

// ephemeronChains checks chains in any order: the value of each ephemeron is the key of the next.
func (s *suite) ephemeronChains(t *testing.T) {
	h, m := s.alone(t)
	random := rand.New(rand.NewPCG(1, 1))
	n := s.size(20000)
	forward := make([]int, n)
	for i := range n {
		forward[i] = i
	}
	backward := make([]int, n)
	for i := range n {
		backward[i] = n - 1 - i
	}
	for what, order := range map[string][]int{"forward": forward, "backward": backward, "random": random.Perm(n)} {
		scope := m.Scope()
		before := h.Stats().Live
		es := midden.NewLocal(m, midden.NewArray[midden.Field[pairing]](m, n))
		first := midden.NewLocal(m, newNode(m, 0))
		key := first.Get()
		for i := range n {
			value := newNode(m, int64(i+1))
			es.Ptr().At(order[i]).Store(m, midden.NewEphemeron(m, key, value))
			key = value
		}
		for _, k := range append(kinds, midden.KindFull) {
			collect(t, m, k)
			litter(m, 1000)
			for i := range n {
				checkPairing(t, what, es.Ptr().At(order[i]).Load(), int64(i), int64(i+1))
			}
		}
		// Without the middle, the rest dies.
		es.Ptr().At(order[n/2]).Store(m, midden.Nil[pairing]())
		collect(t, m, midden.KindFull)
		for i := range n {
			switch e := es.Ptr().At(order[i]).Load(); {
			case i < n/2:
				checkPairing(t, what, e, int64(i), int64(i+1))
			case i > n/2:
				checkPairing(t, what+", cut", e, -1, 0)
			}
		}
		first.Set(nodeRef{})
		collect(t, m, midden.KindFull)
		for i := range n {
			if i != n/2 {
				checkPairing(t, what+", dropped", es.Ptr().At(order[i]).Load(), -1, 0)
			}
		}
		scope.Close()
		collect(t, m, midden.KindFull)
		if live := h.Stats().Live; live > before+64<<10 {
			t.Errorf("%s: %d bytes live after all was dropped, %d before", what, live, before)
		}
	}
}

// A link of a chain whose next ephemeron is found only when the value before it is.
type tableLink struct {
	ID    int64
	Deep  midden.Field[tableLink]
	Key   midden.Field[node]
	Table midden.Field[midden.Ephemeron[node, tableLink]]
}

// ephemeronTables checks chains in which each ephemeron is reached through the value of the one before,
// and before its own key is.
func (s *suite) ephemeronTables(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	n := s.size(5000)
	last := midden.Ref[tableLink]{}
	var lastKey nodeRef
	for i := n; i > 0; i-- {
		key := newNode(m, int64(i))
		deep := midden.Alloc(m, tableLink{Key: midden.FieldOf(lastKey)})
		for range 20 { // the key is found later than the ephemeron
			deep = midden.Alloc(m, tableLink{Deep: midden.FieldOf(deep)})
		}
		v := midden.Alloc(m, tableLink{ID: int64(i), Deep: midden.FieldOf(deep)})
		if !last.IsNil() {
			v.Get().Table.Store(m, midden.NewEphemeron(m, lastKey, last))
		}
		last, lastKey = v, key
	}
	l := midden.NewLocal(m, last)
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 1000)
		at := l.Get()
		for i := 1; i < n; i++ {
			e := at.Get().Table.Get()
			checkNode(t, "a key far down", e.Key(), int64(i+1))
			at = e.Value()
			equal(t, "a value far down", at.Get().ID, int64(i+1))
		}
	}
}

// ephemeronDead checks that an ephemeron that is dead keeps nothing, though its key lives.
func (s *suite) ephemeronDead(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	key := midden.NewLocal(m, newNode(m, 1))
	h := midden.NewLocal(m, midden.New[holder](m))
	value := newNode(m, 2)
	h.Ptr().Weak.Store(m, value)
	midden.NewEphemeron(m, key.Get(), value)
	collect(t, m, midden.KindFull)
	equal(t, "a value of which the ephemeron died: nil", h.Ptr().Weak.Load().IsNil(), true)
}

// ephemeronSetValue gives old ephemerons new values.
func (s *suite) ephemeronSetValue(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	key := midden.NewLocal(m, newNode(m, 1))
	e := midden.NewLocal(m, midden.NewEphemeron(m, key.Get(), nodeRef{}))
	age(t, m)
	for id := range int64(20) {
		litter(m, 30)
		e.Ptr().SetValue(m, midden.Alloc(m, node{ID: id, Next: midden.FieldOf(newList(m, 3))}))
		for range 1 + id%3 {
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			checkPairing(t, "an old ephemeron", e.Get(), 1, id)
			checkList(t, "what the value refers to", e.Ptr().Value().Get().Next.Load(), 3)
		}
	}
	e.Ptr().SetValue(m, nodeRef{})
	collect(t, m, midden.KindFull)
	checkNode(t, "the key", e.Ptr().Key(), 1)
	equal(t, "a value that is nil", e.Ptr().Value().IsNil(), true)
}

// ephemeronOldTable puts ephemerons with new keys into an old table.
func (s *suite) ephemeronOldTable(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	const n = 20
	table := midden.NewLocal(m, midden.NewArray[midden.Field[pairing]](m, n))
	keys := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
	age(t, m)
	for i := range n {
		key := newNode(m, int64(i))
		litter(m, 30)
		keys.Ptr().At(i).Store(m, key)
		table.Ptr().At(i).Store(m, midden.NewEphemeron(m, key, midden.Alloc(m, node{ID: int64(n + i), Next: midden.FieldOf(key)})))
		litter(m, 30)
		collect(t, m, midden.KindMinor)
		litter(m, 1000)
		for j := range i + 1 {
			checkPairing(t, "in an old table", table.Ptr().At(j).Load(), int64(j), int64(n+j))
		}
	}
}

// ephemeronYoungKeyDies checks that a minor cycle finds keys that died young.
func (s *suite) ephemeronYoungKeyDies(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	table := midden.NewLocal(m, midden.NewArray[midden.Field[pairing]](m, 2))
	h := midden.NewLocal(m, midden.New[holder](m))
	age(t, m)
	key := newNode(m, 1)
	value := midden.Alloc(m, node{ID: 2, Next: midden.FieldOf(key)})
	h.Ptr().Weak.Store(m, value)
	table.Ptr().At(0).Store(m, midden.NewEphemeron(m, key, value))
	table.Ptr().At(1).Store(m, midden.NewEphemeron(m, value, key))
	collect(t, m, midden.KindMinor)
	litter(m, 100)
	checkPairing(t, "a key that died young", table.Ptr().At(0).Load(), -1, 0)
	checkPairing(t, "a key that died young", table.Ptr().At(1).Load(), -1, 0)
	equal(t, "the value: nil", h.Ptr().Weak.Load().IsNil(), true)
}
