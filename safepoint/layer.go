//go:build !explore

package safepoint

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Everything that goroutines share goes through the names in this file: each
// atomic, lock, wait and wake-up, the time, and who they are. Here they are what they seem. With
// the tag explore, layer_explored.go takes the place of this file, and every use is
// announced to a scheduler that runs programs in all orders that matter; see
// internal/explore.

type (
	atomicInt32          = atomic.Int32
	atomicInt64          = atomic.Int64
	atomicUint32         = atomic.Uint32
	atomicUint64         = atomic.Uint64
	atomicPointer[T any] = atomic.Pointer[T]
	mutex                = sync.Mutex
)

// bare returns the atomic of package sync/atomic behind one of ours.
func bare(a *atomicUint32) *atomic.Uint32 { return a }

func now() time.Time                  { return time.Now() }
func since(t time.Time) time.Duration { return time.Since(t) }

func goroutineID() uint64 { return readGoroutineID() }

// wait waits until c is closed.
func wait(c <-chan struct{}) { <-c }

// release closes c, and so releases all who wait for that.
func release(c chan struct{}) { close(c) }

// reads and writes say that a variable is used which the protocol protects, where an
// exploration is to notice if it does not.
func reads[T any](*T)  {}
func writes[T any](*T) {}

// tell puts a token into c, unless there is one already.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits for the first of two channels, of which the second may be nil, or
// for the next tick.
func (v *vigil) sleep(a, b <-chan struct{}) awakened {
	select {
	case <-a:
		return first
	case <-b:
		return second
	case <-v.tick():
		return ticked
	}
}

// onLoss arranges that m is told when the program has lost c.
func onLoss(c *Context, m *member) runtime.Cleanup {
	return runtime.AddCleanup(c, (*member).isLost, m)
}
