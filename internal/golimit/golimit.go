// Package golimit keeps Go's soft memory limit (GOMEMLIMIT, debug.SetMemoryLimit)
// lower by what heaps hold outside of Go's memory, so that both together stay
// below what the user has set.
//
// Go's limit belongs to the process, and so does what is kept here. Whoever sets
// the limit while it is lowered is taken to mean the whole again; that can be seen
// unless it is set to exactly what it was lowered to.
package golimit

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

const (
	// Grain is by how much a share changes before Go is told, in bytes.
	Grain = 1 << 20

	// floorPart: Go is left so large a part of the limit whatever others hold,
	floorPart = 8
	// and so many bytes at least, unless the limit is lower. A program that has
	// nothing for its Go heap would do nothing but collect it.
	floorBytes = 16 << 20
)

// Share is what one heap holds.
type Share struct {
	held  func() int64
	noted atomic.Int64 // bytes that are part of the total
	left  bool
}

var process struct {
	mu     sync.Mutex
	shares int
	total  int64 // bytes that all shares hold
	whole  int64 // the limit that the user has set
	set    int64 // what it was lowered to
}

// Join makes a share. Held says how many bytes it is; it must be safe to call at
// any time, and call nothing that waits.
func Join(held func() int64) *Share {
	p := &process
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shares == 0 {
		p.whole = debug.SetMemoryLimit(-1)
		p.set = p.whole
	}
	p.shares++
	s := &Share{held: held}
	s.note(held())
	lower()
	return s
}

// Changed is called when the share holds more or less than before. It is cheap
// while the difference is below Grain.
func (s *Share) Changed() {
	if d := s.held() - s.noted.Load(); -Grain < d && d < Grain {
		return
	}
	p := &process
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.left {
		s.note(s.held()) // once more, or of two goroutines the earlier might note last
		lower()
	}
}

// Leave takes the share away. After the last one has left, the limit is what the
// user has set.
func (s *Share) Leave() {
	p := &process
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.left {
		return
	}
	s.left = true
	s.note(0)
	lower()
	p.shares--
}

func (s *Share) note(bytes int64) { process.total += bytes - s.noted.Swap(bytes) }

// lower sets Go's limit anew. The mutex is held.
func lower() {
	p := &process
	if now := debug.SetMemoryLimit(-1); now != p.set {
		p.whole = now
	}
	if p.set = lowered(p.whole, p.total); p.set != debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(p.set)
	}
}

// lowered returns what is left for Go of the whole when others hold so much.
func lowered(whole, others int64) int64 {
	if whole == math.MaxInt64 {
		return whole // there is no limit
	}
	floor := min(whole, max(whole/floorPart, floorBytes))
	return max(whole-others, floor)
}
