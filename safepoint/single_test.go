package safepoint_test

import (
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// The same API for a single context: nothing waits, and what would have to
// fails.
func TestSingle(t *testing.T) {
	w := NewWorld(&Options{Single: true})
	c := w.NewContext()
	panicsWith(t, ErrSingle, func() { w.NewContext() })
	panicsWith(t, ErrSingle, func() { c.NewContext() })
	atRest(t, w, 1)

	e := w.Request(2)
	if !c.Poll() {
		t.Error("the request does not show")
	}
	ran := false
	ok(t, c.Safepoint(func(p *Pause) error {
		ran = p.Level() == 2 && c.State() == AtSafepoint
		is(t, c.Collect(background, 1, never(t)), ErrCollecting)
		is(t, w.Collect(background, 1, never(t)), ErrCollecting)
		panicsWith(t, ErrCollecting, func() { w.Prevent(func() {}) })
		return nil
	}))
	if !ran || w.Epoch() <= e || c.Poll() {
		t.Errorf("ran %v, epoch %d, poll %v", ran, w.Epoch(), c.Poll())
	}

	_, err := w.Stop(background)
	is(t, err, ErrActive)
	is(t, w.Collect(background, 1, never(t)), ErrActive)
	c.Prevent(func() {
		is(t, c.Collect(background, 1, never(t)), ErrPrevented)
		c.Freeze()
		c.Unfreeze()
	})
	w.Prevent(func() { is(t, c.Collect(background, 1, never(t)), ErrPrevented) })
	atRest(t, w, 1)

	c.Freeze()
	ok(t, w.Collect(background, 1, nothing))
	p, err := w.Stop(background)
	ok(t, err)
	panicsWith(t, ErrCollecting, c.Unfreeze)
	panicsWith(t, ErrCollecting, c.Close)
	panicsWith(t, ErrCollecting, func() { w.NewContext() })
	p.Start(nil)
	c.Unfreeze()
	is(t, w.Close(), ErrContexts)

	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic is lost")
			}
		}()
		c.Collect(background, 1, func(*Pause) error { panic("boom") })
	}()
	is(t, w.Damaged(), ErrDamaged)
	is(t, c.Safepoint(nothing), ErrDamaged)
	c.Freeze()
	panicsWith(t, ErrDamaged, c.Unfreeze)
	c.Close()
	ok(t, w.Close())
	panicsWith(t, ErrDamaged, func() { w.NewContext() })
}

// Nothing waits in a world for a single context, not even for a moment.
func TestSingleDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(&Options{Single: true})
		c := w.NewContext()
		began := time.Now()
		_, err := w.Stop(background)
		is(t, err, ErrActive)
		c.Freeze()
		p, err := w.Stop(background)
		ok(t, err)
		panicsWith(t, ErrCollecting, c.Unfreeze)
		panicsWith(t, ErrCollecting, c.Close)
		p.Start(nil)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited for %v", waited)
		}
		c.Close()
	})
}

func TestSingleClosed(t *testing.T) {
	w := NewWorld(&Options{Single: true})
	w.NewContext().Close()
	w.NewContext().Close()
	ok(t, w.Close())
	panicsWith(t, ErrClosed, func() { w.NewContext() })
}
