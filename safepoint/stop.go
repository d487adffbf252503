package safepoint

import (
	"context"
	"fmt"
	"log/slog"
)

// ask makes p the pause that is on, or queues it behind that one. The share
// of a member that wants it is given back in the same step. The caller holds
// w.mu.
func (w *World) ask(p *Pause) {
	var own uint64
	if p.by != nil {
		own = 1
	}
	p.since = now()
	if w.cur == nil {
		w.cur = p
		p.phase.Store(phaseWaiting)
		w.gate.close(own, w.single)
		w.gate.flag.Store(1)
		return
	}
	w.queue.push(p)
	if own > 0 && w.gate.leave() {
		w.cur.look()
	}
}

// lastOut wakes the pause that waits for the share just given back. The
// pause tests and goes to sleep under w.mu, so that it cannot miss this.
func (w *World) lastOut() {
	w.mu.Lock()
	if w.cur != nil {
		w.cur.look()
	}
	w.mu.Unlock()
}

// reach brings a pause that was asked for to the point where the world
// stands still: mine is true then, and the caller owes finish. Otherwise
// another pause has served it and err is its outcome, or it was given up
// because ctx ended, or it was a mistake to ask. The caller holds w.mu;
// reach releases it.
//
// When it returns false the share of a member is back.
func (w *World) reach(ctx context.Context, p *Pause) (mine bool, err error) {
	cancelled := ctx.Done()
	var v vigil
	defer v.end()
	watching := false
	defer func() {
		if watching {
			// A listener has panicked. It is told only while p waits.
			w.mu.Lock()
			w.withdraw(p)
		}
	}()
	wanted := false
	for {
		if p.phase.Load() == phaseWaiting {
			w.drain()
		}
		switch phase := p.phase.Load(); {
		case phase == phaseEnded:
			w.mu.Unlock()
			return false, p.outcome
		case phase == phaseWaiting && w.gate.held(w.single) == 0:
			w.begin(p)
			w.mu.Unlock()
			if !wanted {
				w.tracePause("stop wanted", p)
			}
			w.traceStopped(p)
			return true, nil
		}
		if w.single {
			w.withdraw(p)
			if p.by != nil {
				return false, ErrPrevented
			}
			return false, ErrActive
		}
		if p.wake == nil {
			writes(&p.wake)
			p.wake = make(chan struct{}, 1)
		}
		w.mu.Unlock()
		if !wanted {
			w.tracePause("stop wanted", p)
			wanted = true
		}

		// Only p.wake leads to another look at what p waits for. A tick does
		// not: it would hide a wake-up that is lost.
		var giveUp error
		for woken := false; !woken && giveUp == nil; {
			switch v.sleep(p.wake, cancelled) {
			case first:
				woken = true
			case second:
				cancelled = nil
				giveUp = fmt.Errorf("safepoint: the pause was given up: %w", ctx.Err())
			case ticked:
				watching = true
				giveUp = w.watch(&v, p)
				watching = false
			}
		}
		w.mu.Lock()
		if giveUp != nil && w.canWithdraw(p) {
			w.withdraw(p)
			return false, giveUp
		}
	}
}

// begin runs the pause: from here on nobody may start until it has ended.
// It serves whatever has been requested so far, unless it is one of Stop. The
// caller holds w.mu.
func (w *World) begin(p *Pause) {
	p.still = now()
	p.timeToStop = p.still.Sub(p.since)
	w.measured().stop.Add(p.timeToStop)
	p.epoch = w.epoch.Load()
	if p.level > 0 || p.by != nil {
		p.epoch++
		p.level = max(p.level, w.want)
		w.want = 0
		p.served = w.queue.take(func(q *Pause) bool { return q.level > 0 })
		for q := p.served.first; q != nil; q = q.next {
			q.phase.Store(phaseServed)
			q.look()
			p.level = max(p.level, q.level)
		}
	}
	p.phase.Store(phaseRunning)
}

// run calls f with the world stopped. A panic of f, or a runtime.Goexit,
// damages the world: everybody is released with that as the outcome before
// it goes its way.
//
// It is not inlined since its frame shows which goroutine is in charge.
//
//go:noinline
func (w *World) run(p *Pause, f func(*Pause) error) error {
	var err error
	returned := false
	defer func() {
		if returned {
			return
		}
		d := &damage{value: recover()}
		d.goexit = d.value == nil
		w.mu.Lock()
		w.damage = d
		w.finish(p, d)
		if !d.goexit {
			panic(d.value)
		}
	}()
	w.tracePause("collect begin", p)
	if f != nil {
		err = f(p)
	}
	w.tracePause("collect end", p)
	returned = true
	w.mu.Lock()
	w.finish(p, err)
	return err
}

// finish ends a pause, however it went: it opens the gate and, in the same
// step, hands a share to everyone who waits for that. If another pause is
// queued the gate is shut for it at once, but only after everybody who
// waited for this one is in.
//
// The caller holds w.mu; finish releases it.
func (w *World) finish(p *Pause, outcome error) {
	ran := p.running()
	admitted := p.queued
	if p.by != nil {
		admitted++
	}
	p.outcome = outcome
	for q := p.served.pop(); q != nil; q = p.served.pop() {
		admitted += w.settle(q, outcome)
	}
	if w.damage != nil {
		for q := w.queue.pop(); q != nil; q = w.queue.pop() {
			admitted += w.settle(q, w.damage)
		}
	}
	if ran {
		w.epoch.Store(p.epoch)
		w.measured().pause.Add(since(p.still))
	} else {
		w.stats.GivenUp++
	}
	p.phase.Store(phaseEnded)

	next := w.queue.pop()
	w.cur = next
	switch {
	case next != nil:
		next.phase.Store(phaseWaiting)
		next.since = now()
		w.gate.flag.Store(1)
		w.gate.add(admitted, w.single)
		next.look()
	case w.damage != nil:
		w.gate.flag.Store(1)
		w.gate.open(admitted+barred, w.single)
	default:
		w.gate.flag.Store(flagFor(w.want))
		w.gate.open(admitted, w.single)
	}
	if p.done != nil {
		release(p.done)
	}
	untold := w.takeUntold()
	w.mu.Unlock()

	w.traceFinish(p, ran, admitted)
	w.tell(untold)
}

// settle ends the queued pause q with an outcome that is not its own, and
// returns how many shares that hands back.
func (w *World) settle(q *Pause, outcome error) uint64 {
	q.outcome = outcome
	q.phase.Store(phaseEnded)
	q.look()
	if q.by != nil {
		return 1
	}
	return 0
}

func flagFor(want Level) uint32 {
	if want > 0 {
		return 1
	}
	return 0
}

// canWithdraw reports whether p may still be given up: it has not begun and
// nothing but its own wish keeps it. The caller holds w.mu.
func (w *World) canWithdraw(p *Pause) bool {
	switch p.phase.Load() {
	case phaseQueued:
		return true
	case phaseWaiting:
		return w.gate.held(w.single) > 0
	}
	return false
}

// withdraw gives up a pause that has not begun, and gets the share of its
// member back. The caller holds w.mu; withdraw releases it.
func (w *World) withdraw(p *Pause) {
	if w.cur == p {
		w.finish(p, nil)
		return
	}
	w.queue.take(func(q *Pause) bool { return q == p })
	p.phase.Store(phaseEnded)
	w.stats.GivenUp++
	cur := w.cur
	var done <-chan struct{}
	switch {
	case p.by == nil:
	case cur.phase.Load() == phaseWaiting && w.gate.held(w.single) > 0:
		// The pause that is on waits for others anyway; let it wait for us.
		w.gate.add(1, w.single)
	default:
		cur.queued++
		done = cur.ended()
	}
	w.mu.Unlock()
	if done != nil {
		wait(done)
	}
	if w.tracing {
		w.trace("give up", slog.Any("context", p.by))
	}
}
