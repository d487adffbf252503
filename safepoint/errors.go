package safepoint

import (
	"errors"
	"fmt"
)

// What a call into a world can fail with. Compare with [errors.Is]: most
// are wrapped in an error that says more.
var (
	// ErrClosed: the world has been closed.
	ErrClosed = errors.New("safepoint: the world is closed")

	// ErrContexts: Close of a world in which a context is still open, or a
	// function given to Prevent still runs.
	ErrContexts = errors.New("safepoint: the world still has open contexts")

	// ErrSingle: a second context for a world made with Options.Single.
	ErrSingle = errors.New("safepoint: the world was made for a single context")

	// ErrCollecting: a call that would have to wait for the very pause that
	// its own goroutine is in charge of.
	ErrCollecting = errors.New("safepoint: the call comes from inside the world's own pause")

	// ErrActive: a call for outsiders, made by the goroutine of an active
	// context. It would wait for a pause that waits for that context.
	ErrActive = errors.New("safepoint: the calling goroutine has an active context of this world; freeze it, or call the method of that context")

	// ErrPrevented: a pause was wanted from inside a function that prevents
	// pauses.
	ErrPrevented = errors.New("safepoint: pauses are prevented by the caller itself")

	// ErrDamaged: a function that ran while the world stood still panicked,
	// or ended its goroutine.
	ErrDamaged = errors.New("safepoint: the world is damaged")
)

// damage is the error of a world whose pause did not end as it should.
type damage struct {
	value  any  // what the function panicked with
	goexit bool // it called runtime.Goexit instead
}

func (d *damage) Error() string {
	if d.goexit {
		return ErrDamaged.Error() + ": the function that ran in the pause called runtime.Goexit"
	}
	return fmt.Sprintf("%v: the function that ran in the pause panicked: %v", ErrDamaged, d.value)
}

// Unwrap gives ErrDamaged, and the panic value when that is an error.
func (d *damage) Unwrap() []error {
	if err, ok := d.value.(error); ok {
		return []error{ErrDamaged, err}
	}
	return []error{ErrDamaged}
}
