package safepoint

import (
	"iter"
	"time"
)

// A Pause is one stop of the world. Whoever holds one that is running knows
// that no context is active: functions that need the world stopped take a
// *Pause as the proof.
type Pause struct {
	w  *World
	by *member // who wants it; nil: an outsider

	phase atomicUint32
	level Level  // 0: of Stop; raised when it begins to run
	epoch uint64 // World.epoch once it has ended

	// Guarded by World.mu.
	queued  uint64        // shares that its end hands to those who wait for it
	done    chan struct{} // closed by its end; nil while nobody waits
	wake    chan struct{} // tells who wants it to look again; nil while it does not wait
	outcome error
	next    *Pause // in a queue
	served  queue  // the pauses of others that this one stands for
	adopted []uint64

	goroutine  uint64    // who is in charge; exact for outsiders, else a guess
	since      time.Time // when it was asked for, then when the gate was shut for it
	still      time.Time // when the last context stood still
	timeToStop time.Duration
}

// The phases of a pause.
const (
	phaseQueued  uint32 = iota // its turn has not come
	phaseWaiting               // the gate is shut, and it waits for contexts to stop
	phaseRunning               // the world stands still
	phaseServed                // another pause is running in its stead
	phaseEnded
)

func (p *Pause) running() bool { return p.phase.Load() == phaseRunning }

// Epoch returns what World.Epoch will be when the pause has ended.
func (p *Pause) Epoch() Epoch { return Epoch(p.epoch) }

// Level returns the strongest level that the pause serves, 0 for Stop.
func (p *Pause) Level() Level { return p.level }

// TimeToStop returns how long it took from the moment the pause was wanted
// until the last context stood still.
func (p *Pause) TimeToStop() time.Duration { return p.timeToStop }

// Contexts yields every open context in order of creation. It panics when
// the pause is not running.
func (p *Pause) Contexts() iter.Seq[*Context] {
	return func(yield func(*Context) bool) {
		if !p.running() {
			panic("safepoint: Pause.Contexts outside the pause: contexts may be visited only while the world stands still")
		}
		reads(&p.w.registry)
		for m := p.w.registry.first; m != nil; m = m.next {
			if c := m.context.Value(); c != nil && !yield(c) {
				return
			}
		}
	}
}

// Adopt declares that the calling goroutine works for the pause: its calls
// into the world fail with ErrCollecting, like those of the goroutine in
// charge, rather than wait for the pause's end. It costs microseconds. Any
// goroutine may call it while the pause runs; it panics otherwise.
func (p *Pause) Adopt() {
	id := goroutineID()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.running() {
		panic("safepoint: Pause.Adopt outside the pause: it is for goroutines that work while the world stands still")
	}
	p.adopted = append(p.adopted, id)
}

// Start ends a pause that Stop began, and restarts the world. Contexts that
// were held at a safepoint get err as the outcome. Any goroutine may call it.
// It panics for a pause that has ended already, and for one that Collect or
// Safepoint began: that ends when its function returns.
func (p *Pause) Start(err error) {
	w := p.w
	w.mu.Lock()
	if p.level > 0 || p.by != nil {
		w.mu.Unlock()
		panic("safepoint: Start of a pause that Stop did not begin: it ends when the collect function returns")
	}
	if !p.running() {
		w.mu.Unlock()
		panic("safepoint: Start of a pause that has been started already")
	}
	w.finish(p, err)
}

// ended returns a channel that is closed when the pause has ended. The caller
// holds World.mu.
func (p *Pause) ended() <-chan struct{} {
	if p.done == nil {
		p.done = make(chan struct{})
	}
	return p.done
}

// look makes whoever wants the pause test again what it waits for. The caller
// holds World.mu, so that it cannot be between test and sleep.
func (p *Pause) look() {
	if reads(&p.wake); p.wake == nil {
		return
	}
	tell(p.wake)
}

// A queue of pauses, first come first served.
type queue struct{ first, last *Pause }

func (q *queue) push(p *Pause) {
	p.next = nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
}

func (q *queue) pop() *Pause {
	p := q.first
	if p != nil {
		q.first = p.next
		if q.first == nil {
			q.last = nil
		}
		p.next = nil
	}
	return p
}

// take removes the pauses that match and returns them in order.
func (q *queue) take(match func(*Pause) bool) (taken queue) {
	var rest queue
	for p := q.pop(); p != nil; p = q.pop() {
		if match(p) {
			taken.push(p)
		} else {
			rest.push(p)
		}
	}
	*q = rest
	return taken
}
