package space

import (
	"errors"
	"fmt"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
)

const pageUnits = PageSize >> cage.UnitShift

// Large objects share blocks by pages: no two the same page, and a page that was
// freed is used again, clear.
func TestLargeObjectsSharePages(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 8 {
		w.allocate(b, 3*pageUnits, true)
	}
	// Two to a block: 3 + 3 of 8 pages.
	if n := held(w.s); n != 4 {
		t.Errorf("8 objects of 3 pages take %d blocks", n)
	}
	w.cycle(false, func(o thing) bool { return o.fill%2 == 1 })
	if n := held(w.s); n != 4 {
		t.Errorf("%d blocks when each has lost one of two objects", n)
	}
	for range 4 {
		w.allocate(b, 5*pageUnits, false)
	}
	if n := held(w.s); n != 4 {
		t.Errorf("4 objects of 5 pages did not fit what was free in 4 blocks: %d blocks", n)
	}
	w.cycle(false, func(o thing) bool { return o.fill%2 == 0 })
	w.cycle(false, func(o thing) bool { return false })
	if n := held(w.s); n != 0 {
		t.Errorf("%d blocks are left of large objects that died", n)
	}
}

// The tail of one object is shared with another, and each may go first.
func TestTailsOfLargeObjects(t *testing.T) {
	for _, firstGoesFirst := range []bool{false, true} {
		for tail := uint(1); tail <= 5; tail++ {
			w := newWorld(t, 0, 1)
			b := new(Buffer)
			w.buffers = []*Buffer{b}
			w.allocate(b, 16*pageUnits+tail*pageUnits-1, true)
			w.allocate(b, 3*pageUnits-1, true)
			if n := held(w.s); n != 3 {
				t.Fatalf("2 whole blocks, a tail of %d pages and 3 more take %d blocks", tail, n)
			}
			w.cycle(true, func(o thing) bool { return (o.fill == 1) != firstGoesFirst })
			if n, want := held(w.s), map[bool]int{true: 1, false: 3}[firstGoesFirst]; n != want {
				t.Errorf("first goes first %v: %d blocks are left, want %d", firstGoesFirst, n, want)
			}
			// A minor cycle keeps what is old; only a full one frees it.
			w.cycle(true, func(o thing) bool { return false })
			if len(w.things) != 1 {
				t.Error("an old object is gone")
			}
			w.cycle(false, func(o thing) bool { return false })
			if n := held(w.s); n != 0 {
				t.Errorf("%d blocks are left", n)
			}
		}
	}
}

// Line marks of a large object go with it, all of them if it has slots.
func TestLargeMarksAreClean(t *testing.T) {
	for _, slots := range []bool{false, true} {
		w := newWorld(t, 0, 1)
		b := new(Buffer)
		w.buffers = []*Buffer{b}
		w.allocate(b, 3*pageUnits, false) // keeps the block
		w.allocate(b, 3*pageUnits, slots)
		o := w.things[1]
		w.cycle(false, func(thing) bool { return true })
		n := freeLines(o.at/unitsPerLine, lineAfter(o.at+o.units))
		if slots && n != 0 || !slots && n != 3*PageSize/cage.LineSize-1 {
			t.Errorf("slots %v: %d lines of a living object have no mark", slots, n)
		}
		w.cycle(false, func(o thing) bool { return o.fill == 1 })
		if n := freeLines(o.at/unitsPerLine, lineAfter(o.at+o.units)); n != 3*PageSize/cage.LineSize {
			t.Errorf("slots %v: only %d lines of a dead object have no mark", slots, n)
		}
	}
}

// Many objects of random sizes, freed at random.
func TestLargeRandomly(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := newWorld(t, 0, seed)
			b := new(Buffer)
			w.buffers = []*Buffer{b}
			for range 40 {
				for range 20 {
					w.allocate(b, maxSmallUnits+1+w.rand.UintN(20*pageUnits), w.rand.IntN(2) == 0)
				}
				w.cycle(w.rand.IntN(2) == 0, w.luck())
			}
			// Close, not cycles, frees the rest.
		})
	}
}

// What cannot be had is refused without a trace.
func TestLargeIsRefused(t *testing.T) {
	w := newWorld(t, 1<<20, 1)
	b := new(Buffer)
	for _, bytes := range []uintptr{1<<20 + 1, 1 << 40, 1 << 62} {
		if _, err := w.s.AllocLarge(b, bytes, false); !errors.Is(err, ErrLimit) {
			t.Errorf("%d bytes with a limit of 1 MiB: %v", bytes, err)
		}
	}
	unlimited := newWorld(t, 0, 1)
	for _, bytes := range []uintptr{cage.Size + 1, cage.Size, 1 << 62} {
		if _, err := unlimited.s.AllocLarge(b, bytes, false); !errors.Is(err, cage.ErrExhausted) {
			t.Errorf("%d bytes without a limit: %v", bytes, err)
		}
	}
	for _, s := range []*Space{w.s, unlimited.s} {
		if now, _ := s.Committed(); now != 0 || s.Budget.Used() != 0 || s.Allocated() != 0 || held(s) != 0 {
			t.Errorf("refused objects left %d bytes committed, %d used, %d allocated", now, s.Budget.Used(), s.Allocated())
		}
	}
}
