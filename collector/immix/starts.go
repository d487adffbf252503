package immix

import (
	"iter"
	"math/bits"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
)

// objects yields where the objects in b begin, in units from the base of the cage,
// in the order of their addresses, as the table of starts has it. What is begun in
// a word of the table before the loop has got there is yielded too, so the loop
// must not let objects begin in b; it may let them end.
func objects(b cage.Block) iter.Seq[uintptr] {
	return func(yield func(uintptr) bool) {
		base := uintptr(b) * unitsPerBlock
		for i, word := range b.Starts() {
			for ; word != 0; word &= word - 1 {
				if !yield(base + uintptr(i*64+bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// setStart notes that an object begins at a position, in a line that belongs to
// the caller. Nobody else writes to that line's bytes of the table.
func setStart(at uintptr) { *startsAt(at) |= 1 << (at % 8) }

// clearStart undoes setStart.
func clearStart(at uintptr) { *startsAt(at) &^= 1 << (at % 8) }

func startsAt(at uintptr) *uint8 { return (*uint8)(unsafe.Add(cage.Starts, at/8)) }
