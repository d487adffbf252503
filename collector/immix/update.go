package immix

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/trace"
)

// update lets everything refer to where objects are now.
func (e *evacuation) update() {
	blocks := e.space.InUse()
	spans := e.largeSpans()
	parallel(e.cycle.Workers, len(spans)+len(blocks), func() func(int) {
		u := &updater{evacuation: e}
		return func(i int) {
			defer u.finish()
			if i < len(spans) {
				u.span(spans[i])
				return
			}
			for at := range objects(blocks[i-len(spans)].Block) {
				u.object(at)
			}
		}
	})
	e.cycle.Roots(e.set)
	if e.cycle.Moved != nil {
		e.cycle.Moved(e.now)
	}
}

// now returns where the object is that was at w.
func (e *evacuation) now(w object.Word) object.Word {
	if !e.emptied(w) {
		return w
	}
	if h := *headerAt(uintptr(w) - 1); h.Type() == object.Forwarded {
		return object.Word(h.Upper())
	}
	return w // there was no room
}

// emptied reports whether w refers to a block that is being emptied.
func (e *evacuation) emptied(w object.Word) bool {
	i := cage.Block((uintptr(w)-1)/unitsPerBlock) - e.first
	return uint(i) < uint(len(e.from)) && e.from[i]
}

// set lets a slot refer to where its object is now.
func (e *evacuation) set(slot *object.Word) { *slot = e.now(*slot) }

// updater is one worker's part in an update. What an object's header says where it
// was is mostly not in the cache. So it is prefetched, and the slot waits in a short
// queue meanwhile.
type updater struct {
	*evacuation
	ring [ringSize]uintptr // slots, in bytes from the base of the cage; 0 for none
	head uint
}

const ringSize = 16

// later updates a slot of an object, at the latest when finish is called.
func (u *updater) later(slot *object.Word) {
	if !u.emptied(*slot) {
		return
	}
	trace.Prefetch(unsafe.Pointer(headerAt(uintptr(*slot) - 1)))
	next := &u.ring[u.head%ringSize]
	u.head++
	last := *next
	*next = uintptr(unsafe.Pointer(slot)) - uintptr(cage.Base)
	u.setAt(last)
}

func (u *updater) setAt(off uintptr) {
	if off != 0 {
		u.set((*object.Word)(unsafe.Add(cage.Base, off)))
	}
}

func (u *updater) finish() {
	for i, off := range u.ring {
		u.setAt(off)
		u.ring[i] = 0
	}
}

// object updates all slots of a small object.
func (u *updater) object(at uintptr) {
	h := *headerAt(at)
	if s := &u.scans[h.Type()]; !s.Leaf() {
		u.span(span{cage.At(at + 1), h, s})
	}
}

// span is an object, or a part of an array: then the header says how many elements
// the part has.
type span struct {
	at     unsafe.Pointer // in the cage
	header object.Header
	scan   *object.Scan
}

// spanWords is how many words of a large array one worker updates at a time.
const spanWords = 4096

// largeSpans cuts the large objects that have slots into spans.
func (e *evacuation) largeSpans() (spans []span) {
	e.space.Large(func(at, _ uintptr) {
		h := *headerAt(at)
		s := &e.scans[h.Type()]
		if s.Leaf() {
			return
		}
		payload := cage.At(at + 1)
		if s.Mode.Arrays() {
			some := max(spanWords/max(s.Size/object.WordSize, 1), 1)
			n := h.Upper()
			for ; n > some; n -= some {
				spans = append(spans, span{payload, object.MakeHeader(h.Type(), some), s})
				payload = unsafe.Add(payload, uintptr(some)*uintptr(s.Size))
			}
			h = object.MakeHeader(h.Type(), n)
		}
		spans = append(spans, span{payload, h, s})
	})
	return spans
}

func (u *updater) span(s span) {
	if s.scan.Special != 0 {
		// What is visited may be a copy, good for the moment.
		object.Update(s.scan, s.at, s.header, u.set)
		object.UpdateWeak(s.scan, s.at, s.header, u.set)
		return
	}
	n := uint32(1)
	if s.scan.Mode.Arrays() {
		n = s.header.Upper()
	}
	// The slots lie inside the object: element below n, offset in the element.
	offsets := s.scan.StrongOffsets()
	for range n {
		for _, off := range offsets {
			u.later((*object.Word)(unsafe.Add(s.at, off)))
		}
		s.at = unsafe.Add(s.at, s.scan.Size)
	}
}
