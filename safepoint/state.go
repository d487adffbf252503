package safepoint

import "fmt"

// A State says what a context is doing.
type State uint8

const (
	// Active: running, and in the way of every pause.
	Active State = iota
	// AtSafepoint: stopped at a safepoint, waiting for a pause to come to
	// its end, or in charge of it.
	AtSafepoint
	// Frozen: outside; no pause waits for it.
	Frozen
	// Closed: gone.
	Closed
)

// String returns the state in lower case words.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case AtSafepoint:
		return "at safepoint"
	case Frozen:
		return "frozen"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// status is all that a context's owner changes on its fast paths, in one
// word that others may read at any time: the State, the number of
// preventions that run on it, and how often the State has changed.
type status uint64

const (
	stateBits   = 2
	preventBits = 14
	stateMask   = 1<<stateBits - 1
	prevention  = 1 << stateBits
	preventMask = (1<<preventBits - 1) << stateBits
	change      = 1 << (stateBits + preventBits)
)

func (s status) state() State        { return State(s & stateMask) }
func (s status) preventions() uint64 { return uint64(s&preventMask) >> stateBits }
func (s status) changes() uint64     { return uint64(s / change) }

// plain reports whether the state is t and no prevention is on.
func (s status) plain(t State) bool { return s&(stateMask|preventMask) == status(t) }

// to returns the status after a change of state to t.
func (s status) to(t State) status { return s&^stateMask | status(t) + change }

// holds reports whether a context in this status has a share of the gate.
func (s status) holds() bool { return s.state() == Active || s.preventions() > 0 }
