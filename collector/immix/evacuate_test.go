package immix_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// A item is an object of any size: an array of slots, of which the first refers
// to an array of bytes.
type item struct {
	id    int64
	cells int
	bytes int
}

// cost is what an item takes without any loss.
func (it item) cost() int64 {
	return midden.ArraySize[midden.AnyField](it.cells) + midden.ArraySize[byte](it.bytes)
}

// A shelf is an array of items in the heap, and a model of it.
type shelf struct {
	t     testing.TB
	rand  *rand.Rand
	all   midden.Local[anys]
	items []*item // nil: dead
	last  int64
}

func newShelf(t testing.TB, m *midden.Mutator, n int, seed uint64) *shelf {
	n /= slowness
	return &shelf{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)),
		all:   midden.NewLocal[anys](m, midden.NewArray[midden.AnyField](m, n)),
		items: make([]*item, n),
	}
}

// sizes draws the sizes of an item: mostly small, some up to a quarter of a block
// and more.
func (s *shelf) sizes() (cells, bytes int) {
	switch s.rand.IntN(30) {
	case 0:
		return 1 + s.rand.IntN(2000), s.rand.IntN(8000)
	case 1:
		return 2045, 8176 // the largest that are small
	case 2:
		return 1 + s.rand.IntN(6), 8177 + s.rand.IntN(60_000)
	case 3:
		return 2046 + s.rand.IntN(8000), 1
	case 4, 5, 6:
		return 1 + s.rand.IntN(100), s.rand.IntN(1000)
	}
	return 1 + s.rand.IntN(5), s.rand.IntN(60)
}

// fill puts a new item in a place.
func (s *shelf) fill(m *midden.Mutator, i, cells, bytes int) {
	s.last++
	it := &item{s.last, cells, bytes}
	array := midden.NewArray[midden.AnyField](m, cells)
	data := midden.NewArray[byte](m, bytes)
	for j := range data.Get().Slice() {
		data.Get().Slice()[j] = byte(it.id + int64(j))
	}
	array.Get().At(0).Store(m, data.Any())
	for j := 1; j < cells; j++ {
		// To itself, to its data, and to whatever the neighbour is.
		switch j % 3 {
		case 0:
			array.Get().At(j).Store(m, array.Any())
		case 1:
			array.Get().At(j).Store(m, data.Any())
		}
	}
	s.all.Ptr().At(i).Store(m, array.Any())
	s.items[i] = it
}

func (s *shelf) fillAll(m *midden.Mutator) {
	for i := range s.items {
		cells, bytes := s.sizes()
		s.fill(m, i, cells, bytes)
	}
}

// thin lets each item die with the given probability.
func (s *shelf) thin(m *midden.Mutator, p float64) {
	for i := range s.items {
		if s.rand.Float64() < p {
			s.all.Ptr().At(i).Store(m, midden.AnyRef{})
			s.items[i] = nil
		}
	}
}

// check compares the heap with the model.
func (s *shelf) check() {
	s.t.Helper()
	for i, it := range s.items {
		a := s.all.Ptr().At(i).Load()
		if it == nil {
			if !a.IsNil() {
				s.t.Fatalf("place %d is not empty", i)
			}
			continue
		}
		array, ok := midden.Cast[anys](a)
		if !ok || array.Get().Len() != it.cells {
			s.t.Fatalf("item %d of %d cells is a %s", it.id, it.cells, a.TypeName())
		}
		data, ok := midden.Cast[midden.Array[byte]](array.Get().At(0).Load())
		if !ok || data.Get().Len() != it.bytes {
			s.t.Fatalf("item %d has lost its %d bytes", it.id, it.bytes)
		}
		for j, b := range data.Get().Slice() {
			if b != byte(it.id+int64(j)) {
				s.t.Fatalf("byte %d of %d in item %d is %#x", j, it.bytes, it.id, b)
			}
		}
		for j := 1; j < it.cells; j++ {
			want := midden.AnyRef{}
			switch j % 3 {
			case 0:
				want = array.Any()
			case 1:
				want = data.Any()
			}
			if got := array.Get().At(j).Load(); got != want {
				s.t.Fatalf("cell %d of item %d refers to something else", j, it.id)
			}
		}
	}
}

// live is what lives, without any loss.
func (s *shelf) live() (bytes int64) {
	bytes = midden.ArraySize[midden.AnyField](len(s.items))
	for _, it := range s.items {
		if it != nil {
			bytes += it.cost()
		}
	}
	return bytes
}

func addressOf(r midden.AnyRef) uintptr {
	array, _ := midden.Cast[anys](r)
	return uintptr(unsafe.Pointer(array.Get()))
}

// blockOf returns in which block a small object lies.
func blockOf(p uintptr) uintptr { return (p - uintptr(cage.Base)) >> cage.BlockShift }

// Packed: after KindCompact a heap holds at most 1.3 times what lives, objects of
// all sizes together, whatever the number of workers and mutators' litter between.
func TestCompactPacks(t *testing.T) {
	for _, workers := range []int{1, 4} {
		for _, death := range []float64{0, 0.5, 0.95, 1} {
			t.Run(fmt.Sprint(workers, death), func(t *testing.T) {
				h, m := open(t, midden.Options{Workers: workers, Stress: midden.Stress{Verify: slowness == 1}})
				defer m.Scope().Close()
				s := newShelf(t, m, 1000, uint64(workers))
				s.fillAll(m)
				for round := range 3 {
					s.thin(m, death)
					collect(t, m, midden.KindCompact)
					s.check()
					stats, live := h.Stats(), s.live()
					if most := live*13/10 + 2*cage.BlockSize; stats.Committed > most {
						t.Errorf("round %d: %d bytes committed, %.2f times the %d that live",
							round, stats.Committed, float64(stats.Committed)/float64(live), live)
					}
					if stats.Used > stats.Committed {
						t.Errorf("%d bytes used of %d", stats.Used, stats.Committed)
					}
					for i := range s.items {
						if cells, bytes := s.sizes(); i%3 == 0 && s.items[i] == nil {
							s.fill(m, i, cells, bytes)
						}
					}
					collect(t, m, midden.KindMinor)
					s.check()
				}
			})
		}
	}
}

// Objects of every size that is small are moved as they are.
func TestEverySizeMoves(t *testing.T) {
	_, m := open(t, midden.Options{Stress: checked})
	defer m.Scope().Close()
	const n = space.MaxSmall/8 - 1
	s := newShelf(t, m, n, 1)
	for i := range s.items {
		s.fill(m, i, 1, 8*i+i%8)
		if i < 2048 {
			s.fill(m, i, i+1, i%200)
		}
		litter(m)
	}
	for range 3 {
		s.thin(m, 0.2)
		collect(t, m, midden.KindCompact)
		s.check()
	}
}

// Stress.Move moves every small object in every full cycle, and nothing in a minor
// one.
func TestMoveMovesEverything(t *testing.T) {
	for _, kind := range []midden.Kind{midden.KindFull, midden.KindCompact} {
		for _, workers := range []int{1, 3} {
			_, m := open(t, midden.Options{Workers: workers, Stress: midden.Stress{Verify: true, Poison: true, Move: true}})
			scope := m.Scope()
			s := newShelf(t, m, 400, 1)
			s.fillAll(m)
			for range 4 {
				where := func() (list []uintptr) {
					for i, it := range s.items {
						if it != nil && it.cells <= 2045 {
							list = append(list, addressOf(s.all.Ptr().At(i).Load()))
						}
					}
					return list
				}
				before := where()
				collect(t, m, kind)
				s.check()
				after := where()
				for _, p := range after {
					// Or the next minor cycle would look at all of them.
					if at := (p-uintptr(cage.Base))/8 - 1; *(*uint8)(unsafe.Add(cage.Marks, at/16))>>(at/2%8)&1 == 0 {
						t.Fatal("an object that was moved has no mark")
					}
				}
				for i := range before {
					if blockOf(before[i]) == blockOf(after[i]) {
						t.Fatalf("object %d of %d stayed in its block in a %v cycle", i, len(before), kind)
					}
				}
				collect(t, m, midden.KindMinor)
				if !slices.Equal(after, where()) {
					t.Fatal("a minor cycle moved objects")
				}
				s.check()
				s.thin(m, 0.1)
			}
			scope.Close()
		}
	}
}

// NoMove moves nothing, and frees nevertheless.
func TestNoMove(t *testing.T) {
	h, m := open(t, midden.Options{Collector: immix.New(&immix.Options{NoMove: true}), Stress: midden.Stress{Verify: true, Move: true}})
	defer m.Scope().Close()
	s := newShelf(t, m, 2000, 1)
	s.fillAll(m)
	s.thin(m, 0.9)
	collect(t, m, midden.KindFull)
	var before []uintptr
	for i := range s.items {
		if s.items[i] != nil {
			before = append(before, addressOf(s.all.Ptr().At(i).Load()))
		}
	}
	collect(t, m, midden.KindCompact)
	s.check()
	for i := range s.items {
		if s.items[i] != nil {
			if addressOf(s.all.Ptr().At(i).Load()) != before[0] {
				t.Fatalf("object %d moved", i)
			}
			before = before[1:]
		}
	}
	if s := h.Stats(); s.Committed > s.Used+cage.BlockSize {
		t.Errorf("%d bytes committed, %d used", s.Committed, s.Used)
	}
}

// Everything that may refer to an object refers to it where it is now: locals,
// handles, tracers (two that show the same place, too), roots of frozen mutators,
// and slots of every kind, written before and after the move.
func TestEveryRootAndSlotIsUpdated(t *testing.T) {
	for _, workers := range []int{1, 4} {
		h, m := open(t, midden.Options{Workers: workers, Stress: midden.Stress{Verify: true, Poison: true, Move: true}})
		scope := m.Scope()
		local := midden.NewLocal(m, newList(m, 1, 3))
		handle := midden.NewHandle(m, newList(m, 11, 3))
		shared := &keeper{a: newList(m, 21, 3).Any()}
		removes := []func(){h.AddRoots(shared), h.AddRoots(shared), m.AddRoots(shared)}
		frozen := m.NewMutator()
		frozenLocal := midden.NewLocal(frozen, newList(frozen, 31, 3))
		frozen.Freeze()
		for round, e := range edges {
			if round%5 != 0 && slowness > 1 {
				continue
			}
			var k keeper
			remove := m.AddRoots(&k)
			k.a = e.make(m)
			collect(t, m, midden.Kind(round%3))
			id := int64(100 * round)
			e.set(m, k.a, newList(m, id, 3))
			collect(t, m, midden.KindCompact-midden.Kind(round%2))
			litter(m)
			checkList(t, e.name, e.get(t, k.a), id, 3)
			e.set(m, k.a, newList(m, id+50, 3)) // old to new, after the move
			collect(t, m, midden.KindMinor)
			litter(m)
			checkList(t, e.name+", after the move", e.get(t, k.a), id+50, 3)
			remove()
		}
		checkList(t, "local", local.Get(), 1, 3)
		checkList(t, "handle", handle.Get(m), 11, 3)
		checkList(t, "tracers of one place", cast(t, shared.a), 21, 3)
		m.Blocking(frozen.Unfreeze)
		checkList(t, "local of a frozen mutator", frozenLocal.Get(), 31, 3)
		frozen.Close()
		for _, remove := range removes {
			remove()
		}
		handle.Release()
		scope.Close()
	}
}

// What has moved is old, and the marks of where it was are gone: minor cycles
// between compacting ones keep what they must and free the rest.
func TestGenerationsAfterMoving(t *testing.T) {
	for _, move := range []bool{false, true} {
		h, m := open(t, midden.Options{Workers: 2, Stress: midden.Stress{Verify: true, Poison: true, Move: move}})
		scope := m.Scope()
		s := newShelf(t, m, 250, 7)
		s.fillAll(m)
		for round := range 6 {
			s.thin(m, 0.4)
			kind := midden.KindCompact
			if round%3 == 2 {
				kind = midden.KindFull
			}
			collect(t, m, kind)
			full := h.Stats().Live
			for range 3 {
				for i := range s.items {
					if s.rand.IntN(8) == 0 {
						cells, bytes := s.sizes()
						s.fill(m, i, cells, bytes)
					}
				}
				litter(m)
				collect(t, m, midden.KindMinor)
				s.check()
			}
			litter(m)
			collect(t, m, midden.KindMinor)
			minor := h.Stats().Live
			collect(t, m, midden.KindMinor)
			if again := h.Stats().Live; again != minor || minor < full/4 {
				t.Errorf("%d bytes live after a full cycle, %d after minor ones, %d after another", full, minor, again)
			}
			s.check()
		}
		scope.Close()
	}
}

// At its limit a heap is compacted without going beyond: what cannot be moved yet
// stays.
func TestCompactAtTheLimit(t *testing.T) {
	const limit = 8 << 20
	for seed := range uint64(4) {
		h, m := open(t, midden.Options{Limit: limit, Workers: 1 + int(seed%2), Stress: checked})
		scope := m.Scope()
		s := newShelf(t, m, 20_000, seed)
		full := 0
		for full < len(s.items) {
			cells, bytes := s.sizes()
			if failure(func() { s.fill(m, full, cells, bytes) }) != nil {
				break
			}
			full++
		}
		if full == len(s.items) {
			t.Fatal("the heap did not come to its limit")
		}
		// So that half of each block lives, and no block is free.
		s.thin(m, 0.5)
		collect(t, m, midden.KindFull)
		before := h.Stats()
		collect(t, m, midden.KindCompact)
		s.check()
		after, live := h.Stats(), s.live()
		if after.PeakCommitted > max(before.PeakCommitted, limit+2*cage.BlockSize) {
			t.Errorf("%d bytes were committed, and the limit is %d", after.PeakCommitted, limit)
		}
		if after.Committed > live*13/10+2*cage.BlockSize {
			t.Errorf("%d bytes committed, %.2f times the %d that live", after.Committed, float64(after.Committed)/float64(live), live)
		}
		if after.Used >= before.Used {
			t.Errorf("%d bytes used before, %d after", before.Used, after.Used)
		}
		// And so it can be filled again.
		if err := m.Reserve((limit - live) / 2); err != nil {
			t.Error(err)
		}
		scope.Close()
	}
}

// A heap that has no free block, and small objects in most of its lines, is packed
// too: in rounds, each of which fills what the one before has emptied.
func TestCompactInRounds(t *testing.T) {
	const limit = 4 << 20
	type small struct {
		id int64
		_  midden.Field[small]
	}
	h, m := open(t, midden.Options{Limit: limit, Stress: checked})
	defer m.Scope().Close()
	all := midden.NewLocal(m, midden.NewArray[midden.Field[small]](m, 150_000))
	n := 0
	for ; n < 150_000; n++ {
		if failure(func() { all.Ptr().At(n).Store(m, midden.Alloc(m, small{id: int64(n)})) }) != nil {
			break
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	var kept []int
	for i := range n {
		if random.IntN(4) == 0 {
			kept = append(kept, i)
		} else {
			all.Ptr().At(i).Store(m, midden.Nil[small]())
		}
	}
	collect(t, m, midden.KindCompact)
	live := midden.ArraySize[midden.Field[small]](150_000) + int64(len(kept))*midden.SizeOf[small]()
	if committed := h.Stats().Committed; committed > live*11/10+2*cage.BlockSize {
		t.Errorf("%d bytes committed, %.2f times the %d that live", committed, float64(committed)/float64(live), live)
	}
	for _, i := range kept {
		if id := all.Ptr().At(i).Get().id; id != int64(i) {
			t.Fatalf("object %d in place of %d", id, i)
		}
	}
}

// Reserve compacts before it gives up, also where blocks are not so empty that a full
// cycle would move anything.
func TestReserveCompacts(t *testing.T) {
	const limit = 4 << 20
	_, m := open(t, midden.Options{Limit: limit})
	defer m.Scope().Close()
	all := midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, 100_000))
	n := 0
	for ; n < 100_000; n++ {
		if failure(func() { all.Ptr().At(n).Store(m, newNode(m, int64(n))) }) != nil {
			break
		}
	}
	for i := range n {
		if i%5 > 1 {
			all.Ptr().At(i).Store(m, nodeRef{})
		}
	}
	if err := m.Reserve(limit / 6); err != nil {
		t.Error(err)
	}
	for i := 0; i < n; i += 5 {
		if id := all.Ptr().At(i).Get().ID; id != int64(i) {
			t.Fatalf("node %d in place of %d", id, i)
		}
	}
	if err := m.Reserve(limit); err == nil {
		t.Error("all of the limit can be reserved, and something lives")
	}
}

// Without being told to, full cycles move what lives when blocks are nearly
// empty; and not when they are half full.
func TestDefragmentation(t *testing.T) {
	h, m := open(t, midden.Options{Stress: midden.Stress{Verify: true}, Sizer: midden.Fixed(1 << 40)})
	defer m.Scope().Close()
	const n = 60_000
	all := midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, n))
	for i := range n {
		all.Ptr().At(i).Store(m, newNode(m, int64(i)))
	}
	keep := func(every int) {
		for i := range n {
			if i%every != 0 {
				all.Ptr().At(i).Store(m, nodeRef{})
			}
		}
	}
	where := func(i int) uintptr { return uintptr(unsafe.Pointer(all.Ptr().At(i).Get())) }
	first, used := where(0), h.Stats().Used
	keep(2)
	for range 4 {
		collect(t, m, midden.KindFull)
	}
	if where(0) != first {
		t.Error("objects moved, and blocks are half full")
	}
	keep(10)
	collect(t, m, midden.KindFull) // finds out
	collect(t, m, midden.KindFull)
	if where(0) == first {
		t.Error("no object moved, and blocks are nearly empty")
	}
	if now := h.Stats().Used; now > used/4 {
		t.Errorf("%d bytes used at first, %d when a tenth is left", used, now)
	}
	moved := where(0)
	for range 3 {
		collect(t, m, midden.KindFull)
	}
	if where(0) != moved {
		t.Error("objects moved again, and blocks are full")
	}
	for i := 0; i < n; i += 10 {
		if id := all.Ptr().At(i).Get().ID; id != int64(i) {
			t.Fatalf("node %d in place of %d", id, i)
		}
	}
}

// Several mutators work, and an outsider moves what they work with.
func TestMoveBesideMutators(t *testing.T) {
	h, m := open(t, midden.Options{Workers: 2, Stress: midden.Stress{Verify: true, Poison: true}})
	m.Freeze()
	rounds := 40 / slowness
	var wg sync.WaitGroup
	var working atomic.Int32
	for i := range 3 {
		working.Add(1)
		wg.Go(func() {
			defer working.Add(-1)
			m := h.NewMutator()
			defer m.Close()
			defer m.Scope().Close()
			s := newShelf(t, m, 200, uint64(i))
			for round := range rounds {
				for range 40 {
					cells, bytes := s.sizes()
					s.fill(m, s.rand.IntN(len(s.items)), cells, bytes)
				}
				if round%7 == 0 {
					s.thin(m, 0.5)
				}
				m.Safepoint()
				s.check()
			}
		})
	}
	for i := 0; working.Load() > 0; i++ {
		if err := h.Collect(context.Background(), midden.Kind(i%3)); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	m.Unfreeze()
}

// What tagged words refer to moves, and they with it: in objects, in arrays, in
// large ones.
func TestTaggedWordsAreUpdated(t *testing.T) {
	type tagged struct {
		N    int64
		V, W object.TaggedSlot
	}
	_, m := open(t, midden.Options{Workers: 3, Stress: midden.Stress{Verify: true, Poison: true, Move: true}})
	defer m.Scope().Close()
	const n = 20_000
	all := midden.NewLocal(m, midden.NewArray[tagged](m, n))
	few := midden.NewLocal(m, midden.NewArray[object.TaggedSlot](m, 100))
	one := midden.NewLocal(m, midden.New[tagged](m))
	litter(m)
	word := func(id int64) object.TaggedSlot {
		p := unsafe.Pointer(newNode(m, id).Get())
		return object.TaggedSlot{W: uint64((uintptr(p) - uintptr(cage.Base)) / 8)}
	}
	idOf := func(w object.TaggedSlot) int64 { return (*node)(cage.At(uintptr(w.W))).ID }
	for i := 0; i < n; i += 50 {
		*all.Ptr().At(i) = tagged{V: word(int64(i)), W: object.TaggedSlot{W: math.MaxUint64 - uint64(i)}}
	}
	*few.Ptr().At(99) = word(-5)
	one.Ptr().W = word(-6)
	for range 3 {
		collect(t, m, midden.KindFull)
		litter(m)
		for i := 0; i < n; i += 50 {
			if v := all.Ptr().At(i); idOf(v.V) != int64(i) || v.W.W != math.MaxUint64-uint64(i) {
				t.Fatalf("element %d refers to node %d and has the number %#x", i, idOf(v.V), v.W.W)
			}
		}
		if idOf(*few.Ptr().At(99)) != -5 || idOf(one.Ptr().W) != -6 {
			t.Fatal("a tagged word refers to something else")
		}
	}
}

// The table of starts is clear when no cycle runs.
func TestNoStartsAreLeft(t *testing.T) {
	_, m := open(t, midden.Options{Stress: midden.Stress{Move: true}})
	defer m.Scope().Close()
	s := newShelf(t, m, 2000, 3)
	s.fillAll(m)
	for range 3 {
		s.thin(m, 0.5)
		collect(t, m, midden.KindFull)
		collect(t, m, midden.KindCompact)
		for i, it := range s.items {
			if it == nil || it.cells > 2045 {
				continue
			}
			b := cage.Block(blockOf(addressOf(s.all.Ptr().At(i).Load())))
			if slices.Max(b.Starts()[:]) != 0 {
				t.Fatalf("block %d has starts", b)
			}
		}
	}
}
