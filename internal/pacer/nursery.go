package pacer

const (
	// StartNursery is how much is allocated between two minor cycles at first, in
	// bytes for each processor: about half of what a second-level cache holds, so
	// that new objects lie in memory that is cached.
	StartNursery = 512 << 10

	minNursery = 256 << 10
	maxNursery = 2 << 20 // all of it traced takes a millisecond or two
)

// Nursery returns how much to allocate until the next minor cycle, for each
// processor, when there was now for the last one, which found that so many of the
// allocated bytes had survived.
//
// Where many survive they may only have been too young to die: the next time
// they get longer, for whoever survives is garbage later that a full cycle has
// to find. Where almost nothing does, a small nursery is as good as a large one,
// and stays in the cache.
func Nursery(now, allocated, survived int64) int64 {
	if allocated < now/2 {
		return now // the cycle came for another reason, and says little
	}
	switch {
	case survived > allocated/4:
		return min(2*now, maxNursery)
	case survived < allocated/32:
		return max(now/2, minNursery)
	case now > StartNursery && survived < allocated/16:
		return now / 2
	}
	return now
}

// Plan returns how many bytes to allocate until the next cycle, and whether a
// minor one will do then. Room is how much may be allocated before a full cycle
// is wanted, and after how much there was after the last one.
//
// Near the end of the room, minor cycles come more and more often, because each
// costs less than a full one; until so much of what it was after the last full
// cycle is gone that there is something for a full one to free.
func Plan(room, after, nursery int64) (bytes int64, minor bool) {
	least := min(max(after/4, leastNursery), minNursery/2)
	if n := min(nursery, room/2); n >= least {
		return n, true
	}
	return room, false
}

// leastNursery is how much is worth a minor cycle at all, in bytes.
const leastNursery = 32 << 10
