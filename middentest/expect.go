package middentest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/midden-gc/midden"
)

// kinds is every kind of collection, the weakest first.
var kinds = []midden.Kind{midden.KindMinor, midden.KindFull, midden.KindCompact}

// equal fails the test unless got is want.
func equal[T comparable](t *testing.T, what string, got, want T) {
	if got != want {
		t.Helper() // dear, and many tests call this in loops
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

// recovered returns what f panicked with, or nil.
func recovered(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

// panics fails the test unless f panics with a message that contains every one of the texts, in
// capitals or not.
func panics(t *testing.T, what string, f func(), texts ...string) {
	t.Helper()
	p := recovered(f)
	if p == nil {
		t.Errorf("%s: no panic", what)
		return
	}
	message := fmt.Sprint(p)
	for _, text := range texts {
		if !strings.Contains(strings.ToLower(message), strings.ToLower(text)) {
			t.Errorf("%s: panic %q does not say %q", what, message, text)
		}
	}
}

// panicsWith fails the test unless f panics with an error that is want.
func panicsWith(t *testing.T, what string, want error, f func()) {
	t.Helper()
	p := recovered(f)
	if err, ok := p.(error); !ok || !errors.Is(err, want) {
		t.Errorf("%s: panic %v, want %v", what, p, want)
	}
}

// failure is how f failed: the error that it returned or panicked with.
func failure(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			var ok bool
			if err, ok = p.(error); !ok {
				err = fmt.Errorf("panic: %v", p)
			}
		}
	}()
	return f()
}

// refusal runs f, which allocates, and returns the *LimitError with which it panicked, or nil. Any
// other panic goes on.
func refusal(f func()) (refused *midden.LimitError) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err, ok := p.(error)
		if !ok || !errors.As(err, &refused) {
			panic(p)
		}
	}()
	f()
	return nil
}

// A crew is a group of goroutines. One that panics fails the test.
type crew struct {
	t testing.TB
	sync.WaitGroup
}

func (c *crew) Go(f func()) {
	c.WaitGroup.Go(func() {
		defer failOnPanic(c.t)
		f()
	})
}

// collect collects on m, which must succeed.
func collect(t *testing.T, m *midden.Mutator, k midden.Kind) {
	t.Helper()
	if err := m.Collect(k); err != nil {
		t.Fatalf("Collect(%v): %v", k, err)
	}
}

// age makes everything that is reachable old, for a collector that has generations: what survived
// two full collections is old by anybody's rules.
func age(t *testing.T, m *midden.Mutator) {
	t.Helper()
	collect(t, m, midden.KindFull)
	collect(t, m, midden.KindFull)
}

// outside collects from a goroutine without a mutator, and calls poll until that is done.
func outside(t *testing.T, h *midden.Heap, k midden.Kind, poll func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- failure(func() error { return h.Collect(context.Background(), k) }) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("Heap.Collect(%v): %v", k, err)
			}
			return
		default:
			poll()
			runtime.Gosched()
		}
	}
}

// pollUntil keeps m at its safepoints until done is closed.
func pollUntil(m *midden.Mutator, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		default:
			m.Safepoint()
			runtime.Gosched()
		}
	}
}

// cycles is the number of collections of h so far.
func cycles(h *midden.Heap) uint64 {
	s := h.Stats()
	return s.Minor + s.Full
}
