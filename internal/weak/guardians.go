package weak

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden/internal/object"
)

// Guardians are those of one heap.
type Guardians struct {
	mu      sync.Mutex
	all     []*Guardian
	touched []*Guardian // that have something new
}

// Guardian is a list of objects that somebody wants to have back when nothing
// else refers to them, and of those for which that has come true. Mutators use
// it at any time; cycles do so with the world stopped, and need no lock.
type Guardian struct {
	heap     *Guardians
	released atomic.Bool

	mu     sync.Mutex
	serial uint64         // of the last registration
	settle uint64         // serial when the last cycle ended: what came later may be young
	known  []registration // lived after the last cycle
	fresh  []registration // came since then
	ready  []registration // to be delivered, the last first
	noted  bool           // it is among the touched
	gone   bool           // a cycle has found it released
}

// registration is an object and when it was registered. All lists of them are in
// that order.
type registration struct {
	w      object.Word
	serial uint64
}

// New returns a guardian.
func (gs *Guardians) New() *Guardian {
	g := &Guardian{heap: gs}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.all = append(gs.all, g)
	return g
}

// Register adds an object. The caller holds an active mutator.
func (g *Guardian) Register(w object.Word) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serial++
	g.fresh = append(g.fresh, registration{w, g.serial})
	g.note()
}

// note tells the heap that the next minor cycle has to look at g.
func (g *Guardian) note() {
	if !g.noted {
		g.noted = true
		g.heap.mu.Lock()
		defer g.heap.mu.Unlock()
		g.heap.touched = append(g.heap.touched, g)
	}
}

// Next takes out the object to be delivered next. The caller holds an active
// mutator.
func (g *Guardian) Next() (object.Word, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.ready)
	if n == 0 {
		return 0, false
	}
	w := g.ready[n-1].w
	if g.ready = g.ready[:n-1]; n == 1 {
		g.ready = nil
	}
	return w, true
}

// DeliverAll makes everything that is registered ready. The caller holds an
// active mutator.
func (g *Guardian) DeliverAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deliver(append(g.known, g.fresh...))
	g.known, g.fresh = nil, nil
}

// Len returns how many objects are registered and not ready.
func (g *Guardian) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.known) + len(g.fresh)
}

// Release makes g forget everything at the next cycle. It may be called at any
// time, also while a cycle runs.
func (g *Guardian) Release() { g.released.Store(true) }

// Released reports whether Release was called.
func (g *Guardian) Released() bool { return g.released.Load() }

// Ready calls visit for every object that is to be delivered: to the heap, they
// are in use.
func (gs *Guardians) Ready(visit func(*object.Word)) {
	gs.mu.Lock()
	all := slices.Clone(gs.all)
	gs.mu.Unlock()
	for _, g := range all {
		if g.gone {
			continue
		}
		for i := range g.ready {
			visit(&g.ready[i].w)
		}
	}
}

// Moved is for a collector that moves objects after the phases: it lets everything
// that is registered or ready refer to where it is now.
func (gs *Guardians) Moved(now func(object.Word) object.Word) {
	gs.mu.Lock()
	all := slices.Clone(gs.all)
	gs.mu.Unlock()
	for _, g := range all {
		for _, rs := range [][]registration{g.known, g.ready} {
			for i := range rs {
				rs[i].w = now(rs[i].w)
			}
		}
	}
}

// Close forgets everything.
func (gs *Guardians) Close() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.all {
		g.forget()
	}
	gs.all, gs.touched = nil, nil
}

func (g *Guardian) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known, g.fresh, g.ready = nil, nil, nil
}

// begin begins a cycle: guardians that were released are no more. A minor cycle
// has to do with those that have something new, others with all.
func (gs *Guardians) begin(minor bool) []*Guardian {
	// Guardians are made without a mutator, so also now.
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.touched = slices.DeleteFunc(gs.touched, (*Guardian).isGone)
	if minor {
		return gs.touched
	}
	gs.all = slices.DeleteFunc(gs.all, (*Guardian).isGone)
	return slices.Clone(gs.all)
}

// isGone reports whether g was released when the cycle began. Who releases it
// later does so for the next.
func (g *Guardian) isGone() bool {
	g.gone = g.gone || g.Released()
	return g.gone
}

// end ends a cycle: nothing is new any more.
func (gs *Guardians) end() {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	for _, g := range gs.touched {
		g.noted = false
	}
	clear(gs.touched)
	gs.touched = gs.touched[:0]
}

// keep keeps what is ready. In a minor cycle it need not look at what survived an
// earlier one.
func (g *Guardian) keep(t Tracer, minor bool) {
	for i := len(g.ready) - 1; i >= 0; i-- {
		r := &g.ready[i]
		if minor && r.serial <= g.settle {
			return
		}
		r.w = t.Keep(r.w)
	}
}

// sort parts what lives from what does not, which it returns. Objects that live
// are kept under their new address.
func (g *Guardian) sort(t Tracer, minor bool) (dead []registration) {
	part := func(rs []registration) (live []registration) {
		live = rs[:0]
		for _, r := range rs {
			if t.Live(r.w) {
				live = append(live, registration{t.Current(r.w), r.serial})
			} else {
				dead = append(dead, r)
			}
		}
		return live
	}
	if !minor {
		g.known = part(g.known)
	}
	wasted := len(g.fresh) < cap(g.fresh)/4
	g.known = append(g.known, part(g.fresh)...)
	if g.fresh = g.fresh[:0]; wasted {
		g.fresh = nil
	}
	g.settle = g.serial
	if len(g.known) < cap(g.known)/4 {
		g.known = slices.Clone(g.known)
	}
	return dead
}

// deliver makes registrations ready, which are in order.
func (g *Guardian) deliver(rs []registration) {
	if len(rs) == 0 {
		return
	}
	// What was registered before the first of rs stays in its place.
	i, _ := slices.BinarySearchFunc(g.ready, rs[0], func(a, b registration) int {
		if a.serial < b.serial {
			return -1
		}
		return 1
	})
	later := slices.Clone(g.ready[i:])
	g.ready = g.ready[:i]
	for len(later) > 0 && len(rs) > 0 {
		if later[0].serial < rs[0].serial {
			g.ready, later = append(g.ready, later[0]), later[1:]
		} else {
			g.ready, rs = append(g.ready, rs[0]), rs[1:]
		}
	}
	g.ready = append(append(g.ready, later...), rs...)
}
