package safepoint_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

var (
	hammerTime = flag.Duration("hammer", time.Second, "how long TestHammer runs, each time")
	hammerSeed = flag.Uint64("hammer-seed", 0, "seed of TestHammer; 0: another one each time")
)

// oracle knows what must not happen at the same time.
type oracle struct {
	t        *testing.T
	w        *World
	inside   atomic.Int64 // goroutines that are active or prevent
	paused   atomic.Bool
	pauses   atomic.Int64
	lastSeen atomic.Uint64 // epoch of the last pause

	// Plain memory, written in the pause and read by active contexts: the
	// race detector sees when that is not ordered.
	plain uint64
}

// use is what somebody does who holds a share.
func (o *oracle) use(r *rand.Rand) {
	o.inside.Add(1)
	if o.paused.Load() {
		o.t.Error("active during a pause")
	}
	_ = o.plain
	if r.IntN(4) == 0 {
		runtime.Gosched()
	}
	if o.paused.Load() {
		o.t.Error("a pause began beside an active context")
	}
	o.inside.Add(-1)
}

var errHammer = errors.New("a collector's error")

// pause is what runs while the world stands still.
func (o *oracle) pause(p *Pause, r *rand.Rand) error {
	if o.paused.Swap(true) {
		o.t.Error("two pauses at once")
	}
	o.plain++
	n := 0
	for c := range p.Contexts() {
		if s := c.State(); s != AtSafepoint && s != Frozen {
			o.t.Errorf("%v during a pause", c)
		}
		n++
		if n%8 == 0 && r.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	if n := o.inside.Load(); n != 0 {
		o.t.Errorf("%d active during a pause", n)
	}
	if h := o.w.Held(); h != 0 {
		o.t.Errorf("%d shares held during a pause", h)
	}
	if e := uint64(p.Epoch()); p.Level() > 0 && o.lastSeen.Swap(e) >= e {
		o.t.Errorf("epoch %d came late", e)
	}
	o.pauses.Add(1)
	o.plain++
	o.paused.Store(false)
	if r.IntN(5) == 0 {
		return errHammer
	}
	return nil
}

func (o *oracle) check(err error, allowed ...error) {
	if err == nil || errors.Is(err, errHammer) {
		return
	}
	for _, a := range allowed {
		if errors.Is(err, a) {
			return
		}
	}
	o.t.Errorf("unexpected error: %v", err)
}

// work does random things with a context until time is up. What it is given
// is active.
func (o *oracle) work(c *Context, r *rand.Rand, over func() bool, children *sync.WaitGroup, depth int) {
	w := o.w
	pause := func(p *Pause) error { return o.pause(p, r) }
	poll := func() {
		if c.Poll() {
			o.check(c.Safepoint(pause))
		}
	}
	short := func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(background, time.Duration(r.IntN(50))*time.Microsecond)
	}
	for !over() {
		o.use(r)
		poll()
		switch r.IntN(24) {
		case 0, 1, 2, 3:
			c.Freeze()
			if r.IntN(3) == 0 {
				runtime.Gosched()
			}
			c.Unfreeze()
		case 4:
			o.check(c.Collect(background, Level(1+r.IntN(3)), pause))
		case 5:
			ctx, cancel := short()
			o.check(c.Collect(ctx, Level(1+r.IntN(3)), pause), context.DeadlineExceeded)
			cancel()
		case 6:
			e := w.Request(Level(1 + r.IntN(3)))
			for w.Epoch() <= e && r.IntN(100) > 0 {
				poll()
			}
		case 7, 8:
			c.Prevent(func() {
				o.use(r)
				poll()
				c.Prevent(func() { o.use(r) })
				o.check(c.Collect(background, 1, pause), ErrPrevented)
				if r.IntN(2) == 0 {
					c.Freeze()
					o.use(r) // the prevention has a share
					c.Unfreeze()
				}
				o.use(r)
			})
		case 9:
			if depth < 2 {
				child := c.NewContext()
				seed := r.Uint64()
				children.Go(func() {
					r := rand.New(rand.NewPCG(seed, 1))
					var n atomic.Int64
					n.Store(5 + r.Int64N(20))
					o.work(child, r, func() bool { return n.Add(-1) < 0 || over() }, children, depth+1)
				})
			}
		case 10:
			c.Freeze()
			p, err := w.Stop(background)
			o.check(err)
			if err == nil {
				p.Start(o.pause(p, r))
			}
			c.Unfreeze()
		case 11:
			c.Freeze()
			ctx, cancel := short()
			if p, err := w.Stop(ctx); err == nil {
				p.Start(o.pause(p, r))
			} else {
				o.check(err, context.DeadlineExceeded)
			}
			cancel()
			c.Unfreeze()
		case 12:
			c.Freeze()
			o.check(w.Collect(background, Level(1+r.IntN(3)), pause))
			c.Unfreeze()
		case 13:
			c.Freeze()
			ctx, cancel := short()
			o.check(w.Collect(ctx, Level(1+r.IntN(3)), pause), context.DeadlineExceeded)
			cancel()
			c.Unfreeze()
		case 14:
			if depth == 0 {
				if r.IntN(2) == 0 {
					c.Freeze()
				}
				c.Close()
				c = w.NewContext()
			}
		case 15:
			c.Freeze()
			if r.IntN(10) == 0 {
				w.Prevent(func() { o.use(r) })
			}
			c.Unfreeze()
		case 16:
			if depth == 0 && r.IntN(20) == 0 {
				c.SetData(c) // a cycle must not keep it
				if r.IntN(2) == 0 {
					c.Freeze()
				}
				c = nil // lost
				c = w.NewContext()
			}
		case 17:
			if r.IntN(200) == 0 {
				_ = w.Stats()
				_ = fmt.Sprint(c)
			}
		}
	}
	if r.IntN(2) == 0 {
		c.Freeze()
	}
	c.Close()
}

// TestHammer does everything at random from many goroutines, without
// deadlines on most calls.
func TestHammer(t *testing.T) {
	for _, workers := range []int{2, 16} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			seed := *hammerSeed
			if seed == 0 {
				seed = rand.Uint64()
			}
			t.Logf("-hammer-seed=%d", seed)
			w := NewWorld(&Options{StragglerTimeout: 20 * time.Millisecond})
			o := &oracle{t: t, w: w}
			var stop atomic.Bool
			var all sync.WaitGroup
			for i := range workers {
				all.Go(func() {
					r := rand.New(rand.NewPCG(seed, uint64(i)))
					o.work(w.NewContext(), r, stop.Load, &all, 0)
				})
			}
			time.Sleep(*hammerTime)
			stop.Store(true)
			over := start(all.Wait)
			over.returns(t)

			for range 100 {
				if w.Stats().Contexts == 0 {
					break
				}
				runtime.GC()
				time.Sleep(time.Millisecond)
			}
			if s := w.Stats(); s.Contexts != 0 {
				t.Errorf("contexts are left: %+v", s)
			}
			// A request may be left over that nobody was there to serve.
			c := w.NewContext()
			c.Safepoint(nothing)
			c.Safepoint(nothing)
			c.Close()
			atRest(t, w, 0)
			if o.pauses.Load() == 0 {
				t.Error("no pause happened")
			}
			ok(t, w.Close())
			t.Logf("%d pauses, %+v", o.pauses.Load(), w.Stats())
		})
	}
}
