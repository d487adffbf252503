package safepoint

import (
	"log/slog"
	"slices"
)

// Prevent runs f while no pause happens. It waits for a pause that is on.
//
// It is for goroutines without an active context; those use
// [Context.Prevent], which costs nothing and nests. This one does not: a
// nested call on the same goroutine panics. It panics with ErrClosed,
// ErrDamaged, ErrCollecting and ErrActive where those apply. Pauses are
// possible again when f has returned, panicked, or ended its goroutine.
func (w *World) Prevent(f func()) {
	self := goroutineID()
	w.mu.Lock()
	nested := w.prevents(self)
	w.mu.Unlock()
	if nested {
		panic("safepoint: World.Prevent inside World.Prevent on the same goroutine: a pause wanted in between would never end; use Context.Prevent, which nests, or prevent once outside")
	}
	if err := w.enter("use Context.Prevent, from the context"); err != nil {
		panic(err)
	}
	w.mu.Lock()
	w.preventers = append(w.preventers, self)
	w.preventing.Add(1)
	w.mu.Unlock()
	w.tracePrevent("prevent", self)
	defer func() {
		w.mu.Lock()
		i := slices.Index(w.preventers, self)
		w.preventers = slices.Delete(w.preventers, i, i+1)
		w.preventing.Add(-1)
		w.mu.Unlock()
		w.leave()
		w.tracePrevent("prevent end", self)
	}()
	f()
}

// prevents reports whether the goroutine is inside World.Prevent. The caller
// holds w.mu.
func (w *World) prevents(goroutine uint64) bool {
	return goroutine != 0 && slices.Contains(w.preventers, goroutine)
}

// preventerID returns the id of the calling goroutine if it is worth asking
// whether it is inside World.Prevent, and 0 otherwise.
func (w *World) preventerID() uint64 {
	if w.preventing.Load() == 0 {
		return 0
	}
	return goroutineID()
}

func (w *World) tracePrevent(msg string, goroutine uint64) {
	if w.tracing {
		w.trace(msg, slog.Uint64("goroutine", goroutine))
	}
}

// Prevent runs f while no pause happens. The context must be active. It
// never waits, and it nests; Safepoint inside does not stop, Collect fails
// with ErrPrevented. Pauses are possible again when the outermost f has
// returned, panicked, or ended its goroutine.
func (c *Context) Prevent(f func()) {
	m := c.m
	s := m.load()
	c.mustBeActive(s, "Prevent")
	if s.preventions() == preventMask>>stateBits {
		panic("safepoint: Context.Prevent nested too deep")
	}
	m.store(s + prevention)
	c.traceStep("prevent")
	defer func() {
		s := m.load() - prevention
		m.store(s)
		if !s.holds() {
			m.w.leave()
		}
		c.traceStep("prevent end")
	}()
	f()
}
