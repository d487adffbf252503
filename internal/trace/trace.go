// Package trace marks what can be reached, with several workers at once.
//
// Marking is bound by cache misses, and avoids them in two ways. The mark of an
// object is a bit in a dense table, which mostly stays in the cache: the many
// references to an object that was found before cost no look at the object. And
// an object that is found does not get visited at once: its header's line is
// prefetched, and it waits in a short queue until the line has had time to
// arrive.
//
//	           mark was clear:          pop,          after
//	           set it, push           prefetch      16 others
//	slots ─────────────────────▶ stack ──────▶ ring ─────────▶ visit: line marks,
//	  ▲                          │   ▲                         slots
//	  │                          ▼   │ chunks for a worker        │
//	  │                         pool   that has run dry           │
//	  └───────────────────────────────────────────────────────────┘
//
// Nothing moves, so no object needs to be claimed, and marks are set without
// atomic operations. When two workers write to one byte of the table a bit may
// get lost; then an object is visited again through another reference, which is
// harmless because nothing is counted. What lives is counted later, from the
// line marks, which are bytes.
//
// Who wants to move objects afterwards has to find each of them, and where it
// begins. For that there is another table, Starts, in which bits are set when an
// object is visited, and none gets lost. It costs an atomic operation an object,
// so it is written only on demand.
//
// Objects with weak or external slots, and ephemerons whose keys are not marked,
// are listed as they are visited, for package weak.
//
// A worker that runs dry waits for a chunk of another's stack; when all wait,
// the trace is done. Large arrays are scanned in pieces, which can be shared too.
package trace

import (
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/weak"
)

// Config is what a Tracer needs to know of the memory that it marks. The tables
// are those of package cage.
type Config struct {
	Base    unsafe.Pointer
	Lines   unsafe.Pointer
	Marks   unsafe.Pointer
	Starts  unsafe.Pointer // nil: it is not needed
	Scans   []object.Scan
	Line    uint8 // what to store in Lines for a line that an object touches
	Workers int
}

// unitsPerLine is how many units of 8 bytes a line has.
const unitsPerLine = 16

// Tracer is one trace.
type Tracer struct {
	Config
	root  worker
	pool  pool
	bytes atomic.Int64

	pending *weak.Pending // ephemerons that fire when their keys are visited
	found   []object.Word // ephemerons whose keys were not marked
	holders []object.Word // of weak slots and externals
}

// New begins a trace: Push the roots, then Run. Stack is what Stack returned
// after an earlier trace, or nil.
func New(c Config, stack []object.Word) *Tracer {
	t := &Tracer{Config: c}
	t.pool.cond.L = &t.pool.mu
	t.root.init(t, stack)
	return t
}

// Push adds a root.
func (t *Tracer) Push(w object.Word) {
	if w != 0 && mark(t.Marks, w) {
		t.root.stack = append(t.root.stack, w)
	}
}

// Run marks everything that can be reached from what was pushed, and returns
// when all workers are done. It may be called again after more was pushed.
func (t *Tracer) Run() {
	t.pool.reset(t.Workers)
	t.pool.guard(t.root.run)
	t.pool.wg.Wait()
	if p := t.pool.failed.Load(); p != nil {
		panic(*p)
	}
}

// Stack returns the memory of the mark stack, for the next trace: to grow one
// anew in each cycle costs more than a tenth of a trace.
func (t *Tracer) Stack() []object.Word { return t.root.stack[:0] }

// Bytes returns the size of what was visited, with headers and rounding. It is a
// little too much when objects were visited twice.
func (t *Tracer) Bytes() int64 { return t.bytes.Load() }

// Marked reports whether the trace has found the object.
func (t *Tracer) Marked(w object.Word) bool {
	start := uintptr(w) - 1
	return *(*uint8)(unsafe.Add(t.Marks, start/unitsPerLine))>>(start/2%8)&1 != 0
}

// mark sets the mark of an object, and reports whether it was clear.
func mark(marks unsafe.Pointer, w object.Word) bool {
	start := uintptr(w) - 1 // of the header, in units
	b := (*uint8)(unsafe.Add(marks, start/unitsPerLine))
	bit := uint8(1) << (start / 2 % 8)
	old := *b
	if old&bit != 0 {
		return false
	}
	*b = old | bit
	return true
}

// start notes where a small object begins. Bytes of the table are shared, so other
// workers' bits are kept.
func start(starts unsafe.Pointer, at uintptr, alone bool) {
	p := (*uint32)(unsafe.Add(starts, at/32*4))
	bit := uint32(1) << (at % 32)
	if alone {
		*p |= bit
		return
	}
	atomic.OrUint32(p, bit)
}
