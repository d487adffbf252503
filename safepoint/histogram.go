package safepoint

import (
	"fmt"
	"iter"
	"math"
	"math/bits"
	"time"
)

// Classes of a Histogram: one for what is shorter than 128 ns, four for each
// doubling from there to 17 s, and one for what is longer. They are those of
// Go's own metrics of pauses, over a shorter range.
const (
	firstDoubling = 7
	lastDoubling  = 34
	perDoubling   = 4
	classes       = 1 + perDoubling*(lastDoubling-firstDoubling) + 1
)

// A Histogram counts durations by class. A class is at most a quarter as wide
// as what it holds, from 128 ns to 17 s. It takes less than a kilobyte, and is
// copied like a number. The zero value is empty.
//
// It is not safe for use by several goroutines at once; those in [Stats] are
// copies.
type Histogram struct {
	n        uint64
	sum, max time.Duration
	counts   [classes]uint64
}

// Add counts d. A negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.n++
	h.sum += d
	h.max = max(h.max, d)
	h.counts[classOf(d)]++
}

// Merge adds what o has counted: the figures of many worlds become one.
func (h *Histogram) Merge(o Histogram) {
	h.n += o.n
	h.sum += o.sum
	h.max = max(h.max, o.max)
	for i, n := range o.counts {
		h.counts[i] += n
	}
}

// Count returns how many durations were counted.
func (h Histogram) Count() uint64 { return h.n }

// Sum returns what they come to together, exactly.
func (h Histogram) Sum() time.Duration { return h.sum }

// Max returns the longest, exactly, and 0 if there is none.
func (h Histogram) Max() time.Duration { return h.max }

// Quantile returns what the part q of all durations does not exceed. It is the
// upper end of a class, so up to a quarter too long, but never more than Max, and
// 0 if nothing was counted. It panics unless q is from 0 to 1.
func (h Histogram) Quantile(q float64) time.Duration {
	if !(q >= 0 && q <= 1) {
		panic(fmt.Sprintf("safepoint: Quantile(%v): it must be from 0 to 1; 0.99 is what 99 in 100 stay below", q))
	}
	rank := uint64(math.Ceil(q * float64(h.n)))
	var below uint64
	for i, c := range h.counts {
		if below += c; below > 0 && below >= rank {
			return min(endOf(i), h.max)
		}
	}
	return h.max
}

// Buckets yields each class in ascending order, empty ones too: how many were
// counted in it, and its upper end, which belongs to the next class. The last
// one has no end and shows the greatest Duration. The classes are the same in
// all histograms.
func (h Histogram) Buckets() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, n := range h.counts {
			if !yield(endOf(i), n) {
				return
			}
		}
	}
}

// String shows how many there are, the median, 99 in 100, and the longest.
func (h Histogram) String() string {
	return fmt.Sprintf("{n=%d p50=%v p99=%v max=%v}", h.n, h.Quantile(0.5), h.Quantile(0.99), h.max)
}

func classOf(d time.Duration) int {
	doubling := bits.Len64(uint64(d)) - 1
	switch {
	case doubling < firstDoubling:
		return 0
	case doubling >= lastDoubling:
		return classes - 1
	}
	quarter := int(d>>(doubling-2)) % perDoubling
	return 1 + perDoubling*(doubling-firstDoubling) + quarter
}

// endOf returns the least duration above the class.
func endOf(class int) time.Duration {
	switch class {
	case 0:
		return 1 << firstDoubling
	case classes - 1:
		return math.MaxInt64
	}
	doubling := firstDoubling + (class-1)/perDoubling
	quarter := time.Duration(class-1)%perDoubling + 1
	return 1<<doubling + quarter<<(doubling-2)
}

// times is how long the pauses of a world took.
type times struct {
	stop  Histogram // from wanting it until the last context stood still
	pause Histogram // from then until the world went on
}

// measured returns w.times, which a world has from its first pause on: a
// process may have thousands that never pause. The caller holds w.mu.
func (w *World) measured() *times {
	if w.times == nil {
		w.times = new(times)
	}
	return w.times
}
