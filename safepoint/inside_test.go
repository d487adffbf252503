package safepoint_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// I12, D10: every call that would wait, made by the goroutine in charge of a
// pause or by one that works for it, fails instead of hanging.
func TestCallsFromInsideThePause(t *testing.T) {
	calls := func(t *testing.T, w *World, own, frozen *Context) {
		t.Helper()
		panicsWith(t, ErrCollecting, func() { w.NewContext() })
		panicsWith(t, ErrCollecting, func() { w.Prevent(func() {}) })
		panicsWith(t, ErrCollecting, frozen.Unfreeze)
		panicsWith(t, ErrCollecting, frozen.Close)
		_, err := w.Stop(background)
		is(t, err, ErrCollecting)
		is(t, w.Collect(background, 1, never(t)), ErrCollecting)
		is(t, w.Close(), ErrCollecting)
		if own != nil {
			is(t, own.Safepoint(never(t)), ErrCollecting)
			is(t, own.Collect(background, 1, never(t)), ErrCollecting)
			panicsWith(t, ErrCollecting, func() { own.NewContext() })
			panicsWith(t, ErrCollecting, func() { own.Prevent(func() {}) })
			panicsWith(t, ErrCollecting, own.Freeze)
			panicsWith(t, ErrCollecting, own.Close)
		}
		if !w.Collecting() {
			t.Error("not collecting")
		}
		_, _, _ = w.Stats(), w.Epoch(), w.Damaged()
	}
	for _, single := range []bool{false, true} {
		t.Run("context", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := NewWorld(&Options{Single: single})
				own := w.NewContext()
				frozen := own
				if !single {
					frozen = own.NewContext()
					frozen.Freeze()
				}
				ok(t, own.Collect(background, 1, func(p *Pause) error {
					if !single {
						calls(t, w, own, frozen)
					} else {
						is(t, own.Safepoint(never(t)), ErrCollecting)
						panicsWith(t, ErrCollecting, func() { w.NewContext() })
						_, err := w.Stop(background)
						is(t, err, ErrCollecting)
					}
					return nil
				}))
				atRest(t, w, 1)
			})
		})
		t.Run("outsider", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := NewWorld(&Options{Single: single})
				frozen := w.NewContext()
				frozen.Freeze()
				ok(t, w.Collect(background, 1, func(p *Pause) error {
					calls(t, w, nil, frozen)
					return nil
				}))
				p, err := w.Stop(background)
				ok(t, err)
				calls(t, w, nil, frozen)
				p.Start(nil)
				frozen.Unfreeze()
				atRest(t, w, 1)
			})
		})
	}
	t.Run("workers", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := NewWorld(nil)
			own, frozen := w.NewContext(), w.NewContext()
			frozen.Freeze()
			ok(t, own.Collect(background, 1, func(p *Pause) error {
				var workers sync.WaitGroup
				for range 2 {
					workers.Go(func() {
						p.Adopt()
						calls(t, w, nil, frozen)
					})
				}
				workers.Wait()
				return nil
			}))
			atRest(t, w, 1)
		})
	})
}

// A context that has changed hands since it was created still shows which
// goroutine collects, and one that merely created it is not accused.
func TestHandedOverContextCollects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		c := w.NewContext()
		collect := start(func() {
			ok(t, c.Collect(background, 1, func(*Pause) error {
				panicsWith(t, ErrCollecting, func() { w.NewContext() })
				time.Sleep(time.Minute)
				return nil
			}))
			c.Freeze()
		})
		synctest.Wait()
		w.NewContext().Close() // by the goroutine that created c
		collect.now(t)
		atRest(t, w, 0)
	})
}

// The collector of one world waits for another world like anybody else.
func TestCollectorUsesAnotherWorld(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, other := NewWorld(nil), NewWorld(nil)
		c, d := w.NewContext(), other.NewContext()
		release := make(chan struct{})
		foreign := start(func() {
			ok(t, d.Collect(background, 1, func(*Pause) error { <-release; return nil }))
		})
		synctest.Wait()
		nested := start(func() {
			ok(t, c.Collect(background, 1, func(*Pause) error {
				other.NewContext().Close()
				return nil
			}))
		})
		nested.waits(t)
		time.Sleep(time.Minute)
		nested.waits(t)
		close(release)
		nested.now(t)
		foreign.now(t)
		ok(t, c.Collect(background, 1, func(*Pause) error {
			return d.Collect(background, 1, nothing)
		}))
	})
}

// An outsider's call by a goroutine that holds an active context is found
// out when nobody else can be using that.
func TestOutsiderHoldsAContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		_, err := w.Stop(background)
		is(t, err, ErrActive)
		is(t, w.Collect(background, 1, never(t)), ErrActive)
		atRest(t, w, 1)

		b := a.NewContext()
		collect := start(func() { ok(t, b.Collect(background, 1, nothing)) })
		collect.waits(t)
		panicsWith(t, ErrActive, func() { w.NewContext() })
		panicsWith(t, ErrActive, func() { w.Prevent(func() {}) })
		ok(t, a.Safepoint(never(t)))
		collect.now(t)
		atRest(t, w, 2)
	})
}

// The goroutine that created a context is not accused of what another one
// does with it, however long that takes.
func TestCreatorIsNotAccused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		use := start(func() {
			time.Sleep(time.Minute) // active, and not polling
			a.Freeze()
		})
		p, err := w.Stop(background)
		ok(t, err)
		if err == nil {
			p.Start(nil)
		}
		use.now(t)
	})
	// The same with a context that has stopped here before, and with a
	// goroutine that computes.
	w := NewWorld(nil)
	a := w.NewContext()
	ok(t, a.Collect(background, 1, nothing))
	use := start(func() {
		for began := time.Now(); time.Since(began) < 100*time.Millisecond; {
		}
		a.Freeze()
	})
	p, err := w.Stop(background)
	ok(t, err)
	if err == nil {
		p.Start(nil)
	}
	use.returns(t)
}
