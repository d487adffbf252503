package safepoint_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	. "github.com/midden-gc/midden/safepoint"
)

// I1: a pause waits for the end of a function that prevents it.
func TestPreventHoldsOffPauses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		c, d := w.NewContext(), w.NewContext()
		end := make(chan struct{})
		outside := start(func() { w.Prevent(func() { <-end }) })
		inside := start(func() {
			c.Prevent(func() { <-end })
			ok(t, c.Safepoint(never(t)))
		})
		synctest.Wait()
		collect := start(func() { ok(t, d.Collect(background, 1, nothing)) })
		collect.waits(t)
		close(end)
		for _, k := range []*task{outside, inside, collect} {
			k.now(t)
		}
		atRest(t, w, 2)
	})
}

// I10, D6, D7, D8: an active context prevents, nests, polls and creates
// while a pause waits, and never waits itself.
func TestContextPreventNeverWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b := w.NewContext(), w.NewContext()
		collect := start(func() { ok(t, a.Collect(background, 1, nothing)) })
		collect.waits(t)
		var child *Context
		prevent := start(func() {
			b.Prevent(func() {
				b.Prevent(func() {
					if !b.Poll() {
						t.Error("no pause is wanted")
					}
					ok(t, b.Safepoint(never(t)))
					is(t, b.Collect(background, 1, never(t)), ErrPrevented)
					child = b.NewContext()
					if b.State() != Active {
						t.Errorf("state %v", b.State())
					}
				})
				ok(t, b.Safepoint(never(t)))
			})
		})
		prevent.now(t)
		collect.waits(t)
		held := start(func() { ok(t, b.Safepoint(never(t))) })
		held.waits(t)
		collect.waits(t) // for the child
		child.Freeze()
		collect.now(t)
		held.now(t)
		child.Unfreeze()
		atRest(t, w, 3)
	})
}

// I2: freezing, unfreezing and closing inside Prevent move the context's
// contribution, not the prevention's.
func TestFreezeInsidePrevent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b := w.NewContext(), w.NewContext()
		a.Prevent(func() {
			a.Freeze()
			if n := w.Held(); n != 2 {
				t.Errorf("%d shares", n)
			}
			collect := start(func() { ok(t, b.Collect(background, 1, nothing)) })
			collect.waits(t)
			a.Unfreeze()
			collect.waits(t)
			a.Freeze()
			collect.waits(t)
		})
		synctest.Wait()
		atRest(t, w, 1)
		a.Unfreeze()
		a.Prevent(a.Close)
		atRest(t, w, 1)
		b.Close()
		ok(t, w.Close())
	})
}

// A prevention ends when its function panics or ends the goroutine.
func TestPreventEndsAnyway(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	for _, f := range []func(){func() { panic("x") }, runtime.Goexit} {
		start(func() { w.Prevent(f) }).ends(t)
		start(func() { c.Prevent(func() { c.Prevent(f) }) }).ends(t)
	}
	ok(t, c.Collect(background, 1, nothing))
	atRest(t, w, 1)
}

// Nesting World.Prevent is caught whether or not a pause is wanted.
func TestWorldPreventDoesNotNest(t *testing.T) {
	w := NewWorld(nil)
	w.Prevent(func() {
		says(t, func() { w.Prevent(func() {}) }, "World.Prevent inside World.Prevent", "Context.Prevent")
		NewWorld(nil).Prevent(func() {}) // another world is another matter
		var other sync.WaitGroup
		other.Go(func() { w.Prevent(func() {}) })
		other.Wait()
	})
	w.Prevent(func() {})
	atRest(t, w, 0)
}

// Whoever prevents and waits for a pause waits for himself.
func TestWaitingInsideWorldPrevent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		frozen := w.NewContext()
		frozen.Freeze()
		w.Prevent(func() {
			_, err := w.Stop(background)
			is(t, err, ErrPrevented)
			is(t, w.Collect(background, 1, never(t)), ErrPrevented)
			c := w.NewContext()
			is(t, c.Collect(background, 1, never(t)), ErrPrevented)

			stop := start(func() {
				p, err := w.Stop(background)
				ok(t, err)
				p.Start(nil)
			})
			stop.waits(t)
			panicsWith(t, ErrPrevented, func() { w.NewContext() })
			panicsWith(t, ErrPrevented, frozen.Unfreeze)
			frozen.Close()               // the pause has looked at nothing yet
			ok(t, c.Safepoint(never(t))) // does not stop
			c.Close()
		})
		synctest.Wait()
		atRest(t, w, 0)
		ok(t, w.Close())
	})
}

func TestCloseWhilePrevented(t *testing.T) {
	w := NewWorld(nil)
	w.Prevent(func() { is(t, w.Close(), ErrContexts) })
	ok(t, w.Close())
}
