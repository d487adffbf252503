package safepoint_test

import (
	"slices"
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

// Pauses visit the contexts in order of creation, whatever has been closed in
// between.
func TestContextsInOrder(t *testing.T) {
	w := NewWorld(nil)
	var all []*Context
	for range 6 {
		c := w.NewContext()
		c.Freeze()
		all = append(all, c)
	}
	visit := func() (ids []uint64) {
		ok(t, w.Collect(background, 1, func(p *Pause) error {
			for c := range p.Contexts() {
				ids = append(ids, c.ID())
			}
			for range p.Contexts() {
				break
			}
			return nil
		}))
		return ids
	}
	if ids := visit(); !slices.Equal(ids, []uint64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("visited %v", ids)
	}
	for _, i := range []int{0, 2, 5} { // first, middle, last
		all[i].Close()
	}
	if ids := visit(); !slices.Equal(ids, []uint64{2, 4, 5}) {
		t.Errorf("visited %v", ids)
	}
	last := w.NewContext()
	last.Freeze()
	if ids := visit(); !slices.Equal(ids, []uint64{2, 4, 5, 7}) {
		t.Errorf("visited %v", ids)
	}
	is(t, w.Close(), ErrContexts) // frozen ones are open
	for _, c := range []*Context{all[1], all[3], all[4], last} {
		c.Close()
	}
	if ids := visit(); len(ids) != 0 {
		t.Errorf("visited %v", ids)
	}
	ok(t, w.Close())
}
