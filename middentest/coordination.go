package middentest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/safepoint"
)

var coordinationTests = []test{
	{"Exclusion", frees, (*suite).exclusion},
	{"CollectTogether", 0, (*suite).collectTogether},
	{"JoinPending", 0, (*suite).joinPending},
	{"RaisePending", frees, (*suite).raisePending},
	{"AllocateWhilePending", 0, (*suite).allocateWhilePending},
	{"NewMutatorWhilePending", 0, (*suite).newMutatorWhilePending},
	{"JoinersWhilePending", 0, (*suite).joinersWhilePending},
	{"FreezeWhilePending", 0, (*suite).freezeWhilePending},
	{"BlockingWhilePending", 0, (*suite).blockingWhilePending},
	{"CloseWhilePending", 0, (*suite).closeWhilePending},
	{"CloseFrozenWhilePending", 0, (*suite).closeFrozenWhilePending},
	{"CloseAnotherWhilePending", 0, (*suite).closeAnotherWhilePending},
	{"BlockingPanics", 0, (*suite).blockingPanics},
	{"GivenUp", 0, (*suite).givenUp},
	{"GivenUpBefore", 0, (*suite).givenUpBefore},
	{"GivenUpOfTwo", 0, (*suite).givenUpOfTwo},
	{"ManyOutsiders", 0, (*suite).manyOutsiders},
	{"Admission", 0, (*suite).admission},
	{"HandOver", 0, (*suite).handOver},
	{"LostActive", 0, (*suite).lostActive},
	{"LostFrozen", 0, (*suite).lostFrozen},
}

// A gauge counts the goroutines that are where no collection may run. As a Tracer it is called when one
// runs.
type gauge struct {
	inside, traced, wrong atomic.Int64
}

func (g *gauge) Trace(*midden.Visitor) {
	g.traced.Add(1)
	for range 3 {
		if g.inside.Load() != 0 {
			g.wrong.Add(1)
		}
		runtime.Gosched()
	}
}

// hold is something that takes a while and during which no collection may run.
func (g *gauge) hold() {
	g.inside.Add(1)
	runtime.Gosched()
	g.inside.Add(-1)
}

func (g *gauge) check(t *testing.T) {
	t.Helper()
	if n := g.wrong.Load(); n > 0 {
		t.Errorf("a collection ran beside an active or preventing mutator %d times", n)
	}
	if g.traced.Load() == 0 {
		t.Error("there was no collection")
	}
}

// exclusion has goroutines do everything that keeps collections away, while others collect.
func (s *suite) exclusion(t *testing.T) {
	h := s.heap(t, midden.Options{})
	var g gauge
	defer h.AddRoots(&g)()
	n := s.size(2000)
	wg := crew{t: t}
	for w := range 4 {
		wg.Go(func() {
			m := h.NewMutator()
			defer func() { m.Close() }()
			for i := range n {
				g.hold()
				switch (i + w) % 7 {
				case 0, 1:
					m.Safepoint()
				case 2:
					m.Freeze()
					runtime.Gosched()
					m.Unfreeze()
				case 3:
					m.PreventCollection(func() {
						g.hold()
						m.Safepoint()
						m.PreventCollection(g.hold)
						g.hold()
					})
				case 4:
					if err := m.Collect(kinds[i%len(kinds)]); err != nil {
						t.Errorf("Collect: %v", err)
					}
				case 5:
					other := m.NewMutator()
					m.Close()
					g.hold()
					m = other
				case 6:
					m.Close()
					h.PreventCollection(g.hold)
					m = h.NewMutator()
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for i := range n / 4 {
				h.PreventCollection(g.hold)
				if err := h.Collect(context.Background(), kinds[i%len(kinds)]); err != nil {
					t.Errorf("Heap.Collect: %v", err)
				}
			}
		})
	}
	wg.Wait()
	g.check(t)
}

// collectTogether has several mutators ask for collections at the same time, some of which leave
// early. Everybody gets what they asked for, and nobody collects more than was asked for.
func (s *suite) collectTogether(t *testing.T) {
	h := s.heap(t, midden.Options{})
	const workers = 4
	n := s.size(200)
	total := 0
	wg := crew{t: t}
	var start sync.WaitGroup
	start.Add(workers)
	for w := range workers {
		mine := n * (w + 1) / workers
		total += mine
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			defer m.Scope().Close()
			l := midden.NewLocal(m, newList(m, 10))
			m.Blocking(func() { start.Done(); start.Wait() })
			for range mine {
				if err := m.Collect(midden.KindFull); err != nil {
					t.Errorf("Collect: %v", err)
				}
				litter(m, 20)
				if l.Ptr().ID != 1 {
					t.Error("a local lost its object")
				}
			}
		})
	}
	wg.Wait()
	if got := cycles(h); s.can&frees != 0 && (got < uint64(n) || got > uint64(total)) {
		t.Errorf("%d cycles; %d were asked for in all and %d by one mutator", got, total, n)
	}
}

// A pending collection was asked for by a goroutine without a mutator and waits for m.
type pending struct {
	h    *midden.Heap
	m    *midden.Mutator
	gone bool // m was closed by the test
	done chan error
}

// pending opens a heap with an active mutator for which a collection waits. That it does it knows from
// the report about stragglers.
func (s *suite) pending(t *testing.T, ctx context.Context, k midden.Kind) *pending {
	t.Helper()
	waits := make(chan struct{}, 1)
	h := s.heap(t, midden.Options{
		StragglerTimeout: time.Millisecond,
		Listener: &midden.Listener{Straggler: func(safepoint.StragglerReport) {
			select {
			case waits <- struct{}{}:
			default:
			}
		}},
	})
	p := &pending{h: h, m: h.NewMutator(), done: make(chan error, 1)}
	t.Cleanup(func() {
		if !p.gone {
			p.m.Close()
		}
	})
	p.m.Scope()
	go func() { p.done <- failure(func() error { return h.Collect(ctx, k) }) }()
	<-waits
	return p
}

// finish lets the collection run, and returns its outcome.
func (p *pending) finish() error {
	for {
		select {
		case err := <-p.done:
			return err
		default:
			p.m.Safepoint()
			runtime.Gosched()
		}
	}
}

// mustFinish fails the test unless the collection runs and succeeds.
func (p *pending) mustFinish(t *testing.T) {
	t.Helper()
	if err := p.finish(); err != nil {
		t.Errorf("the collection that waited: %v", err)
	}
}

// joinPending checks that a mutator that wants what another waits for gets the same one.
func (s *suite) joinPending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	before := cycles(p.h)
	collect(t, p.m, midden.KindFull)
	if err := <-p.done; err != nil {
		t.Errorf("the collection that waited: %v", err)
	}
	if s.can&frees != 0 {
		equal(t, "cycles for two who wanted the same", cycles(p.h)-before, 1)
	}
}

// raisePending checks that who needs a stronger collection than the one that waits gets it.
func (s *suite) raisePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindMinor)
	handle := midden.NewHandle(p.m, midden.NewArray[byte](p.m, mib))
	handle.Release()
	collect(t, p.m, midden.KindFull)
	if err := <-p.done; err != nil {
		t.Errorf("the collection that waited: %v", err)
	}
	if stats := p.h.Stats(); stats.Full == 0 || stats.Live >= mib {
		t.Errorf("after a full collection %d were full, and %d bytes live", stats.Full, stats.Live)
	}
}

// allocateWhilePending checks that allocation never stops, so that references stay good.
func (s *suite) allocateWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindCompact)
	list, large := newList(p.m, 1000), midden.NewArray[byte](p.m, 100_000)
	*large.Get().At(99_999) = 7
	litter(p.m, 5000)
	checkList(t, "a reference in a variable, without a safepoint", list, 1000)
	equal(t, "a byte", *large.Get().At(99_999), 7)
	select {
	case err := <-p.done:
		t.Errorf("a collection ran without a safepoint: %v", err)
	default:
	}
	l := midden.NewLocal(p.m, list)
	p.mustFinish(t)
	checkList(t, "local", l.Get(), 1000)
}

// newMutatorWhilePending checks that an active mutator can make another one and wait for nothing.
func (s *suite) newMutatorWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	for range 10 {
		other := p.m.NewMutator()
		checkList(t, "list of the new mutator", newList(other, 10), 10)
		other.Close()
	}
	worker := p.m.NewMutator()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer worker.Close()
		newList(worker, 100)
		worker.Safepoint()
	}()
	p.mustFinish(t)
	pollUntil(p.m, ended)
}

// joinersWhilePending checks that who comes while a collection waits is let in after it.
func (s *suite) joinersWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	wg := crew{t: t}
	for range 5 {
		wg.Go(func() {
			m := p.h.NewMutator()
			defer m.Close()
			newList(m, 10)
		})
		wg.Go(func() {
			p.h.PreventCollection(func() {})
		})
		wg.Go(func() {
			if err := p.h.Collect(context.Background(), midden.KindMinor); err != nil {
				t.Errorf("Heap.Collect: %v", err)
			}
		})
	}
	p.mustFinish(t)
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	pollUntil(p.m, ended)
}

// freezeWhilePending checks that to freeze is to have stopped, at whatever moment.
func (s *suite) freezeWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	l := midden.NewLocal(p.m, newList(p.m, 100))
	p.m.Freeze()
	if err := <-p.done; err != nil {
		t.Errorf("Collect while the only mutator is frozen: %v", err)
	}
	p.m.Unfreeze()
	litter(p.m, 1000)
	checkList(t, "local", l.Get(), 100)
}

func (s *suite) blockingWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	l := midden.NewLocal(p.m, newList(p.m, 100))
	p.m.Blocking(func() {
		if err := <-p.done; err != nil {
			t.Errorf("Collect while the only mutator is blocked: %v", err)
		}
	})
	litter(p.m, 1000)
	checkList(t, "local", l.Get(), 100)
}

func (s *suite) closeWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	p.gone = true
	midden.NewLocal(p.m, newList(p.m, 100))
	p.m.Close()
	if err := <-p.done; err != nil {
		t.Errorf("Collect when the last mutator closes: %v", err)
	}
	equal(t, "Mutators", p.h.Stats().Mutators, 0)
}

// closeFrozenWhilePending checks that a frozen mutator may go while others wait for a third.
func (s *suite) closeFrozenWhilePending(t *testing.T) {
	h := s.heap(t, midden.Options{})
	m := s.mutator(t, h)
	for range s.size(500) {
		var others []*midden.Mutator
		for range 4 {
			other := m.NewMutator()
			other.Scope()
			midden.NewLocal(other, newList(other, 20))
			other.Freeze()
			others = append(others, other)
		}
		wg := crew{t: t}
		for _, other := range others {
			wg.Go(other.Close)
		}
		collect(t, m, midden.KindFull)
		m.Blocking(wg.Wait)
	}
	equal(t, "Mutators", h.Stats().Mutators, 1)
}

// closeAnotherWhilePending checks that a goroutine that keeps a collection waiting by one mutator can
// close another, frozen one: if it had to wait, it would wait for itself.
func (s *suite) closeAnotherWhilePending(t *testing.T) {
	p := s.pending(t, t.Context(), midden.KindFull)
	other := p.m.NewMutator()
	other.Scope()
	midden.NewLocal(other, newList(other, 20))
	other.Freeze()
	other.Close()
	p.mustFinish(t)
	equal(t, "Mutators", p.h.Stats().Mutators, 1)
}

func (s *suite) blockingPanics(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, newList(m, 10))
	p := recovered(func() {
		m.Blocking(func() {
			if err := h.Collect(t.Context(), midden.KindFull); err != nil {
				t.Errorf("Collect: %v", err)
			}
			panic("out of f")
		})
	})
	equal(t, "the panic", p, any("out of f"))
	equal(t, "Frozen", h.Stats().Frozen, 0)
	litter(m, 100)
	checkList(t, "local", l.Get(), 10)
	collect(t, m, midden.KindFull)
}

// givenUp checks that a collection whose ctx ends while a mutator does not poll returns, and leaves no
// trace: who queued behind it is let go, and the next collection works.
func (s *suite) givenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := s.pending(t, ctx, midden.KindFull)
	l := midden.NewLocal(p.m, newList(p.m, 100))
	queued := crew{t: t}
	for range 3 {
		queued.Go(func() {
			m := p.h.NewMutator()
			m.Freeze()
			m.Unfreeze()
			m.Close()
		})
		queued.Go(func() { p.h.PreventCollection(func() {}) })
	}
	r := newNode(p.m, 5)
	cancel()
	if err := <-p.done; !errors.Is(err, context.Canceled) {
		t.Errorf("Collect with a ctx that was cancelled: %v", err)
	}
	queued.Wait() // m has not polled: only giving up can have let them go.
	checkNode(t, "a reference in a variable, without a safepoint", r, 5)

	outside(t, p.h, midden.KindFull, p.m.Safepoint)
	collect(t, p.m, midden.KindMinor)
	litter(p.m, 1000)
	checkList(t, "local", l.Get(), 100)
}

func (s *suite) givenUpBefore(t *testing.T) {
	h, m := s.alone(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancelLate()
	for range 100 {
		done := make(chan error)
		go func() { done <- h.Collect(ctx, midden.KindFull) }()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatalf("Collect with a cancelled ctx beside an active mutator: %v", err)
		}
		go func() { done <- h.Collect(late, midden.KindFull) }()
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Collect with a ctx past its deadline beside an active mutator: %v", err)
		}
	}
	outside(t, h, midden.KindFull, m.Safepoint)
}

// givenUpOfTwo checks that when one of two that wait gives up, the other goes on waiting, and gets its
// collection.
func (s *suite) givenUpOfTwo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := s.pending(t, ctx, midden.KindFull)
	second := make(chan error, 1)
	go func() { second <- p.h.Collect(context.Background(), midden.KindFull) }()
	cancel()
	if err := <-p.done; !errors.Is(err, context.Canceled) {
		t.Errorf("Collect with a ctx that was cancelled: %v", err)
	}
	p.done = second
	p.mustFinish(t)
}

// manyOutsiders checks that goroutines without mutators, all of which want collections of their own,
// do not starve each other or those with mutators.
func (s *suite) manyOutsiders(t *testing.T) {
	h, m := s.alone(t)
	n := s.size(300)
	wg := crew{t: t}
	for w := range 4 {
		wg.Go(func() {
			for range n {
				if err := h.Collect(context.Background(), kinds[w%len(kinds)]); err != nil {
					t.Errorf("Heap.Collect: %v", err)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	pollUntil(m, ended)
}

// admission checks that mutators come and go although collections follow each other without a gap.
func (s *suite) admission(t *testing.T) {
	h := s.heap(t, midden.Options{})
	var stop atomic.Bool
	collectors, wg := crew{t: t}, crew{t: t}
	for range 2 {
		collectors.Go(func() {
			for !stop.Load() {
				if err := h.Collect(context.Background(), midden.KindMinor); err != nil {
					t.Errorf("Heap.Collect: %v", err)
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range s.size(500) {
				m := h.NewMutator()
				litter(m, 3)
				m.Freeze()
				m.Unfreeze()
				m.Close()
				h.PreventCollection(func() {})
			}
		})
	}
	wg.Wait()
	stop.Store(true)
	collectors.Wait()
}

// handOver passes one mutator from goroutine to goroutine.
func (s *suite) handOver(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, midden.Nil[node]())
	baton := make(chan int)
	wg := crew{t: t}
	for range 4 {
		wg.Go(func() {
			for id := range baton {
				err := failure(func() error {
					l.Set(midden.Alloc(m, node{ID: int64(id + 1), Next: midden.FieldOf(l.Get())}))
					return m.Collect(kinds[id%len(kinds)])
				})
				if err != nil {
					t.Errorf("Collect: %v", err)
				}
				if id+1 < 200 && err == nil {
					go func() { baton <- id + 1 }()
				} else {
					close(baton)
				}
			}
		})
	}
	baton <- 0
	wg.Wait()
	r := l.Get()
	for id := int64(200); id > 0; id-- {
		checkNode(t, "list made by four goroutines", r, id)
		r = r.Get().Next.Load()
	}
}

// lose makes a mutator and forgets it.
//
//go:noinline
func lose(h *midden.Heap, frozen bool) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		recovered(func() { // a panic would end all tests
			m := h.NewMutator()
			m.SetName("lost")
			m.Scope()
			midden.NewLocal(m, newList(m, 100))
			if frozen {
				m.Freeze()
			}
		})
	}()
	<-ended
}

// lostActive checks that a mutator that was lost without Close, and never polls, does not hang the heap.
func (s *suite) lostActive(t *testing.T) {
	lost := make(chan safepoint.LostReport, 1)
	h := s.heap(t, midden.Options{
		StragglerTimeout: time.Millisecond,
		Listener:         &midden.Listener{Lost: func(r safepoint.LostReport) { lost <- r }},
	})
	lose(h, false)
	if err := h.Collect(t.Context(), midden.KindFull); err != nil {
		t.Fatalf("Collect after a mutator was lost: %v", err)
	}
	equal(t, "Mutators", h.Stats().Mutators, 0)
	report := <-lost
	equal(t, "the name of what was lost", report.Name, "lost")
}

// lostFrozen checks that a frozen mutator, which nobody waits for, is found as well.
func (s *suite) lostFrozen(t *testing.T) {
	h := s.heap(t, midden.Options{})
	lose(h, true)
	for range 500 {
		runtime.GC()
		if err := h.Collect(t.Context(), midden.KindFull); err != nil {
			t.Fatalf("Collect after a mutator was lost: %v", err)
		}
		if h.Stats().Mutators == 0 {
			break
		}
	}
	equal(t, "Mutators", h.Stats().Mutators, 0)
}
