package safepoint_test

import (
	"testing"

	. "github.com/midden-gc/midden/safepoint"
)

// I6: what is a mistake says so, names the cure, and changes nothing.
func TestMisuse(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	says(t, c.Unfreeze, "safepoint: Unfreeze of a context that is active", "Freeze it first")
	says(t, func() { c.Collect(background, 0, nothing) }, "level 0", "weakest level is 1")
	says(t, func() { w.Collect(background, 0, nothing) }, "level 0")
	atRest(t, w, 1)

	c.Freeze()
	says(t, c.Freeze, "safepoint: Freeze of a context that is already frozen", "one Unfreeze")
	says(t, func() { c.Collect(background, 1, nothing) }, "Collect of a context that is frozen", "Unfreeze it first")
	says(t, func() { c.NewContext() }, "NewContext of a context that is frozen", "Unfreeze it first")
	says(t, func() { c.Prevent(func() {}) }, "Prevent of a context that is frozen")
	w.Request(1)
	says(t, func() { c.Safepoint(nothing) }, "Safepoint of a context that is frozen")
	atRest(t, w, 0)

	c.Close()
	c.Close()
	for _, f := range []func(){
		c.Freeze, c.Unfreeze,
		func() { c.Safepoint(nothing) },
		func() { c.Collect(background, 1, nothing) },
		func() { c.NewContext() },
		func() { c.Prevent(func() {}) },
	} {
		says(t, f, "of a context that is closed", "create a new one")
	}
	atRest(t, w, 0)

	p, err := w.Stop(background)
	ok(t, err)
	p.Start(nil)
	says(t, func() { p.Start(nil) }, "started already")
	says(t, func() {
		for range p.Contexts() {
		}
	}, "outside the pause")
	says(t, p.Adopt, "outside the pause")
	ok(t, w.Collect(background, 1, func(p *Pause) error {
		says(t, func() { p.Start(nil) }, "Stop did not begin")
		return nil
	}))
	ok(t, w.Damaged())
	atRest(t, w, 0)
}

func TestPreventNestedTooDeep(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	n := 0
	var nest func()
	nest = func() { n++; c.Prevent(nest) }
	says(t, nest, "nested too deep")
	if n != 1<<14 {
		t.Errorf("nested %d times", n)
	}
	atRest(t, w, 1)
}

func TestState(t *testing.T) {
	for s, want := range map[State]string{Active: "active", AtSafepoint: "at safepoint", Frozen: "frozen", Closed: "closed", 9: "State(9)"} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w := NewWorld(nil)
	c := w.NewContext()
	states := []State{c.State()}
	c.Freeze()
	states = append(states, c.State())
	c.Unfreeze()
	c.Collect(background, 1, func(*Pause) error { states = append(states, c.State()); return nil })
	states = append(states, c.State())
	c.Close()
	states = append(states, c.State())
	want := []State{Active, Frozen, AtSafepoint, Active, Closed}
	for i := range want {
		if states[i] != want[i] {
			t.Fatalf("states %v, want %v", states, want)
		}
	}
}
