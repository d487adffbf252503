package cage

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"unsafe"
)

// The cage is one for the process. These tests tell their blocks from those of
// others by owner, and count only what they hold themselves.

// childVar is set in a child that has little address space, and makes the cage
// itself.
const childVar = "MIDDEN_CAGE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "" {
		if err := Init(); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func acquire(t testing.TB, n int, owner uint32) Block {
	t.Helper()
	b, err := Acquire(n, owner)
	if err != nil {
		t.Fatalf("Acquire(%d): %v", n, err)
	}
	return b
}

func contents(b Block, n int) []byte {
	return unsafe.Slice((*byte)(b.Address()), n*BlockSize)
}

func table(p unsafe.Pointer, b Block, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, b.Line())), n*LinesPerBlock)
}

func isZero(mem []byte) bool {
	var zero [4096]byte
	for len(mem) > 0 {
		n := min(len(mem), len(zero))
		if string(mem[:n]) != string(zero[:n]) {
			return false
		}
		mem = mem[n:]
	}
	return true
}

func clean(b Block, n int) bool {
	return isZero(contents(b, n)) && isZero(table(Lines, b, n)) && isZero(table(Marks, b, n))
}

func fill(mem []byte, c byte) {
	for i := range mem {
		mem[i] = c
	}
}

// soil leaves traces everywhere that a heap may leave them.
func soil(b Block, n int) {
	for i := range n {
		mem := contents(b+Block(i), 1)
		mem[0], mem[BlockSize/2], mem[BlockSize-1] = 1, 2, 3
	}
	fill(table(Lines, b, n), 0x81)
	fill(table(Marks, b, n), 0xff)
}

func TestGeometry(t *testing.T) {
	if Size == 0 || Size%BlockSize != 0 || uintptr(Base)%commitChunk != 0 {
		t.Fatalf("Base %p, Size %#x", Base, Size)
	}
	got, asked := Shortfall()
	if got != Size || asked != maxSize || got > asked {
		t.Errorf("Shortfall: %#x of %#x, Size is %#x", got, asked, Size)
	}
	b := acquire(t, 2, 1)
	defer Release(b, 2)
	first, last := b.Address(), unsafe.Add(b.Address(), 2*BlockSize-1)
	if BlockOf(first) != b || BlockOf(last) != b+1 {
		t.Errorf("BlockOf: %d, %d, want %d, %d", BlockOf(first), BlockOf(last), b, b+1)
	}
	if !Contains(first) || !Contains(last) || !Contains(Base) {
		t.Error("Contains denies what is in the cage")
	}
	var outside int
	for _, p := range []unsafe.Pointer{nil, unsafe.Pointer(&outside), unsafe.Add(Base, Size), Lines, Marks} {
		if Contains(p) {
			t.Errorf("Contains(%p), and the cage is %p to %p", p, Base, unsafe.Add(Base, Size))
		}
	}
	if At(uintptr(b)<<(BlockShift-UnitShift)) != first {
		t.Error("At of a block's first unit is not its address")
	}
	if b.Line() != uintptr(b)*LinesPerBlock {
		t.Error("Line of a block")
	}
	// The nil reference counts as old, so that storing nil is not remembered.
	if *(*byte)(Lines) != nilLine {
		t.Error("the line of nil is not marked")
	}
	if err := Init(); err != nil {
		t.Errorf("Init again: %v", err)
	}
}

func TestOwners(t *testing.T) {
	x, y := NewOwner(), NewOwner()
	if x == 0 || y == 0 || x == y {
		t.Fatalf("owners %d and %d", x, y)
	}
	b := acquire(t, 3, x)
	c := acquire(t, 1, y)
	for i := range Block(3) {
		if Owner(b+i) != x {
			t.Errorf("block %d of a run belongs to %d, want %d", i, Owner(b+i), x)
		}
	}
	if Owner(c) != y {
		t.Errorf("Owner is %d, want %d", Owner(c), y)
	}
	Release(b+1, 1)
	if Owner(b) != x || Owner(b+1) != 0 || Owner(b+2) != x {
		t.Errorf("owners after the middle of a run is released: %d, %d, %d", Owner(b), Owner(b+1), Owner(b+2))
	}
	Release(b, 1)
	Release(b+2, 1)
	Release(c, 1)
	// Block 0, and what was never made accessible, can be asked about too.
	for _, b := range []Block{0, Block(Size/BlockSize) - 1, Block(Size / BlockSize), 1<<32 - 1} {
		if Owner(b) != 0 {
			t.Errorf("block %d belongs to %d", b, Owner(b))
		}
	}
}

// Whatever a heap did to a block, the next one gets it clean.
func TestReleasedBlocksAreClean(t *testing.T) {
	for _, n := range []int{1, 2, 70, 300} {
		b := acquire(t, n, 1)
		if !clean(b, n) {
			t.Errorf("a run of %d is not clean", n)
		}
		soil(b, n)
		before := Free()
		Release(b, n)
		if Free() != before+n {
			t.Errorf("Free is %d after %d blocks came back to %d", Free(), n, before)
		}
		if !isZero(table(Lines, b, n)) || !isZero(table(Marks, b, n)) {
			t.Errorf("a run of %d that was released has marks", n)
		}
		c := acquire(t, n, 2)
		if !clean(c, n) {
			t.Errorf("a run of %d that was used before is not clean", n)
		}
		Release(c, n)
	}
}

// Single blocks come back last in, first out: the system has their pages, but
// the tables' lines are in the cache.
func TestReuseLastFirst(t *testing.T) {
	var bs []Block
	for range 50 {
		bs = append(bs, acquire(t, 1, 1))
	}
	for _, b := range bs {
		Release(b, 1)
	}
	for i := range bs {
		if b := acquire(t, 1, 1); b != bs[len(bs)-1-i] {
			t.Errorf("block %d comes instead of %d", b, bs[len(bs)-1-i])
		}
	}
	for _, b := range bs {
		Release(b, 1)
	}
}

// Runs come from the lowest address that has room.
func TestRunsGoLow(t *testing.T) {
	b := acquire(t, 200, 1)
	defer Release(b, 200)
	Release(b+10, 5)
	Release(b+50, 100)
	Release(b+160, 4)
	// A run that is free may be before b; it is taken out of the way first.
	var low []Block
	for {
		c := acquire(t, 4, 1)
		if c >= b {
			Release(c, 4)
			break
		}
		low = append(low, c)
	}
	for _, c := range []struct {
		n    int
		want Block
	}{{6, b + 50}, {5, b + 10}, {94, b + 56}, {4, b + 160}} {
		if got := acquire(t, c.n, 1); got != c.want {
			t.Errorf("a run of %d begins at block %d, want %d", c.n, int(got)-int(b), int(c.want)-int(b))
		}
	}
	for _, c := range low {
		Release(c, 4)
	}
}

// Runs of whole words of the bitmap are found where they are.
func TestRunsOfWords(t *testing.T) {
	// Nothing else is free.
	var rest []Block
	for Free() > 0 {
		rest = append(rest, acquire(t, 1, 1))
	}
	b := acquire(t, 1000, 1)
	first := (b + 63) &^ 63
	for _, u := range []run{{b: first, n: 64}, {b: first + 128, n: 128}, {b: first + 320, n: 576}, {b: first + 30, n: 130}} {
		Release(u.b, u.n)
		if got := acquire(t, u.n, 1); got != u.b {
			t.Errorf("a run of %d is taken at %d, and the only one is at %d", u.n, got, u.b)
		}
	}
	Release(b, 1000)
	for _, b := range rest {
		Release(b, 1)
	}
}

// Too much is refused and changes nothing, time and again.
func TestExhausted(t *testing.T) {
	b := acquire(t, 3, 1)
	soil(b, 3)
	free := Free()
	for _, n := range []int{int(Size / BlockSize), int(Size/BlockSize) + 1, 1 << 40, 1<<63 - 1} {
		if _, err := Acquire(n, 1); !errors.Is(err, ErrExhausted) {
			t.Errorf("Acquire(%d): %v", n, err)
		}
	}
	if Free() != free {
		t.Errorf("Free is %d after refusals, %d before", Free(), free)
	}
	if contents(b, 1)[0] != 1 || Owner(b) != 1 {
		t.Error("a refusal changed a block")
	}
	c := acquire(t, 1, 1)
	Release(c, 1)
	Release(b, 3)
}

// A run is what a model holds of the cage.
type run struct {
	b     Block
	n     int
	owner uint32
}

// The model: runs that nobody else has, clean when they come, and with the same
// owner until they go, whole or in parts.
func TestRandomRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	taken := map[Block]uint32{}
	var runs []run
	release := func(u run) {
		for i := range u.n {
			b := u.b + Block(i)
			if Owner(b) != u.owner {
				t.Fatalf("block %d belongs to %d, want %d", b, Owner(b), u.owner)
			}
			delete(taken, b)
		}
		Release(u.b, u.n)
	}
	for range 3000 {
		switch r.IntN(7) {
		case 0, 1, 2:
			n := 1
			switch r.IntN(4) {
			case 0:
				n = 1 + r.IntN(8)
			case 1:
				n = 1 + r.IntN(150)
			}
			free := Free()
			u := run{acquire(t, n, uint32(1+r.IntN(5))), n, 0}
			u.owner = Owner(u.b)
			if now := Free(); now > free || now < free-n {
				t.Fatalf("Free went from %d to %d for %d blocks", free, now, n)
			}
			for i := range n {
				b := u.b + Block(i)
				if b == 0 || uintptr(b) >= Size/BlockSize {
					t.Fatalf("block %d is handed out", b)
				}
				if o, twice := taken[b]; twice {
					t.Fatalf("block %d was handed out to %d already", b, o)
				}
				if Owner(b) != u.owner {
					t.Fatalf("the blocks of a run have the owners %d and %d", u.owner, Owner(b))
				}
				taken[b] = u.owner
				if mem := contents(b, 1); mem[0] != 0 || mem[BlockSize/2] != 0 || mem[BlockSize-1] != 0 {
					t.Fatalf("block %d is not clean", b)
				}
			}
			if !isZero(table(Lines, u.b, n)) || !isZero(table(Marks, u.b, n)) {
				t.Fatalf("a run of %d has marks", n)
			}
			soil(u.b, n)
			runs = append(runs, u)
		case 3, 4:
			if len(runs) > 0 {
				i := r.IntN(len(runs))
				release(runs[i])
				runs = slices.Delete(runs, i, i+1)
			}
		case 5: // a part of one
			if len(runs) > 0 {
				u := &runs[r.IntN(len(runs))]
				if k := r.IntN(u.n); k > 0 {
					release(run{u.b + Block(k), u.n - k, u.owner})
					u.n = k
				}
			}
		case 6: // two neighbours as one
			for _, u := range runs {
				i := slices.IndexFunc(runs, func(v run) bool { return v.b == u.b+Block(u.n) && v.owner == u.owner })
				if i >= 0 {
					v := runs[i]
					runs = slices.DeleteFunc(runs, func(x run) bool { return x == u || x == v })
					release(run{u.b, u.n + v.n, u.owner})
					break
				}
			}
		}
	}
	for _, u := range runs {
		release(u)
	}
}

// Goroutines that take and return blocks at once never have the same one.
func TestRacingRuns(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			owner := NewOwner()
			var mine []run
			for range 400 {
				if len(mine) > 0 && r.IntN(2) == 0 {
					j := r.IntN(len(mine))
					u := mine[j]
					for k := range u.n {
						b := u.b + Block(k)
						if Owner(b) != owner || contents(b, 1)[7] != byte(i) {
							t.Errorf("block %d was changed by another", b)
						}
					}
					Release(u.b, u.n)
					mine = slices.Delete(mine, j, j+1)
					continue
				}
				n := 1 + r.IntN(1+r.IntN(20))
				b, err := Acquire(n, owner)
				if err != nil {
					t.Error(err)
					return
				}
				if !clean(b, n) {
					t.Errorf("a run of %d is not clean", n)
				}
				for k := range n {
					contents(b+Block(k), 1)[7] = byte(i)
				}
				mine = append(mine, run{b, n, owner})
			}
			for _, u := range mine {
				Release(u.b, u.n)
			}
		})
	}
	wg.Wait()
}

// The list of recent blocks is a hint, and must not grow with what comes and
// goes in runs.
func TestRecentIsBounded(t *testing.T) {
	for range 3000 {
		b := acquire(t, 5, 1)
		Release(b, 5)
	}
	cage.mu.Lock()
	defer cage.mu.Unlock()
	if n := len(cage.recent); n > 2*cage.nfree+1024+5 {
		t.Errorf("%d recent blocks, of which %d are free", n, cage.nfree)
	}
}
