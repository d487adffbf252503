package safepoint_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// I1, I15: what a pause excludes, one transition at a time. While the pause
// runs, each of the entries has to wait, and comes in at its end without any
// time passing.
func TestEntriesWaitForTheEnd(t *testing.T) {
	for _, outsider := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := NewWorld(nil)
			c := w.NewContext()
			frozen, leaving := w.NewContext(), w.NewContext()
			frozen.Freeze()
			leaving.Freeze()
			data := 0 // plain: the race detector checks the ordering
			release := make(chan struct{})
			pause := func(p *Pause) error {
				data++
				<-release
				n := 0
				for range p.Contexts() {
					n++
				}
				if n != 3 {
					t.Errorf("%d contexts in the registry, want 3", n)
				}
				data++
				return nil
			}
			collect := start(func() {
				if outsider {
					c.Freeze()
					ok(t, w.Collect(background, 1, pause))
					c.Unfreeze()
				} else {
					ok(t, c.Collect(background, 1, pause))
				}
			})
			synctest.Wait()
			if !w.Collecting() {
				t.Error("not collecting")
			}
			var fresh *Context
			tasks := []*task{
				start(func() { frozen.Unfreeze(); data += 0 }),
				start(func() { leaving.Close() }),
				start(func() { fresh = w.NewContext() }),
				start(func() { w.Prevent(func() {}) }),
			}
			for _, k := range tasks {
				k.waits(t)
			}
			close(release)
			for _, k := range append(tasks, collect) {
				k.now(t)
			}
			if data != 2 {
				t.Errorf("data = %d", data)
			}
			if w.Collecting() {
				t.Error("still collecting")
			}
			atRest(t, w, 3)
			for _, c := range []*Context{c, frozen, fresh} {
				c.Close()
			}
			ok(t, w.Close())
		})
	}
}

// I2, I3, I4, I7: each way of leaving lets the pause run that waits for it,
// without any time passing.
func TestLeavingLetsThePauseRun(t *testing.T) {
	leave := map[string]func(c *Context){
		"freeze":    func(c *Context) { c.Freeze() },
		"close":     func(c *Context) { c.Close() },
		"safepoint": func(c *Context) { c.Safepoint(nil) },
		"collect":   func(c *Context) { c.Collect(background, 1, nothing) },
	}
	for name, f := range leave {
		for _, stop := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := NewWorld(&Options{StragglerTimeout: -1})
					a, b := w.NewContext(), w.NewContext()
					running := false
					collect := start(func() {
						if stop {
							a.Freeze()
							p, err := w.Stop(background)
							ok(t, err)
							running = true
							p.Start(nil)
							return
						}
						ok(t, a.Collect(background, 1, func(p *Pause) error {
							running = true
							return nil
						}))
					})
					collect.waits(t)
					if running {
						t.Fatal("runs beside an active context")
					}
					if !b.Poll() {
						t.Error("the flag is not set")
					}
					k := start(func() { f(b) })
					collect.now(t)
					k.now(t)
					if !running {
						t.Error("did not run")
					}
				})
			})
		}
	}
}

// I2, I7, D4: a context that freezes while a pause waits has stopped; its
// Unfreeze waits although the pause has not begun to run.
func TestUnfreezeWaitsForAPauseThatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b, c := w.NewContext(), w.NewContext(), w.NewContext()
		collect := start(func() { ok(t, a.Collect(background, 1, nothing)) })
		collect.waits(t)
		b.Freeze()
		thaw := start(b.Unfreeze)
		thaw.waits(t)
		collect.waits(t)
		c.Freeze()
		collect.now(t)
		thaw.now(t)
		atRest(t, w, 2)
	})
}

// I5, D14: a stale poll collects nothing, and clears the flag.
func TestStalePoll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		if a.Poll() {
			t.Error("polls true in a new world")
		}
		w.Flag().Store(1) // as seen by a goroutine that was slow to look
		ok(t, a.Safepoint(never(t)))
		if a.Poll() {
			t.Error("the flag is still set")
		}
		if w.Epoch() != 0 {
			t.Errorf("epoch %d", w.Epoch())
		}
		w.Request(1)
		a.Safepoint(nothing)
		if w.Epoch() != 1 || a.Poll() {
			t.Errorf("epoch %d, poll %v", w.Epoch(), a.Poll())
		}
		ok(t, a.Safepoint(never(t)))
	})
}

// I6, D2, D3: two contexts that collect without end, polling at once after
// each pause; no deadline, so that a lost wake-up hangs.
func TestBackToBack(t *testing.T) {
	w := NewWorld(&Options{StragglerTimeout: -1})
	const rounds = 5000
	var tasks []*task
	sum := 0
	for range 3 {
		c := w.NewContext()
		tasks = append(tasks, start(func() {
			defer c.Close()
			for range rounds {
				ok(t, c.Collect(background, 1, func(*Pause) error { sum++; return nil }))
				for c.Poll() {
					ok(t, c.Safepoint(nothing))
				}
			}
		}))
	}
	for _, k := range tasks {
		k.returns(t)
	}
	if sum < rounds || sum > 3*rounds || Epoch(sum) > w.Epoch() {
		t.Errorf("%d collections, epoch %d", sum, w.Epoch())
	}
	ok(t, w.Close())
}

// I8, D5: a frozen context that is closed while a pause waits, or runs.
func TestCloseFrozen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b, f, g := w.NewContext(), w.NewContext(), w.NewContext(), w.NewContext()
		f.Freeze()
		g.Freeze()
		release := make(chan struct{})
		collect := start(func() {
			ok(t, a.Collect(background, 1, func(p *Pause) error {
				seen := 0
				for c := range p.Contexts() {
					<-release
					seen++
					if c.State() == Closed {
						t.Error("found a closed context")
					}
				}
				if seen != 3 {
					t.Errorf("visited %d contexts, want 3", seen)
				}
				return nil
			}))
		})
		collect.waits(t)
		start(f.Close).now(t) // the pause waits for b, and looks at nothing yet
		held := start(func() { ok(t, b.Safepoint(never(t))) })
		held.waits(t)
		closeG := start(g.Close) // the pause runs
		closeG.waits(t)
		close(release)
		for _, k := range []*task{collect, closeG, held} {
			k.now(t)
		}
		atRest(t, w, 2)
		if n := w.Stats().Contexts; n != 2 {
			t.Errorf("%d contexts, want 2", n)
		}
	})
}

// I9: whoever waits at the gate holds no share, so that the pause can run
// beside any number of them.
func TestWaitersHoldNoShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		var tasks []*task
		ran := false
		release := make(chan struct{})
		collect := start(func() {
			a.Collect(background, 1, func(*Pause) error { <-release; ran = true; return nil })
		})
		for range 5 {
			tasks = append(tasks, start(func() { w.NewContext().Close() }))
		}
		synctest.Wait()
		if n := w.Held(); n != 0 {
			t.Errorf("%d shares are held while the pause runs", n)
		}
		close(release)
		collect.now(t)
		for _, k := range tasks {
			k.now(t)
		}
		if !ran {
			t.Error("did not run")
		}
		atRest(t, w, 1)
	})
}

// I13, D13: whoever queues while a pause is on is in before the next one can
// run, although that is queued already.
func TestQueuedAreAdmittedFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		f := w.NewContext()
		f.Freeze()
		p, err := w.Stop(background)
		ok(t, err)
		second := start(func() {
			p, err := w.Stop(background)
			ok(t, err)
			p.Start(nil)
		})
		second.waits(t)
		entered := make(chan struct{})
		goOn := make(chan struct{})
		thaw := start(func() {
			f.Unfreeze()
			close(entered)
			<-goOn
			f.Freeze()
		})
		create := start(func() {
			c := w.NewContext()
			<-goOn
			c.Close()
		})
		prevent := start(func() { w.Prevent(func() { <-goOn }) })
		thaw.waits(t)
		p.Start(nil)
		synctest.Wait()
		select {
		case <-entered:
		default:
			t.Error("the second pause went before those that had queued")
		}
		second.waits(t)
		if n := w.Held(); n != 3 {
			t.Errorf("%d shares are held, want 3", n)
		}
		if !w.Collecting() {
			t.Error("the gate opened for others than those that had queued")
		}
		if !f.Poll() {
			t.Error("the second pause does not show in polls")
		}
		close(goOn)
		for _, k := range []*task{second, thaw, create, prevent} {
			k.now(t)
		}
		atRest(t, w, 0)
	})
}

// I13: entries get in while outsiders and contexts collect back to back, and
// so do all of those.
func TestNobodyStarves(t *testing.T) {
	w := NewWorld(&Options{StragglerTimeout: -1})
	stop := make(chan struct{})
	var tasks []*task
	over := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	var collections, stops atomic.Int64
	for range 2 {
		tasks = append(tasks,
			start(func() {
				c := w.NewContext()
				defer c.Close()
				for !over() {
					ok(t, c.Collect(background, 1, func(*Pause) error { collections.Add(1); return nil }))
				}
			}),
			start(func() {
				for !over() {
					p, err := w.Stop(background)
					ok(t, err)
					stops.Add(1)
					p.Start(nil)
				}
			}))
	}
	entries := start(func() {
		for i := 0; i < 100 || collections.Load() < 100 || stops.Load() < 100; i++ {
			c := w.NewContext()
			c.Freeze()
			c.Unfreeze()
			w2 := start(func() { w.Prevent(func() {}) })
			c.Freeze()
			w2.returns(t)
			c.Close()
		}
	})
	entries.returns(t)
	close(stop)
	for _, k := range tasks {
		k.returns(t)
	}
	atRest(t, w, 0)
}

// I14: a pause that is given up leaves no trace: everybody is released, what
// was requested still is, and the next pause works.
func TestGiveUp(t *testing.T) {
	type wait struct {
		name string
		call func(w *World, c *Context, ctx context.Context) error
	}
	for _, kind := range []wait{
		{"context", func(w *World, c *Context, ctx context.Context) error {
			return c.Collect(ctx, 1, nothing)
		}},
		{"outsider", func(w *World, c *Context, ctx context.Context) error {
			c.Freeze()
			defer c.Unfreeze()
			return w.Collect(ctx, 1, nothing)
		}},
		{"stop", func(w *World, c *Context, ctx context.Context) error {
			c.Freeze()
			defer c.Unfreeze()
			_, err := w.Stop(ctx)
			return err
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := NewWorld(nil)
				a, parked, frozen, stuck := w.NewContext(), w.NewContext(), w.NewContext(), w.NewContext()
				frozen.Freeze()
				ctx, cancel := context.WithTimeout(background, 5*time.Second)
				defer cancel()
				w.Request(3)
				collect := start(func() {
					err := kind.call(w, a, ctx)
					is(t, err, context.DeadlineExceeded)
				})
				collect.waits(t)
				held := start(func() { ok(t, parked.Safepoint(never(t))) })
				held.waits(t)
				thaw := start(frozen.Unfreeze)
				thaw.waits(t)
				time.Sleep(6 * time.Second)
				for _, k := range []*task{collect, held, thaw} {
					k.now(t)
				}
				atRest(t, w, 4)
				if w.Epoch() != 0 {
					t.Errorf("epoch %d after a pause that did not happen", w.Epoch())
				}
				if w.Stats().GivenUp != 1 {
					t.Errorf("%d pauses given up, want 1", w.Stats().GivenUp)
				}
				if !stuck.Poll() {
					t.Error("the request is forgotten")
				}
				parked.Freeze()
				frozen.Freeze()
				stuck.Freeze()
				var level Level
				ok(t, a.Safepoint(func(p *Pause) error { level = p.Level(); return nil }))
				if level != 3 || w.Epoch() != 1 {
					t.Errorf("then collected at level %d, epoch %d", level, w.Epoch())
				}
				atRest(t, w, 1)
			})
		})
	}
}

func TestContextThatHasEndedGivesUpAtOnce(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	ctx, cancel := context.WithCancel(background)
	cancel()
	is(t, c.Collect(ctx, 1, never(t)), context.Canceled)
	c.Freeze()
	is(t, w.Collect(ctx, 1, never(t)), context.Canceled)
	if _, err := w.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	atRest(t, w, 0)
}

// I14: a context that gives up its own request while it waits behind another
// pause goes on at once if that still waits for others, and otherwise at its
// end.
func TestGiveUpBehindAnother(t *testing.T) {
	for _, running := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := NewWorld(nil)
			a, b := w.NewContext(), w.NewContext()
			var p *Pause
			stop := start(func() {
				var err error
				p, err = w.Stop(background)
				ok(t, err)
			})
			stop.waits(t)
			ctx, cancel := context.WithCancel(background)
			collect := start(func() { is(t, a.Collect(ctx, 1, never(t)), context.Canceled) })
			collect.waits(t)
			if running {
				b.Freeze()
				stop.now(t)
			}
			cancel()
			if running {
				collect.waits(t)
				p.Start(nil)
				collect.now(t)
				atRest(t, w, 1)
			} else {
				collect.now(t)
				if a.State() != Active || w.Held() != 2 {
					t.Errorf("%v, %d shares", a, w.Held())
				}
				stop.waits(t)
				b.Freeze()
				stop.waits(t)
				a.Freeze()
				stop.now(t)
				p.Start(nil)
				atRest(t, w, 0)
			}
		})
	}
}

// I14: a joiner that gives up before the pause has begun leaves the pause
// alone; once it runs it is too late.
func TestJoinerGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a, b, c := w.NewContext(), w.NewContext(), w.NewContext()
		release := make(chan struct{})
		boom := errors.New("boom")
		first := start(func() {
			is(t, a.Collect(background, 1, func(p *Pause) error {
				<-release
				if p.Level() != 1 {
					t.Errorf("level %d, want 1", p.Level())
				}
				return boom
			}), boom)
		})
		first.waits(t)
		ctx, cancel := context.WithCancel(background)
		joiner := start(func() { is(t, b.Collect(ctx, 7, never(t)), context.Canceled) })
		joiner.waits(t)
		cancel()
		joiner.now(t)
		ctx, cancel = context.WithCancel(background)
		joiner = start(func() { is(t, b.Collect(ctx, 1, never(t)), boom) })
		joiner.waits(t)
		c.Freeze()
		synctest.Wait()
		cancel()
		joiner.waits(t)
		close(release)
		first.now(t)
		joiner.now(t)
		atRest(t, w, 2)
		if w.Epoch() != 1 {
			t.Errorf("epoch %d", w.Epoch())
		}
	})
}

// TryUnfreeze takes a share or leaves it, and never waits.
func TestTryUnfreeze(t *testing.T) {
	for _, single := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := NewWorld(&Options{Single: single})
			c := w.NewContext()
			says(t, func() { c.TryUnfreeze() }, "Unfreeze of a context that is active")
			c.Freeze()
			if !c.TryUnfreeze() || c.State() != Active {
				t.Error("no pause is on, and it fails")
			}
			atRest(t, w, 1)
			c.Prevent(func() {
				c.Freeze()
				if !c.TryUnfreeze() {
					t.Error("it has its share, because of Prevent, and it fails")
				}
			})
			atRest(t, w, 1)
			c.Freeze()
			p, err := w.Stop(background)
			ok(t, err)
			if c.TryUnfreeze() || c.State() != Frozen {
				t.Error("unfrozen during a pause")
			}
			p.Start(nil)
			if !c.TryUnfreeze() {
				t.Error("fails after the pause")
			}
			c.Freeze()
			panics(t, func() { w.Collect(background, 1, func(*Pause) error { panic("boom") }) })
			if c.TryUnfreeze() {
				t.Error("unfrozen in a world that is damaged")
			}
			c.Close()
			says(t, func() { c.TryUnfreeze() }, "of a context that is closed")
		})
	}
}
