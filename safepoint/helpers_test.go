package safepoint_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

var background = context.Background()

func nothing(*Pause) error { return nil }

// never is a collect function for those that must not collect.
func never(t *testing.T) func(*Pause) error {
	return func(*Pause) error {
		t.Error("collected without a reason")
		return nil
	}
}

// bubble runs f in a synctest bubble: synctest.Wait tells when everybody
// waits, and so every transition can be brought about for certain.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// A task is a goroutine of a test.
type task struct {
	done  chan struct{}
	value any // what it panicked with
}

func start(f func()) *task {
	k := &task{done: make(chan struct{})}
	go func() {
		defer close(k.done)
		defer func() { k.value = recover() }()
		f()
	}()
	return k
}

// waits fails the test unless the task is still waiting when nothing else can
// happen any more.
func (k *task) waits(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case <-k.done:
		t.Fatal("did not wait")
	default:
	}
}

// returns ends the program unless the task comes to its end: one that hangs
// must not be taken for one that is slow.
func (k *task) returns(t *testing.T) {
	t.Helper()
	k.ends(t)
	if k.value != nil {
		t.Fatalf("panicked: %v", k.value)
	}
}

func (k *task) ends(t *testing.T) {
	t.Helper()
	select {
	case <-k.done:
	case <-time.After(time.Hour):
		var buf [1 << 16]byte
		panic(fmt.Sprintf("%s: a call hangs\n%s", t.Name(), buf[:runtime.Stack(buf[:], true)]))
	}
}

// now fails unless the task is over when everybody waits, without any time
// passing.
func (k *task) now(t *testing.T) {
	t.Helper()
	synctest.Wait()
	select {
	case <-k.done:
	default:
		t.Error("waited for time to pass")
	}
	k.returns(t)
}

// panics returns what f panics with.
func panics(t *testing.T, f func()) (value any) {
	t.Helper()
	defer func() {
		t.Helper()
		if value = recover(); value == nil {
			t.Error("did not panic")
		}
	}()
	f()
	return nil
}

// panicsWith fails unless f panics with an error that wraps want.
func panicsWith(t *testing.T, want error, f func()) {
	t.Helper()
	if v := panics(t, f); v != nil {
		if err, ok := v.(error); !ok || !errors.Is(err, want) {
			t.Errorf("panicked with %v, want %v", v, want)
		}
	}
}

// says fails unless f panics with a message that contains every part.
func says(t *testing.T, f func(), parts ...string) {
	t.Helper()
	v := fmt.Sprint(panics(t, f))
	for _, part := range parts {
		if !strings.Contains(v, part) {
			t.Errorf("panicked with %q, which lacks %q", v, part)
		}
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v", err)
	}
}

// atRest fails unless the world is as before the first pause, apart from the
// contexts in it.
func atRest(t *testing.T, w *World, shares uint64) {
	t.Helper()
	if s := w.Unusual(); s != "" {
		t.Error(s)
	}
	if n := w.Held(); n != shares {
		t.Errorf("%d shares are held, want %d", n, shares)
	}
}
