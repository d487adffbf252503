package safepoint_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

func idle(done <-chan struct{}) { <-done }

// D15, Julia 51574, Corretto 455: a context that never polls is named, with
// its goroutine's stack, again and again with back-off, and the pause can be
// given up.
func TestStragglerReport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		var reports []StragglerReport
		began := time.Now()
		w := NewWorld(&Options{
			StragglerTimeout: 2 * time.Second,
			Logger:           slog.New(slog.NewTextHandler(&log, nil)),
			Listener:         &Listener{Straggler: func(r StragglerReport) { reports = append(reports, r) }},
			Depth:            func(data any) int { return data.(int) },
		})
		a, slow, parked, frozen := w.NewContext(), w.NewContext(), w.NewContext(), w.NewContext()
		for i, c := range []*Context{a, slow, parked, frozen} {
			c.SetData(6 + i)
			c.ShowDepth(6 + i)
		}
		slow.SetName("slow")
		frozen.Freeze()
		done := make(chan struct{})
		use := start(func() {
			// A stop that this goroutine makes tells whose slow it is.
			ok(t, slow.Safepoint(never(t)))
			for range 3 {
				slow.Freeze()
				slow.Unfreeze()
			}
			idle(done)
			slow.Freeze()
		})
		synctest.Wait()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(background, 20*time.Second)
		defer cancel()
		collect := start(func() { is(t, a.Collect(ctx, 4, never(t)), context.DeadlineExceeded) })
		synctest.Wait()
		held := start(func() { ok(t, parked.Safepoint(nothing)) })
		collect.returns(t)
		held.now(t)
		close(done)
		use.returns(t)

		var at []time.Duration
		for i, r := range reports {
			at = append(at, r.Waited)
			if r.Number != i+1 || r.Level != 4 || r.Missing != 1 || len(r.Stragglers) != 1 || len(r.Preventers) != 0 {
				t.Fatalf("report %d: %+v", i, r)
			}
			s := r.Stragglers[0]
			if s.ID != slow.ID() || s.Name != "slow" || s.Context.Value() != slow || s.Depth != 7 {
				t.Errorf("names %+v", s)
			}
			if !strings.HasSuffix(s.Created.Function, "TestStragglerReport.func1") || !strings.HasSuffix(s.Created.File, "straggler_test.go") {
				t.Errorf("created by %v", s.Created)
			}
			if s.Age != time.Since(began)-(20*time.Second-r.Waited) || s.Seen <= 0 || s.Seen > s.Age {
				t.Errorf("age %v, seen %v ago", s.Age, s.Seen)
			}
			if s.Unfrozen != 3 {
				t.Errorf("unfrozen %d times since, want 3", s.Unfrozen)
			}
			if s.Waits {
				t.Error("does not wait for itself")
			}
			_ = s.Stack
		}
		want := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}
		if len(at) != len(want) {
			t.Fatalf("reports after %v, want about %v", at, want)
		}
		for i := range at {
			if at[i] < want[i] || at[i] > want[i]+50*time.Millisecond {
				t.Errorf("reports after %v, want about %v", at, want)
			}
		}
		if n := w.Stats().Stragglers; n != 4 {
			t.Errorf("%d stragglers counted, want 4", n)
		}
		for _, part := range []string{"level=WARN", "name=slow", "waited=2", "straggler_test.go", "report=4"} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("the log lacks %q:\n%s", part, &log)
			}
		}
		atRest(t, w, 2)
	})
}

// The stack in a report is that of the goroutine that uses the context, as of
// its last stop.
func TestStragglerStack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var report *StragglerReport
		w := NewWorld(&Options{Listener: &Listener{Straggler: func(r StragglerReport) { report = &r }}})
		a, slow := w.NewContext(), w.NewContext()
		done := make(chan struct{})
		enter := make(chan struct{})
		use := start(func() {
			ok(t, slow.Collect(background, 1, nothing))
			close(enter)
			idle(done)
			slow.Freeze()
		})
		ok(t, a.Safepoint(nothing))
		synctest.Wait()
		for a.Poll() {
			ok(t, a.Safepoint(nothing))
		}
		<-enter
		collect := start(func() { ok(t, a.Collect(background, 1, nothing)) })
		time.Sleep(1500 * time.Millisecond)
		close(done)
		collect.now(t)
		use.now(t)
		if report == nil || len(report.Stragglers) != 1 {
			t.Fatalf("report %+v", report)
		}
		if s := report.Stragglers[0]; s.Goroutine == 0 || !strings.Contains(s.Stack, "safepoint_test.idle") {
			t.Errorf("goroutine %d, stack:\n%s", s.Goroutine, s.Stack)
		}
	})
}

// A function that prevents is reported too, with its goroutine's stack.
func TestPreventerReport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		var reports []StragglerReport
		w := NewWorld(&Options{
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
			Listener: &Listener{Straggler: func(r StragglerReport) { reports = append(reports, r) }},
		})
		done := make(chan struct{})
		prevent := start(func() { w.Prevent(func() { idle(done) }) })
		synctest.Wait()
		stop := start(func() {
			p, err := w.Stop(background)
			ok(t, err)
			p.Start(nil)
		})
		time.Sleep(1500 * time.Millisecond)
		close(done)
		prevent.now(t)
		stop.now(t)
		if len(reports) != 1 || reports[0].Missing != 1 || len(reports[0].Preventers) != 1 ||
			!strings.Contains(reports[0].Preventers[0].Stack, "safepoint_test.idle") {
			t.Fatalf("reports %+v", reports)
		}
		if !strings.Contains(log.String(), "safepoint_test.idle") {
			t.Errorf("log:\n%s", &log)
		}
	})
}

// CodenameOne 5631: the watchdog itself is harmless. Its listener may call
// into the world, and gets an error where it would wait for itself.
func TestListenerCallsIntoTheWorld(t *testing.T) {
	for _, outsider := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			var w *World
			calls := 0
			w = NewWorld(&Options{Listener: &Listener{Straggler: func(r StragglerReport) {
				calls++
				panicsWith(t, ErrCollecting, func() { w.NewContext() })
				is(t, w.Collect(background, 1, never(t)), ErrCollecting)
				if w.Stats().Contexts != 2 || !w.Collecting() {
					t.Errorf("%+v", w.Stats())
				}
				w.Request(1)
			}}})
			a, slow := w.NewContext(), w.NewContext()
			collect := start(func() {
				if outsider {
					a.Freeze()
					ok(t, w.Collect(background, 1, nothing))
					a.Unfreeze()
				} else {
					ok(t, a.Collect(background, 1, nothing))
				}
			})
			time.Sleep(1500 * time.Millisecond)
			slow.Freeze()
			collect.returns(t)
			if calls != 1 {
				t.Errorf("%d reports", calls)
			}
		})
	}
}

// A straggler whose goroutine is itself waiting in a call for outsiders is
// marked as one that may wait for itself.
func TestStragglerThatWaitsForItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var report *StragglerReport
		w := NewWorld(&Options{Listener: &Listener{Straggler: func(r StragglerReport) { report = &r }}})
		other := make(chan struct{})
		idler := start(func() { idle(other) }) // may be using the context, for all one knows
		guilty := start(func() {
			c := w.NewContext()
			ctx, cancel := context.WithTimeout(background, 2*time.Second)
			defer cancel()
			_, err := w.Stop(ctx)
			is(t, err, context.DeadlineExceeded)
			c.Close()
		})
		guilty.returns(t)
		close(other)
		idler.now(t)
		if report == nil || len(report.Stragglers) != 1 || !report.Stragglers[0].Waits {
			t.Errorf("report %+v", report)
		}
	})
}

func TestNoReports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(&Options{
			StragglerTimeout: -1,
			Listener:         &Listener{Straggler: func(StragglerReport) { t.Error("reported") }},
		})
		a, slow := w.NewContext(), w.NewContext()
		collect := start(func() { ok(t, a.Collect(background, 1, nothing)) })
		time.Sleep(time.Minute)
		slow.Freeze()
		collect.now(t)
	})
}
