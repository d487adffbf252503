// Package cage owns the address space in which every heap of the process lies.
//
// One range is reserved once, when the first heap is made, and never given
// back: so a reference is a small count of 8-byte units from Base, and turning
// it into a pointer is one addition with no heap in hand. The range is cut into
// blocks of 32 KiB and blocks into lines of 128 bytes. Blocks go to heaps,
// alone or in runs, and come back.
//
//	reserved once, inaccessible until committed
//	┌─────────┬────────────────────────────┬───────────────────────────┐
//	│ block 0 │ blocks handed out or free  │ never touched             │
//	└─────────┴────────────────────────────┴───────────────────────────┘
//	  never                                ↑ top, committed in chunks
//	┌───────┐ ┌───────┐ ┌────────┐ ┌────────┐
//	│ Lines │ │ Marks │ │ Starts │ │ owners │  committed with the blocks
//	└───────┘ └───────┘ └────────┘ └────────┘
//
// Block 0 is never committed, so that the nil reference points to nothing and
// dereferencing it by mistake faults.
//
// What the cage holds free is always clean: its pages are back with the system
// and read as zero, and its marks are zero. Keeping dirty blocks for quick
// reuse is the business of the heap that dirtied them.
package cage

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

const (
	// UnitShift is log2 of the unit in which references count.
	UnitShift = 3
	// LineShift is log2 of LineSize.
	LineShift = 7
	// LineSize is the size of a line in bytes.
	LineSize = 1 << LineShift
	// BlockShift is log2 of BlockSize.
	BlockShift = 15
	// BlockSize is the size of a block in bytes.
	BlockSize = 1 << BlockShift
	// LinesPerBlock is how many lines a block has.
	LinesPerBlock = BlockSize / LineSize

	startsPerBlock = BlockSize >> UnitShift / 8 // bytes

	minSize     = 64 << 20
	tableChunk  = 64 << 10 // side tables are committed in such pieces
	commitChunk = 4 << 20
	blocksChunk = commitChunk / BlockSize
)

// Base is where the cage begins, nil before Init. It is set once.
var Base unsafe.Pointer

// Size is how many bytes the cage spans, 0 before Init. It is set once.
var Size uintptr

// Lines is the table of line marks: one byte for each line from Base. It is set once.
var Lines unsafe.Pointer

// Marks is the table of object marks: one bit for each 16 bytes from Base, so
// that a byte of it covers a line. An object has at least 16 bytes, hence no two
// begin in the same 16, and each has a bit of its own. It is set once.
var Marks unsafe.Pointer

// Starts is the table of places where objects begin: one bit for each unit from
// Base. Only a collector that moves objects writes to it, and only while it has
// the world stopped: in between, all bits of blocks with small objects are clear,
// and mostly the table takes no memory. It is set once.
var Starts unsafe.Pointer

// Block is the index of a block from Base. Block 0 belongs to nobody.
type Block uint32

// tables are the side tables, and how many bytes of each belong to a block.
var tables = [...]struct {
	at       *unsafe.Pointer
	perBlock uintptr
}{
	{&Lines, LinesPerBlock},
	{&Marks, LinesPerBlock},
	{&Starts, startsPerBlock},
	{&cage.owners, 4},
}

// ErrExhausted says that the reserved range has no room left for a request.
var ErrExhausted = errors.New("the reserved address range is used up")

var cage struct {
	once sync.Once
	err  error

	owners unsafe.Pointer // *[limit]uint32

	lastOwner atomic.Uint32
	committed atomic.Uint32 // blocks below it are accessible; grows under mu

	mu     sync.Mutex
	limit  Block    // blocks reserved
	top    Block    // blocks from here on were never handed out
	free   []uint64 // a bit for each block below top that is free
	recent []Block  // free blocks, the last released on top; a hint: the bits in free decide
	nfree  int
}

// nilLine is what the table of line marks holds for the line of the nil
// reference: all bits set, so that it counts as old.
const nilLine = 0xff

// Init reserves the range, once for the process. It fails when the system
// refuses even a small range, and then fails in the same way ever after.
func Init() error {
	cage.once.Do(func() { cage.err = reserve() })
	return cage.err
}

// reserve asks for ever smaller ranges, because address space may be limited
// (ulimit -v, containers).
func reserve() error {
	var err error
	for size := uintptr(maxSize); size >= minSize; size /= 2 {
		blocks := size / BlockSize
		total := size
		for _, t := range tables {
			total += roundUp(blocks*t.perBlock, tableChunk)
		}
		// One reservation for all; commitChunk of slack aligns the base.
		var p unsafe.Pointer
		p, err = sysReserve(commitChunk + total)
		if err != nil {
			continue
		}
		p = unsafe.Add(p, -uintptr(p)&(commitChunk-1))
		Base = p
		Size = size
		p = unsafe.Add(p, size)
		for _, t := range tables {
			*t.at = p
			p = unsafe.Add(p, roundUp(blocks*t.perBlock, tableChunk))
		}
		cage.limit = Block(blocks)
		cage.top = 1
		return nil
	}
	return fmt.Errorf("cannot reserve %d MiB of address space: %w", minSize>>20, err)
}

// Shortfall returns the size of the range that was reserved and the size that
// was asked for first, in bytes. They differ where address space is limited.
func Shortfall() (got, asked uintptr) { return Size, maxSize }

// At returns the address units*8 bytes above Base.
func At(units uintptr) unsafe.Pointer { return unsafe.Add(Base, units<<UnitShift) }

// Contains reports whether p points into the cage.
func Contains(p unsafe.Pointer) bool { return uintptr(p)-uintptr(Base) < Size }

// Address returns the first byte of b.
func (b Block) Address() unsafe.Pointer { return unsafe.Add(Base, uintptr(b)<<BlockShift) }

// Line returns the index, from Base, of the first line of b.
func (b Block) Line() uintptr { return uintptr(b) << (BlockShift - LineShift) }

// ClearMarks clears all marks in a run of n blocks.
func (b Block) ClearMarks(n int) {
	for _, table := range [...]unsafe.Pointer{Lines, Marks} {
		marks := unsafe.Slice((*byte)(unsafe.Add(table, b.Line())), n*LinesPerBlock)
		// A large object may have marked one line of many. Where nothing is
		// marked nothing is written, so that the table takes no memory there.
		for page := range slices.Chunk(marks, LinesPerBlock) {
			if *(*[LinesPerBlock]byte)(page) != [LinesPerBlock]byte{} {
				clear(page)
			}
		}
	}
}

// Starts returns the part of the table Starts that is about b.
func (b Block) Starts() *[startsPerBlock / 8]uint64 {
	return (*[startsPerBlock / 8]uint64)(unsafe.Add(Starts, uintptr(b)*startsPerBlock))
}

// ClearStarts clears that part.
func (b Block) ClearStarts() {
	// Where nothing is set nothing is written, so that the table takes no memory
	// there.
	if s := b.Starts(); *s != [len(s)]uint64{} {
		clear(s[:])
	}
}

// BlockOf returns the block that holds p, which must point into the cage.
func BlockOf(p unsafe.Pointer) Block {
	return Block((uintptr(p) - uintptr(Base)) >> BlockShift)
}

// NewOwner returns a number that no other owner of blocks has, never 0.
func NewOwner() uint32 { return cage.lastOwner.Add(1) }

// Acquire hands out a run of n neighbouring blocks, n ≥ 1, clean. Owner is
// noted for each (see Owner). It fails with ErrExhausted, or with the system's
// error when it refuses memory.
func Acquire(n int, owner uint32) (Block, error) {
	cage.mu.Lock()
	defer cage.mu.Unlock()
	b, ok := takeFree(n)
	if !ok {
		var err error
		if b, err = takeNew(n); err != nil {
			return 0, err
		}
	}
	if err := sysReuse(b.Address(), uintptr(n)<<BlockShift); err != nil {
		giveFree(b, n)
		return 0, err
	}
	for i := range n {
		*ownerOf(b + Block(i)) = owner
	}
	return b, nil
}

// Release takes back a run of n blocks and returns its pages to the system.
func Release(b Block, n int) {
	sysDiscard(b.Address(), uintptr(n)<<BlockShift)
	b.ClearMarks(n)
	for i := range n {
		(b + Block(i)).ClearStarts()
		*ownerOf(b + Block(i)) = 0
	}
	cage.mu.Lock()
	defer cage.mu.Unlock()
	giveFree(b, n)
}

// Discard returns pages of a block that is in use to the system. They must not be
// touched until Reuse, and are clear then. The range is a multiple of the system's
// page size.
func Discard(p unsafe.Pointer, n uintptr) { sysDiscard(p, n) }

// Reuse makes discarded pages usable again. It fails when the system refuses
// memory.
func Reuse(p unsafe.Pointer, n uintptr) error { return sysReuse(p, n) }

// Owner returns what Acquire was told about b, 0 for a block that is free.
func Owner(b Block) uint32 {
	if uint32(b) >= cage.committed.Load() {
		return 0
	}
	return *ownerOf(b)
}

// Accessible returns the block from which on none was ever handed out.
func Accessible() Block { return Block(cage.committed.Load()) }

// Free returns how many of the blocks that were ever handed out are free now.
func Free() int {
	cage.mu.Lock()
	defer cage.mu.Unlock()
	return cage.nfree
}

func ownerOf(b Block) *uint32 { return (*uint32)(unsafe.Add(cage.owners, uintptr(b)*4)) }

// takeNew takes a run of n blocks that ends above all that was ever handed out.
// It begins with the free blocks just below that, if there are any.
func takeNew(n int) (Block, error) {
	b := cage.top
	for cage.top-b < Block(n) && isFree(b-1) {
		b--
	}
	if uintptr(n) > uintptr(cage.limit-b) {
		return 0, ErrExhausted
	}
	end := b + Block(n)
	if err := commitUpTo(end); err != nil {
		return 0, err
	}
	for i := b; i < cage.top; i++ {
		setTaken(i)
	}
	cage.top = end
	for len(cage.free)*64 < int(cage.top) {
		cage.free = append(cage.free, 0)
	}
	return b, nil
}

// commitUpTo makes all blocks below end accessible, and their part of the side
// tables. It works in chunks that extend one mapping, because each change of
// protection in the middle of one would split it, and the number of mappings is
// limited. Block 0 stays inaccessible.
func commitUpTo(end Block) error {
	committed := Block(cage.committed.Load())
	if end <= committed {
		return nil
	}
	end = min(Block(roundUp(uintptr(end), blocksChunk)), cage.limit)
	from := max(committed, 1)
	n := uintptr(end - from)
	if err := sysCommit(from.Address(), n<<BlockShift); err != nil {
		return err
	}
	for _, t := range tables {
		if err := commitTable(*t.at, uintptr(from)*t.perBlock, n*t.perBlock); err != nil {
			return err
		}
	}
	if committed == 0 {
		*(*uint8)(Lines) = nilLine
	}
	cage.committed.Store(uint32(end))
	return nil
}

// commitTable makes n bytes at offset off of a side table accessible, to the
// chunk: committing twice is harmless and the tables are small.
func commitTable(table unsafe.Pointer, off, n uintptr) error {
	from := off &^ (tableChunk - 1)
	return sysCommit(unsafe.Add(table, from), roundUp(off+n, tableChunk)-from)
}

// takeFree finds n neighbouring free blocks below top. Single blocks come from
// the most recently released; runs from the lowest address that has room, so
// that long-lived ones gather there.
func takeFree(n int) (Block, bool) {
	if n > cage.nfree {
		return 0, false
	}
	if n == 1 {
		for len(cage.recent) > 0 {
			b := cage.recent[len(cage.recent)-1]
			cage.recent = cage.recent[:len(cage.recent)-1]
			if isFree(b) {
				setTaken(b)
				return b, true
			}
		}
	}
	run := 0
	for i, w := range cage.free {
		if w == 0 {
			run = 0
			continue
		}
		if w == ^uint64(0) && run+64 < n {
			run += 64
			continue
		}
		for j := 0; j < 64; {
			if w>>j == 0 {
				run = 0
				break
			}
			if w>>j&1 == 0 {
				run = 0
				j += bits.TrailingZeros64(w >> j)
				continue
			}
			run++
			j++
			if run == n {
				b := Block(i*64 + j - n)
				for k := range n {
					setTaken(b + Block(k))
				}
				return b, true
			}
		}
	}
	return 0, false
}

func giveFree(b Block, n int) {
	for i := range n {
		cage.free[(b+Block(i))/64] |= 1 << ((b + Block(i)) % 64)
	}
	cage.nfree += n
	// Entries whose blocks were taken in runs pile up; start over before they
	// outweigh the free blocks.
	if len(cage.recent) > 2*cage.nfree+1024 {
		cage.recent = cage.recent[:0]
	}
	for i := n - 1; i >= 0; i-- {
		cage.recent = append(cage.recent, b+Block(i))
	}
}

func isFree(b Block) bool { return int(b/64) < len(cage.free) && cage.free[b/64]>>(b%64)&1 != 0 }

func setTaken(b Block) {
	cage.free[b/64] &^= 1 << (b % 64)
	cage.nfree--
}

func roundUp(n, to uintptr) uintptr { return (n + to - 1) &^ (to - 1) }
