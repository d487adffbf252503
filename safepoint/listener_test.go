package safepoint_test

import (
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// A listener that panics ends the call that told it, whose pause is given up; the others go on, and the
// world is as before.
func TestListenerPanics(t *testing.T) {
	for _, member := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			w := NewWorld(&Options{Listener: &Listener{Straggler: func(StragglerReport) { panic("listener") }}})
			a, slow, parked := w.NewContext(), w.NewContext(), w.NewContext()
			shares := uint64(3)
			if !member {
				a.Close()
				shares--
			}
			collect := start(func() {
				if member {
					ok(t, a.Collect(background, 1, never(t)))
				} else {
					ok(t, w.Collect(background, 1, never(t)))
				}
			})
			time.Sleep(time.Millisecond)
			held := start(func() { ok(t, parked.Safepoint(nothing)) })
			collect.ends(t)
			if collect.value != "listener" {
				t.Errorf("the caller gets %v", collect.value)
			}
			held.now(t)
			atRest(t, w, shares)
			// And the next pause is as good as any.
			other := start(func() { ok(t, w.Collect(background, 1, nothing)) })
			time.Sleep(time.Millisecond)
			slow.Freeze()
			parked.Freeze()
			if member {
				a.Freeze()
			}
			other.now(t)
		})
	}
}
