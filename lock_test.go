package midden_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/midden-gc/midden"
)

// soon fails the test unless c is closed or gives something: what hangs must not
// be taken for what is slow.
func soon[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s: hangs\n%s", what, buf[:runtime.Stack(buf, true)])
	}
	return v
}

// until waits for something that must happen.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !happened(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: does not happen", what)
		}
	}
}

func background(f func()) <-chan any {
	done := make(chan any, 1)
	go func() {
		defer func() { done <- recover() }()
		f()
	}()
	return done
}

// collecting asks for a collection from outside.
func collecting(h *midden.Heap) <-chan error {
	done := make(chan error, 1)
	go func() { done <- h.Collect(context.Background(), midden.KindFull) }()
	return done
}

func heapFor(t *testing.T, o *midden.Options) *midden.Heap {
	t.Helper()
	h, err := midden.NewHeap(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func closes(t *testing.T, h *midden.Heap) {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// A mutator that waits for a lock is frozen, and gets it when it is unlocked.
func TestLockWaitsFrozen(t *testing.T) {
	for _, test := range []struct {
		name     string
		hold     func(*sync.RWMutex)
		release  func(*sync.RWMutex)
		wait     func(*midden.Mutator, *sync.RWMutex)
		unlock   func(*sync.RWMutex)
		isLocked func(*sync.RWMutex) bool
	}{
		{"Lock", (*sync.RWMutex).Lock, (*sync.RWMutex).Unlock, func(m *midden.Mutator, l *sync.RWMutex) { m.Lock(l) },
			(*sync.RWMutex).Unlock, func(l *sync.RWMutex) bool { return !l.TryRLock() }},
		{"RLock", (*sync.RWMutex).Lock, (*sync.RWMutex).Unlock, func(m *midden.Mutator, l *sync.RWMutex) { m.RLock(l) },
			(*sync.RWMutex).RUnlock, func(l *sync.RWMutex) bool {
				readable := l.TryRLock()
				if readable {
					l.RUnlock()
				}
				return readable && !l.TryLock()
			}},
		{"Lock of an RLocker", (*sync.RWMutex).Lock, (*sync.RWMutex).Unlock, func(m *midden.Mutator, l *sync.RWMutex) { m.Lock(l.RLocker()) },
			(*sync.RWMutex).RUnlock, func(l *sync.RWMutex) bool { return !l.TryLock() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := heapFor(t, nil)
			var l sync.RWMutex
			// Without waiting it is not frozen for a moment.
			m := h.NewMutator()
			test.wait(m, &l)
			if !test.isLocked(&l) || h.Stats().Frozen != 0 {
				t.Error("not locked, or frozen")
			}
			test.unlock(&l)

			test.hold(&l)
			got := background(func() { test.wait(m, &l) })
			until(t, "freezes", func() bool { return h.Stats().Frozen == 1 })
			if err := soon(t, "a collection while a mutator waits for a lock", collecting(h)); err != nil {
				t.Error(err)
			}
			test.release(&l)
			if v := soon(t, "the lock", got); v != nil {
				t.Error(v)
			}
			if !test.isLocked(&l) || h.Stats().Frozen != 0 {
				t.Error("not locked, or frozen")
			}
			test.unlock(&l)
			m.Close()
			closes(t, h)
		})
	}
}

// lockedInside is a lock for whose Lock and Unlock a test waits.
type lockedInside struct {
	sync.Mutex
	m                *midden.Mutator
	state            []string // of m, at each call
	locked, unlocked chan struct{}
}

func (l *lockedInside) note(call string) {
	state := "active"
	if strings.Contains(l.m.String(), "frozen") {
		state = "frozen"
	}
	l.state = append(l.state, call+" "+state)
}

func (l *lockedInside) TryLock() bool {
	l.note("try")
	return l.Mutex.TryLock()
}

func (l *lockedInside) Lock() {
	l.note("lock")
	l.Mutex.Lock()
	l.locked <- struct{}{}
}

func (l *lockedInside) Unlock() {
	l.note("unlock")
	l.Mutex.Unlock()
	l.unlocked <- struct{}{}
}

// ocaml/ocaml#13716: a mutator that has got a lock while it was frozen, and must
// wait for the end of a pause, does so without the lock. An active mutator may lock
// it plainly, although the pause waits for that one; so may a tracer.
func TestNobodyWaitsForAPauseWithTheLock(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	l := &lockedInside{m: m, locked: make(chan struct{}, 10), unlocked: make(chan struct{}, 10)}
	traced := 0
	remove := h.AddRoots(midden.TracerFunc(func(*midden.Visitor) {
		l.Mutex.Lock()
		traced++
		l.Mutex.Unlock()
	}))
	defer remove()

	l.Mutex.Lock() // by a goroutine without a mutator
	got := background(func() { m.Lock(l) })
	until(t, "freezes", func() bool { return h.Stats().Frozen == 1 })

	taken := false
	ready, lock := make(chan struct{}), make(chan struct{})
	active := background(func() {
		p := h.NewMutator()
		defer p.Close()
		close(ready)
		<-lock
		l.Mutex.Lock() // active, and the pause waits for it
		taken = true
		l.Mutex.Unlock()
		p.Safepoint()
	})
	soon(t, "NewMutator", ready)
	done := collecting(h)
	until(t, "a pause", h.Collecting)
	l.Mutex.Unlock()
	soon(t, "the lock, while a pause is on", l.locked)
	soon(t, "gives it back", l.unlocked)
	// The pause waits for the one that is active, and that one for the lock, which
	// nobody has.
	close(lock)
	if v := soon(t, "the plain one", active); v != nil {
		t.Error(v)
	}
	if err := soon(t, "the collection", done); err != nil {
		t.Error(err)
	}
	soon(t, "the lock, after the pause", l.locked)
	if v := soon(t, "Lock", got); v != nil {
		t.Error(v)
	}
	want := []string{"try active", "lock frozen", "unlock frozen", "lock frozen"}
	if fmt.Sprint(l.state) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q", l.state, want)
	}
	if traced == 0 || !taken {
		t.Error("the tracer or the active mutator did not get the lock")
	}
	l.Mutex.Unlock()
	m.Close()
	closes(t, h)
}

// Lock and RLock are safepoints, with or without a wait; a reference that was not
// rooted is found by Stress there.
func TestLockIsASafepoint(t *testing.T) {
	h := heapFor(t, &midden.Options{Stress: midden.Stress{EverySafepoint: true}})
	m := h.NewMutator()
	var l sync.RWMutex
	cycles := func() uint64 { s := h.Stats(); return s.Minor + s.Full }
	before := cycles()
	m.Lock(&l)
	if cycles() != before+1 {
		t.Error("Lock did not collect")
	}
	l.Unlock()
	m.RLock(&l)
	if cycles() != before+2 {
		t.Error("RLock did not collect")
	}
	l.RUnlock()
	m.Close()
	closes(t, h)
}

// A Cond is waited for frozen, and c.L is locked afterwards.
func TestWait(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	l := &lockedInside{m: m, locked: make(chan struct{}, 10), unlocked: make(chan struct{}, 10)}
	c := sync.NewCond(l)
	ready := false
	got := background(func() {
		m.Lock(l)
		for !ready {
			m.Wait(c)
		}
	})
	soon(t, "Wait unlocks", l.unlocked)
	until(t, "freezes", func() bool { return h.Stats().Frozen == 1 })
	if err := soon(t, "a collection while a mutator waits", collecting(h)); err != nil {
		t.Error(err)
	}
	// It wakes while a pause is on, and must not keep the lock until its end.
	other := h.NewMutator()
	done := collecting(h)
	until(t, "a pause", h.Collecting)
	l.Mutex.Lock()
	ready = true
	l.Mutex.Unlock()
	c.Signal()
	soon(t, "Wait locks", l.locked)
	soon(t, "Wait gives it back", l.unlocked)
	if !l.Mutex.TryLock() {
		t.Fatal("locked, while it waits for the end of the pause")
	}
	l.Mutex.Unlock()
	other.Close()
	if err := soon(t, "the collection", done); err != nil {
		t.Error(err)
	}
	soon(t, "Wait locks again", l.locked)
	if v := soon(t, "Wait", got); v != nil {
		t.Error(v)
	}
	if l.Mutex.TryLock() || h.Stats().Frozen != 0 {
		t.Error("not locked, or frozen")
	}
	want := []string{"try active", "unlock frozen", "lock frozen", "unlock frozen", "lock frozen"}
	if fmt.Sprint(l.state) != fmt.Sprint(want) {
		t.Errorf("calls %q, want %q", l.state, want)
	}
	m.Close()
	closes(t, h)
}

// brittle is a lock that panics, or ends its goroutine.
type brittle struct{ lock, unlock func() }

func (b brittle) Lock()    { b.lock() }
func (b brittle) Unlock()  { b.unlock() }
func (b brittle) RLock()   { b.lock() }
func (b brittle) RUnlock() { b.unlock() }

// A lock that panics, or ends the goroutine, leaves the mutator as it was.
func TestLockThatPanics(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	bad := brittle{lock: func() { panic("broken lock") }}
	for name, f := range map[string]func(){
		"Lock":  func() { m.Lock(bad) },
		"RLock": func() { m.RLock(bad) },
	} {
		if v := soon(t, name, background(f)); v != "broken lock" {
			t.Errorf("%s panicked with %v", name, v)
		}
		if s := h.Stats(); s.Frozen != 0 {
			t.Errorf("%s left the mutator frozen", name)
		}
	}
	soon(t, "Goexit", background(func() { m.Lock(brittle{lock: runtime.Goexit}) }))
	if s := h.Stats(); s.Frozen != 0 {
		t.Error("a goroutine that ended in Lock left the mutator frozen")
	}
	midden.New[leaf](m)
	m.Close()
	closes(t, h)
}

func TestLockMisuse(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	var l sync.RWMutex
	c := sync.NewCond(&l)
	calls := map[string]func(){"Lock": func() { m.Lock(&l) }, "RLock": func() { m.RLock(&l) }, "Wait": func() { m.Wait(c) }}
	says := func(f func(), want string) {
		t.Helper()
		if v := fmt.Sprint(<-background(f)); !strings.Contains(v, want) {
			t.Errorf("panicked with %q, want %q", v, want)
		}
	}
	says(func() { m.Lock(nil) }, "midden: Lock of a nil Locker: give it the lock")
	says(func() { m.RLock(nil) }, "midden: RLock of a nil RLocker: give it the lock")
	says(func() { m.Wait(nil) }, "midden: Wait for a nil Cond: give it a *sync.Cond")
	m.Freeze()
	for name, f := range calls {
		says(f, "midden: "+name+" of a Mutator that is frozen: call Unfreeze first")
	}
	m.Unfreeze()
	m.Close()
	for name, f := range calls {
		says(f, "midden: "+name+" of a Mutator after Close")
	}
	if !l.TryLock() {
		t.Error("a call that failed has left it locked")
	}
	closes(t, h)
}

// A mutator that was frozen for a lock goes on allocating where it was.
func TestLockKeepsTheAllocationBuffer(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	always := brittle{lock: func() {}, unlock: func() {}}
	for range 10 {
		before := uintptr(unsafe.Pointer(midden.New[leaf](m).Get()))
		m.Lock(always)
		after := uintptr(unsafe.Pointer(midden.New[leaf](m).Get()))
		if after-before != uintptr(midden.SizeOf[leaf]()) {
			t.Fatalf("an object at %#x, and after Lock the next at %#x", before, after)
		}
	}
	m.Close()
	closes(t, h)
}

// Where pauses are prevented, Lock waits like any other; nothing else changes.
func TestLockWhilePreventing(t *testing.T) {
	h := heapFor(t, nil)
	m := h.NewMutator()
	var l sync.Mutex
	l.Lock()
	in := make(chan struct{})
	got := background(func() {
		m.PreventCollection(func() {
			close(in)
			m.Lock(&l)
			l.Unlock()
		})
	})
	soon(t, "PreventCollection", in)
	done := collecting(h)
	until(t, "a pause", h.Collecting)
	l.Unlock()
	if v := soon(t, "Lock", got); v != nil {
		t.Error(v)
	}
	m.Freeze()
	if err := soon(t, "the collection", done); err != nil {
		t.Error(err)
	}
	m.Close()
	closes(t, h)
}

// Mutators that lock in every way there is, with collections all the time, never
// hang, and never have a lock together.
func TestLockHammer(t *testing.T) {
	h := heapFor(t, nil)
	var mu sync.Mutex
	var rw sync.RWMutex
	queue := sync.NewCond(&mu)
	items, guarded := 0, 0
	var working atomic.Int32
	const workers, rounds = 4, 1500
	var wg sync.WaitGroup
	for w := range workers {
		working.Add(1)
		wg.Go(func() {
			defer working.Add(-1)
			m := h.NewMutator()
			defer m.Close()
			for i := range rounds {
				midden.New[leaf](m)
				switch (i + w) % 5 {
				case 0: // held across a safepoint: by Lock, here and everywhere
					m.Lock(&rw)
					guarded++
					m.Safepoint()
					rw.Unlock()
				case 1:
					m.RLock(&rw)
					m.Safepoint()
					rw.RUnlock()
				case 2: // plain, and no safepoint inside
					mu.Lock()
					items++
					mu.Unlock()
					queue.Signal()
				case 3:
					m.Lock(&mu)
					items++
					mu.Unlock()
					queue.Signal()
				case 4: // as many are taken as were put there before
					m.Lock(&mu)
					for items == 0 {
						m.Wait(queue)
					}
					items--
					mu.Unlock()
				}
			}
		})
	}
	for working.Load() > 0 {
		if err := h.Collect(context.Background(), midden.KindMinor); err != nil {
			t.Error(err)
		}
		runtime.Gosched()
	}
	wg.Wait()
	if want := workers * rounds / 5; guarded != want || items != want {
		t.Errorf("guarded %d, items %d; want %d", guarded, items, want)
	}
	closes(t, h)
}
