package safepoint

import "fmt"

// enter takes a share, waiting for a pause that is on to end. On error no
// share is held. cure is what the caller should do instead of waiting for
// itself.
func (w *World) enter(cure string) error {
	if w.tryEnter() {
		return nil
	}
	return w.enterSlow(cure)
}

func (w *World) tryEnter() bool {
	if w.single {
		return w.gate.tryEnterLone()
	}
	return w.gate.tryEnter()
}

func (w *World) enterSlow(cure string) error {
	self := w.preventerID()
	w.mu.Lock()
	if err := w.unusable(); err != nil {
		w.mu.Unlock()
		return err
	}
	p := w.cur
	if p == nil {
		// It has opened again. It shuts only under w.mu.
		w.gate.add(1, w.single)
		w.mu.Unlock()
		return nil
	}
	if w.single {
		w.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrCollecting, cure)
	}
	if w.prevents(self) {
		w.mu.Unlock()
		return fmt.Errorf("%w: World.Prevent holds off the pause that this call waits for: %s", ErrPrevented, cure)
	}
	p.queued++
	done := p.ended()
	w.mu.Unlock()

	if err := w.await(p, done, cure); err != nil {
		return err
	}
	if err := w.Damaged(); err != nil {
		w.leave()
		return err
	}
	return nil
}

// borrow takes a share to close a frozen context with. A pause that has not begun
// to run looks at nothing yet, and waits for this share like for any other; so
// the caller may have an active context that the pause waits for.
func (w *World) borrow() error {
	if w.tryEnter() {
		return nil
	}
	w.mu.Lock()
	if p := w.cur; p != nil && p.phase.Load() == phaseWaiting && w.damage == nil {
		w.gate.add(1, w.single)
		w.mu.Unlock()
		return nil
	}
	w.mu.Unlock()
	return w.enterSlow("close it after the pause")
}

// await waits until p has ended, and has handed over the share that the
// caller has queued for. It fails if it finds that the caller waits for
// itself; the share is forgone then.
func (w *World) await(p *Pause, done <-chan struct{}, cure string) error {
	var v vigil
	defer v.end()
	for {
		if v.sleep(done, nil) == first {
			return nil
		}
		err := w.accuse(&v, nil)
		v.again(longestLook)
		if err == nil {
			continue
		}
		w.mu.Lock()
		if p.phase.Load() == phaseEnded {
			w.mu.Unlock()
			return nil
		}
		p.queued--
		w.mu.Unlock()
		return fmt.Errorf("%w: %s", err, cure)
	}
}

// leave gives a share back.
func (w *World) leave() {
	if w.single {
		w.gate.lone--
		return
	}
	if w.gate.leave() {
		w.lastOut()
	}
}
