package pacer

import "time"

// Brake keeps a heap at its limit from spending its time on full cycles that free
// almost nothing. Such cycles are vain. The heap may do Burst of them in a row;
// from then on it has to run as long as one takes before it may do the next: they
// get half of the time, and whoever wants memory in between is refused.
//
// Go's collector gives up its soft limit where collecting takes half of the time,
// and HotSpot throws an OutOfMemoryError (GCTimeLimit, GCHeapFreeLimit) where it
// takes 98 % and frees 2 %. A hard limit cannot be given up, and 98 % is late.
//
// The zero value is ready.
type Brake struct {
	vain     float64       // vain cycles, less the time that was run in between
	last     time.Duration // how long the last vain cycle took
	typical  time.Duration // the shorter of the last two: one that the machine held up is no measure
	forgiven bool          // see Refused
}

// Burst is how many vain cycles may follow each other at once.
const Burst = 5

// Cycle notes a full cycle that took so long, after the heap had run for so long
// since the last.
func (b *Brake) Cycle(took, ran time.Duration, vain bool) {
	if !vain {
		*b = Brake{}
		return
	}
	took = max(took, 1) // clocks may be coarse
	b.typical = took
	if b.last > 0 {
		b.typical = min(b.last, took)
	}
	b.last = took
	b.vain = max(0, b.vain+1-b.cycles(ran))
	if b.vain < Burst-2 {
		b.forgiven = false
	}
}

// cycles returns how many vain cycles would have taken so long.
func (b *Brake) cycles(d time.Duration) float64 {
	if b.typical == 0 {
		return 0
	}
	return d.Seconds() / b.typical.Seconds()
}

// Holds reports whether another vain cycle would be one too many, when the heap
// has run for so long since the last.
func (b *Brake) Holds(ran time.Duration) bool {
	return b.vain+1-b.cycles(ran) > Burst
}

// Refused notes that somebody was refused memory because the brake holds. Who is
// refused may drop something and try again at once, so that the first time one
// more cycle is allowed.
func (b *Brake) Refused() {
	if !b.forgiven {
		b.forgiven = true
		b.vain--
	}
}
