package immix

import (
	"cmp"
	"slices"
	"unsafe"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// An evacuation empties the blocks in which least lives. It follows a full trace,
// and goes through the heap in the order of addresses, several workers at once:
//
//	measure   how much lives in each block
//	choose    which blocks to empty
//	move      copy what lives in them to other blocks, and leave its new place
//	          behind in its header
//	update    let all slots and roots refer to where the objects are now
//
// Immix moves objects while it traces, on the word of the last cycle's marks.
// Here the trace goes first and moves nothing. So it stays as fast as it is, no
// two workers race to move an object, and the choice is made from exact figures:
// how many bytes live in a block now, not how many lines were marked some time
// ago. The price is one more look at what lives, in cycles that move.
//
// Blocks that are emptied and blocks that are filled are never the same. So a
// slot may be updated twice, as happens when two Tracers show the same one.
//
// To compact a heap that may not take more memory, this is done again with the
// blocks that were emptied before.
type evacuation struct {
	*instance
	cycle *collector.Cycle
	scans []object.Scan
	goal  goal

	blocks []block // in use

	// Which blocks are being emptied, counted from the first. Their objects may
	// have moved.
	first cage.Block
	from  []bool
}

// goal says how far an evacuation goes.
type goal struct {
	fill   int  // blocks that are filled less than this are emptied, in units
	gain   int  // blocks that have to become free for it, as a part of all: one in so many
	rounds int  // at most
	grow   bool // new blocks may be taken from the system meanwhile
	all    bool // the point is to move, not to gain
}

var (
	// What opportunity allows: blocks that are less than half full, if an eighth of
	// all can be had that way without taking more memory.
	defragment = goal{fill: unitsPerBlock / 2, gain: 8, rounds: 1}
	// KindCompact: whatever is worth it. What is left is full to 7/8 at least, but
	// for what does not fit the ends of blocks.
	compact = goal{fill: unitsPerBlock * 7 / 8, gain: 64, rounds: 4, grow: true}
	// Cycle.Move.
	shake = goal{fill: unitsPerBlock + 1, rounds: 1, all: true}
)

const (
	unitsPerBlock = cage.BlockSize >> cage.UnitShift
	unitsPerLine  = cage.LineSize >> cage.UnitShift
)

// block is a block in use, and how much lives in it.
type block struct {
	space.BlockInUse
	units int
}

// evacuate moves objects and returns the bytes of lines and of large objects that
// live then.
func (i *instance) evacuate(c *collector.Cycle, g goal, live int64) int64 {
	e := &evacuation{instance: i, cycle: c, scans: object.Scans(), goal: g}
	for range g.rounds {
		e.measure()
		from, fresh, holes := e.choose()
		if len(from) == 0 {
			break
		}
		e.note(from)
		s := i.space.BeginEvacuation(from, fresh, holes)
		e.move(s, from)
		e.update()
		live = s.End()
	}
	e.end()
	return live
}

// measure finds out how much lives in each block.
func (e *evacuation) measure() {
	e.blocks = e.blocks[:0]
	for _, b := range e.space.InUse() {
		e.blocks = append(e.blocks, block{BlockInUse: b})
	}
	parallel(e.cycle.Workers, len(e.blocks), func() func(int) {
		return func(i int) {
			b := &e.blocks[i]
			for at := range objects(b.Block) {
				b.units += int(e.bytes(at) >> cage.UnitShift)
			}
		}
	})
}

// choose returns the blocks to empty, in the order of their addresses; how many
// blocks may be taken from the system for that; and whether to fill holes too.
func (e *evacuation) choose() (from []space.BlockInUse, fresh int, holes bool) {
	slices.SortFunc(e.blocks, func(a, b block) int { return cmp.Compare(a.units, b.units) })
	n, units, hollow := 0, 0, 0
	for _, b := range e.blocks {
		if b.units < e.goal.fill {
			n++
			units += b.units
		}
		hollow += b.hollow()
	}
	switch {
	case e.goal.all:
		fresh = len(e.blocks)*4/3 + 2*e.cycle.Workers
	case e.goal.grow:
		fresh = len(e.blocks)/4 + 1
	}
	room := e.space.RoomToCopy(fresh) * unitsPerBlock * 7 / 8
	if holes = units > room; holes {
		// As many as fit, the sparsest first. Holes are filled less well than blocks.
		n, units = 0, 0
		for _, b := range e.blocks {
			hollow -= b.hollow()
			if b.units >= e.goal.fill || units+b.units > room+hollow/2 {
				break
			}
			n++
			units += b.units
		}
		units = max(0, units-hollow/2)
	}
	if gain := n - (units+unitsPerBlock-1)/unitsPerBlock; !e.goal.all && (gain < 1 || gain < len(e.blocks)/e.goal.gain) {
		return nil, 0, false
	}
	for _, b := range e.blocks[:n] {
		from = append(from, b.BlockInUse)
	}
	// What was allocated together stays together.
	slices.SortFunc(from, func(a, b space.BlockInUse) int { return cmp.Compare(a.Block, b.Block) })
	return from, fresh, holes
}

// hollow returns the units in the holes of b.
func (b *block) hollow() int { return (cage.LinesPerBlock - b.Lines) * unitsPerLine }

// note makes it known which blocks are being emptied.
func (e *evacuation) note(from []space.BlockInUse) {
	e.first = from[0].Block
	e.from = make([]bool, from[len(from)-1].Block-e.first+1)
	for _, b := range from {
		e.from[b.Block-e.first] = true
	}
}

// move empties the given blocks, as far as there is room.
func (e *evacuation) move(s *space.Evacuation, from []space.BlockInUse) {
	parallel(e.cycle.Workers, len(from), func() func(int) {
		to := s.Buffer()
		return func(i int) { e.empty(s, to, from[i].Block) }
	})
}

// empty moves what lives in b. What cannot be moved stays, with its marks.
func (e *evacuation) empty(s *space.Evacuation, to *space.Buffer, b cage.Block) {
	b.ClearMarks(1)
	for at := range objects(b) {
		h := headerAt(at)
		bytes := object.BytesOf(e.scans, *h)
		size := h.CopyBytes(bytes)
		now, ok := uintptr(0), false
		if size <= space.MaxSmall {
			now, ok = s.Alloc(to, size>>cage.UnitShift)
		}
		if !ok {
			e.mark(at, bytes)
			continue
		}
		// Both lie in blocks of this heap, and apart from each other.
		object.Move(cage.At(now), cage.At(at), object.Word(at+1), *h, bytes)
		e.mark(now, size)
		setStart(now)
		clearStart(at)
		*h = object.Forward(object.Word(now + 1))
	}
}

// mark sets all marks of a small object. Its lines belong to this worker.
func (e *evacuation) mark(at, bytes uintptr) {
	first, last := at/unitsPerLine, (at+bytes>>cage.UnitShift-1)/unitsPerLine
	for line := first; line <= last; line++ {
		*(*uint8)(unsafe.Add(cage.Lines, line)) = e.line
	}
	*(*uint8)(unsafe.Add(cage.Marks, first)) |= 1 << (at / 2 % 8)
}

// end leaves the table of starts as it was found.
func (e *evacuation) end() {
	for _, b := range e.space.InUse() {
		b.Block.ClearStarts()
	}
}

// bytes returns the size of the object at a position.
func (e *evacuation) bytes(at uintptr) uintptr { return object.BytesOf(e.scans, *headerAt(at)) }

// headerAt returns the header of the object that begins at a position, which is
// in units from the base of the cage.
func headerAt(at uintptr) *object.Header { return (*object.Header)(cage.At(at)) }
