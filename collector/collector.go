// Package collector is the contract between a heap and the algorithm that
// collects it.
//
// A collector never stops the world: the heap does, when every mutator is at a
// safepoint or frozen, and then hands over a Cycle, which says what to collect
// and where the roots are. The collector finds out what lives, frees the rest,
// and returns; the heap restarts the world.
//
// Allocation is not part of the contract. Mutators bump through holes of the
// heap's space whatever the collector; a collector decides what becomes a hole
// again.
package collector

import (
	"fmt"

	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/internal/weak"
)

// Kind says how much a cycle collects. A cycle of one kind serves whoever
// wanted a lesser one.
type Kind uint8

const (
	// Minor collects what is new, where the collector tells old from new; else
	// everything.
	Minor Kind = iota
	// Full collects everything.
	Full
	// Compact collects everything, packs what lives as densely as the collector
	// can, and returns all free memory to the system.
	Compact
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Minor:
		return "minor"
	case Full:
		return "full"
	case Compact:
		return "compact"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Constraints are what a collector demands of its heap, as data.
type Constraints struct {
	// Moves: objects may lie elsewhere after a cycle, and every root and slot
	// is updated.
	Moves bool
	// Frees: cycles free memory. A heap whose collector does not is never
	// collected on its own account.
	Frees bool
	// Copies: a cycle may need as much memory again as lives, beyond the limit.
	Copies bool
	// Generations: the collector tells old from new, by marking the lines of what
	// survived as old. Stores that make an old object refer to a new one are
	// remembered, and minor cycles are wanted often.
	Generations bool
}

// Collector is an algorithm with its options. It holds nothing of any heap: one
// value may serve many.
type Collector interface {
	// Name is what logs and the command call it.
	Name() string
	// Constraints says what it demands.
	Constraints() Constraints
	// Attach is called once for each heap.
	Attach(*space.Space) Instance
}

// Instance is a collector at work on one heap.
type Instance interface {
	// Collect runs with the world stopped. An error means that nothing was
	// collected and nothing is lost; a panic, that the heap is damaged.
	Collect(*Cycle) (Result, error)
}

// Cycle is one collection. Whoever holds one may rely on the world being
// stopped.
type Cycle struct {
	Kind    Kind
	Workers int  // goroutines to trace with, at least 1
	Move    bool // relocate whatever may move

	// Roots calls visit for every slot outside the heap that holds a reference,
	// perhaps more than once. A collector that moves objects updates the slot, and
	// may go through the roots again for that.
	Roots func(visit func(*object.Word))

	// Remembered calls visit for every slot of an old object that was made to
	// refer to a new one since the last cycle, possibly more than once.
	Remembered func(visit func(*object.Word))
	// Moved, if not nil, is for whatever knows objects by where they are and is
	// neither a root nor in an object. A collector that moves objects after it has
	// found out what lives calls it each time that it has moved some, perhaps more
	// than once in a cycle. Now returns where an object is that was at w; what did
	// not move, and nil, it returns as it is. It must be given objects that live.
	Moved func(now func(w object.Word) object.Word)

	// Weak are the phases for weak things. A collector that frees runs them when
	// it has pushed what Roots and Remembered gave, and before it frees anything.
	Weak *weak.Phases
}

// Result is what a cycle found.
type Result struct {
	Kind  Kind  // what was done, which may be more than was asked for
	Live  int64 // bytes that live, as exactly as the collector counts
	Epoch uint8 // the mark of every living object; 0 if the collector marks none
	Lines bool  // the lines of all living objects are marked, and after more than a minor cycle no others
}
