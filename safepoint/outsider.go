package safepoint

import (
	"context"
	"fmt"
)

// Stop stops the world: when it returns, every context stands still, and
// stays so until [Pause.Start]. The pause serves no request, and no request
// begins it; outsiders that want one of their own queue.
//
// It is for goroutines without an active context; those use
// [Context.Collect]. Until Start the goroutine must not call into the world,
// except as methods of the Pause allow.
//
// If ctx ends first the pause is given up: contexts already stopped go on,
// and the error wraps ctx.Err(). Stop fails with ErrClosed and ErrDamaged,
// and with ErrCollecting, ErrPrevented or ErrActive if it finds that it would
// wait for its own goroutine.
func (w *World) Stop(ctx context.Context) (*Pause, error) {
	p, mine, err := w.outside(ctx, 0)
	if !mine {
		return nil, err
	}
	return p, nil
}

// Collect stops the world, runs f in a pause of at least level l, restarts
// the world and returns what f returned. If another pause of any level is
// wanted and has not begun to run, only one of them runs, at the stronger
// level, and both callers get its outcome.
//
// It is for goroutines without an active context, and l must not be 0. It
// gives up and fails as Stop does. If f panics so does Collect.
func (w *World) Collect(ctx context.Context, l Level, f func(*Pause) error) error {
	mustBeLevel(l)
	p, mine, err := w.outside(ctx, l)
	if !mine {
		return err
	}
	return w.run(p, f)
}

// outside asks for a pause on behalf of a goroutine without a share.
func (w *World) outside(ctx context.Context, l Level) (p *Pause, mine bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	p = &Pause{w: w, level: l, goroutine: goroutineID()}
	w.mu.Lock()
	if err := w.unusable(); err != nil {
		w.mu.Unlock()
		return nil, false, err
	}
	if w.prevents(p.goroutine) {
		w.mu.Unlock()
		return nil, false, fmt.Errorf("%w: it is inside World.Prevent", ErrPrevented)
	}
	if w.single && w.cur != nil {
		w.mu.Unlock()
		return nil, false, ErrCollecting
	}
	w.ask(p)
	mine, err = w.reach(ctx, p)
	return p, mine, err
}
