package safepoint

import "time"

// Stats tell how a world has fared.
type Stats struct {
	Contexts int   // open ones
	Frozen   int   // of these
	Epoch    Epoch // World.Epoch

	Pauses     uint64        // that ran, those of Stop included
	GivenUp    uint64        // pauses given up before they ran
	StopMax    time.Duration // longest time from wanting a pause until the last context stood still
	PauseTotal time.Duration // time for which the world stood still, all of it
	PauseMax   time.Duration // longest pause

	Stragglers uint64 // contexts that were reported for keeping a pause waiting, each time
	Lost       uint64 // contexts that were found to be unreachable without Close
}

// Stats returns the figures as of now. It looks at every context.
func (w *World) Stats() Stats {
	w.mu.Lock()
	if p := w.cur; p == nil || !p.running() {
		w.drain()
	}
	s := w.stats
	s.Epoch = w.Epoch()
	s.Contexts, s.Frozen = w.registry.count()
	w.mu.Unlock()
	w.tellLost()
	return s
}
