package safepoint_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

type owner struct {
	context *Context
	_       [1 << 16]byte
}

// lose makes a context that nothing refers to when it returns. Its data refers
// back to it.
//
//go:noinline
func lose(w *World, f func(*Context)) {
	c := w.NewContext()
	c.SetName("forgotten")
	c.SetData(&owner{context: c})
	f(c)
}

// I16: contexts lost without Close, active, frozen and unfrozen, keep no
// pause waiting; they and their data are released, and reported with the
// place of creation.
func TestLostContext(t *testing.T) {
	for _, test := range []struct {
		name  string
		state State
		f     func(*Context)
	}{
		{"active", Active, func(c *Context) {}},
		{"frozen", Frozen, func(c *Context) { c.Freeze() }},
		{"unfrozen", Active, func(c *Context) { c.Freeze(); c.Unfreeze() }},
		{"has stopped", Active, func(c *Context) { c.Collect(background, 1, nothing) }},
	} {
		for _, timeout := range []time.Duration{10 * time.Millisecond, -1} {
			t.Run(test.name, func(t *testing.T) {
				var log bytes.Buffer
				var lost atomic.Pointer[LostReport]
				var w *World
				w = NewWorld(&Options{
					StragglerTimeout: timeout,
					Logger:           slog.New(slog.NewTextHandler(&log, nil)),
					Listener: &Listener{
						Lost: func(r LostReport) {
							lost.Store(&r)
							if test.name != "frozen" && w.Collecting() {
								return
							}
							w.NewContext().Close() // not inside the pause
						},
						Straggler: func(r StragglerReport) { t.Errorf("reported a lost context: %+v", r) },
					},
				})
				lose(w, test.f)
				if timeout < 0 {
					// Without a timeout Go's collector runs when it likes.
					runtime.GC()
				}
				over := start(func() { ok(t, w.Collect(background, 1, nothing)) })
				over.returns(t)
				for i := 0; lost.Load() == nil && i < 1000; i++ {
					runtime.GC()
					time.Sleep(time.Millisecond)
					w.Stats()
				}
				r := lost.Load()
				if r == nil {
					t.Fatal("not reported")
				}
				if r.ID != 1 || r.Name != "forgotten" || r.State != test.state || r.Age <= 0 ||
					!strings.HasSuffix(r.Created.Function, "safepoint_test.lose") {
					t.Errorf("report %+v", r)
				}
				if s := w.Stats(); s.Contexts != 0 || s.Lost != 1 {
					t.Errorf("%+v", s)
				}
				if !strings.Contains(log.String(), "name=forgotten") {
					t.Errorf("log:\n%s", &log)
				}
				atRest(t, w, 0)
				ok(t, w.Close())
			})
		}
	}
}

// Closed contexts are not lost, and Close of the world finds lost ones.
func TestCloseOfTheWorldFindsLostContexts(t *testing.T) {
	w := NewWorld(nil)
	for range 10 {
		lose(w, (*Context).Close)
		lose(w, func(c *Context) {})
	}
	is(t, w.Close(), ErrContexts)
	for range 1000 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		if w.Close() == nil {
			break
		}
	}
	ok(t, w.Close())
	if n := w.Stats().Lost; n != 10 {
		t.Errorf("%d contexts lost, want 10", n)
	}
	runtime.GC()
}

// A lost context in a world for a single one makes room for the next.
func TestLostSingle(t *testing.T) {
	w := NewWorld(&Options{Single: true})
	lose(w, func(*Context) {})
	for range 1000 {
		runtime.GC()
		time.Sleep(time.Millisecond)
		if w.Stats().Contexts == 0 {
			break
		}
	}
	c := w.NewContext()
	ok(t, c.Collect(background, 1, nothing))
	c.Close()
	ok(t, w.Close())
}

// A context is in use while one of its calls runs, although the caller does
// not use it afterwards.
func TestContextIsNotLostDuringItsLastCall(t *testing.T) {
	w := NewWorld(&Options{Listener: &Listener{Lost: func(r LostReport) {
		if r.State == AtSafepoint {
			t.Errorf("lost at a safepoint: %+v", r)
		}
	}}})
	a := w.NewContext()
	done := make(chan struct{})
	child := make(chan *Context, 1)
	child <- a.NewContext()
	go func() {
		defer close(done)
		c := <-child
		for !c.Poll() {
		}
		c.Safepoint(nothing)
	}()
	ok(t, a.Collect(background, 1, func(*Pause) error {
		for range 5 {
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
		if n := w.Held(); n != 0 {
			t.Errorf("%d shares", n)
		}
		return nil
	}))
	<-done
	for range 1000 {
		runtime.GC()
		if w.Stats().Contexts == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	atRest(t, w, 1)
	a.Close()
}

// I8: a lost context stays in the registry while a pause runs, which may be
// looking at it.
func TestContextLostDuringAPause(t *testing.T) {
	w := NewWorld(nil)
	kept := make(chan *Context, 1)
	kept <- w.NewContext()
	a := w.NewContext()
	func() {
		c := <-kept
		c.Freeze()
		kept <- c
	}()
	ok(t, a.Collect(background, 1, func(*Pause) error {
		<-kept // the last reference
		for range 20 {
			runtime.GC()
			time.Sleep(time.Millisecond)
			if s := w.Stats(); s.Contexts != 2 || s.Lost != 0 {
				t.Fatalf("taken out while the pause runs: %+v", s)
			}
		}
		return nil
	}))
	if s := w.Stats(); s.Contexts != 1 || s.Lost != 1 {
		t.Errorf("not found after the pause: %+v", s)
	}
	atRest(t, w, 1)
	a.Close()
}

// A goroutine that has lost an active context, and then waits for a pause that
// waits for that, is not accused of holding it.
func TestLoserIsNotAccused(t *testing.T) {
	w := NewWorld(&Options{StragglerTimeout: time.Hour})
	lose(w, func(*Context) {})
	ok(t, w.Collect(background, 1, nothing))
	if n := w.Stats().Lost; n != 1 {
		t.Errorf("%d contexts lost, want 1", n)
	}
	atRest(t, w, 0)
}

// A world and its contexts that nobody refers to any more are garbage.
func TestWorldIsCollected(t *testing.T) {
	var gone atomic.Bool
	func() {
		w := NewWorld(nil)
		runtime.AddCleanup(w, func(int) { gone.Store(true) }, 0)
		lose(w, func(*Context) {})
		c := w.NewContext()
		c.Close()
	}()
	for range 1000 {
		if gone.Load() {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	t.Error("still there")
}

// A context that is lost only after the pause has been waiting for it, and has
// looked for lost ones in vain, is found as well.
func TestContextLostWhileAPauseWaits(t *testing.T) {
	for _, timeout := range []time.Duration{5 * time.Millisecond, -1} {
		w := NewWorld(&Options{StragglerTimeout: timeout})
		kept := make(chan *Context, 1)
		kept <- w.NewContext()
		over := start(func() { ok(t, w.Collect(background, 1, nothing)) })
		time.Sleep(100 * time.Millisecond)
		select {
		case <-over.done:
			t.Fatal("did not wait")
		default:
		}
		<-kept // the last reference
		select {
		case <-over.done:
		case <-time.After(20 * time.Second):
			t.Fatalf("timeout %v: waits for a context that nobody can close any more", timeout)
		}
		atRest(t, w, 0)
	}
}
