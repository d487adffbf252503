package space

import "sync/atomic"

// Budget is how much memory a heap may use. Whoever wants memory charges it
// first, by compare-and-swap, so that racing mutators cannot pass the limit
// together.
type Budget struct {
	limit    int64 // 0: none
	used     atomic.Int64
	external atomic.Int64
	reserved atomic.Int64 // the part of used that is promised and not yet taken
}

// Limit returns the limit in bytes, 0 for none.
func (b *Budget) Limit() int64 { return b.limit }

// Used returns the bytes charged, without what is only reserved.
func (b *Budget) Used() int64 { return max(0, b.used.Load()-b.reserved.Load()) }

// External returns the bytes noted with AddExternal.
func (b *Budget) External() int64 { return b.external.Load() }

// Room returns how much can still be charged.
func (b *Budget) Room() int64 {
	if b.limit == 0 {
		return 1<<63 - 1
	}
	return max(0, b.limit-b.used.Load())
}

// AddExternal notes bytes of memory elsewhere that objects keep alive. It may
// pass the limit: the memory is there already. It returns the new sum.
func (b *Budget) AddExternal(bytes int64) int64 {
	b.used.Add(bytes)
	return b.external.Add(bytes)
}

// ChargeSet counts bytes of a remembered set, or fewer if negative. It may pass
// the limit: a store cannot fail.
func (s *Space) ChargeSet(bytes int64) {
	s.Budget.force(bytes)
	s.addCommitted(bytes)
}

// TryChargeSet is ChargeSet for what can be refused: it reports whether the limit
// leaves room.
func (s *Space) TryChargeSet(bytes int64) bool {
	if !s.Budget.charge(bytes) {
		return false
	}
	s.addCommitted(bytes)
	return true
}

// charge takes bytes from the budget, or reports that they would pass the limit.
func (b *Budget) charge(bytes int64) bool {
	if b.limit == 0 {
		b.used.Add(bytes)
		return true
	}
	for {
		used := b.used.Load()
		if bytes > b.limit-used {
			return false
		}
		if b.used.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

// force takes bytes from the budget though that may pass the limit, for a
// collector that copies.
func (b *Budget) force(bytes int64) { b.used.Add(bytes) }

func (b *Budget) refund(bytes int64) { b.used.Add(-bytes) }
