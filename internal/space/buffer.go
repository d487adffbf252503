package space

import (
	"math/bits"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
)

// Buffer is where one mutator allocates, without a lock. All positions count
// units of 8 bytes from the base of the cage.
//
//	claim: lines of one block that belong to this buffer
//	┌──────┬─────────────────────┬──────┬───────────┬──────────────┐
//	│ used │ objects │ hole      │ live │ hole      │ live │ hole  │
//	└──────┴─────────────────────┴──────┴───────────┴──────────────┘
//	                   ↑Next     ↑End   ↑line                 lineEnd↑
//
// The hole from Next to End is clear, so that a new object needs no clearing of
// its own. Objects larger than a line that do not fit the hole go to a run of
// free lines apart, the overflow, and leave the hole to smaller ones.
type Buffer struct {
	Next, End uintptr

	line, lineEnd uintptr // the rest of the claim
	clean         bool    // the free lines of the claim are clear already

	overNext, overEnd uintptr
	quantum           uintptr // lines of the next claim
	credit            int64   // bytes reserved for this buffer alone
	hiddenEnd         uintptr // End while the buffer is hidden
	beyond            bool    // may pass the limit: a collector copies into it
	copies            bool    // an evacuation does: its memory need not be clear

	// For the sum of what was allocated: in holes that were left behind, and up
	// to where the present hole and the overflow were counted.
	passed, counted, overCounted uintptr
}

const (
	unitsPerLine = cage.LineSize >> cage.UnitShift
	minQuantum   = 8 // lines: ten thousand idle mutators must not pin ten thousand blocks
)

// Hide makes the hole look full, so that every allocation takes the slow way.
// Hide and Show cost two stores: they run at each freeze and unfreeze. To hide
// it twice is harmless.
func (b *Buffer) Hide() {
	b.hiddenEnd |= b.End
	b.End = 0
}

// Show undoes Hide, unless the buffer was retired in between.
func (b *Buffer) Show() { b.End, b.hiddenEnd = b.hiddenEnd, 0 }

// Reserved returns the bytes that are left of what was reserved for b alone.
func (b *Buffer) Reserved() int64 { return b.credit }

// take cuts units from the hole, and reports whether they fitted.
func (b *Buffer) take(units uintptr) (at uintptr, ok bool) {
	at = b.Next
	if at+units > b.End {
		return 0, false
	}
	b.Next = at + units
	return at, true
}

// takeOverflow cuts units from the overflow.
func (b *Buffer) takeOverflow(units uintptr) (at uintptr, ok bool) {
	at = b.overNext
	if at+units > b.overEnd {
		return 0, false
	}
	b.overNext = at + units
	return at, true
}

// nextHole moves to the next hole of the claim, and clears it.
func (b *Buffer) nextHole() bool {
	b.passed += b.Next - b.counted
	first, end := findHole(b.line, b.lineEnd)
	b.line = end
	if first == end {
		b.Next, b.End, b.counted = 0, 0, 0
		return false
	}
	b.Next, b.End, b.counted = first*unitsPerLine, end*unitsPerLine, first*unitsPerLine
	if !b.clean {
		clear(unsafe.Slice((*byte)(cage.At(b.Next)), (end-first)*cage.LineSize))
	}
	return true
}

// findHole returns the first run of unmarked lines in [from, to), an empty one
// at to when there is none.
func findHole(from, to uintptr) (first, end uintptr) {
	for from < to && lineMark(from) != 0 {
		from++
	}
	first = from
	for from < to {
		// Eight lines at a time while they are all free.
		if from+8 <= to {
			w := *(*uint64)(unsafe.Add(cage.Lines, from))
			if w == 0 {
				from += 8
				continue
			}
			return first, from + uintptr(bits.TrailingZeros64(w))/8
		}
		if lineMark(from) != 0 {
			break
		}
		from++
	}
	return first, from
}

// findRun returns the first run of at least need unmarked lines in [from, to), an
// empty one when there is none.
func findRun(from, to, need uintptr) (first, end uintptr) {
	for from < to {
		first, end = findHole(from, to)
		if end-first >= need {
			return first, end
		}
		from = end
	}
	return to, to
}

// freeLines counts the unmarked lines in [from, to).
func freeLines(from, to uintptr) (n uintptr) {
	for ; from < to; from++ {
		if lineMark(from) == 0 {
			n++
		}
	}
	return n
}

func lineMark(line uintptr) uint8 { return *(*uint8)(unsafe.Add(cage.Lines, line)) }
