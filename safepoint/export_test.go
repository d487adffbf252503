package safepoint

import (
	"testing"
	"time"
)

// Held returns the number of shares, which tests compare with the number of
// contexts that ought to have one.
func (w *World) Held() uint64 { return w.gate.held(w.single) }

// Unusual reports what is left over in a world at rest, "" if nothing.
func (w *World) Unusual() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.cur != nil:
		return "a pause is on"
	case w.queue.first != nil || w.queue.last != nil:
		return "pauses are queued"
	case w.gate.load(w.single)&shut != 0:
		return "the gate is shut"
	case len(w.preventers) > 0 || w.preventing.Load() != 0:
		return "preventers are left"
	case w.want == 0 && w.gate.flag.Load() != 0 && w.damage == nil:
		return "the flag is set"
	}
	return ""
}

// I5: who found the gate shut looks again under the mutex. The pause has ended
// in between, and no other one will ever come.
func TestEnterLooksAgainUnderTheMutex(t *testing.T) {
	w := NewWorld(&Options{StragglerTimeout: -1})
	c := w.NewContext()
	c.Freeze()
	p, err := w.Stop(background)
	if err != nil {
		t.Fatal(err)
	}
	if w.tryEnter() {
		t.Fatal("entered during a pause")
	}
	p.Start(nil)
	done := make(chan error)
	go func() { done <- w.enterSlow("") }()
	select {
	case err := <-done:
		if err != nil || w.Held() != 1 {
			t.Error(err, w.Held())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("waits for a pause that never comes")
	}
	w.leave()
	c.Close()
}

// A process has thousands of worlds that never pause, which hold no histograms.
func TestHistogramsBeginWithTheFirstPause(t *testing.T) {
	w := NewWorld(nil)
	w.NewContext().Close()
	if w.Stats(); w.times != nil {
		t.Error("histograms without a pause")
	}
	if err := w.Collect(background, 1, nil); err != nil || w.times == nil {
		t.Error("no histograms after a pause", err)
	}
}

// ShowDepth makes the context show a depth.
func (c *Context) ShowDepth(depth int) { c.m.depth.Store(int64(depth)) }
