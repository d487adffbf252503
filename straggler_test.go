package midden_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/safepoint"
)

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

// Who keeps a collection waiting is named with age, wait, and the stack as it is
// now, again and again. All that the program has done for it is SetName.
func TestStragglerIsNamed(t *testing.T) {
	var stop atomic.Bool
	c := make(chan struct{})
	var mu sync.Mutex
	mu.Lock()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Fd() // from here on a read blocks its thread
	for _, test := range []struct {
		function  string
		hang, end func()
	}{
		{"computes", func() { computes(&stop) }, func() { stop.Store(true) }},
		{"receives", func() { receives(c) }, func() { close(c) }},
		{"locks", func() { locks(&mu) }, mu.Unlock},
		{"reads", func() { reads(r) }, func() { w.Close() }},
	} {
		t.Run(test.function, func(t *testing.T) {
			var log bytes.Buffer
			reports := make(chan safepoint.StragglerReport, 100)
			h := heapFor(t, &midden.Options{
				StragglerTimeout: 10 * time.Millisecond,
				Logger:           slog.New(slog.NewTextHandler(&log, nil)),
				Listener:         &midden.Listener{Straggler: func(r safepoint.StragglerReport) { reports <- r }},
			})
			main := h.NewMutator()
			m := main.NewMutator() // for another goroutine, as programs do
			m.SetName("indexer")
			main.Freeze()
			ready := make(chan struct{})
			user := background(func() {
				midden.New[leaf](m)
				close(ready)
				test.hang()
				m.Close()
			})
			soon(t, "the straggler", ready)
			done := collecting(h)
			var last time.Duration
			for n := 1; n <= 3; n++ {
				r := soon(t, "a report", reports)
				if r.Number != n || r.Waited < 10*time.Millisecond || r.Waited <= last || len(r.Stragglers) != 1 {
					t.Fatalf("report %d after %v: %+v", n, last, r)
				}
				last = r.Waited
				s := r.Stragglers[0]
				if s.Name != "indexer" || s.Age < s.Waited || s.Waited != r.Waited || s.Guessed || s.Gone ||
					!strings.Contains(s.Created.Function, "TestStragglerIsNamed") {
					t.Errorf("%+v", s)
				}
				if n > 1 && !strings.Contains(s.Stack, "midden_test."+test.function+"(") {
					t.Errorf("stack\n%s", s.Stack)
				}
			}
			test.end()
			if err := soon(t, "the collection", done); err != nil {
				t.Error(err)
			}
			soon(t, "the straggler", user)
			if n := h.Stats().Stragglers; n < 3 {
				t.Errorf("%d stragglers counted", n)
			}
			for _, part := range []string{"level=WARN", `"safepoint: a pause waits for a mutator that does not stop"`, "name=indexer", "report=3", test.function} {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log lacks %q:\n%s", part, &log)
				}
			}
			main.Close()
			closes(t, h)
		})
	}
}

// A mutator whose goroutine has ended without Close, and that nobody refers to, is
// found while a collection waits for it, and reported with the place that opened it.
func TestDroppedMutatorIsFound(t *testing.T) {
	var log bytes.Buffer
	lost := make(chan safepoint.LostReport, 1)
	h := heapFor(t, &midden.Options{
		StragglerTimeout: 10 * time.Millisecond,
		Logger:           slog.New(slog.NewTextHandler(&log, nil)),
		Listener:         &midden.Listener{Lost: func(r safepoint.LostReport) { lost <- r }},
	})
	soon(t, "the one that drops it", background(func() {
		m := h.NewMutator()
		m.SetName("dropped")
		m.Scope()
		midden.NewLocal(m, midden.New[leaf](m))
		runtime.Goexit()
	}))
	if err := soon(t, "the collection", collecting(h)); err != nil {
		t.Error(err)
	}
	r := soon(t, "the report", lost)
	if r.Name != "dropped" || r.State != safepoint.Active || r.Age <= 0 ||
		!strings.Contains(r.Created.Function, "TestDroppedMutatorIsFound") || !strings.HasSuffix(r.Created.File, "straggler_test.go") {
		t.Errorf("%+v", r)
	}
	if s := h.Stats(); s.Lost != 1 || s.Mutators != 0 {
		t.Errorf("%d lost, %d open", s.Lost, s.Mutators)
	}
	if !strings.Contains(log.String(), `"safepoint: a mutator was lost without Close"`) {
		t.Errorf("log:\n%s", &log)
	}
	closes(t, h)
}

// What goes wrong is told in the words of this package.
func TestMisuseSpeaksOfMutators(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	messages := map[string]any{}
	note := func(name string, f func() any) {
		messages[name] = <-background(func() { panic(f()) })
	}
	// By the goroutine of m, which would wait for itself.
	messages["active"] = h.Collect(context.Background(), midden.KindFull)
	m.Freeze()
	note("nested", func() any {
		h.PreventCollection(func() { h.PreventCollection(func() {}) })
		return nil
	})
	note("prevented", func() (err any) {
		h.PreventCollection(func() { err = h.Collect(context.Background(), midden.KindFull) })
		return err
	})
	remove := h.AddRoots(midden.TracerFunc(func(*midden.Visitor) {
		messages["collecting"] = <-inline(func() { h.NewMutator() })
		messages["preventing"] = <-inline(func() { h.PreventCollection(func() {}) })
		messages["closing"] = h.Close()
	}))
	if err := h.Collect(context.Background(), midden.KindFull); err != nil {
		t.Error(err)
	}
	remove()
	if err, _ := messages["active"].(error); !errors.Is(err, midden.ErrActive) || !errors.Is(err, safepoint.ErrActive) {
		t.Errorf("%v", err)
	}
	for name, want := range map[string]string{
		"active":     "midden: the goroutine has an active mutator of this heap: call the mutator's method of the same name, or freeze it first: mutator 1, created by",
		"nested":     "midden: Heap.PreventCollection inside Heap.PreventCollection on the same goroutine",
		"prevented":  "midden: collection is prevented by the mutator that asks for it: it is inside Heap.PreventCollection",
		"collecting": "midden: called from inside the heap's own collection: use Mutator.NewMutator, from the active mutator",
		"preventing": "midden: called from inside the heap's own collection: use Mutator.PreventCollection, from the mutator",
		"closing":    "midden: called from inside the heap's own collection: Close while a pause is on",
	} {
		got := fmt.Sprint(messages[name])
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for _, word := range []string{"Context", "context ", "World", "world", "safepoint: "} {
			if strings.Contains(got, word) {
				t.Errorf("%s: %q speaks of %q", name, got, word)
			}
		}
	}
	m.Close()
	closes(t, h)
}

// inline calls f on this goroutine and passes on what it panics with.
func inline(f func()) <-chan any {
	v := make(chan any, 1)
	func() {
		defer func() { v <- recover() }()
		f()
	}()
	return v
}
