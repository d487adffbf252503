package safepoint

import (
	"context"
	"log/slog"
	"runtime"
)

var background = context.Background()

// Safepoint is where the context may be stopped. If a pause is on it stands
// still until that has ended, and returns its outcome. If a pause has been
// requested it stops the world, runs collect, which finds the level in its
// argument, and returns what that returns. Otherwise, and inside Prevent, it
// returns nil at once. A nil collect leaves requests to others.
//
// The context must be active. Safepoint returns an error that wraps
// ErrCollecting when called from inside the pause, and ErrDamaged once the
// world is damaged. If collect panics so does Safepoint.
func (c *Context) Safepoint(collect func(*Pause) error) error {
	if c.flag.Load() == 0 {
		return nil
	}
	return c.safepoint(collect)
}

func (c *Context) safepoint(collect func(*Pause) error) error {
	m := c.m
	w := m.w
	s := m.load()
	if s.state() == AtSafepoint {
		return ErrCollecting
	}
	c.mustBeActive(s, "Safepoint")
	if s.preventions() > 0 {
		return nil
	}
	self := w.preventerID()
	c.noteDepth()

	w.mu.Lock()
	switch {
	case w.damage != nil:
		err := w.damage
		w.mu.Unlock()
		return err
	case w.prevents(self):
		// The goroutine itself holds off what it would wait for.
		w.mu.Unlock()
		return nil
	case w.cur != nil:
		return c.park()
	case w.want == 0:
		w.gate.flag.Store(0)
		w.mu.Unlock()
		c.traceStep("safepoint, nothing wanted")
		return nil
	case collect == nil:
		w.mu.Unlock()
		return nil
	}
	return c.collect(background, 0, collect)
}

// Collect stops the world, runs collect in a pause of at least level l, and
// returns what that returns. If another pause of any level is wanted and has
// not begun to run, only one of them runs, at the stronger level, and both
// callers get its outcome.
//
// If ctx ends before the world stands still the pause is given up: contexts
// already stopped go on, and the error wraps ctx.Err(). Once the pause runs
// ctx does not matter.
//
// The context must be active, and l not 0. Collect fails with ErrPrevented
// inside Prevent, with ErrCollecting inside the pause, and with ErrDamaged.
// If collect panics so does Collect.
func (c *Context) Collect(ctx context.Context, l Level, collect func(*Pause) error) error {
	m := c.m
	w := m.w
	mustBeLevel(l)
	s := m.load()
	if s.state() == AtSafepoint {
		return ErrCollecting
	}
	c.mustBeActive(s, "Collect")
	if s.preventions() > 0 {
		return ErrPrevented
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	self := w.preventerID()
	c.noteDepth()
	w.mu.Lock()
	if err := w.damage; err != nil {
		w.mu.Unlock()
		return err
	}
	if w.prevents(self) {
		w.mu.Unlock()
		return ErrPrevented
	}
	return c.collect(ctx, l, collect)
}

// collect asks for a pause and runs it, unless another one serves it. The
// caller holds w.mu; collect releases it.
func (c *Context) collect(ctx context.Context, l Level, f func(*Pause) error) error {
	m := c.m
	w := m.w
	m.become(AtSafepoint)
	defer c.goOn()
	p := &Pause{w: w, by: m, level: l, goroutine: m.goroutine.Load()}
	w.ask(p)
	mine, err := w.reach(ctx, p)
	if !mine {
		return err
	}
	return w.run(p, f)
}

// park stands still until the pause that is on has ended. The caller holds
// w.mu; park releases it.
func (c *Context) park() error {
	m := c.m
	w := m.w
	p := w.cur
	m.become(AtSafepoint)
	p.queued++
	done := p.ended()
	if w.gate.leave() {
		p.look()
	}
	w.mu.Unlock()
	c.traceStep("park")
	wait(done)
	c.goOn()
	return p.outcome
}

// goOn makes a context active whose share has come back.
func (c *Context) goOn() {
	m := c.m
	m.become(Active)
	m.stamp()
	c.traceStep("go on")
	runtime.KeepAlive(c)
}

func mustBeLevel(l Level) {
	if l == 0 {
		panic("safepoint: Collect at level 0, which is no pause; the weakest level is 1")
	}
}

// noteDepth records the depth of the shadow stack while its owner can tell.
func (c *Context) noteDepth() {
	m := c.m
	if m.w.depth != nil {
		m.depth.Store(int64(m.w.depth(c.data)))
	}
}

// traceStep logs a step of the context. The owner calls it.
func (c *Context) traceStep(msg string) {
	m := c.m
	if m.w.tracing {
		c.noteDepth()
		m.w.trace(msg, slog.Any("context", m))
	}
}
