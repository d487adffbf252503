// Package space manages the memory of one heap: blocks whose lines are filled
// by small and medium objects, and pages for large ones. It knows which lines
// and pages are taken, never what lies in them.
//
// A mutator allocates from a Buffer of its own. When that runs dry it claims
// lines here, under a lock: a leftover piece, else a block with holes, else a
// free block. A collector marks lines while it traces, in the table of the cage;
// Sweep reads that table and sorts the blocks again:
//
//	            claimed whole or in pieces
//	 free ─────────────────────────────────▶ in use
//	  ▲  ▲                                     │ Sweep
//	  │  └──────────── no line marked ─────────┤
//	cage                                       │ some lines marked
//	            claimed for its holes          ▼
//	 in use ◀───────────────────────────── recycled
package space

import (
	"errors"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
)

const (
	// MaxSmall is the size in bytes, header included, up to which objects share
	// blocks. Larger ones have pages of their own.
	MaxSmall = cage.BlockSize / 4

	// LiveLine is the mark of a line that a living object touches.
	LiveLine = 1
	// OldLine is set in the mark of a line whose objects survived, when the
	// collector tells old from young.
	OldLine = 0x80
)

// ErrLimit says that memory was refused because of the heap's limit.
var ErrLimit = errors.New("limit reached")

// Options are what a Space needs to know of its heap.
type Options struct {
	Owner uint32 // noted in the cage for each block
	Limit int64  // bytes; 0: none
	// Wanted is called without a lock when more was allocated than the
	// threshold allows.
	Wanted func()
	// Committed is called when memory was taken from the system or given back, with
	// locks held; nil if nobody wants to know.
	Committed func()
	// Refuse is called with a lock before so many bytes are taken from the system,
	// and an error is taken for the system's. Nil refuses nothing.
	Refuse func(bytes int64) error
}

// Space is the memory of one heap.
type Space struct {
	Budget Budget

	owner     uint32
	wanted    func()
	changed   func() // Options.Committed
	refuse    func(bytes int64) error
	allocated atomic.Int64 // bytes allocated, ever
	claims    atomic.Int64 // bytes of free lines and pages claimed, less what was given back
	growth    atomic.Int64 // bytes by which copies of objects will be larger, at most
	settled   atomic.Int64 // claims when the last cycle ended
	threshold atomic.Int64 // when claims passes it, a cycle is wanted
	committed atomic.Int64 // bytes held from the system
	peak      atomic.Int64

	mu       sync.Mutex
	cycle    uint64       // cycles begun
	used     []usedBlock  // in use or recycled; vacant places have block 0
	vacant   []int        // places of used
	claimed  []int        // places of blocks that were claimed since the last cycle
	recycled []int        // places of blocks with holes that nobody has claimed
	aside    []cage.Block // that a copying cycle empties; it may fail in the middle
	free     []cage.Block // dirty, the last freed on top
	pieces   []piece      // leftovers of claimed blocks
	large    largeObjects
	live     int64 // bytes of marked lines
	fresh    int   // blocks that an evacuation may still take from the cage
}

// usedBlock is a block that holds objects.
type usedBlock struct {
	block  cage.Block
	marked uint16 // lines, when it was last swept
}

// piece is a run of lines that belongs to no buffer.
type piece struct {
	line, end uintptr
	clean     bool
}

// New returns an empty space. The cage must have been made.
func New(o Options) *Space {
	s := &Space{owner: o.Owner, wanted: o.Wanted, changed: o.Committed, refuse: o.Refuse}
	s.Budget.limit = o.Limit
	s.threshold.Store(never)
	return s
}

// Alloc returns where units of clear memory begin, for an object of at most
// MaxSmall bytes that did not fit the buffer's hole.
func (s *Space) Alloc(b *Buffer, units uintptr) (uintptr, error) {
	if at, ok := b.take(units); ok {
		return at, nil
	}
	if units > unitsPerLine {
		return s.allocOverflow(b, units)
	}
	for {
		for b.nextHole() {
			if at, ok := b.take(units); ok {
				return at, nil
			}
		}
		if err := s.claim(b); err != nil {
			return 0, err
		}
	}
}

func (s *Space) allocOverflow(b *Buffer, units uintptr) (uintptr, error) {
	if at, ok := b.takeOverflow(units); ok {
		return at, nil
	}
	s.count(b)
	need := (units + unitsPerLine - 1) / unitsPerLine
	most := max(b.nextLines(), need)
	s.mu.Lock()
	s.giveBackOverflow(b)
	p, err := s.freePiece(b, need, most)
	s.mu.Unlock()
	s.checkThreshold()
	if err != nil {
		return 0, err
	}
	b.overNext, b.overEnd = p.line*unitsPerLine, p.end*unitsPerLine
	b.overCounted = b.overNext
	if !p.clean && !b.copies {
		p.wipe()
	}
	at, _ := b.takeOverflow(units)
	return at, nil
}

// claim gives b the next lines to allocate in.
func (s *Space) claim(b *Buffer) error {
	s.count(b)
	lines := b.nextLines()
	s.mu.Lock()
	p, err := s.nextPiece(b)
	if err == nil {
		p = s.cut(p, lines)
	}
	s.mu.Unlock()
	s.checkThreshold()
	if err != nil {
		return err
	}
	b.line, b.lineEnd, b.clean = p.line, p.end, p.clean || b.copies
	return nil
}

// nextLines returns how many lines b may claim now, and lets it claim more the
// next time. Blocks that were reserved for b it takes whole.
func (b *Buffer) nextLines() uintptr {
	q := max(b.quantum, minQuantum)
	b.quantum = min(2*q, cage.LinesPerBlock)
	if b.credit > 0 {
		return cage.LinesPerBlock
	}
	return q
}

// nextPiece finds lines of which at least one is free: holes first, so that
// blocks stay few.
func (s *Space) nextPiece(b *Buffer) (piece, error) {
	if n := len(s.pieces); n > 0 {
		p := s.pieces[n-1]
		s.pieces = s.pieces[:n-1]
		return p, nil
	}
	if n := len(s.recycled); n > 0 {
		i := s.recycled[n-1]
		s.recycled = s.recycled[:n-1]
		s.claimed = append(s.claimed, i)
		line := s.used[i].block.Line()
		return piece{line, line + cage.LinesPerBlock, false}, nil
	}
	return s.freeBlock(b)
}

// freePiece finds a run of at least need and at most most free lines: in what
// was claimed and left over, in a block with holes, or in a free block.
func (s *Space) freePiece(b *Buffer, need, most uintptr) (piece, error) {
	const lookAt = 8 // of each; the lock is held
	for i := len(s.pieces) - 1; i >= max(0, len(s.pieces)-lookAt); i-- {
		p := s.pieces[i]
		if first, end := findRun(p.line, p.end, need); first < end {
			s.pieces = slices.Delete(s.pieces, i, i+1)
			return s.carve(p, first, min(end, first+most)), nil
		}
	}
	for i := len(s.recycled) - 1; i >= max(0, len(s.recycled)-lookAt); i-- {
		line := s.used[s.recycled[i]].block.Line()
		p := piece{line: line, end: line + cage.LinesPerBlock}
		if first, end := findRun(p.line, p.end, need); first < end {
			s.claimed = append(s.claimed, s.recycled[i])
			s.recycled = slices.Delete(s.recycled, i, i+1)
			return s.carve(p, first, min(end, first+most)), nil
		}
	}
	p, err := s.freeBlock(b)
	if err != nil {
		return piece{}, err
	}
	return s.cut(p, most), nil
}

// carve takes the free lines [first, end) out of p and keeps what is left.
func (s *Space) carve(p piece, first, end uintptr) piece {
	if p.line < first {
		s.pieces = append(s.pieces, piece{p.line, first, p.clean})
	}
	return s.cut(piece{first, p.end, p.clean}, end-first)
}

// cut takes lines from the front of p, keeps the rest for the next who asks,
// and counts what is free in it as claimed.
func (s *Space) cut(p piece, lines uintptr) piece {
	if p.end-p.line > lines {
		s.pieces = append(s.pieces, piece{p.line + lines, p.end, p.clean})
		p.end = p.line + lines
	}
	s.claims.Add(int64(freeLines(p.line, p.end)) * cage.LineSize)
	return p
}

// freeBlock takes a block into use, on the budget of b's reserve if it has one.
func (s *Space) freeBlock(b *Buffer) (piece, error) {
	credit, ok := s.charge(b, cage.BlockSize)
	if !ok {
		return piece{}, ErrLimit
	}
	if b.copies && len(s.free) == 0 {
		if s.fresh == 0 {
			s.uncharge(b, cage.BlockSize, credit)
			return piece{}, ErrLimit
		}
		s.fresh--
	}
	block, clean, err := s.obtain()
	if err != nil {
		s.uncharge(b, cage.BlockSize, credit)
		return piece{}, err
	}
	s.claimed = append(s.claimed, s.place(block))
	return piece{block.Line(), block.Line() + cage.LinesPerBlock, clean}, nil
}

// place finds a place for a block in used.
func (s *Space) place(b cage.Block) int {
	if n := len(s.vacant); n > 0 {
		i := s.vacant[n-1]
		s.vacant = s.vacant[:n-1]
		s.used[i] = usedBlock{block: b}
		return i
	}
	s.used = append(s.used, usedBlock{block: b})
	return len(s.used) - 1
}

// obtain gets a block that is not charged yet.
func (s *Space) obtain() (b cage.Block, clean bool, err error) {
	if n := len(s.free); n > 0 {
		b = s.free[n-1]
		s.free = s.free[:n-1]
		return b, false, nil
	}
	b, err = s.acquire(1)
	return b, true, err
}

// acquire takes a run of n clean blocks from the cage. All memory that objects
// lie in comes from here.
func (s *Space) acquire(n int) (cage.Block, error) {
	bytes := int64(n) * cage.BlockSize
	if s.refuse != nil {
		if err := s.refuse(bytes); err != nil {
			return 0, err
		}
	}
	b, err := cage.Acquire(n, s.owner)
	if err == nil {
		s.addCommitted(bytes)
	}
	return b, err
}

// charge takes bytes from the reserve of b and then from the budget. It returns
// how many came from the reserve.
func (s *Space) charge(b *Buffer, bytes int64) (fromCredit int64, ok bool) {
	if b.beyond {
		s.Budget.force(bytes)
		return 0, true
	}
	fromCredit = min(b.credit, bytes)
	if bytes > fromCredit && !s.Budget.charge(bytes-fromCredit) {
		return 0, false
	}
	b.credit -= fromCredit
	s.Budget.reserved.Add(-fromCredit)
	return fromCredit, true
}

// uncharge undoes charge.
func (s *Space) uncharge(b *Buffer, bytes, fromCredit int64) {
	s.Budget.refund(bytes - fromCredit)
	b.credit += fromCredit
	s.Budget.reserved.Add(fromCredit)
}

// Reserve sets aside enough of the budget that b can allocate any mix of
// objects of so many bytes together, and reports whether it could. It replaces
// what was reserved before.
func (s *Space) Reserve(b *Buffer, bytes int64) bool {
	s.Unreserve(b)
	need := ReserveCost(bytes)
	if bytes > 1<<61 || !s.Budget.charge(need) {
		return false
	}
	s.Budget.reserved.Add(need)
	b.credit = need
	return true
}

// ReserveCost returns how much of the budget it takes to reserve so many bytes.
func ReserveCost(bytes int64) int64 {
	// In the worst mix, a quarter of each block is left over, because the next
	// object is just too large; and the last block of each claim is begun.
	bytes = min(bytes, 1<<61)
	return bytes + bytes/3 + 2*cage.BlockSize
}

// Unreserve gives back what is left of b's reserve.
func (s *Space) Unreserve(b *Buffer) {
	if b.credit != 0 {
		s.Budget.reserved.Add(-b.credit)
		s.Budget.refund(b.credit)
		b.credit = 0
	}
}

// Settle ends a cycle's look at all buffers: so many bytes are reserved by those
// that exist, and what is noted beyond that belonged to one that is gone.
func (s *Space) Settle(reserved int64) {
	gone := s.Budget.reserved.Load() - reserved
	s.Budget.reserved.Add(-gone)
	s.Budget.refund(gone)
}

// Cycle returns the number of the last cycle that began.
func (s *Space) Cycle() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cycle
}

// Begin begins a cycle, with the world stopped: what buffers hold from now on is
// for the sweep to find.
func (s *Space) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cycle++
}

// GiveBack returns the rest of b, whose owner has left and is not known to cycles
// any more. If one has begun since the given number was read, b was retired by
// it, or what b held counts as free to it.
func (s *Space) GiveBack(b *Buffer, cycle uint64) {
	s.count(b)
	s.mu.Lock()
	if s.cycle == cycle {
		s.giveBack(b.line, b.lineEnd, b.clean)
		s.giveBack(lineAfter(b.Next), max(b.End, b.hiddenEnd)/unitsPerLine, true)
		s.giveBackOverflow(b)
		s.Unreserve(b)
	}
	s.mu.Unlock()
	*b = Buffer{}
}

func (s *Space) giveBackOverflow(b *Buffer) {
	s.giveBack(lineAfter(b.overNext), b.overEnd/unitsPerLine, true)
	b.overNext, b.overEnd, b.overCounted = 0, 0, 0
}

// count adds to the sum what was allocated in b since it was last counted.
func (s *Space) count(b *Buffer) {
	units := b.passed + b.Next - b.counted + b.overNext - b.overCounted
	b.passed, b.counted, b.overCounted = 0, b.Next, b.overNext
	if units != 0 && !b.beyond && !b.copies { // copies are not allocation
		s.allocated.Add(int64(units << cage.UnitShift))
	}
}

func (s *Space) giveBack(line, end uintptr, clean bool) {
	if line < end {
		if n := freeLines(line, end); n > 0 {
			s.claims.Add(-int64(n) * cage.LineSize)
			s.pieces = append(s.pieces, piece{line, end, clean})
		}
	}
}

// lineAfter returns the first line that begins at or after a position.
func lineAfter(units uintptr) uintptr { return (units + unitsPerLine - 1) / unitsPerLine }

// Retire forgets what b holds, with the world stopped: Sweep finds again what
// is free of it. The reserve stays.
func (s *Space) Retire(b *Buffer) {
	s.count(b)
	for _, r := range [...]struct{ line, end uintptr }{
		{b.line, b.lineEnd},
		{lineAfter(b.Next), max(b.End, b.hiddenEnd) / unitsPerLine},
		{lineAfter(b.overNext), b.overEnd / unitsPerLine},
	} {
		if r.line < r.end {
			s.claims.Add(-int64(freeLines(r.line, r.end)) * cage.LineSize)
		}
	}
	*b = Buffer{quantum: b.quantum, credit: b.credit}
}

// ClearMarks makes the cycle find everything anew: all marks are cleared. Without
// it, a cycle takes what is marked to live, and its cost does not depend on that.
func (s *Space) ClearMarks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recycled, s.claimed = s.recycled[:0], s.claimed[:0]
	for i := range s.used {
		if u := &s.used[i]; u.block != 0 {
			u.block.ClearMarks(1)
			u.marked = 0
			s.claimed = append(s.claimed, i)
		}
	}
	s.live = 0
	s.large.clearMarks()
}

// Sweep ends a cycle: of the blocks that were claimed since the last, and of all
// after ClearMarks, those without a marked line become free. Large objects of
// which alive says no are freed in the same way. It returns the bytes of marked
// lines and of large objects that live.
func (s *Space) Sweep(alive func(at uintptr) bool) (live int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepBlocks()
	return s.live + s.sweepLarge(alive)
}

// sweepBlocks sorts the blocks that were claimed since the last sweep.
func (s *Space) sweepBlocks() {
	s.pieces = s.pieces[:0]
	freed := 0
	for _, i := range s.claimed {
		u := &s.used[i]
		marked := markedLines(u.block)
		s.live += int64(marked-int(u.marked)) * cage.LineSize
		u.marked = uint16(marked)
		switch {
		case marked == 0:
			s.free = append(s.free, u.block)
			s.vacant = append(s.vacant, i)
			*u = usedBlock{}
			freed++
		case marked < cage.LinesPerBlock:
			s.recycled = append(s.recycled, i)
		}
	}
	s.claimed = s.claimed[:0]
	s.Budget.refund(int64(freed) * cage.BlockSize)
}

// markedLines counts the lines of b that have a mark.
func markedLines(b cage.Block) (n int) {
	const ones = 0x0101010101010101 * LiveLine
	words := (*[cage.LinesPerBlock / 8]uint64)(unsafe.Pointer(unsafe.SliceData(blockLines(b))))
	for _, w := range words {
		n += bits.OnesCount64(w & ones)
	}
	return n
}

func blockLines(b cage.Block) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(cage.Lines, b.Line())), cage.LinesPerBlock)
}

// Poison overwrites what a cycle has freed with b, so that whoever still refers
// to it is found out: free blocks, and with lines also the lines that have no
// mark.
func (s *Space) Poison(b byte, lines bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lines {
		for _, u := range s.used {
			if u.block == 0 {
				continue
			}
			for line := u.block.Line(); line < u.block.Line()+cage.LinesPerBlock; line++ {
				if lineMark(line) == 0 {
					fill(cage.At(line*unitsPerLine), cage.LineSize, b)
				}
			}
		}
	}
	for _, block := range s.free {
		fill(block.Address(), cage.BlockSize, b)
	}
	s.large.poison(b)
}

func fill(p unsafe.Pointer, n int, b byte) {
	mem := unsafe.Slice((*byte)(p), n)
	mem[0] = b
	for done := 1; done < n; done *= 2 {
		copy(mem[done:], mem[:done])
	}
}

// TrimAll returns all free memory to the system that can be returned: free blocks,
// and free pages beside large objects.
func (s *Space) TrimAll() {
	s.Trim(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addCommitted(-s.large.trim())
}

// Trim returns free blocks to the system until at most keep bytes of them are
// left.
func (s *Space) Trim(keep int64) {
	s.mu.Lock()
	n := len(s.free) - int(min(keep/cage.BlockSize, int64(len(s.free))))
	// The bottom of the stack was freed first and is the coldest.
	back := slices.Clone(s.free[:n])
	s.free = slices.Delete(s.free, 0, n)
	s.mu.Unlock()
	s.release(back)
}

// release gives blocks back to the cage, in runs, because each call of the
// system costs more than the block.
func (s *Space) release(blocks []cage.Block) {
	slices.Sort(blocks)
	for i := 0; i < len(blocks); {
		j := i + 1
		for j < len(blocks) && blocks[j] == blocks[j-1]+1 {
			j++
		}
		cage.Release(blocks[i], j-i)
		i = j
	}
	s.addCommitted(-int64(len(blocks)) * cage.BlockSize)
}

// Close returns all memory.
func (s *Space) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(slices.Concat(s.takeUsed(), s.aside, s.free))
	s.aside, s.free = nil, nil
	s.closeLarge()
	s.Budget.used.Store(0)
	s.Budget.external.Store(0)
	s.Budget.reserved.Store(0)
}

// takeUsed empties the list of blocks in use and returns what was in it.
func (s *Space) takeUsed() []cage.Block {
	blocks := make([]cage.Block, 0, len(s.used))
	for _, u := range s.used {
		if u.block != 0 {
			blocks = append(blocks, u.block)
		}
	}
	s.used, s.vacant, s.claimed, s.recycled, s.pieces = nil, nil, nil, nil, nil
	return blocks
}

// SetThreshold ends a cycle: the next is wanted when so many more bytes were
// claimed.
func (s *Space) SetThreshold(bytes int64) {
	s.settled.Store(s.claims.Load())
	s.threshold.Store(s.settled.Load() + min(bytes, never/2))
}

// MoveThreshold sets the threshold anew, between two cycles.
func (s *Space) MoveThreshold(bytes int64) {
	if s.threshold.Load() == never {
		return // a copying cycle is on, and sets it when it is over
	}
	s.threshold.Store(s.settled.Load() + min(bytes, never/2))
	s.checkThreshold()
}

// never is a threshold that is not reached.
const never = 1<<63 - 1

// Due reports whether more was claimed than the threshold allows.
func (s *Space) Due() bool { return s.claims.Load() > s.threshold.Load() }

func (s *Space) checkThreshold() {
	if s.Due() {
		s.wanted()
	}
}

// Allocated returns the bytes allocated ever. What is in the buffers' present
// holes is counted when they are given back.
func (s *Space) Allocated() int64 { return s.allocated.Load() }

// AllocatedSince returns the bytes claimed since the last cycle.
func (s *Space) AllocatedSince() int64 { return s.claims.Load() - s.settled.Load() }

// FreeBytes returns the bytes of blocks that are held and hold nothing.
func (s *Space) FreeBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.free)) * cage.BlockSize
}

// Committed returns the bytes held from the system, and their peak.
func (s *Space) Committed() (now, peak int64) { return s.committed.Load(), s.peak.Load() }

func (s *Space) addCommitted(bytes int64) {
	now := s.committed.Add(bytes)
	for peak := s.peak.Load(); now > peak && !s.peak.CompareAndSwap(peak, now); {
		peak = s.peak.Load()
	}
	if s.changed != nil {
		s.changed()
	}
}

// wipe clears p.
func (p piece) wipe() {
	clear(unsafe.Slice((*byte)(cage.At(p.line*unitsPerLine)), (p.end-p.line)*cage.LineSize))
}
