package safepoint_test

import (
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/synctest"

	. "github.com/midden-gc/midden/safepoint"
)

// I11, D9: a collector that panics, or ends its goroutine, releases
// everybody; the panic reaches who asked for the pause, the others get an
// error, and so do all later calls.
func TestDamage(t *testing.T) {
	for name, f := range map[string]func(*Pause) error{
		"panic":       func(*Pause) error { panic("boom") },
		"panic error": func(*Pause) error { panic(io.ErrUnexpectedEOF) },
		"Goexit":      func(*Pause) error { runtime.Goexit(); return nil },
	} {
		for _, outsider := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := NewWorld(nil)
					a, held, joins, frozen, leaves := w.NewContext(), w.NewContext(), w.NewContext(), w.NewContext(), w.NewContext()
					frozen.Freeze()
					last := w.NewContext()
					collect := start(func() {
						if outsider {
							a.Freeze()
							w.Collect(background, 1, f)
						} else {
							a.Collect(background, 1, f)
						}
					})
					collect.waits(t)
					damaged := func(err error) {
						t.Helper()
						is(t, err, ErrDamaged)
						if name == "panic error" {
							is(t, err, io.ErrUnexpectedEOF)
						}
					}
					tasks := []*task{
						start(func() { damaged(held.Safepoint(nothing)) }),
						start(func() { damaged(joins.Collect(background, 1, nothing)) }),
						start(func() { panicsWith(t, ErrDamaged, frozen.Unfreeze) }),
						start(func() { leaves.Freeze(); leaves.Close() }),
						start(func() { panicsWith(t, ErrDamaged, func() { w.NewContext() }) }),
						start(func() { panicsWith(t, ErrDamaged, func() { w.Prevent(func() { t.Error("ran") }) }) }),
						start(func() { _, err := w.Stop(background); damaged(err) }),
						start(func() { damaged(w.Collect(background, 1, nothing)) }),
					}
					synctest.Wait()
					last.Freeze()
					synctest.Wait()
					for _, k := range tasks {
						k.now(t)
					}
					collect.ends(t)
					switch name {
					case "panic":
						if collect.value != "boom" {
							t.Errorf("the panic became %v", collect.value)
						}
					case "panic error":
						if collect.value != any(io.ErrUnexpectedEOF) {
							t.Errorf("the panic became %v", collect.value)
						}
					}

					damaged(w.Damaged())
					damaged(held.Safepoint(never(t)))
					damaged(held.Collect(background, 1, never(t)))
					panicsWith(t, ErrDamaged, func() { w.NewContext() })
					panicsWith(t, ErrDamaged, func() { held.NewContext() })
					panicsWith(t, ErrDamaged, last.Unfreeze)
					panicsWith(t, ErrDamaged, func() { w.Prevent(func() {}) })
					_, err := w.Stop(background)
					damaged(err)
					if !held.Poll() {
						t.Error("polls do not lead to the error")
					}

					held.Freeze()
					for _, c := range []*Context{a, held, joins, frozen, last} {
						c.Close()
					}
					atRest(t, w, 0)
					if n := w.Stats().Contexts; n != 0 {
						t.Errorf("%d contexts are left", n)
					}
					ok(t, w.Close())
				})
			})
		}
	}
}

// An error that a collector returns is the outcome for everyone it held, and
// damages nothing.
func TestOutcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b, c := w.NewContext(), w.NewContext(), w.NewContext()
		boom := errors.New("boom")
		var p *Pause
		stop := start(func() { p, _ = w.Stop(background) })
		stop.waits(t)
		var tasks []*task
		for _, c := range []*Context{a, b} {
			tasks = append(tasks, start(func() { is(t, c.Safepoint(never(t)), boom) }))
		}
		synctest.Wait()
		c.Freeze()
		stop.now(t)
		p.Start(boom)
		for _, k := range tasks {
			k.now(t)
		}
		ok(t, w.Damaged())
		ok(t, a.Safepoint(never(t)))
		atRest(t, w, 2)
	})
}
