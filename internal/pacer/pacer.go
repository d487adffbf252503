// Package pacer decides when to collect next, and how much of that a heap can
// afford. It is arithmetic on measurements: no clock, no locks, no knowledge of a
// heap.
package pacer

import "math"

// MinThreshold is how much a growing heap may hold before the first cycle, in
// bytes: collecting less often than that would not be worth a pause.
const MinThreshold = 4 << 20

// GrowBy returns the size at which a heap with live bytes is collected next, if
// it may grow by the given factor.
func GrowBy(live int64, factor float64) int64 {
	return clampSize(float64(live) * factor)
}

// Adaptive returns the size at which a heap with live bytes is collected next,
// after Kirisame, Shenoy and Panchekha, "Optimal heap limits for reducing browser
// memory use" (OOPSLA 2022). Growth is what the heap grows by in a second of
// running, speed what a cycle traces in a second, both in bytes; 0 means that
// they are not known yet.
//
// With the extra room E, a heap is collected growth/E times a second, and each
// cycle takes live/speed: the share of its time is growth*live/(E*speed). If one
// whole processor's time is worth c² times Exchange bytes, the sum of what both
// cost is least at
//
//	E = c * sqrt(Exchange * live * growth / speed)
//
// and heaps that use the same c could not together do better by passing memory
// from one to another.
func Adaptive(live int64, growth, speed, c float64) int64 {
	if growth <= 0 || speed <= 0 {
		return GrowBy(live, 2)
	}
	extra := c * math.Sqrt(Exchange*float64(live)*growth/speed)
	// A rate that was mismeasured, as when the machine stood still for a second,
	// must not make the heap huge, or have it collected all the time.
	extra = max(extra, float64(live)/8)
	extra = min(extra, mostExtra*float64(max(live, MinThreshold)))
	return clampSize(float64(live) + extra)
}

const (
	// Exchange is what a processor's time is worth when c is 1, in bytes: a heap
	// that is collected for a hundredth of its time has about 10 MiB of extra room.
	Exchange = 1 << 30

	mostExtra = 8 // times what lives
)

func clampSize(bytes float64) int64 {
	if bytes >= 1<<62 {
		return 1 << 62
	}
	return max(int64(bytes), MinThreshold)
}

// minRoom is the least that may be allocated between two full cycles if there is
// no limit, in bytes.
const minRoom = 64 << 10

// Relax raises a threshold that the heap has outgrown, so that it is not
// collected all the time. Live is what the last full cycle left.
func Relax(threshold, live int64) int64 {
	return max(threshold, live+max(live/16, minRoom))
}

// Free returns how many bytes can be allocated below the limit. Used counts what
// the limit counts, which is more than live where blocks are only partly filled:
// holes in blocks that are held already cost no further memory.
func Free(live, used, limit int64) int64 {
	return max(0, limit-used+max(0, used-live))
}

// Kept returns how much of what is free after a full cycle is kept back for the
// time between the moment when the next one is wanted and the safepoint that
// grants it: mutators go on allocating meanwhile.
func Kept(free int64) int64 { return free / 8 }

// Clamp lowers a threshold so that a full cycle comes before the limit stops
// everybody, and returns how many bytes may be allocated until then. Kept is what
// the last full cycle has kept back.
func Clamp(threshold, live, used, limit, kept int64) (room int64) {
	room = threshold - live
	if limit > 0 {
		room = min(room, Free(live, used, limit)-kept)
	}
	return max(room, 0)
}
