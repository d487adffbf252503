package midden

import (
	"runtime"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/weak"
)

// Guardian gives objects back that nothing else refers to any more: finalization
// by a queue. The collector runs no code of the program; the program asks with
// Next, when and where it suits it, and does with the object what it likes, also
// keep it. An object that was delivered is not registered any more, and may be
// registered again.
//
// A cycle looks at all registered objects at once. Those that cannot be reached
// from the roots become ready, also if they refer to each other, and all of them
// live, with whatever they refer to, until they were delivered. Weak slots and
// ephemerons do not keep an object from becoming ready, and go on to see it for
// as long as it lives. A minor cycle finds what died young, a full one
// everything.
//
// An object that is registered twice, with one guardian or with two, is delivered
// twice. Objects become ready in cycles, and Heap.Close runs none: what has not
// been delivered when the heap is closed never is. DeliverAll is for a program
// that wants everything first.
//
// Any goroutine with an active mutator of the heap may use a guardian, also
// several at once. After Dybvig, Bruggeman and Eby, "Guardians in a
// generation-based garbage collector" (PLDI 1993).
type Guardian[T any] struct {
	_    phantom[T]
	core guardian
}

// NewGuardian returns a guardian for objects of h. Any goroutine may call it. The
// guardian ends with Release, or some time after the last pointer to it is gone.
func NewGuardian[T any](h *Heap) *Guardian[T] {
	g := new(Guardian[T])
	g.core.init(h)
	return g
}

// Register asks for r's object when nothing else refers to it. It panics if r is
// nil, if g was released, or if g belongs to another heap than m. The mutator must
// be active.
func (g *Guardian[T]) Register(m *Mutator, r Ref[T]) {
	if invariants.Enabled {
		r.stamp.checkHeap(m, r.ref.W, nameOf[T])
	}
	g.core.register(m, r.ref.W)
}

// Next returns an object that nothing refers to, and reports false if there is
// none. Of several that are ready, the one that was registered last comes first.
// It panics if g was released, or belongs to another heap than m. The mutator must
// be active; the Ref is good until its next safepoint, like others.
func (g *Guardian[T]) Next(m *Mutator) (Ref[T], bool) {
	w, ok := g.core.next(m)
	return madeRef[T](w), ok
}

// DeliverAll makes everything that is registered ready, whether it can be reached
// or not: for the end of a program that wants each object to pass through Next.
// It panics as Next does.
func (g *Guardian[T]) DeliverAll(m *Mutator) {
	g.core.use(m)
	g.core.list.DeliverAll()
}

// Release ends the guardian: it forgets what was registered and not delivered,
// ready or not. To release it again does nothing. Any goroutine may call it, with
// or without a mutator.
func (g *Guardian[T]) Release() { g.core.release() }

// AnyGuardian is a Guardian for objects of any type.
type AnyGuardian struct{ core guardian }

// NewAnyGuardian returns a guardian, as NewGuardian does.
func NewAnyGuardian(h *Heap) *AnyGuardian {
	g := new(AnyGuardian)
	g.core.init(h)
	return g
}

// Register asks for a's object, as Guardian.Register does.
func (g *AnyGuardian) Register(m *Mutator, a AnyRef) {
	if invariants.Enabled {
		a.stamp.checkHeap(m, a.ref.W, nameOfAny)
	}
	g.core.register(m, a.ref.W)
}

// Next returns an object that nothing refers to, as Guardian.Next does.
func (g *AnyGuardian) Next(m *Mutator) (AnyRef, bool) {
	w, ok := g.core.next(m)
	return AnyRef{ref: object.BareRef{W: w}}.stamped(), ok
}

// DeliverAll makes everything that is registered ready, as Guardian.DeliverAll
// does.
func (g *AnyGuardian) DeliverAll(m *Mutator) {
	g.core.use(m)
	g.core.list.DeliverAll()
}

// Release ends the guardian, as Guardian.Release does.
func (g *AnyGuardian) Release() { g.core.release() }

// guardian is what guardians of all types have in common.
type guardian struct {
	_       object.RootMark
	heap    *Heap
	list    *weak.Guardian
	cleanup runtime.Cleanup
}

func (g *guardian) init(h *Heap) {
	h.check()
	g.heap, g.list = h, h.guardians.New()
	g.cleanup = runtime.AddCleanup(g, (*weak.Guardian).Release, g.list)
}

// use panics unless m may use g.
func (g *guardian) use(m *Mutator) {
	m.check()
	if g.heap != m.heap {
		panic("midden: a Guardian was used with a Mutator of another heap")
	}
	if g.list.Released() {
		panic("midden: a Guardian was used after Release")
	}
}

func (g *guardian) register(m *Mutator, w object.Word) {
	if w == 0 {
		panic("midden: Register of a nil Ref: only an object can die")
	}
	g.use(m)
	g.list.Register(w)
	runtime.KeepAlive(g)
}

func (g *guardian) next(m *Mutator) (object.Word, bool) {
	g.use(m)
	w, ok := g.list.Next()
	runtime.KeepAlive(g)
	return w, ok
}

func (g *guardian) release() {
	g.cleanup.Stop()
	g.list.Release()
}
