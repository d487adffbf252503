package space

import (
	"fmt"
	"slices"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
)

// evacuate empties the given blocks, with two buffers by turns, and checks where
// the copies go. It returns how many objects had to stay.
func (w *world) evacuate(from []BlockInUse, fresh int, holes bool) (stayed int) {
	w.t.Helper()
	s := w.s
	before := s.InUse()
	committed, charged, claims := s.committed.Load(), s.Budget.used.Load(), s.claims.Load()
	emptied := map[cage.Block]bool{}
	for _, f := range from {
		emptied[f.Block] = true
		f.Block.ClearMarks(1)
	}
	e := s.BeginEvacuation(from, fresh, holes)
	to := []*Buffer{e.Buffer(), e.Buffer()}
	for i := range w.things {
		o := &w.things[i]
		if o.large || !emptied[cage.BlockOf(cage.At(o.at))] {
			continue
		}
		at, ok := e.Alloc(to[w.rand.IntN(2)], o.units)
		if !ok {
			stayed++
		} else {
			b := cage.BlockOf(cage.At(at))
			if emptied[b] || cage.Owner(b) != s.owner {
				w.t.Fatalf("a copy went to block %d, which is being emptied: %v", b, emptied[b])
			}
			if !holes && slices.ContainsFunc(before, func(u BlockInUse) bool { return u.Block == b }) {
				w.t.Fatalf("a copy went to a hole in block %d", b)
			}
			copy(memory(at, o.units), memory(o.at, o.units))
			o.at = at
		}
		for line, end := o.lines(); line < end; line++ {
			setLine(line, LiveLine|OldLine)
		}
	}
	if now := s.Budget.used.Load(); s.Budget.limit > 0 && now > max(charged, s.Budget.limit) {
		w.t.Fatalf("%d bytes charged while copying, beyond the limit", now)
	}
	if took := (s.committed.Load() - committed) / cage.BlockSize; took > int64(fresh) {
		w.t.Fatalf("%d blocks were taken from the system, and %d were allowed", took, fresh)
	}
	live := e.End()
	if s.claims.Load() != claims {
		w.t.Fatal("copies count as claimed by mutators")
	}
	s.SetThreshold(1 << 40)
	w.check(live)
	return stayed
}

// Evacuations leave what lives, with every mixture of what there is room for.
func TestEvacuations(t *testing.T) {
	stayed := 0
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var limit int64
			if seed%2 == 0 {
				limit = 2 << 20
			}
			w := newWorld(t, limit, seed)
			b := new(Buffer)
			w.buffers = []*Buffer{b}
			for range 30 {
				for range 400 {
					w.allocate(b, 2+w.rand.UintN(40), false)
					switch w.rand.IntN(20) {
					case 0:
						w.allocate(b, 17+w.rand.UintN(maxSmallUnits-16), false)
					case 1:
						w.allocate(b, maxSmallUnits+1+w.rand.UintN(8000), true)
					}
				}
				w.cycle(false, w.luck())
				for range w.rand.IntN(3) {
					from := slices.DeleteFunc(w.s.InUse(), func(BlockInUse) bool { return w.rand.IntN(3) == 0 })
					stayed += w.evacuate(from, w.rand.IntN(30), w.rand.IntN(2) == 0)
				}
				if limit > 0 && w.s.Budget.used.Load() > limit {
					t.Fatalf("%d bytes charged, beyond the limit", w.s.Budget.used.Load())
				}
				if w.rand.IntN(3) == 0 {
					w.s.TrimAll()
				}
				w.cycle(true, w.luck())
			}
			w.cycle(false, func(thing) bool { return true })
			w.evacuate(w.s.InUse(), 1000, false)
			w.cycle(false, func(thing) bool { return false })
			if used := w.s.Budget.Used(); used != 0 {
				t.Errorf("%d bytes used, and nothing lives", used)
			}
		})
	}
	if stayed == 0 {
		t.Error("no object ever had to stay")
	}
}

// With nowhere to go, everything stays; with holes alone, the fullest block is
// filled first.
func TestEvacuationFillsTheFullest(t *testing.T) {
	w := newWorld(t, 4*cage.BlockSize, 1)
	b := &Buffer{quantum: cage.LinesPerBlock}
	w.buffers = []*Buffer{b}
	for w.allocate(b, unitsPerLine, false) {
	}
	blocks := w.s.InUse()
	if len(blocks) != 4 {
		t.Fatalf("%d blocks in use", len(blocks))
	}
	// Lives: in the four blocks, 10, 200, 255 and 100 lines.
	counts := map[cage.Block]int{blocks[0].Block: 10, blocks[1].Block: 200, blocks[2].Block: 255, blocks[3].Block: 100}
	w.cycle(false, func(o thing) bool {
		b := cage.BlockOf(cage.At(o.at))
		counts[b]--
		return counts[b] >= 0
	})
	from := slices.DeleteFunc(w.s.InUse(), func(b BlockInUse) bool { return b.Lines != 10 })
	if stayed := w.evacuate(from, 0, false); stayed != 10 {
		t.Errorf("%d of 10 objects stayed, and there is no free block", stayed)
	}
	if stayed := w.evacuate(from, 10, false); stayed != 10 {
		t.Errorf("%d of 10 objects stayed, and new blocks are beyond the limit", stayed)
	}
	if stayed := w.evacuate(from, 0, true); stayed != 0 {
		t.Errorf("%d of 10 objects stayed, and there are holes", stayed)
	}
	var lines []int
	for _, b := range w.s.InUse() {
		lines = append(lines, b.Lines)
	}
	if len(lines) != 3 || slices.Max(lines) != cage.LinesPerBlock {
		t.Errorf("the blocks have %v lines in use: none is full", lines)
	}
}

// Free pages beside large objects go back to the system, are counted so, and come
// back clear.
func TestTrimAllReturnsPages(t *testing.T) {
	if together > pagesPerBlock/2 {
		t.Skip("the system's pages are too large")
	}
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 40 {
		w.allocate(b, 3*unitsPerPage-1, true)
	}
	n := 0
	w.cycle(false, func(thing) bool { n++; return n%4 == 0 })
	w.s.TrimAll()
	used, want := w.s.Budget.Used(), int64(0)
	for _, p := range w.s.large.pages {
		for i := uintptr(0); i < pagesPerBlock; i += together {
			if p.taken>>i&uint8(1<<together-1) != 0 {
				want += int64(together) * PageSize
			}
		}
	}
	if now, _ := w.s.Committed(); now != want || want > used*int64(together) {
		t.Errorf("%d bytes are committed, want %d; %d are used", now, want, used)
	}
	for range 40 {
		w.allocate(b, 3*unitsPerPage-1, true) // checks that it is clear
	}
	w.intact()
	w.cycle(false, func(thing) bool { n++; return n%3 == 0 })
	w.s.TrimAll()
	w.s.Poison(0xdb, true)
	w.s.TrimAll()
	for range 40 {
		w.allocate(b, 3*unitsPerPage, true)
	}
	w.cycle(false, func(thing) bool { return false })
	w.s.TrimAll()
	if now, _ := w.s.Committed(); now != 0 {
		t.Errorf("%d bytes are committed, and nothing lives", now)
	}
}
