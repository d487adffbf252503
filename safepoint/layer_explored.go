//go:build explore

package safepoint

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/midden-gc/midden/internal/explore"
)

// This file takes the place of layer.go under the tag explore. Outside an
// exploration everything works as it does there.

type atomicInt32 struct{ v atomic.Int32 }

func (a *atomicInt32) Load() int32 {
	explore.Read(unsafe.Pointer(a), "load")
	return a.v.Load()
}

func (a *atomicInt32) Store(n int32) {
	explore.Write(unsafe.Pointer(a), "store")
	a.v.Store(n)
}

func (a *atomicInt32) Add(n int32) int32 {
	explore.Write(unsafe.Pointer(a), "add")
	return a.v.Add(n)
}

type atomicInt64 struct{ v atomic.Int64 }

func (a *atomicInt64) Load() int64 {
	explore.Read(unsafe.Pointer(a), "load")
	return a.v.Load()
}

func (a *atomicInt64) Store(n int64) {
	explore.Write(unsafe.Pointer(a), "store")
	a.v.Store(n)
}

type atomicUint32 struct{ v atomic.Uint32 }

func (a *atomicUint32) Load() uint32 {
	explore.Read(unsafe.Pointer(a), "load")
	return a.v.Load()
}

func (a *atomicUint32) Store(n uint32) {
	explore.Write(unsafe.Pointer(a), "store")
	a.v.Store(n)
}

type atomicUint64 struct{ v atomic.Uint64 }

func (a *atomicUint64) Load() uint64 {
	explore.Read(unsafe.Pointer(a), "load")
	return a.v.Load()
}

func (a *atomicUint64) Store(n uint64) {
	explore.Write(unsafe.Pointer(a), "store")
	a.v.Store(n)
}

func (a *atomicUint64) Add(n uint64) uint64 {
	explore.Write(unsafe.Pointer(a), "add")
	return a.v.Add(n)
}

func (a *atomicUint64) CompareAndSwap(old, n uint64) bool {
	explore.Write(unsafe.Pointer(a), "compare and swap")
	return a.v.CompareAndSwap(old, n)
}

type atomicPointer[T any] struct{ v atomic.Pointer[T] }

func (a *atomicPointer[T]) Load() *T {
	explore.Read(unsafe.Pointer(a), "load")
	return a.v.Load()
}

func (a *atomicPointer[T]) Store(p *T) {
	explore.Write(unsafe.Pointer(a), "store")
	a.v.Store(p)
}

func (a *atomicPointer[T]) Swap(p *T) *T {
	explore.Write(unsafe.Pointer(a), "swap")
	return a.v.Swap(p)
}

func (a *atomicPointer[T]) CompareAndSwap(old, p *T) bool {
	explore.Write(unsafe.Pointer(a), "compare and swap")
	return a.v.CompareAndSwap(old, p)
}

// bare returns the atomic of package sync/atomic behind one of ours. What it is
// used for is not explored.
func bare(a *atomicUint32) *atomic.Uint32 { return &a.v }

type mutex struct {
	plain  sync.Mutex
	held   bool // in an exploration
	holder int  // of it: the last one
}

func (m *mutex) Lock() {
	if explore.Active() {
		explore.Lock(&m.held)
		m.holder = explore.Self()
		return
	}
	m.plain.Lock()
}

func (m *mutex) Unlock() {
	if explore.Active() {
		explore.Unlock(&m.held)
		return
	}
	m.plain.Unlock()
}

// In an exploration no time passes.
var started = time.Now()

func now() time.Time {
	if explore.Active() {
		return started
	}
	return time.Now()
}

func since(t time.Time) time.Duration { return now().Sub(t) }

func goroutineID() uint64 {
	if explore.Active() {
		return uint64(explore.Self()) + 1
	}
	return readGoroutineID()
}

func wait(c <-chan struct{}) {
	if explore.Active() {
		explore.Wait(address(c), func() bool { return ready(c) > 0 }, "wait for the end")
	}
	<-c
}

func release(c chan struct{}) {
	explore.Write(address(c), "release")
	close(c)
}

func reads[T any](at *T)  { explore.Read(unsafe.Pointer(at), "read") }
func writes[T any](at *T) { explore.Write(unsafe.Pointer(at), "write") }

func tell(c chan struct{}) {
	explore.Write(address(c), "wake")
	select {
	case c <- struct{}{}:
	default:
	}
}

func (v *vigil) sleep(a, b <-chan struct{}) awakened {
	if !explore.Active() {
		select {
		case <-a:
			return first
		case <-b:
			return second
		case <-v.tick():
			return ticked
		}
	}
	// Time hides wake-ups that are lost, so there are no ticks but those that the
	// program asks for.
	ticks := func() int {
		if ticking != nil && ticking(a) {
			return 1
		}
		return 0
	}
	way := explore.Select(address(a), address(b), func() int { return ready(a) + ready(b) + ticks() }, "sleep")
	switch n := ready(a); {
	case way < n:
		<-a
		return first
	case way < n+ready(b):
		return second
	}
	v.tick()
	return ticked
}

// ticking says whether time passes now for whoever sleeps at a; nil: never.
var ticking func(a <-chan struct{}) bool

// ready returns 1 if something can be received, which it leaves where it is.
func ready(c <-chan struct{}) int {
	if len(c) > 0 {
		return 1
	}
	if cap(c) > 0 {
		return 0
	}
	select { // Nothing is ever sent to a channel without room: it gets closed.
	case <-c:
		return 1
	default:
		return 0
	}
}

func address(c <-chan struct{}) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&c)) }

// exploring is set while programs are explored. Cleanups run on goroutines that
// are no threads of theirs, and so must keep out of the way.
var exploring atomic.Bool

func onLoss(c *Context, m *member) runtime.Cleanup {
	return runtime.AddCleanup(c, func(m *member) {
		if !exploring.Load() {
			m.isLost()
		}
	}, m)
}
