package space

import (
	"slices"

	"github.com/midden-gc/midden/internal/cage"
)

// Evacuation is the part of a cycle that empties some blocks: what lives in them
// is copied to other blocks of the space. It comes after Sweep, and its own end
// is a sweep of the blocks that it has touched.
//
// Copies go to blocks that the space holds free, to a bounded number of new ones,
// and if wanted to the holes of blocks that are not emptied; always within the
// limit. When that is used up, the rest stays where it is.
type Evacuation struct {
	space   *Space
	from    []BlockInUse
	apart   []int // recycled blocks whose holes are not for copies
	claims  int64 // before: copies are not allocation
	buffers []*Buffer
}

// BlockInUse is a block that holds objects.
type BlockInUse struct {
	Block cage.Block
	Lines int // marked, when it was last swept
	place int // in used
}

// InUse returns all blocks that hold small objects.
func (s *Space) InUse() []BlockInUse {
	s.mu.Lock()
	defer s.mu.Unlock()
	blocks := make([]BlockInUse, 0, len(s.used)-len(s.vacant))
	for i, u := range s.used {
		if u.block != 0 {
			blocks = append(blocks, BlockInUse{u.block, int(u.marked), i})
		}
	}
	return blocks
}

// Blocks returns how many blocks hold small objects.
func (s *Space) Blocks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.used) - len(s.vacant)
}

// Large calls visit for each large object: where it begins, in units, and its
// size in bytes. Between Sweep and the end of the pause all of them live.
func (s *Space) Large(visit func(at, bytes uintptr)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.large.objects {
		visit(o.at, o.bytes)
	}
}

// LargeLive returns the bytes of large objects that lived after the last sweep.
func (s *Space) LargeLive() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.large.live
}

// RoomToCopy returns how many free blocks there are to copy to, if up to fresh are
// taken from the system.
func (s *Space) RoomToCopy(fresh int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(min(int64(len(s.free)+fresh), s.Budget.Room()/cage.BlockSize))
}

// BeginEvacuation begins to empty the given blocks. Up to fresh blocks may be
// taken from the system, and with holes the holes of other blocks are filled,
// those of the fullest first.
func (s *Space) BeginEvacuation(from []BlockInUse, fresh int, holes bool) *Evacuation {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Evacuation{space: s, from: from, claims: s.claims.Load()}
	emptied := make(map[int]bool, len(from))
	for _, f := range from {
		emptied[f.place] = true
	}
	e.apart = slices.DeleteFunc(s.recycled, func(i int) bool { return emptied[i] })
	s.recycled = nil
	if holes {
		// The last is taken first.
		slices.SortFunc(e.apart, func(i, j int) int { return int(s.used[i].marked) - int(s.used[j].marked) })
		s.recycled, e.apart = e.apart, nil
	}
	s.fresh = fresh
	// The next threshold is set when the cycle is over.
	s.threshold.Store(never)
	return e
}

// Buffer returns a buffer for one worker, to be given to Alloc.
func (e *Evacuation) Buffer() *Buffer {
	b := &Buffer{quantum: cage.LinesPerBlock, copies: true}
	e.space.mu.Lock()
	defer e.space.mu.Unlock()
	e.buffers = append(e.buffers, b)
	return b
}

// Alloc returns where the copy of an object of so many units begins, or reports
// that there is no room. The memory is not clear.
func (e *Evacuation) Alloc(b *Buffer, units uintptr) (at uintptr, ok bool) {
	if at, ok := b.take(units); ok {
		return at, true
	}
	at, err := e.space.Alloc(b, units)
	return at, err == nil
}

// End sorts the blocks again that were emptied or filled, by their line marks. It
// returns what Sweep does.
func (e *Evacuation) End() (live int64) {
	s := e.space
	for _, b := range e.buffers {
		*b = Buffer{}
	}
	s.claims.Store(e.claims)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = 0
	s.recycled = append(s.recycled, e.apart...)
	for _, f := range e.from {
		s.claimed = append(s.claimed, f.place)
	}
	s.sweepBlocks()
	return s.live + s.large.live
}
