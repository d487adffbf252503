// Package weak decides what becomes of weak things at the end of a trace:
// ephemerons, guardians, weak fields and externals. It is the same code for all
// collectors; a collector brings its trace.
//
// The phases, and why in this order:
//
//  1. The collector traces from the roots. It lists the objects with weak slots
//     that it meets, and the ephemerons whose keys it has not found. To the
//     roots belongs what guardians have ready.
//  2. Ephemerons: the value of each whose key was found is kept, and the trace
//     goes on from it, which may find more keys and more ephemerons.
//  3. Guardians: registered objects that were not found are made ready. What
//     these refer to has to live until somebody has looked at it, so they are
//     kept, the trace goes on, and phase 2 is repeated. Whether an object is
//     ready is decided for all before the first of them is kept: else one would
//     hide another that it refers to.
//  4. What was not found now is dead for good. Ephemerons with dead keys and weak
//     slots with dead targets are cleared, and the externals that no living
//     object has are dropped. As this comes last, an object that a guardian
//     delivers is seen by weak slots and ephemerons as it was before.
//
// # Ephemerons in linear time
//
// To look at all ephemerons again and again until nothing changes takes time
// quadratic in the length of a chain of them. Instead, those whose keys were not
// found are filed by key (Pending), each key gets a flag in its header, and a
// tracer that meets a flagged object fires its ephemerons at once: it keeps their
// values. So each ephemeron is filed once and fired once. (The method was proposed for
// the weak maps of ECMAScript: "linear-time weak-map gc", es-discuss, March 2011.
// Ephemerons: Hayes, "Ephemerons: a new finalization mechanism", OOPSLA 1997.
// Guardians: Dybvig, Bruggeman and Eby, "Guardians in a generation-based garbage
// collector", PLDI 1993.)
package weak

import (
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

// Tracer is a collector's trace. It may move objects. Words that it is given may
// name an object by where it was when the cycle began, or by where it is.
type Tracer interface {
	// Trace follows what was kept until nothing new turns up. When it meets an
	// object with the flag object.Key, it keeps the values of the pending
	// ephemerons of this key.
	Trace(*Pending)
	// Live reports whether the object was found; in a minor cycle also whether it
	// is old.
	Live(object.Word) bool
	// Current returns where an object that lives is now. Nil is nowhere.
	Current(object.Word) object.Word
	// Keep makes the object one that lives, as a root does, and returns where it is
	// now. Nil is nowhere.
	Keep(object.Word) object.Word
	// Found returns the ephemerons that Trace met since the last call and whose
	// keys it had not found. Those with a key that it had are its own business: it
	// keeps their values, and updates both slots if it moves objects.
	Found() []object.Word
	// Holders returns the objects with weak or external slots that Trace met, where
	// they are now. One may be there twice.
	Holders() []object.Word
}

// Phases are the weak things of one heap, for one cycle.
type Phases struct {
	Guardians *Guardians
	Externals *Externals

	// Slots calls visit for every weak slot of an old object that was made to
	// refer to a new one since the last cycle, and Ephemerons for every ephemeron
	// of which that is true. They matter to minor cycles.
	Slots      func(visit func(*object.Word))
	Ephemerons func(visit func(object.Word))
}

// run is one run of the phases.
type run struct {
	*Phases
	Tracer
	pending Pending
}

// Run runs the phases, with everything that can be reached from the roots pushed
// or traced. Minor says that the trace takes old objects to live, and has not
// looked at them.
func (p *Phases) Run(t Tracer, minor bool) {
	r := run{Phases: p, Tracer: t}
	guardians := p.Guardians.begin(minor)
	for _, g := range guardians {
		g.keep(t, minor)
	}
	if minor {
		p.Ephemerons(r.meet)
	}
	r.ephemerons()
	if r.guardians(guardians, minor) {
		r.ephemerons()
	}
	r.clearEphemerons()
	r.clearSlots(minor)
	p.Externals.sweep(minor)
	p.Guardians.end()
}

// ephemerons traces until no more keys turn up.
func (r *run) ephemerons() {
	for {
		r.Trace(&r.pending)
		found := r.Found()
		if len(found) == 0 {
			return
		}
		// Whatever order they were met in, ephemerons and their keys mostly lie in
		// the order in which they were made.
		sortWords(found)
		r.pending.reserve(len(found))
		for _, e := range found {
			r.meet(e)
		}
	}
}

// meet keeps the value of an ephemeron if its key was found, and files it under
// the key otherwise.
func (r *run) meet(e object.Word) {
	p := object.PairAt(cage.At(uintptr(e)))
	switch {
	case p.Key == 0:
	case r.Live(p.Key):
		p.Key, p.Value = r.Current(p.Key), r.Keep(p.Value)
	default:
		r.pending.add(p.Key, e)
		*headerOf(p.Key) |= object.Key
	}
}

// guardians makes ready what was not found, keeps it, and reports whether there
// was any.
func (r *run) guardians(gs []*Guardian, minor bool) (any bool) {
	dead := make([][]registration, len(gs))
	for i, g := range gs {
		dead[i] = g.sort(r, minor)
	}
	for i, g := range gs {
		for j := range dead[i] {
			d := &dead[i][j]
			d.w = r.Keep(d.w)
			any = true
		}
		g.deliver(dead[i])
	}
	return any
}

// clearEphemerons breaks the ephemerons whose keys were not found.
func (r *run) clearEphemerons() {
	for _, e := range r.pending.all() {
		p := object.PairAt(cage.At(uintptr(e.ephemeron)))
		switch {
		case p.Key == 0: // it was met twice
		case r.Live(p.Key):
			p.Key, p.Value = r.Current(p.Key), r.Current(p.Value)
			*headerOf(p.Key) &^= object.Key
		default:
			*p = object.Pair{}
		}
	}
}

// clearSlots clears weak slots, and sees to the externals of what lives.
func (r *run) clearSlots(minor bool) {
	clearSlot := func(slot *object.Word) {
		switch {
		case *slot == 0:
		case r.Live(*slot):
			*slot = r.Current(*slot)
		default:
			*slot = 0
		}
	}
	see := func(slot *object.ExternalSlot) {
		if slot.ID != 0 {
			r.Externals.see(slot.ID, minor)
		}
	}
	for _, w := range r.Holders() {
		payload := cage.At(uintptr(w))
		h := *object.HeaderOf(payload)
		object.EachWeak(payload, h, clearSlot)
		object.EachExternal(payload, h, see)
	}
	if minor {
		r.Slots(clearSlot)
	}
}

// headerOf returns the header of the object at w.
func headerOf(w object.Word) *object.Header {
	return object.HeaderOf(cage.At(uintptr(w)))
}
