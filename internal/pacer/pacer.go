// Package pacer decides when to collect next. It is arithmetic on measurements:
// no clock, no state, no knowledge of a heap.
package pacer

// MinThreshold is how much a growing heap may hold before the first cycle, in
// bytes: collecting less often than that would not be worth a pause.
const MinThreshold = 4 << 20

// GrowBy returns the size at which a heap with live bytes is collected next, if
// it may grow by the given factor.
func GrowBy(live int64, factor float64) int64 {
	next := float64(live) * factor
	if next >= 1<<62 {
		return 1 << 62
	}
	return max(int64(next), MinThreshold)
}

// minRoom is the least that may be allocated between two cycles if there is no
// limit, in bytes.
const minRoom = 64 << 10

// Relax raises a threshold that the heap has outgrown, so that it is not
// collected all the time. Live is what the last cycle left.
func Relax(threshold, live int64) int64 {
	return max(threshold, live+max(live/16, minRoom))
}

// Clamp lowers a threshold so that a cycle comes before the limit stops
// everybody, and returns how many bytes may be allocated until then.
//
// Between the moment a cycle is wanted and the safepoint that grants it,
// mutators go on allocating; an eighth of what is free is kept back for that.
// Used counts what the limit counts, which is more than live where blocks are
// only partly filled.
func Clamp(threshold, live, used, limit int64) (room int64) {
	room = threshold - live
	if limit > 0 {
		// Holes in blocks that are held already cost no further memory.
		free := limit - used + max(0, used-live)
		room = min(room, free-free/8)
	}
	return max(room, 0)
}
