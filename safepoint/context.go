package safepoint

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"
	"weak"
)

// A Context is one participant of a World. It belongs to one goroutine at a
// time, which may hand it to another one; only String, LogValue, State, Name,
// SetName and ID may be called by any goroutine at any moment.
//
// A context that becomes unreachable without Close is found after a while
// and taken out of the world; see [Listener].
type Context struct {
	m       *member
	flag    *atomicUint32
	data    any
	cleanup runtime.Cleanup
}

// NewContext adds an active context to the world, waiting for a pause that
// is on to end. The calling goroutine must not have an active context of the
// world: it could wait for itself. [Context.NewContext] is for that.
//
// It panics with ErrClosed, ErrDamaged, ErrSingle if the world was made for
// one context and has it, and with ErrCollecting, ErrPrevented or ErrActive
// if it finds that it would wait for its own goroutine.
func (w *World) NewContext() *Context {
	if err := w.enter("use Context.NewContext, from the active context"); err != nil {
		panic(err)
	}
	return w.join(false)
}

// NewContext adds another active context to the world of c, which must be
// active. It never waits. The new context may be handed to another
// goroutine. It panics with ErrDamaged, and with ErrSingle.
func (c *Context) NewContext() *Context {
	w := c.m.w
	c.mustBeActive(c.m.load(), "NewContext")
	if err := w.Damaged(); err != nil {
		panic(err)
	}
	// Our own share keeps the world running, and the count above zero.
	w.gate.add(1, w.single)
	n := w.join(true)
	runtime.KeepAlive(c)
	return n
}

// join registers a new context, for which the caller holds a share.
func (w *World) join(child bool) *Context {
	if w.single {
		w.mu.Lock()
		w.drain()
		w.mu.Unlock()
		w.tellLost()
		if w.registry.len() > 0 {
			w.leave()
			panic(ErrSingle)
		}
	}
	m := &member{w: w, created: now(), child: child}
	m.depth.Store(-1)
	runtime.Callers(3, m.from[:])
	m.stamp()
	c := &Context{m: m, flag: &w.gate.flag}
	m.context = weak.Make(c)
	w.registry.add(m)
	c.cleanup = onLoss(c, m)
	c.traceStep("create")
	return c
}

// Poll reports whether the context should go to its Safepoint. It is one
// atomic load, and a hint: Safepoint decides.
func (c *Context) Poll() bool { return c.flag.Load() != 0 }

// Freeze takes the context out: until Unfreeze no pause waits for it, and it
// must leave alone what the pauses protect. It never waits. It panics unless
// the context is active.
func (c *Context) Freeze() {
	m := c.m
	w := m.w
	s := m.load()
	if !s.plain(Active) {
		c.freezeHeld(s)
		return
	}
	if w.tracing {
		c.traceStep("freeze")
	}
	m.store(s.to(Frozen))
	w.leave()
	runtime.KeepAlive(c)
}

// freezeHeld freezes a context that keeps its share, because of Prevent.
func (c *Context) freezeHeld(s status) {
	c.mustBeActive(s, "Freeze")
	c.traceStep("freeze")
	c.m.store(s.to(Frozen))
}

// Unfreeze makes a frozen context active, waiting for a pause that is on to
// end. It panics unless the context is frozen, with ErrDamaged, and with
// ErrCollecting, ErrPrevented or ErrActive if it finds that it would wait for
// its own goroutine. It is still frozen then.
func (c *Context) Unfreeze() {
	m := c.m
	w := m.w
	s := m.load()
	if !s.plain(Frozen) {
		c.unfreezeHeld(s)
		return
	}
	if !w.tryEnter() {
		c.unfreezeSlow(s)
		return
	}
	m.store(s.to(Active))
	if w.tracing {
		c.traceStep("unfreeze")
	}
	runtime.KeepAlive(c)
}

// TryUnfreeze is Unfreeze if that need not wait: it reports whether it has made
// the context active. It is for who holds something, such as a lock, that others
// may want before they can stop: to wait for the end of a pause with it would be
// a deadlock. It panics unless the context is frozen. In a world that is closed
// or damaged it is false.
func (c *Context) TryUnfreeze() bool {
	m := c.m
	s := m.load()
	if !s.plain(Frozen) {
		c.unfreezeHeld(s)
		return true
	}
	if !m.w.tryEnter() {
		return false
	}
	m.store(s.to(Active))
	c.traceStep("unfreeze")
	runtime.KeepAlive(c)
	return true
}

func (c *Context) unfreezeSlow(s status) {
	m := c.m
	w := m.w
	if err := w.enterSlow("unfreeze it after the pause"); err != nil {
		panic(err)
	}
	m.store(s.to(Active))
	m.stamp()
	c.traceStep("unfreeze")
}

// unfreezeHeld unfreezes a context that has its share, because of Prevent.
func (c *Context) unfreezeHeld(s status) {
	c.mustBe(Frozen, s, "Unfreeze")
	c.m.store(s.to(Active))
	c.traceStep("unfreeze")
}

// Close takes the context out of the world for good, active or frozen. A
// frozen one waits for a pause that runs to end, since that may be looking at
// it; it panics with ErrCollecting, ErrPrevented or ErrActive like
// Unfreeze. Closing it again does nothing.
func (c *Context) Close() {
	m := c.m
	w := m.w
	s := m.load()
	switch s.state() {
	case Closed:
		return
	case AtSafepoint:
		c.mustBeActive(s, "Close")
	}
	borrowed := !s.holds()
	if borrowed {
		// The registry changes only in the hands of a holder.
		switch err := w.borrow(); {
		case err == nil:
		case w.Damaged() != nil:
			borrowed = false // no pause will ever look at the registry
		default:
			panic(err)
		}
	}
	c.traceStep("close")
	c.cleanup.Stop()
	w.registry.remove(m)
	m.store(s.to(Closed))
	if borrowed || s.plain(Active) {
		w.leave()
	}
	runtime.KeepAlive(c)
}

// State returns what the context is doing.
func (c *Context) State() State { return c.m.load().state() }

// ID returns the number of the context: 1 for the first of its world.
func (c *Context) ID() uint64 { return c.m.id }

// Name returns what SetName was given last.
func (c *Context) Name() string { return c.m.nameString() }

// SetName names the context in logs and reports.
func (c *Context) SetName(name string) { c.m.name.Store(&name) }

// Data returns what SetData was given last.
func (c *Context) Data() any { return c.data }

// SetData attaches something of the embedder's, to be found again when a
// pause visits the contexts. It may refer to the context. Only the owner of
// an active context may call it.
func (c *Context) SetData(data any) {
	c.data = data
	c.m.noteData(data)
}

// String describes the context: id, name, state, age and depth, the last as
// of its last slow step.
func (c *Context) String() string {
	m := c.m
	s := fmt.Sprintf("context %d", m.id)
	if name := m.nameString(); name != "" {
		s += fmt.Sprintf(" %q", name)
	}
	s += fmt.Sprintf(" %v, %v old", m.load().state(), since(m.created).Round(time.Microsecond))
	if d := m.depth.Load(); d >= 0 {
		s += fmt.Sprintf(", depth %d", d)
	}
	return s
}

// LogValue describes the context as String does.
func (c *Context) LogValue() slog.Value { return c.m.LogValue() }

// mustBeActive panics unless s is that of an active context.
func (c *Context) mustBeActive(s status, call string) { c.mustBe(Active, s, call) }

func (c *Context) mustBe(want State, s status, call string) {
	got := s.state()
	if got == want {
		return
	}
	switch got {
	case AtSafepoint:
		panic(fmt.Errorf("%w: %s of a %s that is at a safepoint; wait for the pause to end", ErrCollecting, call, c.m.w.noun))
	case Closed:
		panic(fmt.Sprintf("safepoint: %s of a context that is closed; create a new one", call))
	case Frozen:
		if call == "Freeze" {
			panic("safepoint: Freeze of a context that is already frozen; pair every Freeze with one Unfreeze")
		}
		panic(fmt.Sprintf("safepoint: %s of a context that is frozen; Unfreeze it first", call))
	default:
		panic(fmt.Sprintf("safepoint: %s of a context that is active; Freeze it first", call))
	}
}
