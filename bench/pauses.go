package bench

import (
	"math"
	"runtime"
	"runtime/metrics"
	"slices"
)

// goHeap is what Go's runtime tells of its heap.
type goHeap struct {
	runtime.MemStats
	pauses, stops classes
}

func readGoHeap() goHeap {
	samples := []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/sched/pauses/stopping/gc:seconds"},
	}
	metrics.Read(samples)
	h := goHeap{
		pauses: classes(*samples[0].Value.Float64Histogram()),
		stops:  classes(*samples[1].Value.Float64Histogram()),
	}
	runtime.ReadMemStats(&h.MemStats)
	return h
}

// classes are times by class, as Go's runtime keeps them: it never forgets one.
type classes metrics.Float64Histogram

// since returns what was added to before.
func (c classes) since(before classes) classes {
	counts := slices.Clone(c.Counts)
	for i := range counts {
		counts[i] -= before.Counts[i]
	}
	return classes{counts, c.Buckets}
}

// quantile returns the upper end of the lowest class up to which the part q of
// all times lies.
func (c classes) quantile(q float64) float64 {
	total := 0
	for _, n := range c.Counts {
		total += int(n)
	}
	wanted := rank(q, total)
	for i, n := range c.Counts {
		if wanted -= int(n); n > 0 && wanted <= 0 {
			if upper := c.Buckets[i+1]; !math.IsInf(upper, 1) {
				return upper
			}
			return c.Buckets[i]
		}
	}
	return 0
}

// rank says which of n sorted values is their quantile q, counting from 1.
func rank(q float64, n int) int {
	return int(math.Ceil(q * float64(n)))
}
