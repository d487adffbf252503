package midden

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/midden-gc/midden/internal/pacer"
)

// pacing is what a heap knows about when to collect next. Package pacer has the
// arithmetic; this measures, and asks it. What is not atomic is used in pauses
// only.
type pacing struct {
	// clock says how much time has passed since some moment. Tests have one of
	// their own.
	clock func() time.Duration

	next   atomic.Int64 // what the Sizer said last
	fullAt atomic.Int64 // live and external bytes at which a full cycle is wanted

	rates    pacer.Rates
	began    time.Duration // the present cycle
	took     time.Duration // the last full cycle
	fullLive atomic.Int64  // bytes that the last full cycle found alive
	lived    int64         // bytes that the last cycle of any kind found alive

	// The heap's growth was measured last, and what lived, at the last beat.
	beat     time.Duration
	beatLive int64

	nursery   int64        // bytes until the next minor cycle, for each processor
	nurseries atomic.Int64 // the same for all processors that are at work
	roomAfter atomic.Int64 // room after the last full cycle
	kept      atomic.Int64 // what that kept back of it
}

// startPacing makes a heap ready for its first cycle.
func (h *Heap) startPacing() {
	p := &h.pacing
	if p.clock == nil {
		start := time.Now()
		p.clock = func() time.Duration { return time.Since(start) }
	}
	if !h.demands.Frees {
		return
	}
	p.nursery = pacer.StartNursery
	p.nurseries.Store(p.nursery)
	p.began = p.clock()
	p.beat = p.began
	p.next.Store(h.o.Sizer.Next(h.measure()))
	h.relax()
	h.keep()
	h.aim()
}

// beginCycle measures what ends when a cycle begins. Buffers are not retired yet.
func (h *Heap) beginCycle(mutators []*Mutator) {
	p := &h.pacing
	p.began = p.clock()
	busy := 0
	for _, m := range mutators {
		if m.buf.Next != 0 {
			busy++ // it has allocated since the last cycle
		}
	}
	p.nurseries.Store(p.nursery * int64(max(1, min(busy, runtime.GOMAXPROCS(0)))))
}

// pace measures the cycle that is over, and sets when the next one is wanted.
func (h *Heap) pace(done Kind) {
	if !h.demands.Frees {
		return
	}
	p := &h.pacing
	live, allocated := h.live.Load(), h.space.AllocatedSince()
	if done == KindMinor {
		h.paceMinor(live, allocated)
	} else {
		h.paceFull(live, allocated)
	}
	p.lived = live
	h.aim()
}

func (h *Heap) paceMinor(live, allocated int64) {
	p := &h.pacing
	processors := p.nurseries.Load() / p.nursery
	p.nursery = pacer.Nursery(p.nursery, allocated/processors, (live-p.lived)/processors)
	p.nurseries.Store(p.nursery * processors)

	if p.began-p.beat >= time.Second {
		h.grew(live - p.beatLive)
		p.beat, p.beatLive = p.clock(), live
		p.next.Store(h.o.Sizer.Next(h.measure()))
		h.relax()
	}
}

func (h *Heap) paceFull(live, allocated int64) {
	p := &h.pacing
	h.grew(p.lived + allocated - p.beatLive)
	now := p.clock()
	p.took = now - p.began
	p.rates.Traced(live, p.took)
	p.beat, p.beatLive = now, live
	p.fullLive.Store(live)
	p.next.Store(h.o.Sizer.Next(h.measure()))
	h.relax()
	h.keep()
	h.endFull(now, p.took)
}

// keep notes how much may be allocated until the next full cycle.
func (h *Heap) keep() {
	b := &h.space.Budget
	h.pacing.kept.Store(pacer.Kept(pacer.Free(h.live.Load()+b.External(), b.Used(), h.o.Limit)))
	h.pacing.roomAfter.Store(h.room())
}

// grew notes by how much the heap has grown since the last beat.
func (h *Heap) grew(bytes int64) {
	h.pacing.rates.Grew(bytes, h.pacing.began-h.pacing.beat)
}

// measure is what the Sizer is told.
func (h *Heap) measure() Measurement {
	p := &h.pacing
	return Measurement{
		Live:           p.fullLive.Load(),
		Used:           h.space.Budget.Used(),
		Limit:          h.o.Limit,
		Pause:          p.took,
		AllocationRate: p.rates.Growth(),
		TraceSpeed:     p.rates.Trace(),
	}
}

// relax sets the size at which a full cycle is wanted, from the Sizer's word and
// what there is now.
func (h *Heap) relax() {
	p := &h.pacing
	p.fullAt.Store(pacer.Relax(p.next.Load(), p.fullLive.Load()+h.space.Budget.External()))
}

// aim ends a cycle: the next is wanted when so much was allocated.
func (h *Heap) aim() {
	room, _ := h.plan()
	h.space.SetThreshold(room)
}

// plan says how many bytes may be allocated before the next cycle, and which kind
// that is to be.
func (h *Heap) plan() (int64, Kind) {
	room := h.room()
	if h.demands.Generations {
		if n, minor := pacer.Plan(room, h.pacing.roomAfter.Load(), h.pacing.nurseries.Load()); minor {
			return n, KindMinor
		}
	}
	return room, KindFull
}

// room is how many bytes may be allocated before a full cycle is wanted, if all
// of them live.
func (h *Heap) room() int64 {
	b := &h.space.Budget
	return pacer.Clamp(h.pacing.fullAt.Load(), h.live.Load()+b.External(), b.Used(), h.o.Limit, h.pacing.kept.Load())
}
