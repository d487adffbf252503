// Package semispace is the copying collector of Fenichel and Yochelson (1969)
// and Cheney (1970): every cycle copies all that lives to other blocks and frees
// the old ones whole.
//
// It is the honest test of every rooting rule. Each object moves in each cycle,
// so a reference that was not found and updated points to freed memory from then
// on. Only large objects stay, and are marked. A cycle may need as much memory
// again as lives, beyond the heap's limit.
package semispace

import (
	"unsafe"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// Options are reserved for later; there are none yet.
type Options struct{}

// New returns the collector. Nil options are the defaults.
func New(*Options) collector.Collector { return semispace{} }

type semispace struct{}

func (semispace) Name() string { return "semispace" }

func (semispace) Constraints() collector.Constraints {
	return collector.Constraints{Moves: true, Frees: true, Copies: true}
}

func (semispace) Attach(s *space.Space) collector.Instance { return &instance{space: s} }

type instance struct {
	space *space.Space
	epoch uint8
}

// Collect copies what can be reached and frees the rest.
func (i *instance) Collect(c *collector.Cycle) (collector.Result, error) {
	cp, err := i.space.BeginCopy()
	if err != nil {
		return collector.Result{}, err
	}
	// Whatever lived after the last cycle has its epoch. After 255 comes 1: 0 is
	// for the new-born.
	i.epoch++
	if i.epoch == 0 {
		i.epoch = 1
	}
	e := &evacuation{copy: cp, scans: object.Scans(), epoch: i.epoch}
	c.Roots(e.update)
	c.Weak.Run(e, false)
	large := cp.EndCopy(func(at uintptr) bool {
		// A large object begins with its header.
		return (*object.Header)(cage.At(at)).Mark() == i.epoch
	})
	return collector.Result{Kind: max(c.Kind, collector.Full), Live: e.copied + large, Epoch: i.epoch}, nil
}

// evacuation is the moving part of one cycle.
type evacuation struct {
	copy   *space.Copy
	scans  []object.Scan
	epoch  uint8
	grey   []object.Word // copied or marked, and not yet scanned
	copied int64

	fire    []object.Word // keys that were found, by their old places
	found   []object.Word // ephemerons whose keys were not found
	holders []object.Word // of weak slots and externals
}

// drain scans what has been copied until nothing new turns up.
func (e *evacuation) drain() {
	update := e.update
	for n := len(e.grey); n > 0; n = len(e.grey) {
		w := e.grey[n-1]
		e.grey = e.grey[:n-1]
		payload := cage.At(uintptr(w))
		h := *object.HeaderOf(payload)
		s := &e.scans[h.Type()]
		object.Update(s, payload, h, update)
		if s.Special != 0 {
			e.weak(w, s.Special)
		}
	}
}

// update makes a slot refer to where its object is now, moving it there if
// nobody has.
func (e *evacuation) update(slot *object.Word) {
	w := *slot
	if w == 0 {
		return
	}
	payload := cage.At(uintptr(w))
	h := object.HeaderOf(payload)
	switch header := *h; {
	case header.Type() == object.Forwarded:
		*slot = object.Word(header.Upper())
	case header.Mark() == e.epoch:
		// A large object that was found before, or a copy.
	default:
		if header&object.Key != 0 {
			e.fire = append(e.fire, w)
		}
		if header&object.Large != 0 {
			*object.MarkOf(h) = e.epoch
			e.grey = append(e.grey, w)
		} else {
			*slot = e.move(w, h, header)
		}
	}
}

// move copies an object and leaves its new place behind.
func (e *evacuation) move(old object.Word, h *object.Header, header object.Header) object.Word {
	bytes := object.BytesOf(e.scans, header)
	at := e.copy.Alloc(header.CopyBytes(bytes) >> cage.UnitShift)
	object.Move(cage.At(at), unsafe.Pointer(h), old, header.WithMark(e.epoch), bytes)
	w := object.Word(at + 1)
	*h = object.Forward(w)
	e.copied += int64(header.CopyBytes(bytes))
	e.grey = append(e.grey, w)
	return w
}
