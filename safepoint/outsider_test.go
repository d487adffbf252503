package safepoint_test

import (
	"testing"
	"testing/synctest"

	. "github.com/midden-gc/midden/safepoint"
)

// Outsiders that want pauses of their own get them in the order in which they
// asked.
func TestOutsidersQueueInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		p, err := w.Stop(background)
		ok(t, err)
		var order []int
		var tasks []*task
		for i := range 5 {
			k := start(func() {
				p, err := w.Stop(background)
				ok(t, err)
				order = append(order, i)
				p.Start(nil)
			})
			k.waits(t)
			tasks = append(tasks, k)
		}
		p.Start(nil)
		for _, k := range tasks {
			k.now(t)
		}
		for i := range order {
			if order[i] != i {
				t.Fatalf("served in the order %v", order)
			}
		}
		atRest(t, w, 0)
	})
}

// A context that asks behind a Stop gets its pause when that has ended, and
// holds no share meanwhile.
func TestContextQueuesBehindStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		a := w.NewContext()
		var p *Pause
		stop := start(func() { p, _ = w.Stop(background) })
		stop.waits(t)
		collected := false
		collect := start(func() {
			ok(t, a.Collect(background, 2, func(p *Pause) error { collected = p.Level() == 2; return nil }))
		})
		synctest.Wait()
		stop.now(t)
		if collected {
			t.Error("a collection served a Stop")
		}
		p.Start(nil)
		collect.now(t)
		if !collected || w.Epoch() != 1 {
			t.Errorf("collected %v, epoch %d", collected, w.Epoch())
		}
		atRest(t, w, 1)
	})
}
