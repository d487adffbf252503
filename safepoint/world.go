package safepoint

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// A Level is the strength of a wanted pause. Its meaning is the embedder's;
// this package only compares: a pause of level L serves every request up to
// L. 0 means none.
type Level uint8

// An Epoch counts the pauses that have ended. Only those count that served
// requests: not those of Stop, and not those that were given up.
type Epoch uint64

// A World is a set of contexts that are stopped and restarted together. Its
// methods may be called from any goroutine, except as they say.
type World struct {
	// Constant.
	single    bool
	tracing   bool // records at LevelTrace are wanted
	straggler time.Duration
	log       *slog.Logger
	listener  *Listener
	depth     func(any) int
	within    []string
	noun      string

	gate gate

	epoch      atomicUint64
	preventing atomicInt32 // len(preventers)
	lost       atomicPointer[member]

	mu         mutex
	cur        *Pause // the pause that is on; nil exactly while the gate is open
	queue      queue  // pauses wanted for later; empty while cur is nil
	want       Level  // requested and not yet served
	closed     bool
	damage     error
	preventers []uint64     // goroutines inside World.Prevent
	untold     []LostReport // found, and not yet told
	stats      counters
	times      *times // nil before the first pause

	registry registry
}

// NewWorld returns a world without contexts. A nil o means the defaults.
func NewWorld(o *Options) *World {
	if o == nil {
		o = &Options{}
	}
	w := &World{
		single:    o.Single,
		straggler: o.StragglerTimeout,
		log:       o.Logger,
		listener:  o.Listener,
		depth:     o.Depth,
		within:    o.Within,
		noun:      o.Noun,
	}
	if w.noun == "" {
		w.noun = "context"
	}
	if w.within == nil {
		w.within = []string{"github.com/midden-gc/midden."}
	}
	if w.straggler == 0 {
		w.straggler = defaultStragglerTimeout
	}
	w.tracing = w.log != nil && w.log.Enabled(background, LevelTrace)
	return w
}

// Flag returns what polls read: nonzero means that a pause or a request is
// wanted, and that the context should go to its Safepoint. Embedders load it
// in place of calling Poll. It is not theirs to store.
func (w *World) Flag() *atomic.Uint32 { return bare(&w.gate.flag) }

// Epoch returns the number of pauses that have ended.
func (w *World) Epoch() Epoch { return Epoch(w.epoch.Load()) }

// Collecting reports whether a pause is on: contexts are being stopped, or
// stand still.
func (w *World) Collecting() bool { return w.gate.load(w.single)&shut != 0 }

// Damaged returns nil, or an error that wraps ErrDamaged once a function
// that ran in a pause has panicked or called [runtime.Goexit]. From then on
// no pause happens in the world, and every call that would enter it, collect
// or join fails with that error. Freeze and Close go on working.
func (w *World) Damaged() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.damage
}

// Request says that a pause of at least level l is wanted, without waiting
// for it: a context that reaches its safepoint collects. The request has been
// served once w.Epoch() exceeds the result. A level of 0 requests nothing.
func (w *World) Request(l Level) Epoch {
	w.mu.Lock()
	e := w.Epoch()
	if l > 0 && w.unusable() == nil {
		if p := w.cur; p != nil && p.running() && p.level > 0 {
			e++ // it has begun without us
		}
		w.want = max(w.want, l)
		w.gate.flag.Store(1)
	}
	w.mu.Unlock()
	if w.tracing {
		w.trace("request", levelAttr(l), slog.Uint64("epoch", uint64(e)))
	}
	return e
}

// Close closes the world. It fails with ErrContexts while a context is open
// or a function given to Prevent runs, and with ErrCollecting while a pause
// is on; the world is as before then. Closing it again does nothing.
func (w *World) Close() error {
	err := w.close()
	w.tellLost()
	if w.tracing {
		w.trace("close world", slog.Any("err", err))
	}
	return err
}

func (w *World) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	if w.cur != nil {
		return fmt.Errorf("%w: Close while a pause is on", ErrCollecting)
	}
	w.drain()
	if n := w.registry.len(); n > 0 {
		return fmt.Errorf("%w: %d", ErrContexts, n)
	}
	if !w.gate.bar(w.single) {
		return fmt.Errorf("%w, or a function that prevents pauses", ErrContexts)
	}
	w.closed = true
	return nil
}

// unusable returns why nobody may enter the world any more. The caller holds
// w.mu.
func (w *World) unusable() error {
	if w.damage != nil {
		return w.damage
	}
	if w.closed {
		return ErrClosed
	}
	return nil
}
