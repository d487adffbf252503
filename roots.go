package midden

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Tracer is root storage of your own, for example the stack of a virtual
// machine.
type Tracer interface {
	// Trace calls Visit, or a method of v, for every reference. It runs with the
	// world stopped, in the goroutine that collects, possibly several times a
	// cycle. It must not call into the heap, and if it panics the heap is
	// damaged.
	Trace(v *Visitor)
}

// TracerFunc is a function as a Tracer.
type TracerFunc func(v *Visitor)

// Trace calls f.
func (f TracerFunc) Trace(v *Visitor) { f(v) }

// Visitor is what a Tracer shows its references to. It is good only until Trace
// returns.
type Visitor struct {
	visit func(*object.Word)
	heap  *Heap
}

// Visit shows *r, and updates it if the object moves.
func Visit[T any](v *Visitor, r *Ref[T]) {
	v.visit(&r.ref.W)
	if invariants.Enabled {
		r.stamp = v.stampOf(r.ref.W)
	}
}

// Any shows *a, and updates it if the object moves.
func (v *Visitor) Any(a *AnyRef) {
	v.visit(&a.ref.W)
	if invariants.Enabled {
		a.stamp = v.stampOf(a.ref.W)
	}
}

// Value shows *w, and updates it if it is a reference and the object moves.
func (v *Visitor) Value(w *Value) {
	if w.IsRef() {
		// The reference is the lower half, and lies first.
		v.visit((*object.Word)(unsafe.Pointer(w)))
		v.restamp(w)
	}
}

// Values shows every Value of ws, for example of a stack. What lies beyond the
// stack's top should not be among them: it would be kept alive, or, worse, be out
// of date.
func (v *Visitor) Values(ws []Value) {
	for i := range ws {
		v.Value(&ws[i])
	}
}
