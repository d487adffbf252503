package space

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
)

// Random programs: allocations of every size, buffers that come and go, cycles
// of both kinds. Memory must be clear, unmarked, and nobody else's, and the
// counts right, all the time.
func TestRandomPrograms(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			var limit int64
			if seed%2 == 1 {
				limit = 3 << 20
			}
			w := newWorld(t, limit, seed)
			for range 4000 {
				w.step()
				if used := w.s.Budget.used.Load(); limit > 0 && used > limit {
					t.Fatalf("%d bytes charged, beyond the limit of %d", used, limit)
				}
			}
			w.cycle(false, func(thing) bool { return true })
			w.cycle(false, func(thing) bool { return false })
			if used := w.s.Budget.Used(); used != 0 {
				t.Errorf("%d bytes used, and nothing lives", used)
			}
			w.s.Trim(0)
			if n := held(w.s); n != 0 {
				t.Errorf("%d blocks are left after Trim(0), and nothing lives", n)
			}
		})
	}
}

func (w *world) step() {
	if len(w.buffers) == 0 {
		w.buffers = append(w.buffers, new(Buffer))
	}
	b := w.buffers[w.rand.IntN(len(w.buffers))]
	switch n := w.rand.IntN(200); {
	case n < 120:
		w.allocate(b, 2+w.rand.UintN(15), false)
	case n < 150:
		w.allocate(b, 2+w.rand.UintN(300), false)
	case n < 160:
		w.allocate(b, 2+w.rand.UintN(MaxSmall/8-1), false)
	case n < 166:
		w.allocate(b, MaxSmall/8+1+w.rand.UintN(12000), w.rand.IntN(2) == 0)
	case n < 172:
		if len(w.buffers) < 6 {
			w.buffers = append(w.buffers, new(Buffer))
		}
	case n < 178:
		w.s.GiveBack(b, w.s.Cycle())
		w.buffers = slices.DeleteFunc(w.buffers, func(c *Buffer) bool { return c == b })
	case n < 184:
		b.Hide()
		if w.rand.IntN(2) == 0 {
			b.Hide()
		}
		if b.Next < b.End || b.End != 0 {
			w.t.Fatal("a hidden buffer has room")
		}
		if w.rand.IntN(2) == 0 {
			b.Show()
			break
		}
		// A cycle finds it hidden.
		w.cycle(true, w.luck())
		b.Show()
		if b.End != 0 {
			w.t.Fatal("a retired buffer has room when it is shown")
		}
	case n < 190:
		w.s.Trim(int64(w.rand.IntN(10)) * cage.BlockSize)
	case n < 195:
		w.cycle(true, w.luck())
	case n < 197:
		w.cycle(false, w.luck())
		w.s.Poison(0xdb, true)
		w.intact()
	case n < 199:
		w.s.Unreserve(b)
		w.s.Reserve(b, int64(w.rand.IntN(1<<17)))
	}
}

// luck lets some things live.
func (w *world) luck() func(thing) bool {
	one := 1 + w.rand.IntN(6)
	return func(thing) bool { return w.rand.IntN(one+1) == 0 }
}

// What the fast ways to look at line marks find, a loop over bytes finds too.
func TestHolesAgainstReference(t *testing.T) {
	s := newSpace(t, 0)
	b, err := cage.Acquire(1, s.owner)
	if err != nil {
		t.Fatal(err)
	}
	defer cage.Release(b, 1)
	r := rand.New(rand.NewPCG(1, 2))
	base := b.Line()
	for round := range 3000 {
		density := []int{0, 1, 3, 20, 60, 99, 100}[round%7]
		for i := range uintptr(cage.LinesPerBlock) {
			setLine(base+i, 0)
			if r.IntN(100) < density {
				setLine(base+i, []uint8{1, 0x80, 0x81, 0xff}[r.IntN(4)])
			}
		}
		from := base + uintptr(r.IntN(cage.LinesPerBlock+1))
		to := from + uintptr(r.IntN(int(base+cage.LinesPerBlock-from)+1))
		need := 1 + uintptr(r.IntN(20))

		free := func(i uintptr) bool { return lineMark(i) == 0 }
		run := func(need uintptr) (uintptr, uintptr) {
			for first := from; first < to; first++ {
				if !free(first) || first > from && free(first-1) {
					continue
				}
				end := first
				for end < to && free(end) {
					end++
				}
				if end-first >= need {
					return first, end
				}
			}
			return to, to
		}
		first, end := findHole(from, to)
		if wf, we := run(1); first != wf || end != we {
			t.Fatalf("findHole(%d, %d) = %d, %d; want %d, %d", from-base, to-base, first-base, end-base, wf-base, we-base)
		}
		first, end = findRun(from, to, need)
		wf, we := run(need)
		if first < end || wf < we {
			if first != wf || end != we {
				t.Fatalf("findRun(%d, %d, %d) = %d, %d; want %d, %d", from-base, to-base, need, first-base, end-base, wf-base, we-base)
			}
		}
		n, marked := uintptr(0), 0
		for i := from; i < to; i++ {
			if free(i) {
				n++
			}
		}
		for i := range uintptr(cage.LinesPerBlock) {
			if lineMark(base+i)&LiveLine != 0 {
				marked++
			}
		}
		if got := freeLines(from, to); got != n {
			t.Fatalf("freeLines = %d, want %d", got, n)
		}
		if got := markedLines(b); got != marked {
			t.Fatalf("markedLines = %d, want %d", got, marked)
		}
	}
}

// A buffer begins with little and takes twice as much each time, up to a block;
// and what a cycle retires begins where it was.
func TestQuantumGrows(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	var claims []int64
	last := w.s.claims.Load()
	for range 2 * cage.BlockSize / 64 {
		w.allocate(b, 8, false)
		if now := w.s.claims.Load(); now != last {
			claims = append(claims, (now-last)/cage.LineSize)
			last = now
		}
	}
	if len(claims) < 7 || !slices.Equal(claims[:7], []int64{8, 16, 32, 64, 128, 8, 256}) &&
		!slices.Equal(claims[:6], []int64{8, 16, 32, 64, 128, 8}) {
		t.Errorf("lines claimed: %v", claims)
	}
	w.cycle(false, func(thing) bool { return false })
	if q := b.nextLines(); q != cage.LinesPerBlock {
		t.Errorf("after a cycle, the next claim is of %d lines", q)
	}
}

// A buffer that was given back leaves no trace: nothing claimed but the lines
// that its objects touch.
func TestGiveBackGivesAllBack(t *testing.T) {
	w := newWorld(t, 0, 1)
	for i, units := range []uint{2, 16, 17, 200, MaxSmall / 8, 2, 17} {
		before := w.s.claims.Load()
		var b Buffer
		w.allocate(&b, units, false)
		w.allocate(&b, units, false)
		used := w.s.Budget.Used()
		if i > 4 {
			b.Hide() // its owner was frozen
		}
		w.s.GiveBack(&b, w.s.Cycle())
		o := w.things[len(w.things)-2:]
		lines := map[uintptr]bool{}
		for _, o := range o {
			for line, end := o.lines(); line < end; line++ {
				lines[line] = true
			}
		}
		if got, want := w.s.claims.Load()-before, int64(len(lines))*cage.LineSize; got != want {
			t.Errorf("two objects of %d units: %d bytes claimed, want %d", units, got, want)
		}
		if w.s.Budget.Used() != used {
			t.Errorf("GiveBack changed what is used")
		}
		if b != (Buffer{}) {
			t.Errorf("the buffer is not empty: %+v", b)
		}
	}
	if got := w.s.Allocated(); got != w.sum {
		t.Errorf("%d bytes allocated, want %d", got, w.sum)
	}
	w.cycle(false, func(thing) bool { return true })
}

// What is given back is used before new memory is.
func TestGivenBackIsUsedAgain(t *testing.T) {
	w := newWorld(t, 0, 1)
	for range 200 {
		var b Buffer
		w.allocate(&b, 2, false)
		w.s.GiveBack(&b, w.s.Cycle())
	}
	if n := held(w.s); n != 1 {
		t.Errorf("200 buffers with one object each took %d blocks, one after the other", n)
	}
}

// A block of which a single line is free is used for that line.
func TestOneFreeLine(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 3 * cage.LinesPerBlock {
		w.allocate(b, unitsPerLine, false)
	}
	gone := w.things[cage.LinesPerBlock+7]
	w.cycle(false, func(o thing) bool { return o.at != gone.at })
	w.allocate(b, unitsPerLine, false)
	if at := w.things[len(w.things)-1].at; at != gone.at {
		t.Errorf("an object goes to %#x, and only %#x is free", at, gone.at)
	}
}

// A mutator may leave while a cycle begins that does not know it any more. The
// cycle finds its memory by itself, so it must not be given back again.
func TestGiveBackAfterACycleBegan(t *testing.T) {
	for _, swept := range []bool{false, true} {
		w := newWorld(t, 1<<20, 1)
		gone := new(Buffer)
		w.allocate(gone, 2, false)
		w.allocate(gone, 100, false)
		if !w.s.Reserve(gone, 1000) {
			t.Fatal("Reserve failed")
		}
		number := w.s.Cycle()
		if swept {
			w.sum = 0 // the cycle does not know of it
			w.cycle(false, func(thing) bool { return true })
		} else {
			w.s.Begin()
			w.s.Settle(0)
		}
		used := w.s.Budget.used.Load()
		w.s.GiveBack(gone, number)
		if !swept {
			w.s.ClearMarks()
			for _, o := range w.things {
				for line, end := o.lines(); line < end; line++ {
					setLine(line, LiveLine)
				}
			}
			w.s.Sweep(func(uintptr) bool { return false })
			w.s.SetThreshold(1 << 40)
		}
		if len(w.s.pieces) != 0 {
			t.Errorf("swept: %v: lines were given back that the cycle has already", swept)
		}
		if now := w.s.Budget.used.Load(); now != used {
			t.Errorf("swept: %v: GiveBack changed what is charged from %d to %d", swept, used, now)
		}
		if w.s.Budget.reserved.Load() != 0 {
			t.Errorf("swept: %v: the reserve of the gone is still noted", swept)
		}
		w.sum = w.s.Allocated()
		for w.allocate(new(Buffer), 30, false) {
		}
		w.intact()
	}
}

// Racing buffers together never pass the limit, and get all of it.
func TestLimitUnderRacing(t *testing.T) {
	const limit = 2 << 20
	s := newSpace(t, limit)
	for round := range 5 {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if used := s.Budget.used.Load(); used > limit {
					t.Errorf("%d bytes are charged, beyond the limit of %d", used, limit)
					return
				}
				if used := s.Budget.Used(); used < 0 || used > limit {
					t.Errorf("Used is %d, with a limit of %d", used, limit)
					return
				}
			}
		})
		var workers sync.WaitGroup
		var mu sync.Mutex
		var places []thing
		for i := range 4 {
			workers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				var b Buffer
				var mine []thing
				for refused := 0; refused < 20; {
					o := thing{units: uintptr(2 + r.IntN(20)), fill: byte(i + 1)}
					var err error
					switch r.IntN(40) {
					case 0:
						o.units = uintptr(17 + r.IntN(1000))
					case 1:
						o.units, o.large = uintptr(1025+r.IntN(8000)), true
					case 2:
						s.Reserve(&b, int64(r.IntN(100_000)))
					case 3:
						s.GiveBack(&b, s.Cycle())
					}
					if o.large {
						o.at, err = s.AllocLarge(&b, o.bytes(), false)
					} else {
						o.at, err = s.Alloc(&b, o.units)
					}
					if err != nil {
						if !errors.Is(err, ErrLimit) {
							t.Error(err)
							return
						}
						refused++
						continue
					}
					if other(memory(o.at, o.units), 0) >= 0 {
						t.Errorf("memory at %#x is not clear", o.at)
						return
					}
					o.write()
					mine = append(mine, o)
				}
				s.GiveBack(&b, s.Cycle())
				mu.Lock()
				defer mu.Unlock()
				places = append(places, mine...)
			})
		}
		workers.Wait()
		close(stop)
		wg.Wait()
		w := &world{t: t, s: s, things: places, rand: rand.New(rand.NewPCG(1, 1))}
		w.intact()
		if used := s.Budget.Used(); used < limit-4*cage.BlockSize {
			t.Errorf("only %d bytes of %d could be used", used, limit)
		}
		w.sum = s.Allocated()
		w.cycle(false, func(thing) bool { return false })
	}
}

// Trim gives back all but what it is told to keep, and the hot blocks stay.
func TestTrim(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 50 * cage.BlockSize / 800 {
		w.allocate(b, 100, false)
	}
	w.cycle(false, func(thing) bool { return false })
	free := w.s.FreeBytes()
	if free != int64(held(w.s))*cage.BlockSize || free < 50*cage.BlockSize {
		t.Fatalf("%d bytes are free, %d blocks held", free, held(w.s))
	}
	hot := slices.Clone(w.s.free[len(w.s.free)-3:])
	for _, keep := range []int64{1 << 40, free, 10*cage.BlockSize + 5, 3 * cage.BlockSize, cage.BlockSize - 1, 0} {
		w.s.Trim(keep)
		want := min(keep, free) / cage.BlockSize
		if n := int64(held(w.s)); n != want {
			t.Errorf("Trim(%d) leaves %d blocks, want %d", keep, n, want)
		}
		if want == 3 && !slices.Equal(w.s.free, hot) {
			t.Errorf("Trim keeps %v, want the last freed, %v", w.s.free, hot)
		}
	}
	if now, peak := w.s.Committed(); now != 0 || peak < free {
		t.Errorf("committed %d, peak %d", now, peak)
	}
}

// Blocks come clean from another heap, whatever that did to them.
func TestBlocksOfAnotherHeap(t *testing.T) {
	w := newWorld(t, 0, 1)
	b := new(Buffer)
	w.buffers = []*Buffer{b}
	for range 100 {
		w.allocate(b, 400, false)
		w.allocate(b, 2000, true)
	}
	w.cycle(false, func(thing) bool { return true })
	w.s.Close()
	other := newWorld(t, 0, 2)
	for range 300 {
		other.allocate(b, 400, false)
		other.allocate(b, 2000, true)
	}
}

// Close returns every block, of any mix of sizes.
func TestCloseReturnsEveryBlock(t *testing.T) {
	for pages := uint(3); pages <= 34; pages++ {
		for _, bytes := range []uint{(pages-1)*PageSize + 8, pages*PageSize - 8, pages * PageSize} {
			w := newWorld(t, 0, 1)
			w.allocate(new(Buffer), bytes/8, pages%2 == 0)
			w.allocate(new(Buffer), bytes/8, pages%2 == 1)
			w.s.Close()
			if n := held(w.s); n != 0 {
				t.Fatalf("%d blocks are left of two objects of %d bytes", n, bytes)
			}
		}
	}
}

// The threshold counts what is claimed, and says so once it is passed.
func TestThreshold(t *testing.T) {
	if err := cage.Init(); err != nil {
		t.Fatal(err)
	}
	wanted := 0
	s := New(Options{Owner: cage.NewOwner(), Wanted: func() { wanted++ }})
	defer s.Close()
	var b Buffer
	if _, err := s.AllocLarge(&b, 1<<20, false); err != nil || wanted != 0 {
		t.Fatalf("wanted %d times before there is a threshold, %v", wanted, err)
	}
	s.SetThreshold(100_000)
	if s.Due() || s.AllocatedSince() != 0 {
		t.Error("due at once")
	}
	for s.AllocatedSince() <= 100_000 {
		if wanted != 0 || s.Due() {
			t.Fatalf("wanted after %d bytes", s.AllocatedSince())
		}
		if _, err := s.Alloc(&b, 100); err != nil {
			t.Fatal(err)
		}
	}
	if wanted == 0 || !s.Due() {
		t.Error("not wanted")
	}
	s.MoveThreshold(1 << 62)
	if s.Due() {
		t.Error("due after the threshold was moved away")
	}
	wanted = 0
	s.MoveThreshold(10)
	if wanted != 1 {
		t.Errorf("wanted %d times when the threshold was moved below what is claimed", wanted)
	}
	s.SetThreshold(0)
	if s.Due() {
		t.Error("due with nothing claimed")
	}
}
