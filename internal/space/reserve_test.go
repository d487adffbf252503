package space

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
)

// A mix chooses the size of the next object, in units, so as to waste as much as
// it can. Left is how many units may still be allocated.
type mix struct {
	name string
	next func(w *world, b *Buffer, left uint) uint
}

const maxSmallUnits = MaxSmall >> cage.UnitShift

var mixes = []mix{
	{"smallest", func(*world, *Buffer, uint) uint { return 2 }},
	{"a line", func(*world, *Buffer, uint) uint { return 16 }},
	{"a little more than a line", func(*world, *Buffer, uint) uint { return 17 }},
	{"a little more than a third of a quarter", func(*world, *Buffer, uint) uint { return 342 }},
	{"the largest medium one", func(*world, *Buffer, uint) uint { return maxSmallUnits }},
	{"just below it", func(*world, *Buffer, uint) uint { return maxSmallUnits - 1 }},
	{"large", func(*world, *Buffer, uint) uint { return maxSmallUnits + 1 }},
	{"misfit", func(_ *world, b *Buffer, _ uint) uint {
		// Little more than three quarters of each block, and then the smallest
		// that does not fit the rest.
		switch rest := uint(b.overEnd - b.overNext); {
		case rest < maxSmallUnits:
			return max(rest+1, 17)
		case rest > 2*maxSmallUnits:
			return maxSmallUnits
		case rest > 2*maxSmallUnits-17:
			return 17
		default:
			return max(rest-maxSmallUnits+1, 17)
		}
	}},
	{"misfit for the hole", func(w *world, b *Buffer, _ uint) uint {
		// The hole is left nearly empty, and small objects fill it now and then.
		if w.rand.IntN(3) > 0 {
			return maxSmallUnits - w.rand.UintN(30)
		}
		return 2 + uint(b.End-b.Next)%15
	}},
	{"small and largest", func(w *world, _ *Buffer, _ uint) uint {
		return []uint{2, maxSmallUnits}[w.rand.IntN(2)]
	}},
	{"every scale", func(w *world, _ *Buffer, _ uint) uint { return max(2, w.rand.UintN(1<<w.rand.IntN(16))) }},
	{"medium", func(w *world, _ *Buffer, _ uint) uint { return 17 + w.rand.UintN(maxSmallUnits-16) }},
}

// spend allocates n bytes in sizes of m, and reports how many were left when
// something was refused. Between is called before each object.
func (w *world) spend(b *Buffer, n int64, m mix, between func()) (left int64) {
	for left = n; left >= 16; {
		units := min(m.next(w, b, uint(left/8)), uint(left/8))
		o := thing{units: uintptr(units), large: units > maxSmallUnits}
		if o.cost() > left {
			o.units = maxSmallUnits
		}
		if o.units < 2 {
			o.units = 2
		}
		between()
		if !w.allocate(b, uint(o.units), false) {
			return left
		}
		left -= w.things[len(w.things)-1].cost()
	}
	return 0
}

// exactly makes w's limit what is charged already and what Reserve(n) charges
// besides, so that nothing helps who spends more.
func (w *world) exactly(b *Buffer, n int64) {
	w.t.Helper()
	w.s.Budget.limit = 1 << 40
	if !w.s.Reserve(b, n) {
		w.t.Fatalf("Reserve(%d) fails without a limit", n)
	}
	w.s.Budget.limit = w.s.Budget.used.Load()
}

// fragment leaves holes of all lengths.
func (w *world) fragment() {
	b := new(Buffer)
	w.buffers = append(w.buffers, b)
	for range 2000 {
		w.allocate(b, 2+w.rand.UintN(60), false)
		if w.rand.IntN(20) == 0 {
			w.allocate(b, 2+w.rand.UintN(maxSmallUnits), false)
		}
	}
	w.cycle(false, func(thing) bool { return w.rand.IntN(8) == 0 })
}

var reserves = []int64{16, 1000, 9000, 10_000, 32768, 40_000, 100_000, 24584 * 5, 24584*9 + 8, 300_000, 1 << 20}

// After Reserve(n), objects of n bytes together can be allocated, whatever their
// sizes, with nothing to help but what Reserve set aside.
func TestReserveHoldsForAnyMix(t *testing.T) {
	for _, m := range mixes {
		for _, quantum := range []uintptr{0, 32, 128, cage.LinesPerBlock} {
			for _, fragmented := range []bool{false, true} {
				w := newWorld(t, 0, 7)
				if fragmented {
					w.fragment()
				}
				for _, n := range reserves {
					b := &Buffer{quantum: quantum}
					w.exactly(b, n)
					if left := w.spend(b, n, m, func() {}); left > 0 {
						t.Errorf("%s, quantum %d, fragmented %v: of %d bytes, the last %d are refused", m.name, quantum, fragmented, n, left)
					}
					if used, limit := w.s.Budget.used.Load(), w.s.Budget.limit; used > limit {
						t.Errorf("%s: %d bytes charged, more than the %d set aside", m.name, used, limit)
					}
					w.s.GiveBack(b, w.s.Cycle())
					w.things = w.things[:0] // they stay, and nobody looks at them again
				}
				w.s.Budget.limit = 0
			}
		}
	}
}

// What is reserved for one buffer, another cannot take, however greedy.
func TestReserveIsOnesOwn(t *testing.T) {
	for _, m := range mixes {
		for _, n := range reserves[:8] {
			for _, thieving := range []uint{2, 17, maxSmallUnits} {
				t.Run(fmt.Sprintf("%s/%d/%d", m.name, n, thieving), func(t *testing.T) {
					w := newWorld(t, 0, 8)
					own, thief := new(Buffer), new(Buffer)
					w.exactly(own, n)
					steal := func() {
						for w.allocate(thief, thieving, false) {
						}
					}
					if left := w.spend(own, n, m, steal); left > 0 {
						t.Errorf("of %d bytes, the last %d are refused", n, left)
					}
				})
			}
		}
	}
}

// A reserve that is replaced or given up is gone, and what is left of one is
// given back with its buffer.
func TestReserveIsGivenBack(t *testing.T) {
	const limit = 1 << 20
	w := newWorld(t, limit, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 100 {
		if !w.s.Reserve(b, limit/2) {
			t.Fatal("Reserve after Reserve does not replace it")
		}
	}
	if used := w.s.Budget.Used(); used != 0 {
		t.Errorf("a reserve counts as used: %d bytes", used)
	}
	w.allocate(b, 100, false)
	w.allocate(b, 5000, false)
	if room := w.s.Budget.Room(); room < 0 || room > limit/2 {
		t.Errorf("room for %d bytes beside a reserve of half of %d", room, limit)
	}
	w.cycle(true, func(thing) bool { return true })
	if b.Reserved() == 0 {
		t.Error("a cycle takes the reserve")
	}
	w.s.Unreserve(b)
	w.s.Unreserve(b)
	if used, want := w.s.Budget.used.Load(), w.s.Budget.Used(); used != want || b.Reserved() != 0 {
		t.Errorf("%d bytes charged, %d used, nothing reserved", used, want)
	}
	for _, n := range []int64{limit, 1 << 61, 1<<61 + 1, 1<<63 - 1} {
		if w.s.Reserve(b, n) {
			t.Errorf("Reserve(%d) with a limit of %d", n, limit)
		}
		if used, want := w.s.Budget.used.Load(), w.s.Budget.Used(); used != want || b.Reserved() != 0 {
			t.Errorf("Reserve(%d) failed, and left %d bytes charged for %d used", n, used, want)
		}
	}
	if !w.s.Reserve(b, 1000) {
		t.Fatal("Reserve(1000)")
	}
	// Settle knows of no buffer with a reserve: it was the gone one's.
	w.s.Begin()
	w.s.Settle(0)
	if w.s.Budget.reserved.Load() != 0 || w.s.Budget.used.Load() != w.s.Budget.Used() {
		t.Error("Settle leaves a reserve that nobody has")
	}
	*b = Buffer{}
}

// Reserves of many buffers together stay below the limit.
func TestReserveOfMany(t *testing.T) {
	const limit = 4 << 20
	s := newSpace(t, limit)
	r := rand.New(rand.NewPCG(3, 4))
	buffers := make([]Buffer, 20)
	granted := 0
	for range 2000 {
		b := &buffers[r.IntN(len(buffers))]
		switch r.IntN(4) {
		case 0:
			s.Unreserve(b)
		case 1:
			s.GiveBack(b, s.Cycle())
		default:
			if s.Reserve(b, int64(r.IntN(limit/4))) {
				granted++
			}
		}
		var sum int64
		for i := range buffers {
			sum += buffers[i].Reserved()
		}
		if used := s.Budget.used.Load(); used != sum || used > limit {
			t.Fatalf("%d bytes charged for reserves of %d, limit %d", used, sum, limit)
		}
	}
	if granted == 0 {
		t.Error("nothing was granted")
	}
	for i := range buffers {
		s.Unreserve(&buffers[i])
	}
}

// External memory may pass the limit; then nothing more is granted.
func TestExternalBeyondTheLimit(t *testing.T) {
	const limit = 1 << 20
	w := newWorld(t, limit, 1)
	b := new(Buffer)
	if sum := w.s.Budget.AddExternal(3 * limit); sum != 3*limit || w.s.Budget.External() != sum || w.s.Budget.Used() != sum {
		t.Errorf("external %d, used %d", w.s.Budget.External(), w.s.Budget.Used())
	}
	if w.s.Budget.Room() != 0 || w.s.Reserve(b, 0) || w.allocate(b, 2, false) || w.allocate(b, 2000, false) {
		t.Error("memory is granted beyond the limit")
	}
	w.s.Budget.AddExternal(-3 * limit)
	if w.s.Budget.Room() != limit || !w.s.Reserve(b, limit/2) || !w.allocate(b, 2000, false) {
		t.Error("memory is refused below the limit")
	}
	w.s.ChargeSet(1000)
	w.s.ChargeSet(-1000)
	w.s.Unreserve(b)
}
