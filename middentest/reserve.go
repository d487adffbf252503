package middentest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/midden-gc/midden"
)

var reserveTests = []test{
	{"AnyMix", frees, (*suite).reserveAnyMix},
	{"UntilFull", 0, (*suite).reserveUntilFull},
	{"Alone", 0, (*suite).reserveAlone},
	{"OthersKeepNothing", frees, (*suite).reserveTakesBack},
	{"TooMuch", 0, (*suite).reserveTooMuch},
	{"KeepsRoots", 0, (*suite).reserveKeepsRoots},
	{"Racing", frees, (*suite).reserveRacing},
}

// lengthOf chooses the length of an array of bytes, in one of six manners.
func lengthOf(mode int, random *rand.Rand) int {
	switch mode % 6 {
	case 0: // small
		return random.IntN(200)
	case 1: // medium: a block holds few of them
		return 2000 + random.IntN(6000)
	case 2: // large: pages of their own
		return 8000 + random.IntN(80_000)
	case 3: // all of it at once
		return math.MaxInt32
	case 4: // every scale alike
		return 1 << random.IntN(19)
	default: // a line and a little
		return 100 + random.IntN(60)
	}
}

// spend allocates arrays of bytes that cost n bytes together, up to what the smallest costs, and calls
// keep with each. It returns an error if one is refused, for n bytes were granted.
func spend(m *midden.Mutator, n int64, mode int, random *rand.Rand, keep func(midden.Ref[midden.Array[byte]])) error {
	for left := n; left >= midden.ArraySize[byte](0); {
		length := min(lengthOf(mode, random), int(left))
		for midden.ArraySize[byte](length) > left {
			length -= max(1, length/16)
		}
		cost := midden.ArraySize[byte](length)
		if refused := refusal(func() { keep(midden.NewArray[byte](m, length)) }); refused != nil {
			return fmt.Errorf("%d bytes were granted, %d spent in mode %d, and %d refused: %w", n, n-left, mode%6, cost, refused)
		}
		left -= cost
	}
	return nil
}

// drop keeps nothing.
func drop(midden.Ref[midden.Array[byte]]) {}

// fragment fills l with small, medium and large arrays of which two thirds go again, so that no two
// free holes are alike.
func fragment(m *midden.Mutator, l midden.Local[midden.Array[midden.Field[midden.Array[byte]]]], random *rand.Rand) {
	for i := range l.Ptr().Len() {
		length := random.IntN(300)
		if i%20 == 0 {
			length = random.IntN(12_000)
		}
		r := midden.NewArray[byte](m, length)
		if i%3 == 0 {
			l.Ptr().At(i).Store(m, r)
		} else {
			l.Ptr().At(i).Store(m, midden.Nil[midden.Array[byte]]())
		}
	}
}

// reserveAnyMix checks that what Reserve granted can be spent in any way, however the heap looks.
func (s *suite) reserveAnyMix(t *testing.T) {
	const limit = 8 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	scope := m.Scope()
	defer scope.Close()
	random := rand.New(rand.NewPCG(1, 2))
	l := midden.NewLocal(m, midden.NewArray[midden.Field[midden.Array[byte]]](m, 3000))
	granted := 0
	for round := range max(s.size(200), 12) {
		if err := m.Reserve(2 * mib); err != nil {
			t.Fatalf("Reserve for the live data: %v", err)
		}
		fragment(m, l, random)
		n := []int64{1, 100, 5000, 40_000, 300_000, mib, 2 * mib, 3 * mib}[random.IntN(8)]
		if err := m.Reserve(n); err != nil {
			var refused *midden.LimitError
			if !errors.As(err, &refused) {
				t.Fatalf("Reserve: %v", err)
			}
			checkLimit(t, "Reserve", refused, limit, n)
			if n <= mib {
				t.Errorf("Reserve of %d bytes was refused: %v", n, err)
			}
			continue
		}
		granted++
		if err := spend(m, n, round, random, drop); err != nil {
			t.Fatal(err)
		}
		withinLimit(t, "after Reserve", h, limit)
	}
	if granted == 0 {
		t.Error("nothing was granted")
	}
}

// reserveUntilFull spends the whole heap by Reserve, without anything to free.
func (s *suite) reserveUntilFull(t *testing.T) {
	const limit = 4 * mib
	for mode := range 6 {
		h := s.heap(t, midden.Options{Limit: limit})
		m := s.mutator(t, h)
		random := rand.New(rand.NewPCG(3, uint64(mode)))
		m.Scope()
		var granted int64
		n := int64(70_000)
		if s.stress.EverySafepoint {
			n = limit / 8 // fewer collections
		}
		for {
			if err := m.Reserve(n); err != nil {
				if !errors.Is(err, midden.ErrLimit) {
					t.Fatalf("Reserve: %v", err)
				}
				break
			}
			granted += n
			// Everything that is spent stays live.
			err := spend(m, n, mode, random, func(r midden.Ref[midden.Array[byte]]) { midden.NewLocal(m, r) })
			if err != nil {
				t.Fatal(err)
			}
			withinLimit(t, "after Reserve", h, limit)
		}
		if granted < limit/4 || granted > limit {
			t.Errorf("Reserve granted %d bytes of a limit of %d", granted, limit)
		}
	}
}

// reserveAlone checks that what one mutator was granted, others cannot take, however hard they try.
func (s *suite) reserveAlone(t *testing.T) {
	const limit, n = 4 * mib, mib
	for mode := range 6 {
		h := s.heap(t, midden.Options{Limit: limit})
		m := s.mutator(t, h)
		if err := m.Reserve(n); err != nil {
			t.Fatalf("Reserve of %d bytes of %d: %v", n, limit, err)
		}
		// m does not stop, so what it was granted stays granted.
		wg := crew{t: t}
		for w := range 3 {
			other := m.NewMutator()
			wg.Go(func() {
				defer other.Close()
				way := []aWay{arrayOf(20), arrayOf(5000), arrayOf(50_000)}[w]
				for refusal(func() { way.allocate(other) }) == nil {
				}
				for refusal(func() { midden.NewArray[byte](other, 0) }) == nil {
				}
			})
		}
		wg.Wait()
		withinLimit(t, "others are at the limit", h, limit)
		if err := spend(m, n, mode, rand.New(rand.NewPCG(4, uint64(mode))), drop); err != nil {
			t.Error(err)
		}
		withinLimit(t, "after Reserve", h, limit)
	}
}

// reserveTakesBack checks that Reserve gets at what frozen mutators hold and do not use.
func (s *suite) reserveTakesBack(t *testing.T) {
	const limit = 4 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	var others []*midden.Mutator
	for id := range 100 {
		other := m.NewMutator()
		other.Scope()
		if s.can&moves != 0 {
			// Without moving these, what is free is in pieces.
			midden.NewLocal(other, newList(other, 2+id))
		}
		// Enough for a buffer that is not small any more.
		if err := refusal(func() { litter(other, 300) }); err != nil {
			t.Fatalf("100 mutators with 10 KB each: %v", err)
		}
		other.Freeze()
		others = append(others, other)
	}
	for round := range 6 {
		if err := m.Reserve(2 * mib); err != nil {
			t.Fatalf("Reserve of half of a heap in which little is live: %v", err)
		}
		if err := spend(m, 2*mib, round, rand.New(rand.NewPCG(5, uint64(round))), drop); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range others {
		other.Close()
	}
}

func (s *suite) reserveTooMuch(t *testing.T) {
	const limit = 2 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 100))
	for _, n := range []int64{limit + 1, 2 * limit, 1 << 33, 1 << 40, math.MaxInt64 - 1, math.MaxInt64} {
		var refused *midden.LimitError
		if err := m.Reserve(n); !errors.As(err, &refused) {
			t.Errorf("Reserve(%d): %v, want a *LimitError", n, err)
			continue
		}
		checkLimit(t, "Reserve", refused, limit, n)
		equal(t, "Wanted", refused.Wanted, n)
		checkList(t, "local", l.Get(), 100)
	}
	if err := m.Reserve(0); err != nil {
		t.Errorf("Reserve(0): %v", err)
	}
	if err := m.Reserve(limit / 4); err != nil {
		t.Errorf("Reserve of a quarter of the limit: %v", err)
	}
	unlimited := s.heap(t, midden.Options{})
	m = s.mutator(t, unlimited)
	if err := m.Reserve(math.MaxInt64); !errors.Is(err, midden.ErrLimit) {
		t.Errorf("Reserve(math.MaxInt64) without a limit: %v", err)
	}
	if err := m.Reserve(10 * mib); err != nil {
		t.Errorf("Reserve of 10 MiB without a limit: %v", err)
	}
}

// reserveKeepsRoots checks that Reserve is a safepoint like any other.
func (s *suite) reserveKeepsRoots(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 100))
	for range 20 {
		outside(t, h, midden.KindFull, func() {
			if err := m.Reserve(1000); err != nil {
				t.Fatalf("Reserve: %v", err)
			}
		})
		litter(m, 500)
		checkList(t, "local", l.Get(), 100)
	}
}

// reserveRacing has mutators reserve against each other: each is granted what it may spend, or an
// error.
func (s *suite) reserveRacing(t *testing.T) {
	const limit, workers = 8 * mib, 4
	h := s.heap(t, midden.Options{Limit: limit})
	wg := crew{t: t}
	for w := range workers {
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			random := rand.New(rand.NewPCG(6, uint64(w)))
			for round := range max(s.size(60), 6) {
				n := 1 + random.Int64N(mib)
				if err := m.Reserve(n); err != nil {
					if !errors.Is(err, midden.ErrLimit) {
						t.Errorf("Reserve: %v", err)
					}
					continue
				}
				if err := spend(m, n, round, random, drop); err != nil {
					t.Error(err)
					return
				}
				withinLimit(t, "racing", h, limit)
			}
		})
	}
	wg.Wait()
}
