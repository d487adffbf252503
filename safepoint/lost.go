package safepoint

import (
	"log/slog"
	"runtime"
	"time"
)

// A LostReport tells of a context that became unreachable without Close.
type LostReport struct {
	ID      uint64
	Name    string
	State   State         // in which it was lost: Active or Frozen
	Age     time.Duration // since its creation
	Created runtime.Frame // where it was created
}

// isLost notes that the Context of m is unreachable. It runs on a goroutine
// of the Go runtime's, so it must not wait for anything.
func (m *member) isLost() {
	w := m.w
	for {
		m.lost = w.lost.Load()
		if w.lost.CompareAndSwap(m.lost, m) {
			return
		}
	}
}

// drain takes the lost contexts out of the world, with the shares that they
// held. The caller holds w.mu, and no pause is running.
func (w *World) drain() {
	if w.lost.Load() == nil {
		return
	}
	for m := w.lost.Swap(nil); m != nil; m = m.lost {
		s := m.load()
		if s.state() == Closed {
			continue
		}
		w.registry.remove(m)
		m.store(s.to(Closed))
		if s.holds() {
			if w.single {
				w.gate.lone--
			} else if w.gate.leave() {
				w.cur.look()
			}
		}
		w.stats.Lost++
		w.untold = append(w.untold, LostReport{
			ID:      m.id,
			Name:    m.nameString(),
			State:   s.state(),
			Age:     since(m.created),
			Created: m.place(),
		})
	}
}

// tellLost tells of the contexts that drain has found. The caller holds no
// lock and is not inside a pause.
func (w *World) tellLost() {
	w.mu.Lock()
	untold := w.takeUntold()
	w.mu.Unlock()
	w.tell(untold)
}

// takeUntold returns what is to be told. The caller holds w.mu.
func (w *World) takeUntold() []LostReport {
	untold := w.untold
	w.untold = nil
	return untold
}

func (w *World) tell(untold []LostReport) {
	for _, r := range untold {
		if w.log != nil {
			w.log.LogAttrs(background, slog.LevelWarn, "safepoint: a "+w.noun+" was lost without Close",
				slog.Uint64("id", r.ID), slog.String("name", r.Name), slog.String("state", r.State.String()),
				slog.Duration("age", r.Age), slog.String("created", place(r.Created)))
		}
		if w.listener != nil && w.listener.Lost != nil {
			w.listener.Lost(r)
		}
	}
}
