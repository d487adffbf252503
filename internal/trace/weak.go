package trace

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/weak"
)

// A Tracer is a weak.Tracer: nothing moves, and what is marked lives.
var _ weak.Tracer = (*Tracer)(nil)

// Trace is Run, with ephemerons that fire when their keys are found.
func (t *Tracer) Trace(p *weak.Pending) {
	t.pending = p
	t.Run()
	t.root.report()
}

// Live reports whether the object is marked.
func (t *Tracer) Live(w object.Word) bool { return t.Marked(w) }

// Current returns w.
func (t *Tracer) Current(w object.Word) object.Word { return w }

// Keep pushes w and returns it.
func (t *Tracer) Keep(w object.Word) object.Word {
	t.Push(w)
	return w
}

// Found returns the ephemerons whose keys were not marked when they were visited.
func (t *Tracer) Found() []object.Word {
	found := t.found
	t.found = nil
	return found
}

// Holders returns the objects with weak or external slots that were visited.
func (t *Tracer) Holders() []object.Word { return t.holders }

// weak does what there is to do for an object because it is weak, or is the key
// of pending ephemerons.
func (w *worker) weak(r object.Word, payload unsafe.Pointer, header object.Header, scan *object.Scan) {
	if header&object.Key != 0 {
		p := w.t.pending
		for i := p.First(r); i != 0; i = p.Next(i) {
			w.push(object.PairAt(unsafe.Add(w.t.Base, uintptr(p.Ephemeron(i))*8)).Value)
		}
	}
	if scan.Special&object.SpecialEphemeron != 0 {
		switch p := object.PairAt(payload); {
		case p.Key == 0:
		case w.t.Marked(p.Key):
			w.push(p.Value)
		default:
			w.found = append(w.found, r)
		}
	}
	if scan.Special&(object.SpecialWeak|object.SpecialExternal) != 0 {
		w.holders = append(w.holders, r)
	}
}

func (w *worker) push(r object.Word) {
	if r != 0 && mark(w.t.Marks, r) {
		w.stack = append(w.stack, r)
	}
}

// report hands over what the worker has listed. No other worker of the same trace
// may report at the same time.
func (w *worker) report() {
	w.t.found = append(w.t.found, w.found...)
	w.t.holders = append(w.t.holders, w.holders...)
	w.found, w.holders = w.found[:0], w.holders[:0]
}
