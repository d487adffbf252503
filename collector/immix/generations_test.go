package immix_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/internal/cage"
)

// keeper roots one object of any type.
type keeper struct{ a midden.AnyRef }

func (k *keeper) Trace(v *midden.Visitor) { v.Any(&k.a) }

// Whatever the slot and the way to write to it: the new object lives through
// minor cycles, is old then, and goes at the next full one when it is dropped.
func TestEveryEdge(t *testing.T) {
	h, m := open(t, midden.Options{Stress: checked, Workers: 1})
	for i := 0; i < len(edges); i += slowness {
		e := edges[i]
		var k keeper
		remove := m.AddRoots(&k)
		k.a = e.make(m)
		collect(t, m, midden.KindFull)
		id := int64(1000 * i)
		for round := range int64(2) {
			e.set(m, k.a, newList(m, id+10*round, 4))
			collect(t, m, midden.KindMinor)
			litter(m)
			checkList(t, e.name, e.get(t, k.a), id+10*round, 4)
		}
		before := h.Stats()
		collect(t, m, midden.KindMinor)
		checkList(t, e.name, e.get(t, k.a), id+10, 4)
		e.set(m, k.a, midden.Nil[node]())
		collect(t, m, midden.KindMinor)
		if live := h.Stats().Live; live < before.Live-40_000 {
			t.Fatalf("%s: a minor cycle freed what is old: %d bytes live, %d before", e.name, live, before.Live)
		}
		remove()
	}
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live != 0 {
		t.Errorf("%d bytes live, and there are no roots", live)
	}
	if s := h.Stats(); s.Minor == 0 || s.Full == 0 {
		t.Errorf("%d minor and %d full cycles", s.Minor, s.Full)
	}
}

// An assignment that tells nobody is found by Verify, at the next minor cycle:
// of small objects, of large ones, and of large ones that share a block with
// others, where the memory of the dead is still there.
func TestForgottenBarrierIsFound(t *testing.T) {
	type holder struct {
		ID   int64
		Node midden.Field[node]
		Data midden.Field[midden.Array[byte]]
		Slot midden.Field[cells]
	}
	for _, stress := range []midden.Stress{{Verify: true}, {Verify: true, Poison: true}} {
		for _, c := range []struct {
			name  string
			write func(m *midden.Mutator, old *holder)
		}{
			{"small", func(m *midden.Mutator, old *holder) {
				*old = holder{Node: midden.FieldOf(newNode(m, 1))}
			}},
			{"large", func(m *midden.Mutator, old *holder) {
				*old = holder{Data: midden.FieldOf(midden.NewArray[byte](m, 100_000))}
			}},
			{"large in a shared block", func(m *midden.Mutator, old *holder) {
				*old = holder{Data: midden.FieldOf(midden.NewArray[byte](m, 3*4096-8))}
			}},
			{"large with slots in a shared block", func(m *midden.Mutator, old *holder) {
				*old = holder{Slot: midden.FieldOf(midden.NewArray[midden.Field[node]](m, 3*1024-2))}
			}},
		} {
			t.Run(fmt.Sprintf("%s/poison %v", c.name, stress.Poison), func(t *testing.T) {
				h, err := midden.NewHeap(&midden.Options{Stress: stress})
				if err != nil {
					t.Fatal(err)
				}
				m := h.NewMutator()
				l := midden.NewLocal(m, midden.New[holder](m))
				// It keeps the block in which another large object goes.
				midden.NewLocal(m, midden.NewArray[byte](m, 3*4096-8))
				collect(t, m, midden.KindFull)
				c.write(m, l.Ptr())
				r := failure(func() { _ = m.Collect(midden.KindMinor) })
				if r == nil || !strings.Contains(fmt.Sprint(r), "not sound") {
					t.Errorf("Collect panics with %v", r)
				}
				failure(m.Close)
				failure(func() { _ = h.Close() })
			})
		}
	}
}

// oldNode makes a rooted node that is old.
func oldNode(t *testing.T, m *midden.Mutator) midden.Local[node] {
	l := midden.NewLocal(m, newNode(m, 0))
	collect(t, m, midden.KindFull)
	return l
}

// A pause that is given up, in the middle of which nothing happened, keeps what
// was remembered.
func TestGivenUpPauseKeepsTheSet(t *testing.T) {
	h, m := open(t, midden.Options{Stress: checked})
	old := oldNode(t, m)
	old.Ptr().Next.Store(m, newList(m, 1, 5))
	for range 3 {
		// m does not stop, so this must end with its context.
		done := make(chan error)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		go func() { done <- h.Collect(ctx, midden.KindFull) }()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Collect beside an active mutator: %v", err)
		}
		cancel()
	}
	collect(t, m, midden.KindMinor)
	litter(m)
	checkList(t, "after a pause that was given up", old.Ptr().Next.Load(), 1, 5)
}

// The set of a mutator that leaves is used all the same: closed, frozen, closed
// while frozen, or lost.
func TestSetsOfThoseWhoLeft(t *testing.T) {
	h, m := open(t, midden.Options{Stress: checked})
	old := oldNode(t, m)
	for i, leave := range []struct {
		name string
		do   func(other *midden.Mutator)
	}{
		{"closed", (*midden.Mutator).Close},
		{"frozen", (*midden.Mutator).Freeze},
		{"frozen, then closed", func(other *midden.Mutator) { other.Freeze(); other.Close() }},
		{"lost", func(*midden.Mutator) {}},
		{"frozen, then lost", (*midden.Mutator).Freeze},
	} {
		id := int64(100 * i)
		lost := h.Stats().Lost
		var kept *midden.Mutator
		func() {
			other := m.NewMutator()
			old.Ptr().Next.Store(other, newList(other, id, 5))
			leave.do(other)
			if leave.name == "frozen" {
				kept = other
			}
		}()
		if strings.HasSuffix(leave.name, "lost") {
			m.Blocking(func() { findLost(t, h, lost) })
		} else {
			collect(t, m, midden.KindMinor)
		}
		litter(m)
		checkList(t, leave.name, old.Ptr().Next.Load(), id, 5)
		if kept != nil {
			m.Blocking(kept.Unfreeze)
			kept.Close()
		}
	}
}

// findLost collects until another mutator was found to be lost, with minor
// cycles.
func findLost(t *testing.T, h *midden.Heap, before uint64) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := h.Collect(ctx, midden.KindMinor)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if err == nil && h.Stats().Lost > before {
			return
		}
	}
	t.Fatal("the lost mutator is not found")
}

// New objects to which only one thing refers, each another kind of thing.
func TestOnlyReference(t *testing.T) {
	h, m := open(t, midden.Options{Stress: checked})
	defer m.Scope().Close()
	for round := range int64(6/slowness + 1) {
		id := 100 * round
		array := midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, 30_000))
		frozen := m.NewMutator()
		frozenLocal := midden.NewLocal(frozen, newNode(frozen, 0))
		var own, heaps, theirs keeper
		m.AddRoots(&own)
		remove := h.AddRoots(&heaps)
		frozen.AddRoots(&theirs)
		prevented := midden.NewLocal(m, newNode(m, 0))
		frozen.Freeze()
		collect(t, m, midden.KindFull)
		m.Blocking(frozen.Unfreeze)

		array.Ptr().At(29_999).Store(m, newList(m, id, 3))
		frozenLocal.Ptr().Next.Store(frozen, newList(frozen, id+10, 3)) // just before Freeze
		theirs.a = newList(frozen, id+20, 3).Any()
		frozen.Freeze()
		own.a = newList(m, id+30, 3).Any()
		heaps.a = newList(m, id+40, 3).Any()
		handle := midden.NewHandle(m, newList(m, id+50, 3))
		m.PreventCollection(func() {
			list := newList(m, id+60, 3)
			m.Safepoint()
			prevented.Ptr().Any.Store(m, list.Any())
			if err := m.Collect(midden.KindFull); !errors.Is(err, midden.ErrPrevented) {
				t.Errorf("Collect inside PreventCollection: %v", err)
			}
		})
		for range 3 {
			collect(t, m, midden.KindMinor)
			litter(m)
			checkList(t, "large array", array.Ptr().At(29_999).Load(), id, 3)
			checkList(t, "tracer of a mutator", cast(t, own.a), id+30, 3)
			checkList(t, "tracer of the heap", cast(t, heaps.a), id+40, 3)
			checkList(t, "handle", handle.Get(m), id+50, 3)
			checkList(t, "stored inside PreventCollection", cast(t, prevented.Ptr().Any.Load()), id+60, 3)
		}
		m.Blocking(frozen.Unfreeze)
		checkList(t, "stored just before Freeze", frozenLocal.Ptr().Next.Load(), id+10, 3)
		checkList(t, "tracer of a frozen mutator", cast(t, theirs.a), id+20, 3)
		frozen.Close()
		handle.Release()
		remove()
	}
}

// New objects lie in the holes between old ones, and only those refer to them.
func TestNewObjectsInHolesOfOldBlocks(t *testing.T) {
	_, m := open(t, midden.Options{Stress: checked})
	defer m.Scope().Close()
	const n = 2000
	array := midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, n))
	for i := range n {
		array.Ptr().At(i).Store(m, newNode(m, int64(i)))
	}
	collect(t, m, midden.KindFull)
	for round := range 8 {
		// Every third goes, so old blocks have holes between old objects.
		for i := round % 3; i < n; i += 3 {
			array.Ptr().At(i).Store(m, nodeRef{})
		}
		collect(t, m, midden.KindFull)
		// New ones go into the holes, and only their old neighbours refer to them.
		for i := round % 3; i < n; i += 3 {
			if i > 0 && !array.Ptr().At(i-1).Load().IsNil() {
				array.Ptr().At(i - 1).Get().Pair[1].Store(m, newList(m, int64(i), 2))
			}
		}
		collect(t, m, midden.KindMinor)
		litter(m)
		for i := round % 3; i < n; i += 3 {
			if i > 0 && !array.Ptr().At(i-1).Load().IsNil() {
				checkList(t, "in a hole", array.Ptr().At(i - 1).Get().Pair[1].Load(), int64(i), 2)
				array.Ptr().At(i).Store(m, array.Ptr().At(i - 1).Get().Pair[1].Load())
			}
		}
	}
}

// What is remembered counts as used, until the next cycle.
func TestSetCountsAsUsed(t *testing.T) {
	h, m := open(t, midden.Options{})
	defer m.Scope().Close()
	const n = 20_000
	array := midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, n))
	collect(t, m, midden.KindFull)
	young := newNode(m, 1)
	before := h.Stats()
	m.PreventCollection(func() {
		for range 5 { // again and again the same slots
			for i := range n {
				array.Ptr().At(i).Store(m, young)
			}
		}
		after := h.Stats()
		if d := after.Used - before.Used; d < 8*n || d > 32*n {
			t.Errorf("%d slots are remembered, and %d bytes more are used", n, d)
		}
		if u, c := after.Used-before.Used, after.Committed-before.Committed; u != c {
			t.Errorf("%d bytes more are used, and %d committed", u, c)
		}
	})
	collect(t, m, midden.KindFull)
	collect(t, m, midden.KindFull)
	if s := h.Stats(); s.Used > before.Used {
		t.Errorf("%d bytes are used after the cycle, %d before all", s.Used, before.Used)
	}
}

// Mutators come and go, each remembers something, and nothing is left of them.
func TestSetsOfTheGoneCostNothing(t *testing.T) {
	h, m := open(t, midden.Options{})
	old := oldNode(t, m)
	var used [3]int64
	for i := range used {
		for range 300 {
			other := m.NewMutator()
			old.Ptr().Next.Store(other, newNode(other, 1))
			other.Close()
			collect(t, m, midden.KindMinor)
		}
		collect(t, m, midden.KindFull)
		used[i] = h.Stats().Used
	}
	if used[2] > used[0]+100*8 {
		t.Errorf("used after each 300 mutators that came and went: %v", used)
	}
}

// A mutator that does nothing leaves nothing, though there is no cycle.
func TestMutatorsLeaveNothing(t *testing.T) {
	_, m := open(t, midden.Options{})
	goHeap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	const n = 20_000
	comeAndGo := func() {
		for range n {
			m.NewMutator().Close()
		}
	}
	comeAndGo()
	before := goHeap()
	comeAndGo()
	if after := goHeap(); after > before+n*8 {
		t.Errorf("%d mutators that came and went left %d bytes", n, after-before)
	}
}

// Close gives back the sets too; open checks that.
func TestCloseGivesSetsBack(t *testing.T) {
	_, m := open(t, midden.Options{})
	old := oldNode(t, m)
	for range 1000 {
		old.Ptr().Next.Store(m, newNode(m, 1))
	}
}

// Without generations, every cycle is full, and nothing is remembered.
func TestFullOnly(t *testing.T) {
	h, m := open(t, midden.Options{Collector: immix.New(&immix.Options{FullOnly: true}), Stress: checked})
	for i, e := range edges[:20] {
		var k keeper
		remove := m.AddRoots(&k)
		k.a = e.make(m)
		collect(t, m, midden.KindFull)
		used := h.Stats().Used
		e.set(m, k.a, newList(m, int64(i), 3))
		if e.name == "Next Store" && h.Stats().Used != used {
			t.Error("a store is remembered")
		}
		collect(t, m, midden.KindMinor)
		litter(m)
		checkList(t, e.name, e.get(t, k.a), int64(i), 3)
		remove()
	}
	collect(t, m, midden.KindMinor)
	if s := h.Stats(); s.Live != 0 || s.Minor != 0 {
		t.Errorf("%d bytes live after a cycle without roots, %d cycles were minor", s.Live, s.Minor)
	}
}

// Blocks go from heap to heap without the marks of the first.
func TestNoMarksInFreeBlocks(t *testing.T) {
	for range 3 {
		h, err := midden.NewHeap(nil)
		if err != nil {
			t.Fatal(err)
		}
		m := h.NewMutator()
		for range 50 {
			midden.NewLocal(m, newList(m, 1, 30))
			midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, 10_000))
			midden.NewLocal(m, midden.NewArray[byte](m, 10_000))
		}
		collect(t, m, midden.KindFull)
		collect(t, m, midden.KindMinor)
		m.Close()
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for b := cage.Block(1); b < 4096; b++ {
		// There are more blocks than free ones, so these are accessible.
		if cage.Owner(b) != 0 || int(b) > cage.Free() {
			continue
		}
		for i := range uintptr(cage.LinesPerBlock) {
			line := b.Line() + i
			if *(*uint8)(unsafe.Add(cage.Lines, line)) != 0 || *(*uint8)(unsafe.Add(cage.Marks, line)) != 0 {
				t.Fatalf("block %d is nobody's, and line %d has marks", b, i)
			}
		}
	}
}
