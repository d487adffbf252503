package semispace

import (
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/weak"
)

// An evacuation is a weak.Tracer: what was moved, or is large and marked, lives.
var _ weak.Tracer = (*evacuation)(nil)

// Trace scans what has been copied, and keeps the values of the ephemerons whose
// keys are found, until nothing new turns up.
func (e *evacuation) Trace(p *weak.Pending) {
	for {
		e.drain()
		n := len(e.fire)
		if n == 0 {
			return
		}
		key := e.fire[n-1]
		e.fire = e.fire[:n-1]
		for i := p.First(key); i != 0; i = p.Next(i) {
			e.Keep(object.PairAt(cage.At(uintptr(p.Ephemeron(i)))).Value)
		}
	}
}

// Live reports whether the object was found.
func (e *evacuation) Live(w object.Word) bool {
	h := *object.HeaderOf(cage.At(uintptr(w)))
	return h.Type() == object.Forwarded || h.Mark() == e.epoch
}

// Current returns where an object that lives is now.
func (e *evacuation) Current(w object.Word) object.Word {
	if w == 0 {
		return 0
	}
	if h := *object.HeaderOf(cage.At(uintptr(w))); h.Type() == object.Forwarded {
		return object.Word(h.Upper())
	}
	return w
}

// Keep moves an object, or marks it, if nobody has.
func (e *evacuation) Keep(w object.Word) object.Word {
	e.update(&w)
	return w
}

// Found returns the ephemerons that were scanned before their keys were found.
func (e *evacuation) Found() []object.Word {
	found := e.found
	e.found = nil
	return found
}

// Holders returns the objects with weak or external slots.
func (e *evacuation) Holders() []object.Word { return e.holders }

// weak does what there is to do for an object because it is weak.
func (e *evacuation) weak(w object.Word, s object.Special) {
	if s&object.SpecialEphemeron != 0 {
		switch p := object.PairAt(cage.At(uintptr(w))); {
		case p.Key == 0:
		case e.Live(p.Key):
			p.Key, p.Value = e.Current(p.Key), e.Keep(p.Value)
		default:
			e.found = append(e.found, w)
		}
	}
	if s&(object.SpecialWeak|object.SpecialExternal) != 0 {
		e.holders = append(e.holders, w)
	}
}
