package midden

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/golimit"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/internal/weak"
	"github.com/midden-gc/midden/safepoint"
)

// Heap is one collected heap. Thousands fit a process; a collection of one
// never stops another.
type Heap struct {
	o        Options
	world    *safepoint.World
	space    *space.Space
	instance collector.Instance
	demands  collector.Constraints
	owner    uint32

	live   atomic.Int64 // bytes, after the last cycle
	minor  atomic.Uint64
	full   atomic.Uint64
	cycles uint64 // changes in a pause

	pacing pacing
	effort effort
	share  *golimit.Share // nil without Options.ShareMemoryLimit

	remembered rememberedSets
	handles    handles
	guardians  weak.Guardians
	externals  weak.Externals
	tracers    tracers
	events     events
	shapes     shapes
	stamps     stamps
}

// NewHeap makes a heap. Nil options are the defaults; bad ones are an error that
// names the field. It fails too when the system refuses address space, which it
// does for all heaps of the process or for none.
func NewHeap(o *Options) (*Heap, error) {
	c, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := cage.Init(); err != nil {
		return nil, fmt.Errorf("midden: %w", err)
	}
	h := &Heap{o: c, owner: cage.NewOwner(), demands: c.Collector.Constraints()}
	h.world = safepoint.NewWorld(&safepoint.Options{
		Single:           c.SingleMutator,
		StragglerTimeout: c.StragglerTimeout,
		Logger:           c.Logger,
		Listener:         h.worldListener(),
		Depth:            depth,
		Noun:             "mutator",
	})
	h.space = space.New(space.Options{
		Owner: h.owner,
		Limit: c.Limit,

		Refuse: c.Stress.Refuse,
		// The world does not call back, so this is safe from anywhere.
		Wanted:    h.wantCycle,
		Committed: h.shareChanged,
	})
	if c.ShareMemoryLimit {
		h.share = golimit.Join(func() int64 {
			now, _ := h.space.Committed()
			return now
		})
	}
	h.instance = c.Collector.Attach(h.space)
	h.startPacing()
	h.stamps.init(h)
	if got, asked := cage.Shortfall(); got < asked && c.Logger != nil {
		c.Logger.Warn("midden: the system granted less address space than wanted", "got", got, "wanted", asked)
	}
	return h, nil
}

// worldListener passes the world's events on.
func (h *Heap) worldListener() *safepoint.Listener {
	l := h.o.Listener
	if l == nil {
		return nil
	}
	return &safepoint.Listener{Straggler: l.Straggler, Lost: l.Lost}
}

// Close returns the heap's memory to the system. It fails with ErrMutators while
// a mutator is open, and changes nothing then; after it has succeeded it does
// nothing. No Ref into the heap may be used afterwards. What guardians have not
// delivered by then they never deliver (see Guardian.DeliverAll), and the Go
// values in Externals are let go.
func (h *Heap) Close() error {
	if err := h.world.Close(); err != nil {
		return translate(err)
	}
	h.stamps.close(h)
	h.remembered.reset(nil)
	h.space.ChargeSet(-h.shapes.close())
	h.guardians.Close()
	h.externals.Close()
	h.space.Close()
	if h.share != nil {
		h.share.Leave()
	}
	return nil
}

// shareChanged tells Go's memory limit that the heap holds more or less than
// before.
func (h *Heap) shareChanged() {
	if h.share != nil {
		h.share.Changed()
	}
}

// NewMutator opens a mutator for the calling goroutine, and waits while a
// collection is in progress. The goroutine must not have an active mutator of
// this heap: that one has NewMutator too, which never waits. It panics with
// ErrClosed on a closed heap, and with ErrSingleMutator when the heap was made
// for one mutator and that one is open.
func (h *Heap) NewMutator() *Mutator {
	defer retell()
	return h.newMutator(h.world.NewContext())
}

// Collect runs a cycle of kind k, or joins one that is at least as strong. The
// calling goroutine must hold no active mutator of the heap. It returns ctx's
// error if ctx ends before all mutators have stopped, and nothing has happened
// then.
func (h *Heap) Collect(ctx context.Context, k Kind) error {
	h.check()
	err := h.world.Collect(ctx, level(k), h.cycle)
	h.deliver()
	return translate(err)
}

// Collecting reports whether a cycle is running or about to: the mutators are
// being stopped.
func (h *Heap) Collecting() bool { return h.world.Collecting() }

// PreventCollection calls f and sees to it that no cycle runs meanwhile; it
// waits first for one that does. It is for a goroutine without an active
// mutator of the heap, and does not nest: calling it inside f panics. A mutator
// has a PreventCollection of its own.
func (h *Heap) PreventCollection(f func()) {
	defer retell()
	h.world.Prevent(f)
}

// AddRoots makes t's references roots until remove is called. Any goroutine may
// call both. While a cycle runs, they take effect in the next.
func (h *Heap) AddRoots(t Tracer) (remove func()) {
	h.check()
	return h.tracers.add(t)
}

// AddExternal notes that objects of the heap keep so many bytes more of memory
// elsewhere alive, or fewer if bytes is negative. They count to Options.Limit
// and bring the next cycle nearer. It panics when the sum falls below 0. Any
// goroutine may call it.
func (h *Heap) AddExternal(bytes int64) {
	h.check()
	if sum := h.space.Budget.AddExternal(bytes); sum < 0 {
		h.space.Budget.AddExternal(-bytes)
		panic(fmt.Sprintf("midden: AddExternal(%d): more was taken away than was ever added, by %d bytes", bytes, -sum))
	}
	if h.demands.Frees {
		if bytes < 0 {
			h.effort.released(-bytes)
			h.relax()
		}
		room, _ := h.plan()
		h.space.MoveThreshold(room)
	}
}

// check panics if the heap can no longer be used.
func (h *Heap) check() {
	if err := h.world.Damaged(); err != nil {
		panic(translate(err))
	}
}

// level is how strong a pause must be for a cycle of kind k.
func level(k Kind) safepoint.Level { return safepoint.Level(k) + 1 }

func kindOf(l safepoint.Level) Kind { return Kind(max(l, 1) - 1) }

// tracers are somebody's own root storage.
type tracers struct {
	mu   sync.Mutex
	list []*addedTracer
}

type addedTracer struct{ t Tracer }

// add returns a function that takes t out again.
func (ts *tracers) add(t Tracer) (remove func()) {
	if t == nil {
		panic("midden: AddRoots of a nil Tracer")
	}
	a := &addedTracer{t}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.list = append(ts.list, a)
	return func() {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		for i, b := range ts.list {
			if a == b {
				// Whoever is going through the old list keeps it.
				list := make([]*addedTracer, 0, len(ts.list)-1)
				ts.list = append(append(list, ts.list[:i]...), ts.list[i+1:]...)
				return
			}
		}
	}
}

// trace calls every tracer, with no lock held.
func (ts *tracers) trace(v *Visitor) {
	ts.mu.Lock()
	list := ts.list
	ts.mu.Unlock()
	for _, a := range list {
		a.t.Trace(v)
	}
}
