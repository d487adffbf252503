package midden

import "time"

// SetClock makes clock say how much time has passed. It is for a heap that nobody
// uses yet.
func (h *Heap) SetClock(clock func() time.Duration) {
	h.pacing.clock = clock
	h.pacing.beat, h.effort.ended = clock(), clock()
}

// Paced returns when a full cycle is wanted, in bytes, and how much is allocated
// between two minor ones.
func (h *Heap) Paced() (fullAt, nursery int64) {
	return h.pacing.fullAt.Load(), h.pacing.nurseries.Load()
}
