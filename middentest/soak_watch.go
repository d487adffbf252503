package middentest

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// watched runs the round and returns how it failed. It gives up on one that hangs.
func (r *round) watched() error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if p := recover(); p != nil {
				r.expected(p)
			}
		}()
		r.run()
	}()
	look := time.NewTicker(min(r.o.Patience/4, time.Second))
	defer look.Stop()
	for {
		select {
		case <-ended:
		case <-r.failure: // the others may need it no more, or for ever
			select {
			case <-ended:
			case <-time.After(r.o.Patience / 4):
			}
		case <-look.C:
			for _, s := range r.slots {
				if since := s.idle(); since > r.o.Patience {
					r.fail(fmt.Sprintf("%s has been at one step for %v: %s", s.name, since.Round(time.Second), s.story()))
				}
			}
			continue
		}
		return r.outcome()
	}
}

// fail notes the first thing that is wrong, and what was going on.
func (r *round) fail(reason string) {
	if r.broken.Swap(true) {
		return
	}
	r.verdict = &SoakFailure{Seed: r.o.Seed, Round: r.number, Reason: reason, Story: r.story()}
	close(r.failure)
}

func (r *round) outcome() error {
	select {
	case <-r.failure:
		return r.verdict
	default:
		return nil
	}
}

// story is all that is known of what is going on.
func (r *round) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%s\n\nThe last steps, the latest first, with the milliseconds since:\n", r.plan, r.figures())
	for _, s := range r.slots {
		fmt.Fprintf(&b, "%s: %s\n", s.name, s.story())
	}
	fmt.Fprintf(&b, "\nThe last cycles, and records of the stop protocol if the plan has them:\n%s", &r.last)
	stacks := make([]byte, 4*mib)
	fmt.Fprintf(&b, "\nAll goroutines:\n%s", stacks[:runtime.Stack(stacks, true)])
	return b.String()
}

// figures are those of the heap, unless it hangs in there.
func (r *round) figures() string {
	s := make(chan string, 1)
	go func() { s <- fmt.Sprintf("%+v", r.heap.Stats()) }()
	select {
	case s := <-s:
		return s
	case <-time.After(time.Second):
		return "Stats hangs"
	}
}

// A slot is the place of one goroutine in a round, and what it did last.
type slot struct {
	name  string
	begun time.Time
	n     atomic.Uint64     // steps
	steps [16]atomic.Uint64 // the milliseconds since begun, and above them what it was
	busy  atomic.Bool
}

const stepShift = 48

// note notes that a step begins.
func (s *slot) note(what int) {
	n := s.n.Load()
	s.steps[n%uint64(len(s.steps))].Store(uint64(what)<<stepShift | uint64(time.Since(s.begun).Milliseconds()))
	s.n.Store(n + 1)
}

// idle is how long the present step has taken.
func (s *slot) idle() time.Duration {
	n := s.n.Load()
	if n == 0 || !s.busy.Load() {
		return 0
	}
	at := s.steps[(n-1)%uint64(len(s.steps))].Load() & (1<<stepShift - 1)
	return time.Since(s.begun) - time.Duration(at)*time.Millisecond
}

func (s *slot) story() string {
	var b strings.Builder
	n, now := s.n.Load(), time.Since(s.begun).Milliseconds()
	for i := n; i > 0 && i+uint64(len(s.steps)) > n; i-- {
		v := s.steps[(i-1)%uint64(len(s.steps))].Load()
		fmt.Fprintf(&b, "%s %d, ", stepName(int(v>>stepShift)), now-int64(v&(1<<stepShift-1)))
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// stepName is what a step is called: an operation of a machine, or one of acts.
func stepName(what int) string {
	if what < actOperation {
		return acts[what]
	}
	name := runtime.FuncForPC(reflect.ValueOf(operations[what-actOperation]).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// records keeps the last lines that it was given. As a slog.Handler it takes every record of the heap.
type records struct {
	mu    sync.Mutex
	lines [100]string
	n     int
}

func (l *records) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[l.n%len(l.lines)] = line
	l.n++
}

func (l *records) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for i := max(0, l.n-len(l.lines)); i < l.n; i++ {
		fmt.Fprintln(&b, l.lines[i%len(l.lines)])
	}
	return b.String()
}

func (l *records) Enabled(context.Context, slog.Level) bool { return true }
func (l *records) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *records) WithGroup(string) slog.Handler            { return l }

func (l *records) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format("15:04:05.000000 "))
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if text := a.Value.Resolve().String(); len(text) < 200 { // no stacks
			fmt.Fprintf(&b, " %s=%s", a.Key, text)
		}
		return true
	})
	l.add(b.String())
	return nil
}
