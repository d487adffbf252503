package safepoint_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// Several contexts and outsiders that want a pause at the same time get one,
// at the strongest level and with the same outcome.
func TestRequestsJoin(t *testing.T) {
	t.Run("raised by a joiner", func(t *testing.T) { testRequestsJoin(t, false) })
	t.Run("raised by a request", func(t *testing.T) { testRequestsJoin(t, true) })
}

func testRequestsJoin(t *testing.T, requested bool) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		boom := errors.New("boom")
		collections := 0
		collect := func(p *Pause) error {
			collections++
			if want := map[bool]Level{false: 4, true: 5}[requested]; p.Level() != want {
				t.Errorf("level %d, want %d", p.Level(), want)
			}
			return boom
		}
		last := w.NewContext()
		first := w.NewContext()
		var tasks []*task
		tasks = append(tasks, start(func() { is(t, first.Collect(background, 1, collect), boom) }))
		synctest.Wait()
		for l := range Level(3) {
			c := last.NewContext()
			tasks = append(tasks,
				start(func() { is(t, c.Collect(background, 2+l, collect), boom) }),
				start(func() { is(t, w.Collect(background, 2+l, collect), boom) }))
		}
		synctest.Wait()
		var e Epoch
		if requested {
			e = w.Request(5)
		}
		for _, k := range tasks {
			k.waits(t)
		}
		is(t, last.Safepoint(never(t)), boom)
		for _, k := range tasks {
			k.now(t)
		}
		if collections != 1 || w.Epoch() != 1 || e != 0 {
			t.Errorf("%d collections, epoch %d, request %d", collections, w.Epoch(), e)
		}
		atRest(t, w, 5)
	})
}

// Who asks while a pause runs gets the next one; those that ask together
// share it.
func TestRequestsDuringAPauseGetTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		release := make(chan struct{})
		first := start(func() {
			ok(t, a.Collect(background, 1, func(*Pause) error { <-release; return nil }))
		})
		synctest.Wait()
		e := w.Request(3)
		if e != 1 {
			t.Errorf("a request during the pause of epoch 1 returns %d, want 1", e)
		}
		collections := 0
		collect := func(p *Pause) error {
			collections++
			if p.Level() != 4 || p.Epoch() != 2 {
				t.Errorf("level %d, epoch %d", p.Level(), p.Epoch())
			}
			return nil
		}
		one := start(func() { ok(t, w.Collect(background, 2, collect)) })
		two := start(func() { ok(t, w.Collect(background, 4, collect)) })
		one.waits(t)
		two.waits(t)
		close(release)
		first.now(t)
		a.Freeze()
		one.now(t)
		two.now(t)
		if collections != 1 || w.Epoch() != 2 {
			t.Errorf("%d collections, epoch %d", collections, w.Epoch())
		}
		a.Unfreeze()
		ok(t, a.Safepoint(never(t)))
		atRest(t, w, 1)
	})
}

// A request made while a pause runs sets the flag again at its end, and is
// served by whoever polls next: nothing is lost, and waiting for the epoch
// ends.
func TestRequestDuringAPauseIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		var e Epoch
		ok(t, a.Collect(background, 1, func(p *Pause) error {
			e = w.Request(2)
			return nil
		}))
		if !a.Poll() || w.Epoch() > e {
			t.Errorf("poll %v, epoch %d, want more than %d", a.Poll(), w.Epoch(), e)
		}
		var level Level
		ok(t, a.Safepoint(func(p *Pause) error { level = p.Level(); return nil }))
		if w.Epoch() <= e || level != 2 || a.Poll() {
			t.Errorf("epoch %d, level %d, poll %v", w.Epoch(), level, a.Poll())
		}
	})
}

// A pause of Stop serves no request, and leaves the epoch alone: whoever
// waits for Epoch to exceed what Request returned is not misled.
func TestStopServesNoRequest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		e := w.Request(1)
		stop := start(func() {
			p, err := w.Stop(background)
			ok(t, err)
			if p.Level() != 0 {
				t.Errorf("level %d", p.Level())
			}
			p.Start(nil)
		})
		stop.waits(t)
		ok(t, a.Safepoint(never(t)))
		stop.now(t)
		if w.Epoch() > e || !a.Poll() {
			t.Errorf("epoch %d, poll %v", w.Epoch(), a.Poll())
		}
		a.Safepoint(nothing)
		if w.Epoch() <= e {
			t.Errorf("epoch %d", w.Epoch())
		}
	})
}

// A nil collect function leaves the request to others.
func TestNilCollect(t *testing.T) {
	w := NewWorld(nil)
	a := w.NewContext()
	e := w.Request(1)
	ok(t, a.Safepoint(nil))
	if w.Epoch() != e || !a.Poll() {
		t.Errorf("epoch %d, poll %v", w.Epoch(), a.Poll())
	}
}

// D1: two contexts, one plain collection, whoever is first.
func TestTwoContextsOneCollection(t *testing.T) {
	for range 300 {
		w := NewWorld(&Options{StragglerTimeout: -1})
		w.Request(1)
		var tasks []*task
		var mu sync.Mutex
		collections := 0
		for range 2 {
			c := w.NewContext()
			tasks = append(tasks, start(func() {
				ok(t, c.Safepoint(func(*Pause) error {
					mu.Lock()
					collections++
					mu.Unlock()
					return nil
				}))
				c.Freeze()
			}))
		}
		for _, k := range tasks {
			k.returns(t)
		}
		if collections != 1 {
			t.Fatalf("%d collections, want 1", collections)
		}
	}
}

// mmtk-openjdk 117 and 161: who waits for a collection waits for an epoch,
// which comes whoever collects.
func TestWaitForEpoch(t *testing.T) {
	w := NewWorld(nil)
	var tasks []*task
	for range 4 {
		c := w.NewContext()
		tasks = append(tasks, start(func() {
			defer c.Close()
			for range 200 {
				for e := w.Request(1); w.Epoch() <= e; {
					ok(t, c.Safepoint(nothing))
				}
			}
		}))
	}
	for _, k := range tasks {
		k.returns(t)
	}
}

// OCaml 13716: a lock that a stopped context holds, and an active one wants.
// The one that wants it blocks frozen, as it must, and the pause runs.
func TestLockHeldByAStoppedContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b := w.NewContext(), w.NewContext()
		lock := make(chan struct{}, 1)
		lock <- struct{}{}
		want := start(func() {
			b.Freeze()
			lock <- struct{}{}
			b.Unfreeze()
			<-lock
		})
		want.waits(t)
		ok(t, a.Collect(background, 1, nothing))
		<-lock
		want.now(t)
		atRest(t, w, 2)
	})
}

// OCaml 13386 and 13408: contexts end, and the world is closed, while a pause
// waits or runs.
func TestTermination(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b, f := w.NewContext(), w.NewContext(), w.NewContext()
		f.Freeze()
		release := make(chan struct{})
		collect := start(func() {
			ok(t, a.Collect(background, 1, func(*Pause) error { <-release; return nil }))
			a.Close()
		})
		collect.waits(t)
		is(t, w.Close(), ErrCollecting)
		b.Close()
		synctest.Wait()
		is(t, w.Close(), ErrCollecting)
		gone := start(f.Close)
		gone.waits(t)
		close(release)
		collect.now(t)
		gone.now(t)
		ok(t, w.Close())
		ok(t, w.Close())
		panicsWith(t, ErrClosed, func() { w.NewContext() })
		panicsWith(t, ErrClosed, func() { w.Prevent(func() {}) })
		_, err := w.Stop(background)
		is(t, err, ErrClosed)
		is(t, w.Collect(background, 1, never(t)), ErrClosed)
	})
}

// D11, I16: the last context closes right after the pause that it was in.
func TestCloseLastAfterCollection(t *testing.T) {
	for range 200 {
		w := NewWorld(nil)
		a, b := w.NewContext(), w.NewContext()
		one := start(func() { a.Collect(background, 1, nothing); a.Close() })
		two := start(func() {
			for !b.Poll() {
			}
			b.Safepoint(nothing)
			b.Close()
		})
		one.returns(t)
		two.returns(t)
		ok(t, w.Close())
	}
}

// OCaml 15042: a context that goes in and out of blocking calls at speed must
// not keep the rest standing, nor wait for ever itself.
func TestChurner(t *testing.T) {
	w := NewWorld(nil)
	a, churner := w.NewContext(), w.NewContext()
	stop := make(chan struct{})
	churn := start(func() {
		defer churner.Close()
		for {
			select {
			case <-stop:
				return
			default:
				churner.Freeze()
				churner.Unfreeze()
			}
		}
	})
	began := time.Now()
	for range 1000 {
		ok(t, a.Collect(background, 1, nothing))
	}
	close(stop)
	churn.returns(t)
	t.Logf("1000 pauses beside a churning context took %v", time.Since(began))
	atRest(t, w, 1)
}

// I8: frozen contexts that close at the very moment when a pause begins to run
// are either gone before it looks, or stay until it has ended.
func TestCloseFrozenRacesWithStop(t *testing.T) {
	w := NewWorld(nil)
	const rounds = 3000
	leave := start(func() {
		for range rounds {
			c := w.NewContext()
			c.Freeze()
			c.Close()
		}
	})
	for over := false; !over; {
		p, err := w.Stop(background)
		ok(t, err)
		before := w.Stats().Contexts
		for c := range p.Contexts() {
			if c.State() == Closed {
				t.Error("found a closed context")
			}
		}
		if n := w.Held(); n != 0 {
			t.Errorf("%d shares are held during a pause", n)
		}
		if n := w.Stats().Contexts; n != before {
			t.Errorf("%d contexts became %d during a pause", before, n)
		}
		p.Start(nil)
		select {
		case <-leave.done:
			over = true
		default:
		}
	}
	leave.returns(t)
	atRest(t, w, 0)
}

// Julia 62636: the recheck in the return from a blocking call. A context that
// unfreezes at the very moment when a pause shuts the gate is either in, and
// waited for, or out, and waits.
func TestUnfreezeRacesWithStop(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	c.Freeze()
	const rounds = 2000
	inside := false // plain: the race detector checks
	thaw := start(func() {
		for range rounds {
			c.Unfreeze()
			inside = true
			inside = false
			c.Freeze()
		}
	})
	for range rounds {
		p, err := w.Stop(background)
		ok(t, err)
		if inside {
			t.Error("active during a pause")
		}
		p.Start(nil)
	}
	thaw.returns(t)
	atRest(t, w, 0)
}
