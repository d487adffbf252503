// Package hangs is the code of docs/hangs.md: the ways to hang a heap, and how not
// to. The test hangs heaps with it and compares what they say with that page.
package hangs

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden"
)

type request struct{ id int }

type answer struct{ to int }

// Active, and waits for the next request.
func serve(m *midden.Mutator, requests <-chan request) {
	for r := range requests {
		midden.Alloc(m, answer{r.id})
		m.Safepoint()
	}
}

// Frozen while it waits.
func serveFrozen(m *midden.Mutator, requests <-chan request) {
	for {
		var r request
		var ok bool
		m.Blocking(func() { r, ok = <-requests })
		if !ok {
			return
		}
		midden.Alloc(m, answer{r.id})
		m.Safepoint()
	}
}

// The caller has an active mutator, and this collection waits for that one too.
func tidy(ctx context.Context, h *midden.Heap) error {
	return h.Collect(ctx, midden.KindFull)
}

// The mutator is at a safepoint while it collects.
func tidyMutator(m *midden.Mutator) error {
	return m.Collect(midden.KindFull)
}

// No collection while it waits for the next request.
func prevent(h *midden.Heap, requests <-chan request, look func(request)) {
	h.PreventCollection(func() {
		look(<-requests)
	})
}

// It waits first.
func preventLate(h *midden.Heap, requests <-chan request, look func(request)) {
	r := <-requests
	h.PreventCollection(func() { look(r) })
}

// Frozen, but it prevents collections all the same.
func preventFrozen(m *midden.Mutator, requests <-chan request, look func(request)) {
	m.PreventCollection(func() {
		var r request
		m.Blocking(func() { r = <-requests })
		look(r)
	})
}

// Frozen before it prevents.
func freezeFirst(m *midden.Mutator, requests <-chan request, look func(request)) {
	var r request
	m.Blocking(func() { r = <-requests })
	m.PreventCollection(func() { look(r) })
}

// One that prevents calls another.
func nest(h *midden.Heap, f func()) {
	h.PreventCollection(func() {
		h.PreventCollection(f)
	})
}

// The mutator's own may nest.
func nestMutator(m *midden.Mutator, f func()) {
	m.PreventCollection(func() {
		m.PreventCollection(f)
	})
}

// It wants what it prevents.
func collectInside(m *midden.Mutator, look func()) (err error) {
	m.PreventCollection(func() {
		look()
		err = m.Collect(midden.KindFull)
	})
	return err
}

// First the one, then the other.
func collectAfter(m *midden.Mutator, look func()) error {
	m.PreventCollection(look)
	return m.Collect(midden.KindFull)
}

type index struct {
	mu   sync.Mutex
	size int
	left atomic.Int64 // entries to come
}

// It passes safepoints with a lock that others take plainly.
func (x *index) fill(m *midden.Mutator) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.left.Add(-1) >= 0 {
		x.size++
		m.Safepoint()
	}
}

// Whoever waits for the lock is frozen.
func (x *index) fillLocked(m *midden.Mutator) {
	m.Lock(&x.mu)
	defer x.mu.Unlock()
	for x.left.Add(-1) >= 0 {
		x.size++
		m.Safepoint()
	}
}

// It waits for the end of a collection with the lock in hand,
func (x *index) clear(m *midden.Mutator) {
	m.Blocking(x.mu.Lock)
	x.size = 0
	x.mu.Unlock()
}

// and this one, active, keeps that collection waiting for the lock.
func (x *index) add() {
	x.mu.Lock()
	x.size++
	x.mu.Unlock()
}

// It never has the lock while it waits for a collection.
func (x *index) clearLocked(m *midden.Mutator) {
	m.Lock(&x.mu)
	x.size = 0
	x.mu.Unlock()
}
