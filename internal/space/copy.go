package space

import "github.com/midden-gc/midden/internal/cage"

// Copy is a cycle that moves all small objects to other blocks.
type Copy struct {
	To Buffer // where the survivors go

	space  *Space
	claims int64 // before: copies are not allocation
}

// NoteGrowth notes that the copy of an object will be larger by so many bytes.
func (s *Space) NoteGrowth(bytes int64) { s.growth.Add(bytes) }

// BeginCopy sets the blocks in use aside and makes sure that there is room for
// what may survive, so that nothing can fail once objects have begun to move.
// The room may pass the limit until EndCopy.
func (s *Space) BeginCopy() (*Copy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Packed in another order, objects may need a third more blocks.
	used := len(s.used) - len(s.vacant)
	growth := s.growth.Load()
	if growth > 0 {
		// A thousandth because objects that have grown are a little harder to pack.
		used += used/1000 + int(growth/cage.BlockSize) + 1
	}
	for need := used + used/3 + 2; len(s.free) < need; {
		b, err := s.acquire(1)
		if err != nil {
			return nil, err
		}
		s.free = append(s.free, b)
	}
	c := &Copy{
		To:     Buffer{quantum: cage.LinesPerBlock, beyond: true},
		space:  s,
		claims: s.claims.Load(),
	}
	s.growth.Add(-growth)
	s.aside = s.takeUsed()
	s.large.old = 0
	// The next threshold is set when the cycle is over.
	s.threshold.Store(1<<63 - 1)
	return c, nil
}

// Alloc returns where the copy of an object of so many units begins.
func (c *Copy) Alloc(units uintptr) uintptr {
	if at, ok := c.To.take(units); ok {
		return at
	}
	at, err := c.space.Alloc(&c.To, units)
	if err != nil {
		// BeginCopy made room for the worst packing.
		panic("midden: no room for the survivors of a copying cycle: " + err.Error())
	}
	return at
}

// EndCopy frees the blocks that were set aside, and large objects of which
// alive says no. It returns the bytes of the large objects that live.
func (c *Copy) EndCopy(alive func(at uintptr) bool) (largeLive int64) {
	s := c.space
	c.To.credit = 0
	s.GiveBack(&c.To, s.Cycle())
	s.claims.Store(c.claims)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, s.aside...)
	s.Budget.refund(int64(len(s.aside)) * cage.BlockSize)
	s.aside = nil
	return s.sweepLarge(alive)
}
