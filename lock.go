package midden

import (
	"sync"

	"github.com/midden-gc/midden/safepoint"
)

// A mutator that waits for a lock keeps every collection waiting, unless it is
// frozen. To wait frozen is not enough: who has got the lock must become active
// again, and would wait for the end of a pause with the lock in hand. If that
// pause waits for an active mutator that wants the lock as well, nobody moves.
// OCaml met it (ocaml/ocaml#13716). So here nobody waits for a pause with the lock
// that he has just got: he gives it back first, and begins anew.

// An RLocker has a lock for readers, like [sync.RWMutex].
type RLocker interface {
	RLock()
	RUnlock()
}

// Lock locks l, and does not keep a collection waiting while it waits for that.
// Unlock it with l.Unlock.
//
// Lock is a safepoint, whether it waits or not: it invalidates every Ref that is
// not rooted, and ends what Reserve has granted. It stops there before it tries to
// lock l. If l has a method TryLock and that succeeds, there is no more to it;
// otherwise the mutator is frozen while l.Lock runs. If a pause is on by then, l is unlocked again, and the mutator
// waits for the end of the pause before its next try. So nobody who waits for a
// pause has l because of Lock, and others may lock l plainly, as long as nobody
// passes a safepoint or freezes with l locked; if somebody does, every mutator must
// use Lock.
//
// The mutator must be active; Lock panics if it is not, if l is nil, and if l.Lock
// does. The mutator is active then, and l is not locked.
func (m *Mutator) Lock(l sync.Locker) {
	m.mustBe(safepoint.Active, "Lock")
	if l == nil {
		panic("midden: Lock of a nil Locker: give it the lock, such as a *sync.Mutex")
	}
	m.Safepoint()
	if t, ok := l.(interface{ TryLock() bool }); ok && t.TryLock() {
		return
	}
	m.lockFrozen(l)
}

// RLock is Lock for reading, a safepoint like it: it uses l.RLock and, if l has it,
// TryRLock. Unlock it with l.RUnlock.
func (m *Mutator) RLock(l RLocker) {
	m.mustBe(safepoint.Active, "RLock")
	if l == nil {
		panic("midden: RLock of a nil RLocker: give it the lock, such as a *sync.RWMutex")
	}
	m.Safepoint()
	if t, ok := l.(interface{ TryRLock() bool }); ok && t.TryRLock() {
		return
	}
	m.lockFrozen(reading{l})
}

// Wait is c.Wait, and does not keep a collection waiting meanwhile. The caller has
// locked c.L, which is locked again when Wait returns; it calls Wait in a loop, as
// always, because what it waits for may have passed again. It may freeze and
// unlock c.L once more than c.Wait does, in the way of Lock.
//
// Like a Freeze, Wait invalidates every Ref that is not rooted. The mutator must be
// active; Wait panics if it is not, and if c is nil.
func (m *Mutator) Wait(c *sync.Cond) {
	m.mustBe(safepoint.Active, "Wait")
	if c == nil {
		panic("midden: Wait for a nil Cond: give it a *sync.Cond")
	}
	if !m.acquire(waiting{c}) {
		m.lockFrozen(c.L)
	}
}

func (m *Mutator) lockFrozen(l sync.Locker) {
	for !m.acquire(l) {
	}
}

// acquire locks l while the mutator is frozen. It reports false, with l unlocked,
// if a pause was on by then, for the end of which it has waited. The mutator is
// active afterwards in any case.
func (m *Mutator) acquire(l sync.Locker) (locked bool) {
	m.Freeze()
	defer func() {
		if !locked {
			m.Unfreeze()
		}
	}()
	l.Lock()
	if m.ctx.TryUnfreeze() {
		m.buf.Show()
		return true
	}
	l.Unlock()
	return false
}

// reading is the lock for readers as a Locker.
type reading struct{ l RLocker }

func (r reading) Lock()   { r.l.RLock() }
func (r reading) Unlock() { r.l.RUnlock() }

// waiting is a Locker that is locked by waiting for a Cond.
type waiting struct{ c *sync.Cond }

func (w waiting) Lock()   { w.c.Wait() }
func (w waiting) Unlock() { w.c.L.Unlock() }
