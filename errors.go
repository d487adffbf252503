package midden

import (
	"errors"
	"fmt"
	"strings"

	"github.com/midden-gc/midden/safepoint"
)

// Errors that a caller may test for with errors.Is. Where a function has no
// error to return, it panics with one.
var (
	// ErrClosed is given by a heap that was closed.
	ErrClosed = errors.New("midden: the heap is closed")
	// ErrMutators is given by Heap.Close while a mutator is open.
	ErrMutators = errors.New("midden: the heap has open mutators: close each of them first")
	// ErrSingleMutator is given for a second mutator on a heap with
	// Options.SingleMutator.
	ErrSingleMutator = errors.New("midden: the heap was made for a single mutator, and that one is open")
	// ErrLimit is what every *LimitError is.
	ErrLimit = errors.New("midden: the heap's limit is reached")
	// ErrDamaged is given by a heap whose collector or tracer has failed in the
	// middle of a cycle. Every later call on the heap panics with it.
	ErrDamaged = errors.New("midden: the heap is damaged: a cycle failed in the middle")
	// ErrCollecting is given for a call into a heap from inside its own
	// collection.
	ErrCollecting = errors.New("midden: called from inside the heap's own collection")
	// ErrActive is given for a call that waits for all mutators of the heap, by a
	// goroutine that has an active one.
	ErrActive = errors.New("midden: the goroutine has an active mutator of this heap: call the mutator's method of the same name, or freeze it first")
	// ErrPrevented is given by Mutator.Collect inside PreventCollection.
	ErrPrevented = errors.New("midden: collection is prevented by the mutator that asks for it")
)

// errNoCycle is what a cycle fails with that has found no memory to begin with.
var errNoCycle = errors.New("midden: the cycle was given up")

// LimitError says that memory was refused. errors.Is(err, ErrLimit) holds for it.
type LimitError struct {
	Limit  int64 // the heap's limit in bytes, or the process's address range if that ran out first
	Live   int64 // bytes that lived after the last cycle
	Wanted int64 // bytes that were asked for

	// Thrashing is set when the heap could have collected again and did not,
	// because full cycles near the limit took more than half of the time and freed
	// almost nothing. See Options.Limit.
	Thrashing bool

	cause error // why, if not for Options.Limit
}

// Error says what was wanted and what stood in the way.
func (e *LimitError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("midden: no memory for %d bytes (%d live): %v", e.Wanted, e.Live, e.cause)
	}
	thrashing := ""
	if e.Thrashing {
		thrashing = ", and collecting takes more than half of the time"
	}
	return fmt.Sprintf("midden: no room for %d bytes below the limit of %d (%d live%s)", e.Wanted, e.Limit, e.Live, thrashing)
}

// Unwrap makes errors.Is find ErrLimit, and the system's error if there is one.
func (e *LimitError) Unwrap() []error {
	if e.cause != nil {
		return []error{ErrLimit, e.cause}
	}
	return []error{ErrLimit}
}

// worldErrors pairs what package safepoint says with what this package calls it.
var worldErrors = [...]struct{ world, heap error }{
	{safepoint.ErrClosed, ErrClosed},
	{safepoint.ErrContexts, ErrMutators},
	{safepoint.ErrSingle, ErrSingleMutator},
	{safepoint.ErrCollecting, ErrCollecting},
	{safepoint.ErrPrevented, ErrPrevented},
	{safepoint.ErrActive, ErrActive},
	{safepoint.ErrDamaged, ErrDamaged},
}

// heapError is an error of the world, which wraps one of those above, in this
// package's words.
type heapError struct{ heap, world, wrapped error }

func (e heapError) Error() string {
	if detail, ok := strings.CutPrefix(e.world.Error(), e.wrapped.Error()); ok {
		return e.heap.Error() + words.Replace(detail)
	}
	return e.heap.Error() + " (" + e.world.Error() + ")"
}

func (e heapError) Unwrap() []error { return []error{e.heap, e.world} }

// words are what the world says, and what it is called here.
var words = strings.NewReplacer(
	"Context.NewContext, from the active context", "Mutator.NewMutator, from the active mutator",
	"Context.Prevent, from the context", "Mutator.PreventCollection, from the mutator",
	"Context.Prevent", "Mutator.PreventCollection",
	"World.Prevent", "Heap.PreventCollection",
)

func translate(err error) error {
	for _, e := range worldErrors {
		if errors.Is(err, e.world) {
			if err == e.world {
				return e.heap
			}
			return heapError{e.heap, err, e.world}
		}
	}
	return err
}

// retell is deferred around calls into the world that may panic: the panic goes
// on, in this package's words where the value is an error that has them.
func retell() {
	switch r := recover().(type) {
	case nil:
	case error:
		panic(translate(r))
	case string:
		if text, ok := strings.CutPrefix(r, "safepoint: "); ok {
			r = "midden: " + words.Replace(text)
		}
		panic(r)
	default:
		panic(r)
	}
}
