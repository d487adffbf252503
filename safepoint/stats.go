package safepoint

import "time"

// Stats tell how a world has fared. They are a copy of some 2 KiB, made for the
// caller.
//
// The time to stop and the time stopped are kept apart. The first begins when
// a pause is asked for: by Stop or Collect, or by the context that comes first
// to its safepoint after a Request. For a pause that had to queue it begins when
// its turn comes. It ends when the last context stands still, and there the
// second begins, which ends when the world goes on. Pauses of Stop count; those
// that were given up count in GivenUp alone.
type Stats struct {
	Contexts int   // open ones
	Frozen   int   // of these
	Epoch    Epoch // World.Epoch

	Pauses     uint64        // that ran, those of Stop included
	GivenUp    uint64        // pauses given up before they ran
	StopMax    time.Duration // the longest time to stop
	PauseTotal time.Duration // the time stopped, all of it
	PauseMax   time.Duration // the longest of these times
	StopTimes  Histogram     // of the times to stop
	PauseTimes Histogram     // of the times stopped

	Stragglers uint64 // contexts that were reported for keeping a pause waiting, each time
	Lost       uint64 // contexts that were found to be unreachable without Close
}

// counters are the part of Stats that nothing else shows. They are guarded by
// World.mu.
type counters struct{ GivenUp, Stragglers, Lost uint64 }

// Stats returns the figures as of now. It looks at every context.
func (w *World) Stats() Stats {
	w.mu.Lock()
	if p := w.cur; p == nil || !p.running() {
		w.drain()
	}
	s := Stats{
		Epoch:      w.Epoch(),
		GivenUp:    w.stats.GivenUp,
		Stragglers: w.stats.Stragglers,
		Lost:       w.stats.Lost,
	}
	s.Contexts, s.Frozen = w.registry.count()
	if t := w.times; t != nil {
		s.StopTimes, s.PauseTimes = t.stop, t.pause
	}
	w.mu.Unlock()
	w.tellLost()
	s.Pauses = s.PauseTimes.Count()
	s.StopMax = s.StopTimes.Max()
	s.PauseTotal, s.PauseMax = s.PauseTimes.Sum(), s.PauseTimes.Max()
	return s
}
