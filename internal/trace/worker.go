package trace

import (
	"math/bits"
	"slices"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

const (
	// ringSize is how many objects are in flight between prefetch and visit.
	ringSize = 16
	// shareEvery is how many objects a worker visits between two looks at
	// whether another has run dry.
	shareEvery = 128
	// worthSharing is how deep a stack must be before half of it is given away.
	worthSharing = 256
	// maxChunk bounds what is given away at once.
	maxChunk = 4096
	// spanSlots is how many slots of a large array are scanned at a time, or how
	// many tagged words.
	spanSlots = 1024
	// bitmapSlots is the most slots of an object whose slots fit a bitmap.
	bitmapSlots = 64
)

// worker is one goroutine's part in a trace.
type worker struct {
	t     *Tracer
	stack []object.Word // found and marked, not visited
	spans []span

	found   []object.Word // ephemerons whose keys were not marked
	holders []object.Word // of weak slots and externals
}

// span is a part of an object that remains to be scanned: n elements of size
// bytes each, and what in them.
type span struct {
	at    unsafe.Pointer // in the cage
	n     uintptr
	size  uintptr
	words words
	scan  *object.Scan // says where strong slots and tagged words are
	typ   *object.Type // says where the words of schemes are
}

// words says which words of a span to scan.
type words uint8

const (
	strong words = iota
	tagged
	schemes
)

func (w *worker) init(t *Tracer, stack []object.Word) {
	w.t = t
	w.stack = slices.Grow(stack, 4*bitmapSlots)
}

// run works until nobody has work.
func (w *worker) run() {
	for {
		w.drain()
		if n := len(w.spans); n > 0 {
			s := w.spans[n-1]
			w.spans = w.spans[:n-1]
			w.scanSpan(s)
			continue
		}
		if !w.t.pool.take(w) {
			return
		}
	}
}

// drain visits all that is on the stack, and what that leads to.
func (w *worker) drain() {
	var (
		base  = w.t.Base
		lines = w.t.Lines
		marks = w.t.Marks
		scans = unsafe.SliceData(w.t.Scans)
		line  = w.t.Line
		begin = w.t.Starts
		total = uintptr(0)
		stack = w.stack
		ring  [ringSize]object.Word
		head  uint
		share = shareEvery
	)
	for {
		var r object.Word
		if n := len(stack); n != 0 {
			next := stack[n-1]
			stack = stack[:n-1]
			prefetch(unsafe.Add(base, uintptr(next)*8-object.HeaderSize))
			r = ring[head%ringSize]
			ring[head%ringSize] = next
			head++
			if r == 0 {
				continue
			}
		} else {
			for i := 0; i < ringSize && r == 0; i++ {
				r = ring[head%ringSize]
				ring[head%ringSize] = 0
				head++
			}
			if r == 0 {
				break
			}
		}

		payload := unsafe.Add(base, uintptr(r)*8)
		header := *object.HeaderOf(payload)
		scan := (*object.Scan)(unsafe.Add(unsafe.Pointer(scans), uintptr(header.Type())*unsafe.Sizeof(object.Scan{})))
		bytes := uintptr(scan.Size)
		if scan.Mode.Arrays() {
			bytes = object.HeaderSize + max((bytes*uintptr(header.Upper())+7)&^7, 8)
		}
		bytes += header.Tail()
		at := uintptr(r) - 1
		total += bytes
		if begin != nil && header&object.Large == 0 {
			start(begin, at, w.t.Workers == 1)
		}
		// Every line that the object touches, and no other, is marked.
		first := at / unitsPerLine
		last := (at + bytes/8 - 1) / unitsPerLine
		*(*uint8)(unsafe.Add(lines, first)) = line
		if last != first {
			if header&object.Large != 0 && scan.Leaf() {
				last = first
			}
			for l := first + 1; l <= last; l++ {
				*(*uint8)(unsafe.Add(lines, l)) = line
			}
		}

		switch scan.Mode {
		case object.Bits:
			if cap(stack)-len(stack) < bitmapSlots {
				stack = slices.Grow(stack, bitmapSlots)
			}
			// There is room for all slots, and append would look each time.
			n, top := len(stack), unsafe.Pointer(unsafe.SliceData(stack))
			for m := scan.Bitmap; m != 0; m &= m - 1 {
				slot := *(*object.Word)(unsafe.Add(payload, bits.TrailingZeros64(m)*object.WordSize))
				if slot != 0 && mark(marks, slot) {
					*(*object.Word)(unsafe.Add(top, n*object.WordSize)) = slot
					n++
				}
			}
			stack = stack[:n]
		case object.Offsets:
			w.stack = stack
			w.scanSpan(span{at: payload, n: 1, scan: scan})
			stack = w.stack
		case object.Words, object.Structs:
			w.stack = stack
			w.scanSpan(span{at: payload, n: uintptr(header.Upper()), size: uintptr(scan.Size), scan: scan})
			stack = w.stack
		}
		if scan.Special != 0 || header&object.Key != 0 {
			w.stack = stack
			w.special(payload, header, scan)
			w.weak(r, payload, header, scan)
			stack = w.stack
		}

		if share--; share == 0 {
			share = shareEvery
			if w.t.pool.hungry.Load() > 0 {
				w.stack = stack
				w.share()
				stack = w.stack
			}
		}
	}
	w.stack = stack[:0]
	w.t.bytes.Add(int64(total))
}

// special scans what an object has beside strong slots.
func (w *worker) special(payload unsafe.Pointer, header object.Header, scan *object.Scan) {
	s := span{at: payload, n: 1, scan: scan}
	if scan.Mode.Arrays() {
		s.n, s.size = uintptr(header.Upper()), uintptr(scan.Size)
	}
	if scan.Special&object.SpecialTagged != 0 {
		s.words = tagged
		w.scanSpan(s)
	}
	if scan.Special&object.SpecialScheme != 0 {
		s.words, s.typ = schemes, object.ByID(header.Type())
		w.scanSpan(s)
	}
}

// scanSpan pushes what the words of s refer to; of a long one only the
// beginning, and the rest is kept for later.
func (w *worker) scanSpan(s span) {
	if some := max(spanSlots/s.perElement(), 1); s.n > some {
		rest := s
		rest.at = unsafe.Add(s.at, some*s.size)
		rest.n -= some
		w.spans = append(w.spans, rest)
		s.n = some
	}
	switch s.words {
	case strong:
		w.scanStrong(s)
	case tagged:
		w.scanTagged(s)
	case schemes:
		w.scanSchemes(s)
	}
	if w.t.pool.hungry.Load() > 0 {
		w.share()
	}
}

// perElement returns how many words of an element are scanned.
func (s *span) perElement() uintptr {
	switch s.words {
	case strong:
		return uintptr(s.scan.NumSlot)
	case tagged:
		return uintptr(s.scan.NumTagged)
	}
	return uintptr(len(s.typ.Schemes))
}

func (w *worker) scanStrong(s span) {
	offsets := s.scan.StrongOffsets()
	stack, marks := w.stack, w.t.Marks
	for range s.n {
		for _, off := range offsets {
			if r := *(*object.Word)(unsafe.Add(s.at, off)); r != 0 && mark(marks, r) {
				stack = append(stack, r)
			}
		}
		s.at = unsafe.Add(s.at, s.size)
	}
	w.stack = stack
}

func (w *worker) scanTagged(s span) {
	stack, marks := w.stack, w.t.Marks
	if s.size == object.TaggedSize {
		// An array of Values, which interpreters have many of.
		for _, v := range unsafe.Slice((*uint64)(s.at), s.n) {
			if object.HoldsWord(v) && v != 0 && mark(marks, object.Word(v)) {
				stack = append(stack, object.Word(v))
			}
		}
		w.stack = stack
		return
	}
	offsets := s.scan.TaggedOffsets()
	for range s.n {
		for _, off := range offsets {
			if v := *(*uint64)(unsafe.Add(s.at, off)); object.HoldsWord(v) && v != 0 && mark(marks, object.Word(v)) {
				stack = append(stack, object.Word(v))
			}
		}
		s.at = unsafe.Add(s.at, s.size)
	}
	w.stack = stack
}

func (w *worker) scanSchemes(s span) {
	for _, sw := range s.typ.Schemes {
		scheme := object.SchemeByID(sw.Scheme)
		for i := range s.n {
			word := *(*uint64)(unsafe.Add(s.at, i*s.size+uintptr(sw.Offset)))
			if r := object.Word(scheme.Ref(word)); r != 0 && mark(w.t.Marks, r) {
				w.stack = append(w.stack, r)
			}
		}
	}
}

// share gives the older half of the stack, which leads to more, to a worker
// that has run dry.
func (w *worker) share() {
	var chunk []object.Word
	if n := len(w.stack); n >= worthSharing {
		k := min(n/2, maxChunk)
		chunk = append(w.t.pool.chunk(), w.stack[:k]...)
		w.stack = slices.Delete(w.stack, 0, k)
	}
	var spans []span
	if n := len(w.spans); n > 0 {
		s := &w.spans[0]
		if s.n >= 2*spanSlots {
			half := s.n / 2
			rest := *s
			rest.at = unsafe.Add(s.at, half*s.size)
			rest.n -= half
			spans = []span{rest}
			s.n = half
		} else if n > 1 {
			spans = slices.Clone(w.spans[:n/2])
			w.spans = slices.Delete(w.spans, 0, n/2)
		}
	}
	if chunk != nil || spans != nil {
		w.t.pool.give(w.t, chunk, spans)
	}
}
