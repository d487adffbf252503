package middentest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/safepoint"
)

// A fault is what something panics with on purpose.
type fault string

const (
	listenerFault fault = "a listener panics on purpose"
	tracerFault   fault = "a tracer panics on purpose"
	userFault     fault = "a function given to the heap panics on purpose"
)

// errNoMemory is what the system says when it refuses memory on purpose.
var errNoMemory = errors.New("the system refuses memory on purpose")

// refuse plays the system, which now and then refuses memory.
func (r *round) refuse(bytes int64) error {
	if r.plan.refusals == 0 || !r.faulty.Load() {
		return nil
	}
	n := r.asked.Add(1)
	// By itself, or many in a row.
	if mix(n, r.seed, 1)%r.plan.refusals != 0 && mix(n/64, r.seed, 2)%16 != 0 {
		return nil
	}
	r.refused.Add(1)
	return errNoMemory
}

// listener checks what it is told of, and panics now and then.
func (r *round) listener() *midden.Listener {
	return &midden.Listener{
		Cycle: func(c midden.CycleInfo) {
			r.told(c)
			r.panicNowAndThen()
		},
		Straggler: func(safepoint.StragglerReport) { r.panicNowAndThen() },
		Lost:      func(safepoint.LostReport) { r.panicNowAndThen() },
	}
}

func (r *round) panicNowAndThen() {
	if r.plan.panics && r.faulty.Load() && mix(r.asked.Add(1), r.seed, 3)%16 == 0 {
		panic(listenerFault)
	}
}

// told notes a cycle. They come one by one and in order.
func (r *round) told(c midden.CycleInfo) {
	r.last.add(fmt.Sprintf("cycle %d: %+v", c.Number, c))
	if c.Err != nil {
		r.failed.Add(1)
		if !errors.Is(c.Err, errNoMemory) {
			r.fail(fmt.Sprintf("a cycle did not happen: %v", c.Err))
		}
		return
	}
	if n := r.cycles.Add(1); n != c.Number {
		r.fail(fmt.Sprintf("the listener is told of cycle %d after %d", c.Number, n-1))
	}
	if c.Live < 0 || c.Freed < 0 || c.Used < 0 || c.Committed < 0 || c.Stop < 0 || c.Pause < 0 {
		r.fail(fmt.Sprintf("figures below zero: %+v", c))
	}
}

// bomb is a tracer that breaks the heap once it is armed.
func (r *round) bomb(*midden.Visitor) {
	if r.armed.Load() {
		r.panics.Add(1)
		panic(tracerFault)
	}
}

// expected tells whether an episode may go on after the panic p. If the panic was not meant to happen
// the round has failed.
func (r *round) expected(p any) (goOn bool) {
	err, _ := p.(error)
	switch {
	case p == listenerFault || p == userFault:
		r.panics.Add(1)
		return true
	case errors.Is(err, errNoMemory):
		return true
	case r.armed.Load() && (p == tracerFault || errors.Is(err, midden.ErrDamaged)):
		r.damaged.Store(true)
		return false
	}
	r.fail(fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
	return false
}

// checkDamaged checks that a heap that was broken says so for ever, lets everybody go, and can be closed.
func (r *round) checkDamaged() {
	// If nobody has collected since the tracer was armed, this does.
	if !r.damaged.Load() {
		p := recovered(func() { _ = r.heap.Collect(context.Background(), midden.KindFull) })
		if p != tracerFault {
			r.fail(fmt.Sprintf("a collection with a tracer that panics: %v", p))
		}
	}
	r.armed.Store(false)
	for what, call := range map[string]func() error{
		"Collect":           r.collectOutside,
		"NewMutator":        func() error { r.heap.NewMutator(); return nil },
		"PreventCollection": func() error { r.heap.PreventCollection(func() {}); return nil },
		"AddExternal":       func() error { r.heap.AddExternal(1); return nil },
		"AddRoots":          func() error { r.heap.AddRoots(midden.TracerFunc(r.bomb)); return nil },
	} {
		if err := failure(call); !errors.Is(err, midden.ErrDamaged) {
			r.fail(fmt.Sprintf("%s on a damaged heap: %v, want ErrDamaged", what, err))
		}
	}
}
