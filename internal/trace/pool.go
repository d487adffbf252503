package trace

import (
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden/internal/object"
)

// pool is where workers share what they have with those who ran dry. Workers are
// started only when there is something to give them.
type pool struct {
	hungry atomic.Int32 // workers that wait, or are not started yet

	mu      sync.Mutex
	cond    sync.Cond
	chunks  [][]object.Word // parts of stacks
	spare   [][]object.Word // chunks to be used again
	spans   []span
	waiting int
	started int
	max     int
	done    bool

	wg     sync.WaitGroup
	failed atomic.Pointer[any]
}

func (p *pool) reset(workers int) {
	p.waiting, p.started, p.max, p.done = 0, 1, workers, false
	p.hungry.Store(int32(workers - 1))
}

// chunk returns an empty chunk.
func (p *pool) chunk() []object.Word {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.spare); n > 0 {
		c := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return c
	}
	return nil
}

// give hands work to a worker that has none.
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
				w.init(t, nil)
				if p.take(&w) {
					w.run()
					p.mu.Lock()
					defer p.mu.Unlock()
					w.report()
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
			p.spare = append(p.spare, p.chunks[n-1][:0])
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
