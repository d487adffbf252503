package safepoint_test

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// The ways not to come to a safepoint. Each returns how to do it, and how to end it.
var hangs = []struct {
	name     string
	function string
	state    string // what Go's runtime calls it
	begin    func(t *testing.T) (hang, end func())
}{
	{"computing", "computes", "", func(t *testing.T) (hang, end func()) {
		var stop atomic.Bool
		return func() { computes(&stop) }, func() { stop.Store(true) }
	}},
	{"receiving", "receives", "chan receive", func(t *testing.T) (hang, end func()) {
		c := make(chan struct{})
		return func() { receives(c) }, func() { close(c) }
	}},
	{"locking", "locks", "sync.Mutex.Lock", func(t *testing.T) (hang, end func()) {
		var mu sync.Mutex
		mu.Lock()
		return func() { locks(&mu) }, mu.Unlock
	}},
	{"reading", "reads", "", func(t *testing.T) (hang, end func()) {
		r, w, err := os.Pipe()
		ok(t, err)
		// A descriptor that does not know of the poller blocks its thread.
		r.Fd()
		return func() { reads(r) }, func() { w.Close() }
	}},
}

//go:noinline
func computes(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

//go:noinline
func receives(c chan struct{}) { <-c }

//go:noinline
func locks(mu *sync.Mutex) { mu.Lock() }

//go:noinline
func reads(r *os.File) {
	r.Read(make([]byte, 1))
	r.Close()
}

//go:noinline
func uses(c *Context, hang func()) {
	hang()
	c.Freeze()
}

// The stack in a report is that of the goroutine that uses the context, as it is
// now, whichever way the context came to it.
func TestStragglerStackNow(t *testing.T) {
	for _, way := range []struct {
		name    string
		guessed bool
		hand    func(w *World, parent *Context, hang func())
	}{
		{"its own", false, func(w *World, parent *Context, hang func()) {
			go func() {
				c := w.NewContext()
				hang()
				c.Close()
			}()
		}},
		{"made for it, an argument", true, func(w *World, parent *Context, hang func()) {
			c := parent.NewContext()
			for range 3 {
				go time.Sleep(5 * time.Second) // has nothing to do with it
			}
			go uses(c, hang)
		}},
		{"made for it, and for others", true, func(w *World, parent *Context, hang func()) {
			for range 3 {
				c := parent.NewContext()
				go func() {
					for w.Request(1); !w.Collecting(); {
						time.Sleep(time.Millisecond)
					}
					c.Safepoint(nil)
					c.Close()
				}()
			}
			c := parent.NewContext()
			go func() {
				hang()
				c.Close()
			}()
		}},
		{"noticed", false, func(w *World, parent *Context, hang func()) {
			c := parent.NewContext()
			for range 3 {
				go time.Sleep(5 * time.Second)
			}
			go func() {
				c.Here()
				hang()
				c.Close()
			}()
		}},
		{"from a pool", true, func(w *World, parent *Context, hang func()) {
			pool := make(chan *Context, 1)
			go func() {
				c := w.NewContext()
				c.Freeze()
				pool <- c
				time.Sleep(5 * time.Second)
			}()
			c := <-pool
			go func() {
				c.Unfreeze()
				uses(c, hang)
			}()
		}},
	} {
		for _, test := range hangs {
			t.Run(test.name+", "+way.name, func(t *testing.T) {
				var log bytes.Buffer
				reports := make(chan StragglerReport, 100)
				w := NewWorld(&Options{
					StragglerTimeout: 30 * time.Millisecond,
					Logger:           slog.New(slog.NewTextHandler(&log, nil)),
					Listener:         &Listener{Straggler: func(r StragglerReport) { reports <- r }},
					Noun:             "machine",
				})
				hang, end := test.begin(t)
				began := time.Now()
				// A goroutine for each test, lest one test's children be taken for
				// another's.
				// It stays, as one that waits for its children would.
				over := make(chan struct{})
				defer close(over)
				go func() {
					parent := w.NewContext()
					way.hand(w, parent, hang)
					parent.Close()
					<-over
				}()
				for {
					if s := w.Stats(); s.Contexts > s.Frozen {
						break
					}
					time.Sleep(time.Millisecond)
				}
				collect := start(func() { ok(t, w.Collect(background, 1, nothing)) })
				var last time.Duration
				stack := false
				// The first may come while goroutines are still starting.
				for n := 1; n <= 5 && !stack; n++ {
					var r StragglerReport
					select {
					case r = <-reports:
					case <-collect.done:
						t.Fatal("nothing was waited for")
					}
					if r.Number != n || r.Waited <= last || len(r.Stragglers) == 0 {
						t.Fatalf("report %d after %v: %+v", n, last, r)
					}
					last = r.Waited
					for _, s := range r.Stragglers {
						if s.Age <= 0 || s.Age > time.Since(began) || s.Waited > r.Waited || s.Waited > s.Age {
							t.Errorf("age %v, waited %v of %v", s.Age, s.Waited, r.Waited)
						}
						if strings.Contains(s.Stack, "safepoint_test."+test.function) && strings.Contains(s.Stack, "["+test.state) {
							stack = true
							if s.Guessed != way.guessed || s.Gone || s.Waits {
								t.Errorf("guessed %v, gone %v, waits %v", s.Guessed, s.Gone, s.Waits)
							}
						} else if n == 5 {
							t.Errorf("guessed %v, stack\n%s", s.Guessed, s.Stack)
						}
					}
				}
				end()
				collect.returns(t)
				if !stack {
					t.Error("no report with the stack")
				}
				if w.Stats().Stragglers == 0 {
					t.Error("not counted")
				}
				if !strings.Contains(log.String(), "a pause waits for a machine that does not stop") {
					t.Errorf("log:\n%s", &log)
				}
			})
		}
	}
}

// A context that is still referred to, but whose goroutine has ended, cannot be
// found lost. It is reported as what it is.
func TestStragglerIsGone(t *testing.T) {
	reports := make(chan StragglerReport, 100)
	w := NewWorld(&Options{
		StragglerTimeout: 5 * time.Millisecond,
		Listener:         &Listener{Straggler: func(r StragglerReport) { reports <- r }},
	})
	var kept *Context
	start(func() { kept = w.NewContext() }).returns(t)
	collect := start(func() { ok(t, w.Collect(background, 1, nothing)) })
	for r := range reports {
		s := r.Stragglers[0]
		if s.Gone && s.Stack == "" && strings.HasSuffix(s.Created.Function, "TestStragglerIsGone.func2") {
			break
		}
		if r.Number > 5 {
			t.Fatalf("%+v", s)
		}
	}
	kept.Close()
	collect.returns(t)
}

// A report is as good in a program with many goroutines.
func TestStragglerAmongMany(t *testing.T) {
	const many = 5000
	done := make(chan struct{})
	var idlers sync.WaitGroup
	for range many {
		idlers.Go(func() { idle(done) })
	}
	reports := make(chan StragglerReport, 100)
	w := NewWorld(&Options{
		StragglerTimeout: 5 * time.Millisecond,
		Listener:         &Listener{Straggler: func(r StragglerReport) { reports <- r }},
	})
	release := make(chan struct{})
	user := start(func() {
		c := w.NewContext()
		receives(release)
		c.Close()
	})
	for w.Stats().Contexts == 0 {
		time.Sleep(time.Millisecond)
	}
	collect := start(func() { ok(t, w.Collect(background, 1, nothing)) })
	if s := (<-reports).Stragglers[0]; !strings.Contains(s.Stack, "safepoint_test.receives") || s.Guessed {
		t.Errorf("%+v", s)
	}
	close(release)
	user.returns(t)
	collect.returns(t)
	close(done)
	idlers.Wait()
}
