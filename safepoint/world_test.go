package safepoint_test

import (
	"testing"

	. "github.com/midden-gc/midden/safepoint"
)

func TestOneContextCollectsAlone(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	e := w.Request(2)
	if !c.Poll() {
		t.Fatal("a request does not show in Poll")
	}
	ran := false
	err := c.Safepoint(func(p *Pause) error {
		ran = true
		if p.Level() != 2 {
			t.Errorf("level %d, want 2", p.Level())
		}
		for x := range p.Contexts() {
			if x != c || x.State() != AtSafepoint {
				t.Errorf("found %v", x)
			}
		}
		return nil
	})
	if err != nil || !ran || w.Epoch() <= e || c.Poll() {
		t.Fatal(err, ran, w.Epoch(), c.Poll())
	}
	if w.Close() == nil {
		t.Fatal("closed with an open context")
	}
	c.Freeze()
	p, err := w.Stop(background)
	if err != nil {
		t.Fatal(err)
	}
	p.Start(nil)
	c.Unfreeze()
	c.Close()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
