package space

import (
	"fmt"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
)

// A copying cycle leaves what lives, wherever it lies then, and gives the rest
// back: the sum of what was allocated does not change.
func TestCopyCycles(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var limit int64
			if seed%2 == 0 {
				limit = 2 << 20
			}
			w := newWorld(t, limit, seed)
			b := new(Buffer)
			w.buffers = []*Buffer{b}
			for round := range 30 {
				for range 300 {
					w.allocate(b, 2+w.rand.UintN(40), false)
					switch w.rand.IntN(20) {
					case 0:
						w.allocate(b, 17+w.rand.UintN(maxSmallUnits-16), false)
					case 1:
						w.allocate(b, maxSmallUnits+1+w.rand.UintN(8000), true)
					}
				}
				lives := w.luck()
				if round%7 == 0 {
					// All of it must fit, packed in another order.
					lives = func(thing) bool { return true }
				}
				w.copyCycle(lives)
			}
			w.copyCycle(func(thing) bool { return false })
			if used := w.s.Budget.Used(); used != cage.BlockSize && used != 0 {
				t.Errorf("%d bytes used, and nothing lives", used)
			}
		})
	}
}

// Blocks that were packed well need a third more when they are packed as badly
// as can be: room for that is made before the first object moves.
func TestCopyInTheWorstOrder(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := &Buffer{quantum: cage.LinesPerBlock}
	for range 90 {
		w.allocate(b, maxSmallUnits, false)
	}
	for range 30 {
		w.allocate(b, 17, false)
	}
	w.s.GiveBack(b, w.s.Cycle())
	c, err := w.s.BeginCopy()
	if err != nil {
		t.Fatal(err)
	}
	before, _ := w.s.Committed()
	for range 30 {
		for range 3 {
			c.Alloc(maxSmallUnits)
		}
		c.Alloc(17)
	}
	if now, _ := w.s.Committed(); now != before {
		t.Errorf("copying took %d bytes more than BeginCopy had made sure of", now-before)
	}
	c.EndCopy(nil)
	w.s.SetThreshold(0)
}

func (w *world) copyCycle(lives func(thing) bool) {
	w.t.Helper()
	s := w.s
	s.Begin()
	for _, b := range w.buffers {
		s.Retire(b)
	}
	s.Settle(0)
	allocated := s.Allocated()
	if allocated != w.sum {
		w.t.Fatalf("%d bytes allocated, want %d", allocated, w.sum)
	}
	c, err := s.BeginCopy()
	if err != nil {
		w.t.Fatal(err)
	}
	committed, _ := s.Committed()
	w.rand.Shuffle(len(w.things), func(i, j int) { w.things[i], w.things[j] = w.things[j], w.things[i] })
	var left []thing
	large := map[uintptr]bool{}
	var wantLarge int64
	for _, o := range w.things {
		if !lives(o) {
			continue
		}
		if o.large {
			large[o.at] = true
			wantLarge += o.cost()
		} else {
			at := c.Alloc(o.units)
			if i := other(memory(at, o.units), 0); i >= 0 {
				w.t.Fatalf("a copy of %d units goes to memory that is not clear", o.units)
			}
			copy(memory(at, o.units), memory(o.at, o.units))
			o.at = at
		}
		left = append(left, o)
	}
	w.things = left
	if now, _ := s.Committed(); now != committed {
		w.t.Fatalf("copying took more memory than BeginCopy had made sure of: %d bytes are committed, %d were", now, committed)
	}
	if got := c.EndCopy(func(at uintptr) bool { return large[at] }); got != wantLarge {
		w.t.Fatalf("EndCopy counts %d bytes of large objects, want %d", got, wantLarge)
	}
	s.SetThreshold(1 << 40)
	if s.Allocated() != allocated {
		w.t.Fatalf("%d bytes allocated, %d before the cycle", s.Allocated(), allocated)
	}
	blocks := map[cage.Block]bool{}
	for _, o := range left {
		if !o.large {
			blocks[cage.BlockOf(cage.At(o.at))] = true
		}
	}
	if got, want := s.Budget.Used(), int64(len(blocks))*cage.BlockSize+wantLarge; got != want {
		w.t.Fatalf("%d bytes used, want %d", got, want)
	}
	if n := int64(held(s)) * cage.BlockSize; n != s.committed.Load() {
		w.t.Fatalf("%d bytes committed, and the cage knows of %d", s.committed.Load(), n)
	}
	s.Poison(0xdb, false)
	w.intact()
}

// A cycle that fails in the middle, because a tracer panics, leaves blocks set aside. They go with the
// space.
func TestCloseInTheMiddleOfACopy(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.allocate(b, 100, false)
	before := cage.Free()
	held, _ := w.s.Committed()
	if _, err := w.s.BeginCopy(); err != nil {
		t.Fatal(err)
	}
	w.s.Close()
	if now, _ := w.s.Committed(); now != 0 {
		t.Errorf("%d bytes are held after Close", now)
	}
	if got := cage.Free() - before; got < int(held/cage.BlockSize) {
		t.Errorf("%d blocks came back, %d bytes were held", got, held)
	}
}
