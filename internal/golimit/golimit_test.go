package golimit

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
)

const mib = 1 << 20

// limited sets Go's limit for a test, and checks at its end that it is back.
func limited(t *testing.T, bytes int64) {
	before := debug.SetMemoryLimit(bytes)
	t.Cleanup(func() {
		debug.SetMemoryLimit(before)
		if process.shares != 0 || process.total != 0 {
			t.Errorf("%d shares of %d bytes are left", process.shares, process.total)
		}
	})
}

func limitIs(t *testing.T, when string, want int64) {
	t.Helper()
	if got := debug.SetMemoryLimit(-1); got != want {
		t.Errorf("%s: Go's limit is %d bytes, want %d", when, got, want)
	}
}

func TestLowered(t *testing.T) {
	for _, c := range []struct {
		name                string
		whole, others, want int64
	}{
		{"no limit", math.MaxInt64, 1 << 40, math.MaxInt64},
		{"nothing held", 1000 * mib, 0, 1000 * mib},
		{"some", 1000 * mib, 300 * mib, 700 * mib},
		{"nearly all", 1000 * mib, 990 * mib, 125 * mib},
		{"more than there is", 1000 * mib, 5000 * mib, 125 * mib},
		{"the least", 64 * mib, 60 * mib, 16 * mib},
		{"hardly any", 10 * mib, 8 * mib, 10 * mib},
		{"none", 0, 8 * mib, 0},
	} {
		if got := lowered(c.whole, c.others); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// share is a Share that a test sets.
type share struct {
	*Share
	bytes atomic.Int64
}

func join() *share {
	s := &share{}
	s.Share = Join(s.bytes.Load)
	return s
}

func (s *share) Set(bytes int64) {
	s.bytes.Store(bytes)
	s.Changed()
}

func TestShares(t *testing.T) {
	limited(t, 1000*mib)
	a, b := join(), join()
	limitIs(t, "at first", 1000*mib)
	a.Set(100 * mib)
	limitIs(t, "with one", 900*mib)
	b.Set(200 * mib)
	limitIs(t, "with two", 700*mib)
	b.Set(200*mib + Grain/2)
	limitIs(t, "after a small change", 700*mib)
	b.Set(50 * mib)
	limitIs(t, "after one has shrunk", 850*mib)
	a.Leave()
	a.Leave()
	limitIs(t, "after one has left", 950*mib)
	a.Set(500 * mib)
	limitIs(t, "after that one has set something", 950*mib)
	b.Leave()
	limitIs(t, "after both have left", 1000*mib)
	c := join()
	c.Set(10 * mib)
	limitIs(t, "with another", 990*mib)
	c.Leave()
}

// TestUserSets checks that a limit set in between is taken for the whole.
func TestUserSets(t *testing.T) {
	limited(t, 1000*mib)
	a := join()
	a.Set(100 * mib)
	debug.SetMemoryLimit(500 * mib)
	a.Set(200 * mib)
	limitIs(t, "after the user has set it", 300*mib)
	debug.SetMemoryLimit(math.MaxInt64)
	a.Set(300 * mib)
	limitIs(t, "after the user has lifted it", math.MaxInt64)
	debug.SetMemoryLimit(800 * mib)
	a.Leave()
	limitIs(t, "after all have left", 800*mib)
}

func TestNoLimit(t *testing.T) {
	limited(t, math.MaxInt64)
	a := join()
	a.Set(1 << 40)
	limitIs(t, "without a limit", math.MaxInt64)
	a.Leave()
	limitIs(t, "without a limit", math.MaxInt64)
}

func TestTogether(t *testing.T) {
	limited(t, 10_000*mib)
	all := join()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				s := join()
				s.Set(int64(i+j) * mib)
				s.Set(int64(j) * 3 * mib)
				s.Leave()
			}
		})
	}
	wg.Wait()
	all.Set(1000 * mib)
	limitIs(t, "after all others have left", 9000*mib)
	all.Leave()
	limitIs(t, "after all have left", 10_000*mib)
}
