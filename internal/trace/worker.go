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
	// spanSlots is how many slots of a large array are scanned at a time.
	spanSlots = 1024
	// bitmapSlots is the most slots of an object whose slots fit a bitmap.
	bitmapSlots = 64
)

// worker is one goroutine's part in a trace.
type worker struct {
	t     *Tracer
	stack []object.Word // found and marked, not visited
	spans []span
}

// span is a part of an object that remains to be scanned: n elements of size
// bytes each, with slots at the offsets of scan.
type span struct {
	at   unsafe.Pointer // in the cage
	n    uintptr
	scan *object.Scan
	size uintptr
}

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
		small = w.t.Small
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
		// Every line that the object touches, and no other, is marked.
		start := uintptr(r) - 1
		first := start / unitsPerLine
		last := (start + bytes/8 - 1) / unitsPerLine
		*(*uint8)(unsafe.Add(lines, first)) = line
		if last != first {
			if bytes > small && (scan.Mode == object.Plain || scan.Mode == object.PlainArray) {
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
			w.scanSpan(span{payload, 1, scan, bytes})
			stack = w.stack
		case object.Words, object.Structs:
			w.stack = stack
			w.scanSpan(span{payload, uintptr(header.Upper()), scan, uintptr(scan.Size)})
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
}

// scanSpan pushes what the slots of s refer to; of a long one only the
// beginning, and the rest is kept for later.
func (w *worker) scanSpan(s span) {
	slots := uintptr(s.scan.NumSlot)
	offsets := unsafe.Slice((*uint32)(s.scan.Offsets), slots)
	if some := max(spanSlots/slots, 1); s.n > some {
		w.spans = append(w.spans, span{unsafe.Add(s.at, some*s.size), s.n - some, s.scan, s.size})
		s.n = some
	}
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
	if w.t.pool.hungry.Load() > 0 {
		w.share()
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
			spans = []span{{unsafe.Add(s.at, half*s.size), s.n - half, s.scan, s.size}}
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
