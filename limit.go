package midden

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/pacer"
	"github.com/midden-gc/midden/internal/space"
)

// A full cycle that leaves less than this part of the limit to allocate was vain.
const vainPart = 50

// effort is what a heap knows about its attempts to stay below the limit: full
// cycles that it ran because it had to, and what came of them.
type effort struct {
	mu     sync.Mutex
	brake  pacer.Brake
	ended  time.Duration // the last full cycle
	free   int64         // what that left to allocate,
	room   int64         // and what to reserve: without the holes in blocks
	own    bool          // the heap wants the next one itself
	wanted int64         // the most that could not be reserved since the last one

	pressure int // changes in a pause, as does pressed
	pressed  int // what it was before the last full cycle, or that somebody was told
}

// wantCycle asks for a cycle because so much was allocated. Any goroutine may call
// it, with no lock held.
func (h *Heap) wantCycle() {
	_, k := h.plan()
	if k == KindMinor || h.tryFull(0) {
		h.world.Request(level(k))
	}
}

// tryFull reports whether a full cycle is worth trying for so many bytes to be
// reserved, or for any memory at all if bytes is 0. If so, whoever called has to
// ask for it.
func (h *Heap) tryFull(bytes int64) bool {
	e := &h.effort
	e.mu.Lock()
	defer e.mu.Unlock()
	if h.holds(bytes) {
		return false
	}
	e.own = true
	e.wanted = max(e.wanted, bytes)
	return true
}

// holds reports whether the last full cycle left too little, and it is too early
// for another. The mutex is held.
func (h *Heap) holds(bytes int64) bool {
	e := &h.effort
	if h.o.Limit == 0 || e.free >= h.o.Limit/vainPart && e.room >= bytes {
		return false
	}
	return e.brake.Holds(h.pacing.clock() - e.ended)
}

// endFull notes what a full cycle has come to.
func (h *Heap) endFull(now, took time.Duration) {
	e := &h.effort
	e.mu.Lock()
	defer e.mu.Unlock()
	b := &h.space.Budget
	live := h.live.Load() + b.External()
	e.free, e.room = pacer.Free(live, b.Used(), h.o.Limit), b.Room()
	vain := e.free < h.o.Limit/vainPart || e.room < e.wanted
	if e.own || !vain {
		// What the program asked for by name does not count against it.
		e.brake.Cycle(took, now-took-e.ended, vain)
	}
	e.ended, e.own, e.wanted = now, false, 0

	e.pressed = e.pressure
	e.pressure = pacer.Pressure(e.pressed, live, h.o.Limit)
}

// notePressure queues word of pressure if the last cycle was a full one and found
// more of it than there was.
func (h *Heap) notePressure() {
	e := &h.effort
	if e.pressure <= e.pressed || h.o.Listener == nil || h.o.Listener.Pressure == nil {
		return
	}
	e.pressed = e.pressure
	b := &h.space.Budget
	h.events.add(event{pressure: &PressureInfo{
		Level:    e.pressure,
		Live:     h.live.Load(),
		External: b.External(),
		Used:     b.Used(),
		Limit:    h.o.Limit,
	}})
}

// released notes that memory elsewhere was given back without a cycle.
func (e *effort) released(bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.free += bytes
	e.room += bytes
}

// refuse describes why memory was refused to an allocation, and has the next
// safepoint collect if that may help.
func (h *Heap) refuse(wanted int64, err error) *LimitError {
	e := h.limitError(wanted, err)
	if e.cause != nil || !h.demands.Frees || wanted > e.Limit {
		return e
	}
	if wanted <= space.MaxSmall {
		wanted = 0 // any hole may do
	}
	e.Thrashing = h.thrashing(wanted)
	if h.tryFull(wanted) {
		h.world.Request(level(KindFull))
	}
	return e
}

// limitError describes why memory was refused.
func (h *Heap) limitError(wanted int64, err error) *LimitError {
	e := &LimitError{Limit: h.o.Limit, Live: h.live.Load(), Wanted: wanted}
	if !errors.Is(err, space.ErrLimit) {
		e.cause = err
	}
	if e.cause != nil || e.Limit == 0 {
		e.Limit = int64(cage.Size)
	}
	return e
}

// thrashing reports whether memory is refused because the heap has tried often
// enough to free some.
func (h *Heap) thrashing(wanted int64) bool {
	e := &h.effort
	e.mu.Lock()
	defer e.mu.Unlock()
	if !h.holds(wanted) {
		return false
	}
	e.brake.Refused()
	return true
}

// reserveFull makes room for m to reserve what did not fit, if that can be done.
func (m *Mutator) reserveFull(bytes int64) error {
	h := m.heap
	need := space.ReserveCost(bytes)
	if !h.demands.Frees || need > cmp.Or(h.o.Limit, int64(cage.Size)) {
		return h.limitError(bytes, space.ErrLimit)
	}
	if h.demands.Generations && h.space.AllocatedSince() >= need-h.space.Budget.Room() {
		// What is new may be garbage enough, and costs little to look through.
		if err := m.Collect(KindMinor); err != nil {
			return err
		}
		if m.reserve(bytes) {
			return nil
		}
	}
	if !h.tryFull(need) {
		e := h.limitError(bytes, space.ErrLimit)
		e.Thrashing = h.thrashing(need)
		return e
	}
	for k := KindFull; k == KindFull || k == KindCompact && h.mayPack(need); k++ {
		if err := m.Collect(k); err != nil {
			return err
		}
		if m.reserve(bytes) {
			return nil
		}
	}
	return h.limitError(bytes, space.ErrLimit)
}

// mayPack reports whether packing what lives may make room for so many bytes. What
// is reserved takes whole blocks, and after a full cycle most of them may have
// nothing but holes.
func (h *Heap) mayPack(need int64) bool {
	packs := h.demands.Moves && !h.demands.Copies
	return packs && need <= h.o.Limit-h.live.Load()-h.space.Budget.External()
}
