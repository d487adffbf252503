package midden

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/verify"
	"github.com/midden-gc/midden/internal/weak"
	"github.com/midden-gc/midden/safepoint"
)

// poison is what freed memory is overwritten with under Stress.Poison.
const poison = 0xdb

// cycle is one collection. The pause proves that the world is stopped.
func (h *Heap) cycle(p *safepoint.Pause) error {
	start := time.Now()
	kind := kindOf(p.Level())
	mutators := h.stopped(p)
	before := h.live.Load() + h.space.AllocatedSince()
	h.beginCycle(mutators)
	h.retire(mutators)
	h.handles.drain()

	// Roots that are visited from here on belong to the new epoch.
	h.stamps.next()
	roots := func(visit func(*object.Word)) { h.roots(mutators, visit) }
	result, err := h.instance.Collect(&collector.Cycle{
		Kind:    kind,
		Workers: h.o.Workers,
		Move:    h.o.Stress.Move,
		Roots:   roots,

		Remembered: h.remembered.each,
		Moved:      h.guardians.Moved,
		Weak: &weak.Phases{
			Guardians:  &h.guardians,
			Externals:  &h.externals,
			Slots:      h.remembered.weak,
			Ephemerons: h.remembered.ephemerons,
		},
	})
	if err != nil {
		// Nothing was collected and nothing is lost: mutators go on, and the
		// next who needs memory asks again.
		if invariants.Enabled {
			roots(func(*object.Word) {})
		}
		h.aim()
		h.note(CycleInfo{Kind: kind, Number: h.cycles, Stop: p.TimeToStop(), Pause: time.Since(start), Err: err})
		return fmt.Errorf("%w: %w", errNoCycle, err)
	}
	h.cycles++
	h.remembered.reset(mutators)
	if result.Kind == KindMinor {
		h.minor.Add(1)
	} else {
		h.full.Add(1)
	}
	h.live.Store(result.Live)
	h.pace(result.Kind)
	h.trim(result.Kind)
	if h.o.Stress.Poison {
		h.space.Poison(poison, result.Lines)
	}
	if h.o.Stress.Verify || invariants.Enabled {
		h.verify(func(visit func(*object.Word)) {
			roots(visit)
			h.guardians.Ready(visit)
		}, result)
	}
	committed, _ := h.space.Committed()
	h.note(CycleInfo{
		Kind:      result.Kind,
		Number:    h.cycles,
		Live:      result.Live,
		Freed:     max(0, before-result.Live),
		Used:      h.space.Budget.Used(),
		Committed: committed,
		Stop:      p.TimeToStop(),
		Pause:     time.Since(start),
	})
	h.notePressure()
	return nil
}

// stressKind is the kind of cycle that Stress.EverySafepoint runs next: a minor
// and a full one by turns. The caller is active, so no cycle is counting.
func (h *Heap) stressKind() Kind { return KindMinor + Kind(h.cycles%2) }

// stopped returns all open mutators.
func (h *Heap) stopped(p *safepoint.Pause) []*Mutator {
	var ms []*Mutator
	for c := range p.Contexts() {
		// A context that is being made has no mutator yet, and so no roots.
		if m, ok := c.Data().(*Mutator); ok {
			ms = append(ms, m)
		}
	}
	return ms
}

// retire takes all allocation buffers back.
func (h *Heap) retire(mutators []*Mutator) {
	h.space.Begin()
	var reserved int64
	for _, m := range mutators {
		h.space.Retire(&m.buf)
		reserved += m.buf.Reserved()
	}
	h.space.Settle(reserved)
}

// roots calls visit for every slot outside the heap that holds a reference: the
// shadow stacks, the handles, and what tracers know of.
func (h *Heap) roots(mutators []*Mutator, visit func(*object.Word)) {
	v := &Visitor{visit: visit, heap: h}
	for _, m := range mutators {
		for i := range m.roots {
			visit(&m.roots[i])
		}
		m.tracers.trace(v)
	}
	h.handles.each(visit)
	h.tracers.trace(v)
}

// trim returns to the system what is not needed until the next full cycle: half
// of it now and half of the rest the next time, because a heap that shrank often
// grows again; all of it when compacting.
func (h *Heap) trim(k Kind) {
	switch k {
	case KindCompact:
		h.space.TrimAll()
	case KindFull:
		free := h.space.FreeBytes()
		holes := h.space.Budget.Used() - h.live.Load()
		if spare := free - max(0, h.room()-holes); spare > 0 {
			h.space.Trim(free - (spare+1)/2)
		}
	}
}

// verify checks the heap with an independent trace. What it finds is a defect of
// this library or a rule that the program broke; going on would corrupt more.
func (h *Heap) verify(roots func(func(*object.Word)), r collector.Result) {
	err := verify.Heap(verify.Config{
		Owner:    h.owner,
		Roots:    roots,
		Epoch:    r.Epoch,
		Lines:    r.Lines,
		Exact:    r.Lines && r.Kind > KindMinor,
		Live:     r.Live,
		Full:     r.Kind > KindMinor && h.demands.Frees,
		External: h.externals.Has,
	})
	if err != nil {
		panic(fmt.Sprintf("midden: the heap is not sound after cycle %d: %v", h.cycles, err))
	}
}

// events are what nobody has been told of. Cycles end inside a pause, and loggers
// and listeners are called outside.
type events struct {
	mu         sync.Mutex
	queue      []event
	delivering bool
}

// event is a cycle, or word of pressure.
type event struct {
	cycle    CycleInfo
	pressure *PressureInfo
}

// note queues c if anybody wants to know.
func (h *Heap) note(c CycleInfo) {
	if h.o.Logger == nil && (h.o.Listener == nil || h.o.Listener.Cycle == nil) {
		return
	}
	h.events.add(event{cycle: c})
}

func (e *events) add(n event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, n)
}

// deliver tells of each event, in order. While one goroutine does so, others
// leave it to that one.
func (h *Heap) deliver() {
	for {
		e, ok := h.events.next()
		if !ok {
			return
		}
		h.tell(e)
	}
}

func (h *Heap) tell(e event) {
	defer h.events.told()
	if e.pressure != nil {
		h.o.Listener.Pressure(*e.pressure)
		return
	}
	c := e.cycle
	if l := h.o.Logger; l != nil {
		l.LogAttrs(context.Background(), slog.LevelDebug, "midden: cycle",
			slog.Uint64("number", c.Number), slog.String("kind", c.Kind.String()),
			slog.Int64("live", c.Live), slog.Int64("freed", c.Freed),
			slog.Int64("used", c.Used), slog.Int64("committed", c.Committed),
			slog.Duration("stop", c.Stop), slog.Duration("pause", c.Pause), slog.Any("err", c.Err))
	}
	if l := h.o.Listener; l != nil && l.Cycle != nil {
		l.Cycle(c)
	}
}

func (e *events) next() (n event, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.delivering || len(e.queue) == 0 {
		return n, false
	}
	e.delivering = true
	n = e.queue[0]
	e.queue = e.queue[1:]
	return n, true
}

func (e *events) told() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delivering = false
}
