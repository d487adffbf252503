package safepoint

import (
	"testing"
	"testing/synctest"
)

// A goroutine that keeps a pause waiting may close another, frozen context: the
// pause has not begun to look at anything, and could not end before.
func TestCloseFrozenWhileOwnContextKeepsPauseWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld(nil)
		active := w.NewContext()
		frozen := active.NewContext()
		frozen.Freeze()
		stopped := make(chan error, 1)
		go func() {
			stopped <- w.Collect(t.Context(), 1, func(p *Pause) error {
				for c := range p.Contexts() {
					if c == frozen {
						t.Error("the pause sees a context that was closed before it began")
					}
				}
				return nil
			})
		}()
		synctest.Wait()
		frozen.Close()
		if got := frozen.State(); got != Closed {
			t.Errorf("state %v after Close", got)
		}
		synctest.Wait()
		select {
		case err := <-stopped:
			t.Errorf("the pause did not wait for the active context: %v", err)
		default:
		}
		active.Freeze()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		active.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

// While a pause runs, a frozen context is closed after it.
func TestCloseFrozenWhilePauseRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWorld(nil)
		c := w.NewContext()
		c.Freeze()
		p, err := w.Stop(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() {
			c.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("the context was closed while the pause was on")
		default:
		}
		p.Start(nil)
		<-closed
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
