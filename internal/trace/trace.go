// Package trace marks what can be reached, with several workers at once.
//
// Marking is bound by cache misses. So a reference that is found does not get
// visited at once: its header's line is prefetched, and the reference waits in a
// short queue until the line has had time to arrive.
//
//	    push          pop, prefetch          after 16 others
//	slots ──▶ stack ────────────────▶ ring ────────────────▶ visit: mark byte,
//	  ▲        │  ▲                                          line marks, slots
//	  │        ▼  │ chunks for those who ran dry               │
//	  │       pool                                             │
//	  └────────────────────────────────────────────────────────┘
//
// Nothing moves, so no object needs to be claimed: two workers that meet at one
// both store the same mark byte and may both scan it, which is harmless because
// nothing is counted. What lives is counted later, from the line marks.
//
// A worker that runs dry waits for a chunk from the others; when all wait, the
// trace is done. Large arrays are scanned in pieces, which can be shared too.
package trace

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

// Config is what a Tracer needs to know of the memory that it marks.
type Config struct {
	Base    unsafe.Pointer // of the cage
	Lines   unsafe.Pointer // line marks, a byte for each line from Base
	Scans   []object.Scan
	Epoch   uint8   // the mark of this cycle
	Line    uint8   // what to store in the table for a line that an object touches
	Small   uintptr // objects above it that have no slots mark their first line only, bytes
	Workers int
}

// Tracer is one trace.
type Tracer struct {
	Config
	root worker
	pool pool
}

// New begins a trace: Push the roots, then Run.
func New(c Config) *Tracer {
	t := &Tracer{Config: c}
	t.pool.cond.L = &t.pool.mu
	t.root.init(t)
	return t
}

// Push adds a root.
func (t *Tracer) Push(w object.Word) {
	if w != 0 {
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

// pool is where workers share what they have with those who ran dry.
type pool struct {
	hungry atomic.Int32 // workers that wait, or are not started yet

	mu      sync.Mutex
	cond    sync.Cond
	chunks  [][]object.Word
	spans   []span
	waiting int
	started int
	max     int
	done    bool

	wg     sync.WaitGroup
	failed atomic.Pointer[any]
}

func (p *pool) reset(workers int) {
	p.waiting, p.started, p.max, p.done = 0, 1, max(workers, 1), false
	p.hungry.Store(int32(p.max - 1))
}

// give hands work to a worker that has none, starting one if need be.
func (p *pool) give(t *Tracer, chunk []object.Word, spans []span) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(chunk) > 0 {
		p.chunks = append(p.chunks, chunk)
	}
	p.spans = append(p.spans, spans...)
	if p.waiting > 0 {
		p.cond.Signal()
		return
	}
	if p.started < p.max {
		p.started++
		p.hungry.Add(-1)
		p.wg.Go(func() {
			p.guard(func() {
				var w worker
				w.init(t)
				if p.take(&w) {
					w.run()
				}
			})
		})
	}
}

// take waits for work, and reports false when there will be none.
func (p *pool) take(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.done {
		if n := len(p.chunks); n > 0 {
			w.stack = append(w.stack, p.chunks[n-1]...)
			p.chunks = p.chunks[:n-1]
			return true
		}
		if n := len(p.spans); n > 0 {
			w.spans = append(w.spans, p.spans[n-1])
			p.spans = p.spans[:n-1]
			return true
		}
		if p.waiting+1 == p.started {
			p.done = true
			p.cond.Broadcast()
			return false
		}
		p.waiting++
		p.hungry.Add(1)
		p.cond.Wait()
		p.waiting--
		p.hungry.Add(-1)
	}
	return false
}

// guard runs a worker. One that panics ends the trace for all, and Run passes
// the panic on.
func (p *pool) guard(run func()) {
	defer func() {
		if r := recover(); r != nil {
			p.failed.CompareAndSwap(nil, &r)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.done = true
			p.cond.Broadcast()
		}
	}()
	run()
}
