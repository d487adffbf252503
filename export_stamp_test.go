//go:build invariants

package midden

// SetEpoch makes a heap with no references believe that it has had many cycles.
func (h *Heap) SetEpoch(e uint32) { h.stamps.epoch.Store(e) }
