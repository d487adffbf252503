package weak

import (
	"sync"
	"sync/atomic"
)

// Externals are the Go values that objects of one heap hold: a table in Go's
// memory, of which objects know the index.
//
// An entry lives while an object that lives has its index in a slot. Nobody
// knows which object that is, and no dead object has to be looked at: a cycle
// sees the slots of whatever lives, and frees the entries that it has not seen.
// A minor cycle sees new objects only, and so it frees only entries that no old
// object can have.
type Externals struct {
	// Readers load it and need no lock; growing replaces it.
	chunks atomic.Pointer[[]*chunk]

	mu    sync.Mutex
	free  []uint32 // the next to be used on top
	young []uint32 // may be freed by a minor cycle
	used  int
}

const chunkSize = 256

type chunk [chunkSize]external

type external struct {
	value any
	state state
}

type state uint8

const (
	unused state = iota
	young        // made for an object that was new, since the last cycle
	old          // any object may have it
	seen         // by the present cycle, in an object that lives
)

// Add makes an entry and returns its index, which is not 0. Old says whether the
// object that will hold it may be old. The caller holds an active mutator.
func (xs *Externals) Add(v any, isOld bool) uint32 {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	if len(xs.free) == 0 {
		xs.grow()
	}
	n := len(xs.free) - 1
	id := xs.free[n]
	xs.free = xs.free[:n]
	x := xs.at(id)
	x.value, x.state = v, old
	if !isOld {
		x.state = young
		xs.young = append(xs.young, id)
	}
	xs.used++
	return id
}

// grow adds a chunk.
func (xs *Externals) grow() {
	var chunks []*chunk
	if p := xs.chunks.Load(); p != nil {
		chunks = *p
	}
	first := uint32(len(chunks) * chunkSize)
	// Readers have the slice with its length; appending beyond that does not
	// change what they see.
	chunks = append(chunks, new(chunk))
	xs.chunks.Store(&chunks)
	for id := first + chunkSize - 1; id >= max(first, 1); id-- {
		xs.free = append(xs.free, id) // index 0 means none
	}
}

func (xs *Externals) at(id uint32) *external {
	return &(*xs.chunks.Load())[id/chunkSize][id%chunkSize]
}

// Get returns the value of an entry.
func (xs *Externals) Get(id uint32) any { return xs.at(id).value }

// Set changes the value of an entry.
func (xs *Externals) Set(id uint32, v any) { xs.at(id).value = v }

// Copied notes that an old object may have the entry now.
func (xs *Externals) Copied(id uint32) {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	xs.at(id).state = old
}

// Has reports whether there is such an entry.
func (xs *Externals) Has(id uint32) bool {
	p := xs.chunks.Load()
	return p != nil && id > 0 && id < uint32(len(*p)*chunkSize) && xs.at(id).state != unused
}

// Len returns how many entries there are.
func (xs *Externals) Len() int {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	return xs.used
}

// Close drops all values.
func (xs *Externals) Close() {
	xs.mu.Lock()
	defer xs.mu.Unlock()
	xs.chunks.Store(nil)
	xs.free, xs.young, xs.used = nil, nil, 0
}

// see notes that an object that lives has the entry. To a minor cycle, only that
// of new ones is news.
func (xs *Externals) see(id uint32, minor bool) {
	if x := xs.at(id); !minor || x.state == young {
		x.state = seen
	}
}

// sweep ends a cycle: it drops the values of entries that were not seen.
func (xs *Externals) sweep(minor bool) {
	switch p := xs.chunks.Load(); {
	case p == nil:
	case minor:
		xs.sweepYoung()
	default:
		xs.sweepAll(*p)
	}
	xs.young = xs.young[:0]
}

func (xs *Externals) sweepYoung() {
	for _, id := range xs.young {
		switch x := xs.at(id); x.state {
		case young:
			*x = external{}
			xs.free = append(xs.free, id)
			xs.used--
		case seen:
			x.state = old
		}
	}
}

// sweepAll also gives the end of the table back if nobody uses it.
func (xs *Externals) sweepAll(chunks []*chunk) {
	xs.free = xs.free[:0]
	xs.used = 0
	last := 0
	for c := len(chunks) - 1; c >= 0; c-- {
		before := xs.used
		for i := chunkSize - 1; i >= 0; i-- {
			x := &chunks[c][i]
			if x.state == seen {
				x.state = old
				xs.used++
				continue
			}
			*x = external{}
			if id := uint32(c*chunkSize + i); id != 0 {
				xs.free = append(xs.free, id)
			}
		}
		if xs.used > before {
			last = max(last, c+1)
		}
	}
	if kept := min(len(chunks), last+last/2+1); kept < len(chunks) {
		// The free entries of the chunks that go are the first in the list.
		xs.free = append([]uint32(nil), xs.free[(len(chunks)-kept)*chunkSize:]...)
		shorter := append([]*chunk(nil), chunks[:kept]...)
		xs.chunks.Store(&shorter)
	}
}
