package midden

import (
	"fmt"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/safepoint"
)

// Scope is a frame of a mutator's shadow stack: the roots made in it go when it
// is closed.
type Scope struct {
	m      *Mutator
	_      object.RootMark
	index  int
	serial uint64
}

// scope is a frame as the mutator sees it.
type scope struct {
	serial uint64
	base   int // of its roots
}

// Scope opens a frame of the shadow stack. The mutator must be active.
func (m *Mutator) Scope() Scope {
	m.mustBe(safepoint.Active, "Scope")
	m.serial++
	m.scopes = append(m.scopes, scope{m.serial, len(m.roots)})
	return Scope{m: m, index: len(m.scopes) - 1, serial: m.serial}
}

// Close drops the scope's roots, with those of scopes opened since, which are
// closed too. It panics if the scope is closed already, by itself or with an
// outer one. The mutator must be active.
func (s Scope) Close() {
	m := s.m
	if s.index >= len(m.scopes) || m.scopes[s.index].serial != s.serial {
		m.check()
		panic("midden: Scope.Close: the scope is closed already; closing an outer scope closes the inner ones")
	}
	m.roots = m.roots[:m.scopes[s.index].base]
	m.scopes = m.scopes[:s.index]
}

// Local is a root on a mutator's shadow stack, good until its scope is closed.
type Local[T any] struct {
	m      *Mutator
	_      object.RootMark
	index  int
	serial uint64
}

// NewLocal makes r a root in m's innermost scope; without an open one, until m
// is closed. The mutator must be active.
func NewLocal[T any](m *Mutator, r Ref[T]) Local[T] {
	if invariants.Enabled {
		r.stamp.checkHeap(m, r.ref.W, nameOf[T])
	}
	m.roots = append(m.roots, r.ref.W)
	l := Local[T]{m: m, index: len(m.roots) - 1}
	if n := len(m.scopes); n > 0 {
		l.serial = m.scopes[n-1].serial
	}
	return l
}

// Get returns the reference. It panics if the scope is closed and nothing was
// rooted since; a build with the tag invariants finds every use after that.
func (l Local[T]) Get() Ref[T] {
	return madeRef[T](*l.slot())
}

// Set makes the root refer to what r refers to.
func (l Local[T]) Set(r Ref[T]) {
	if invariants.Enabled {
		r.stamp.checkHeap(l.m, r.ref.W, nameOf[T])
	}
	*l.slot() = r.ref.W
}

// Ptr returns the object, nil for nil; good until the mutator's next safepoint.
func (l Local[T]) Ptr() *T {
	if w := *l.slot(); w != 0 {
		return (*T)(cage.At(uintptr(w)))
	}
	return nil
}

func (l Local[T]) slot() *object.Word {
	if invariants.Enabled {
		l.check()
	}
	if uint(l.index) >= uint(len(l.m.roots)) {
		panicLocal(l.m)
	}
	return &l.m.roots[l.index]
}

// check panics if l's scope is closed, though its place on the stack may be in
// use again.
func (l Local[T]) check() {
	l.m.check()
	if l.serial == 0 {
		return
	}
	for _, s := range l.m.scopes {
		if s.serial == l.serial {
			return
		}
	}
	panicLocal(l.m)
}

func panicLocal(m *Mutator) {
	m.check()
	panic(fmt.Sprintf("midden: a Local was used after its Scope was closed (%d scopes are open)", len(m.scopes)))
}

// Safepoint is m.Safepoint that keeps r: it returns the reference to the same
// object afterwards.
func Safepoint[T any](m *Mutator, r Ref[T]) Ref[T] {
	if m.poll.Load() != 0 {
		r.ref.W = m.keepOne(r.ref.W)
	}
	if invariants.Enabled {
		r = r.stamped()
	}
	return r
}

// Safepoint2 is Safepoint for two references.
func Safepoint2[A, B any](m *Mutator, a Ref[A], b Ref[B]) (Ref[A], Ref[B]) {
	if m.poll.Load() != 0 {
		a.ref.W, b.ref.W, _ = m.keep(a.ref.W, b.ref.W, 0)
		return a.stamped(), b.stamped()
	}
	return a, b
}

// Safepoint3 is Safepoint for three references.
func Safepoint3[A, B, C any](m *Mutator, a Ref[A], b Ref[B], c Ref[C]) (Ref[A], Ref[B], Ref[C]) {
	if m.poll.Load() != 0 {
		a.ref.W, b.ref.W, c.ref.W = m.keep(a.ref.W, b.ref.W, c.ref.W)
		return a.stamped(), b.stamped(), c.stamped()
	}
	return a, b, c
}

// keepOne stops with w rooted, and returns where its object is then. It is not
// inlined, so that Safepoint can be.
//
//go:noinline
func (m *Mutator) keepOne(w object.Word) object.Word {
	w, _, _ = m.keep(w, 0, 0)
	return w
}

// keep stops with the given references rooted, and returns where their objects
// are then.
func (m *Mutator) keep(a, b, c object.Word) (_, _, _ object.Word) {
	base := len(m.roots)
	defer func() { m.roots = m.roots[:base] }()
	m.roots = append(m.roots, a, b, c)
	m.stop()
	return m.roots[base], m.roots[base+1], m.roots[base+2]
}
