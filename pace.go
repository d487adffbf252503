package midden

import "github.com/midden-gc/midden/internal/pacer"

// nursery is how much is allocated between two minor cycles, in bytes: about what
// a second-level cache holds, so that new objects lie in memory that is cached.
const nursery = 512 << 10

// pace sets when the next cycle is wanted.
func (h *Heap) pace(done Kind) {
	if !h.demands.Frees {
		return
	}
	if done > KindMinor {
		h.next.Store(h.o.Sizer.Next(h.measure()))
		h.relax()
	}
	h.space.SetThreshold(h.roomNow())
}

// relax sets the size at which a full cycle is wanted, from the Sizer's word and
// what there is now.
func (h *Heap) relax() {
	h.fullAt.Store(pacer.Relax(h.next.Load(), h.live.Load()+h.space.Budget.External()))
}

// roomNow is how many bytes may be allocated before any cycle is wanted.
func (h *Heap) roomNow() int64 {
	room := h.room()
	if h.demands.Generations {
		room = min(room, nursery)
	}
	return room
}

// wanted says which kind of cycle is wanted when the threshold is passed: a minor
// one, unless there would not be room for another nursery after it.
func (h *Heap) wanted() Kind {
	if h.demands.Generations && h.room() > 2*nursery {
		return KindMinor
	}
	return KindFull
}

// room is how many bytes may be allocated before a full cycle is wanted, if all
// of them live.
func (h *Heap) room() int64 {
	m := h.measure()
	return pacer.Clamp(h.fullAt.Load(), m.Live+h.space.Budget.External(), m.Used, m.Limit)
}

func (h *Heap) measure() Measurement {
	return Measurement{Live: h.live.Load(), Used: h.space.Budget.Used(), Limit: h.o.Limit}
}
