package safepoint

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// A goroutine that waits for itself waits for ever. The functions here find
// it out, a moment after it has begun to wait. They accuse only where they
// are sure: a false accusation breaks a program that is right, while one
// that hangs is reported by the pause that it keeps waiting.

const (
	// suspected is how many looks in a row must find a goroutine guilty of
	// holding an active context before Go's collector is asked whether that
	// is still reachable; sure is how many must in all. One answer is not
	// proof: somebody may have been looking at the context just then.
	suspected = 3
	sure      = suspected + 3
	// suspicious is after how many looks, a second or so, nobody looks any
	// more: a look at the stacks of all goroutines stops the program.
	suspicious = 10
)

// accuse returns ErrCollecting if the calling goroutine, which waits while a
// pause is on, is in charge of that pause, and ErrActive if the pause waits
// for a context that only this goroutine can be using. own is the pause that
// the caller wants itself, or nil.
func (w *World) accuse(v *vigil, own *Pause) error {
	self := v.self()
	w.mu.Lock()
	cur := w.cur
	if cur == nil {
		w.mu.Unlock()
		return nil
	}
	guess := cur.by != nil
	mine := slices.Contains(cur.adopted, self) || cur != own && !guess && cur.goroutine == self
	if cur.phase.Load() != phaseWaiting {
		v.holds = nil
	} else if v.looked != cur {
		// Who holds up a pause has done so since before it was wanted:
		// one look is enough.
		v.looked = cur
		v.holds = w.heldBy(self)
	}
	held := v.holds
	w.mu.Unlock()

	switch {
	case mine:
		return ErrCollecting
	case cur != own && guess && v.inside() && runsPause(self, cur.goroutine):
		return ErrCollecting
	case v.looks > suspicious || held == nil || !held.suspect() || !soleUser(self, held.stamped.Load() != 0):
		v.certain = 0
		return nil
	}
	v.certain++
	if v.certain <= suspected {
		return nil
	}
	if runtime.GC(); held.context.Value() == nil {
		return nil // it was lost, and will be drained
	}
	if v.certain < sure {
		return nil
	}
	return fmt.Errorf("%w: %s %d, created by %s", ErrActive, w.noun, held.id, place(held.place()))
}

// heldBy returns an active context that the goroutine was the last to leave
// a trace on, or nil.
func (w *World) heldBy(goroutine uint64) *member {
	return w.registry.find(func(m *member) bool {
		return m.goroutine.Load() == goroutine && m.suspect()
	})
}

// suspect reports whether the context is active, in the hands, for all one
// can tell, of the goroutine that was the last to leave a trace on it.
func (m *member) suspect() bool {
	return m.load().holds() && m.firm() && m.context.Value() != nil
}

// The functions that are on the stack of a goroutine in charge of a pause,
// while it is in somebody else's code.
var inCharge = []string{inside + "(*World).run", inside + "(*World).report"}

// inside reports whether the waiter waits inside the collect function of
// some pause, or inside a listener that a pause calls.
func (v *vigil) inside() bool {
	if v.stack == 0 {
		v.stack = -1
		var pcs [512]uintptr
		frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			if slices.Contains(inCharge, f.Function) {
				v.stack = 1
				break
			}
		}
	}
	return v.stack > 0
}

// runsPause reports whether the calling goroutine, which is in charge of some
// pause, is in charge of this one. The id known for that is a guess, since a
// context may change hands unseen; where the guess is another goroutine, this
// one must be the only one that is in charge of anything.
func runsPause(self, guess uint64) bool {
	if self == guess {
		return true
	}
	all, complete := traces(tracesCap)
	for _, t := range all {
		if t.id != self && t.has(inCharge...) {
			return false
		}
	}
	return complete
}

// soleUser reports whether no other goroutine can be using a context that
// this one was the last to leave a trace on. A context that has only been
// created here may be in the hands of any goroutine of the program; one that
// has stopped at safepoints here has most likely stayed, unless another
// goroutine is computing.
func soleUser(self uint64, stopped bool) bool {
	all, complete := traces(tracesCap)
	if !complete {
		return false
	}
	for _, t := range all {
		if t.id == self || t.bystander() {
			continue
		}
		if !stopped {
			return false
		}
		switch t.state {
		case "running", "runnable", "syscall", "sleep", "IO wait":
			return false
		}
	}
	return true
}

// bystander reports whether the goroutine is known to use no context at the
// moment: it waits for a test to end or for a signal, or it stands still in
// this package.
func (t *trace) bystander() bool {
	for name := range t.calls {
		switch {
		case strings.HasPrefix(name, "runtime."), strings.HasPrefix(name, "sync."), strings.HasPrefix(name, "internal/runtime/"):
			continue
		case strings.HasPrefix(name, "testing."), strings.HasPrefix(name, "testing/synctest."),
			strings.HasPrefix(name, "internal/synctest."), strings.HasPrefix(name, "os/signal."),
			strings.HasPrefix(name, inside+"(*World)."), strings.HasPrefix(name, inside+"(*Context)."),
			strings.HasPrefix(name, inside+"(*vigil).sleep("), strings.HasPrefix(name, inside+"wait("):
			return true
		}
		return false
	}
	return true
}
