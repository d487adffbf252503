package space

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
)

// newSpace makes a space. When the test ends, it is closed, and must have given
// everything back.
func newSpace(t testing.TB, limit int64) *Space {
	t.Helper()
	if err := cage.Init(); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Owner: cage.NewOwner(), Limit: limit, Wanted: func() {}})
	t.Cleanup(func() {
		s.Close()
		if n := held(s); n != 0 {
			t.Errorf("a closed space holds %d blocks", n)
		}
		if now, _ := s.Committed(); now != 0 {
			t.Errorf("%d bytes of a closed space count as committed", now)
		}
		if used := s.Budget.Used(); used != 0 {
			t.Errorf("%d bytes of a closed space count as used", used)
		}
	})
	return s
}

// held counts the blocks of the cage that belong to s. No test takes as many as
// it looks at beyond the last that belongs to anybody.
func held(s *Space) (n int) {
	nobodys := 0
	for b := cage.Block(1); nobodys < 1<<13 && uintptr(b) < cage.Size/cage.BlockSize; b++ {
		switch cage.Owner(b) {
		case s.owner:
			n++
			nobodys = 0
		case 0:
			nobodys++
		default:
			nobodys = 0
		}
	}
	return n
}

// memory is what lies at a position.
func memory(at, units uintptr) []byte {
	return unsafe.Slice((*byte)(cage.At(at)), units<<cage.UnitShift)
}

// setLine writes the mark of a line.
func setLine(line uintptr, mark uint8) { *(*uint8)(unsafe.Add(cage.Lines, line)) = mark }

// thing is an object of a test: its memory is filled with a byte of its own, so
// that two which overlap, or memory that is not clear, are noticed.
type thing struct {
	at, units uintptr
	fill      byte
	large     bool
	slots     bool
	old       bool // marked by an earlier cycle
}

func (o thing) bytes() uintptr { return o.units << cage.UnitShift }

// lines returns the lines that have a mark if o lives.
func (o thing) lines() (first, end uintptr) {
	first, end = o.at/unitsPerLine, lineAfter(o.at+o.units)
	if o.large && !o.slots {
		end = first + 1
	}
	return first, end
}

// cost is what o takes of a budget.
func (o thing) cost() int64 {
	if o.large {
		return int64(LargeBytes(o.bytes()))
	}
	return int64(o.bytes())
}

// world is a space, its buffers, and what was allocated in them.
type world struct {
	t       testing.TB
	s       *Space
	rand    *rand.Rand
	buffers []*Buffer
	things  []thing
	last    byte
	sum     int64 // bytes allocated
}

func newWorld(t testing.TB, limit int64, seed uint64) *world {
	return &world{t: t, s: newSpace(t, limit), rand: rand.New(rand.NewPCG(seed, 1))}
}

// allocate allocates an object and checks that its memory is clear and free. It
// returns false at the limit.
func (w *world) allocate(b *Buffer, n uint, slots bool) bool {
	units := uintptr(n)
	o := thing{units: units, slots: slots, large: units<<cage.UnitShift > MaxSmall}
	var err error
	if o.large {
		o.at, err = w.s.AllocLarge(b, o.bytes(), slots)
	} else {
		o.at, err = w.s.Alloc(b, units)
	}
	if errors.Is(err, ErrLimit) {
		return false
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if cage.Owner(cage.BlockOf(cage.At(o.at))) != w.s.owner {
		w.t.Fatalf("%d units at %#x lie in a block of somebody else", units, o.at)
	}
	for line := o.at / unitsPerLine; line < lineAfter(o.at+units); line++ {
		if lineMark(line) != 0 {
			w.t.Fatalf("%d units at %#x lie in line %#x, which is marked", units, o.at, line)
		}
	}
	if !o.large && o.at/unitsPerBlock != (o.at+units-1)/unitsPerBlock {
		w.t.Fatalf("%d units at %#x reach past their block", units, o.at)
	}
	if i := other(memory(o.at, units), 0); i >= 0 {
		w.t.Fatalf("byte %d of %d units at %#x is %#x", i, units, o.at, memory(o.at, units)[i])
	}
	w.last++
	if w.last == 0 {
		w.last = 1
	}
	o.fill = w.last
	o.write()
	w.things = append(w.things, o)
	if o.large {
		w.sum += int64(LargeBytes(o.bytes()))
	} else {
		w.sum += int64(o.bytes())
	}
	return true
}

// other returns where a byte of mem is not b, -1 if none.
func other(mem []byte, b byte) int {
	// Many bytes are compared, so a block at a time.
	var want [512]byte
	for i := range want {
		want[i] = b
	}
	for i := 0; i < len(mem); i += len(want) {
		n := min(len(want), len(mem)-i)
		if bytes.Equal(mem[i:i+n], want[:n]) {
			continue
		}
		for j, c := range mem[i:] {
			if c != b {
				return i + j
			}
		}
	}
	return -1
}

func (o thing) write() {
	mem := memory(o.at, o.units)
	for i := range mem {
		mem[i] = o.fill
	}
}

// intact checks that nobody has written to what lives.
func (w *world) intact() {
	w.t.Helper()
	for _, o := range w.things {
		if i := other(memory(o.at, o.units), o.fill); i >= 0 {
			w.t.Fatalf("byte %d of %d units at %#x is %#x, want %#x", i, o.units, o.at, memory(o.at, o.units)[i], o.fill)
		}
	}
}

// cycle lets those things live for which lives says so, and in a minor cycle all
// that are old too. It checks what Sweep makes of that.
func (w *world) cycle(minor bool, lives func(thing) bool) {
	w.t.Helper()
	s := w.s
	s.Begin()
	var reserved int64
	for _, b := range w.buffers {
		s.Retire(b)
		reserved += b.Reserved()
	}
	s.Settle(reserved)
	if !minor {
		s.ClearMarks()
	}
	var left []thing
	large := map[uintptr]bool{}
	for _, o := range w.things {
		if !(minor && o.old) && !lives(o) {
			continue
		}
		for line, end := o.lines(); line < end; line++ {
			setLine(line, LiveLine|OldLine)
		}
		o.old = true
		large[o.at] = true
		left = append(left, o)
	}
	w.things = left
	live := s.Sweep(func(at uintptr) bool { return large[at] })
	s.SetThreshold(1 << 40)
	w.check(live)
}

// check compares what a space knows after a sweep with the table of marks.
func (w *world) check(live int64) {
	w.t.Helper()
	s := w.s
	lines := map[uintptr]bool{}
	var want, large int64
	for _, o := range w.things {
		if o.large {
			large += int64(LargeBytes(o.bytes()))
			continue
		}
		for line, end := o.lines(); line < end; line++ {
			lines[line] = true
		}
	}
	want = int64(len(lines))*cage.LineSize + large
	if live != want {
		w.t.Fatalf("Sweep counts %d bytes live, want %d", live, want)
	}
	perBlock := map[cage.Block]int{}
	for line := range lines {
		perBlock[cage.Block(line/cage.LinesPerBlock)]++
	}
	recycled := map[cage.Block]bool{}
	for _, i := range s.recycled {
		if b := s.used[i].block; b == 0 || recycled[b] {
			w.t.Fatalf("block %d is recycled twice, or was freed", b)
		} else {
			recycled[b] = true
		}
	}
	blocks := 0
	for _, u := range s.used {
		if u.block == 0 {
			continue
		}
		blocks++
		n := perBlock[u.block]
		if n == 0 {
			w.t.Fatalf("block %d is in use, and nothing in it lives", u.block)
		}
		if int(u.marked) != n {
			w.t.Fatalf("block %d has %d marked lines, want %d", u.block, u.marked, n)
		}
		if recycled[u.block] != (n < cage.LinesPerBlock) {
			w.t.Fatalf("block %d has %d marked lines; recycled: %v", u.block, n, recycled[u.block])
		}
		delete(perBlock, u.block)
	}
	if len(perBlock) != 0 {
		w.t.Fatalf("blocks in which something lives are not in use: %v", perBlock)
	}
	var credit int64
	for _, b := range w.buffers {
		credit += b.Reserved()
	}
	if used, want := s.Budget.Used(), int64(blocks)*cage.BlockSize+large; used != want {
		w.t.Fatalf("%d bytes used, want %d", used, want)
	}
	if all := s.Budget.used.Load(); all != s.Budget.Used()+credit {
		w.t.Fatalf("%d bytes charged for %d used and %d reserved", all, s.Budget.Used(), credit)
	}
	if w.rand.IntN(16) == 0 { // it is slow
		var gone int64
		for _, p := range s.large.pages {
			gone += p.goneBytes()
		}
		if n := int64(held(s))*cage.BlockSize - gone; n != s.committed.Load() {
			w.t.Fatalf("%d bytes committed, and the cage knows of %d", s.committed.Load(), n)
		}
	}
	if got := s.Allocated(); got != w.sum {
		w.t.Fatalf("%d bytes allocated, want %d", got, w.sum)
	}
	if s.AllocatedSince() != 0 {
		w.t.Fatalf("%d bytes allocated since a cycle that has just ended", s.AllocatedSince())
	}
	w.intact()
}
