package midden

import (
	"time"

	"github.com/midden-gc/midden/safepoint"
)

// Stats are figures about a heap. They are a copy of some 2 KiB, made for the
// caller.
type Stats struct {
	// Bytes now: that lived after the last cycle; in use (blocks and pages held,
	// and External); held from the system (without External); the peak of that;
	// noted with AddExternal.
	Live, Used, Committed, PeakCommitted, External int64
	// Allocated is how many bytes were allocated ever. The latest of each mutator,
	// at most a few blocks, are counted at the next cycle at the latest.
	Allocated int64
	// Minor and Full count cycles by what they did, not by what was asked for.
	Minor, Full uint64
	// PauseTotal and PauseMax are how long the world was stopped, in sum and at
	// most: from the moment at which the last mutator stood still.
	PauseTotal, PauseMax time.Duration
	// StopMax is the longest time until that moment: from the call of Collect, or
	// the first mutator's arrival at a safepoint at which a cycle was wanted.
	StopMax time.Duration
	// StopTimes and PauseTimes count all of these times, by length, for quantiles
	// and graphs.
	StopTimes, PauseTimes safepoint.Histogram
	// Mutators are open now; Frozen is how many of them are frozen.
	Mutators, Frozen int
	// Stragglers counts reports of mutators that kept a pause waiting, GivenUp
	// pauses that were given up because their context ended, and Lost mutators
	// that were dropped without Close.
	Stragglers, GivenUp, Lost uint64
}

// Stats returns figures about the heap, also after Close. Any goroutine may
// call it at any time.
func (h *Heap) Stats() Stats {
	w := h.world.Stats()
	committed, peak := h.space.Committed()
	return Stats{
		Live:          h.live.Load(),
		Used:          h.space.Budget.Used(),
		Committed:     committed,
		PeakCommitted: peak,
		External:      h.space.Budget.External(),
		Allocated:     h.space.Allocated(),
		Minor:         h.minor.Load(),
		Full:          h.full.Load(),
		PauseTotal:    w.PauseTotal,
		PauseMax:      w.PauseMax,
		StopMax:       w.StopMax,
		StopTimes:     w.StopTimes,
		PauseTimes:    w.PauseTimes,
		Mutators:      w.Contexts,
		Frozen:        w.Frozen,
		Stragglers:    w.Stragglers,
		GivenUp:       w.GivenUp,
		Lost:          w.Lost,
	}
}
