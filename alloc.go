package midden

import (
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// New allocates a zeroed object. It never collects and never stops. It panics
// with *LimitError at the hard limit, and if a T cannot lie in a heap. The
// mutator must be active.
func New[T any](m *Mutator) (r Ref[T]) {
	t := cachedInfo[T]()
	if t == nil {
		t = infoFor[T]()
	}
	w, ok := bump(m, t.header, bytesOf[T]())
	if !ok {
		w = m.mustAlloc(t, bytesOf[T](), 0)
	}
	r.ref.W = w
	if invariants.Enabled {
		r = r.stamped()
	}
	return r
}

// Alloc allocates an object with the value v. It panics as New does. References
// in v are made with FieldOf: a new object needs no barrier.
func Alloc[T any](m *Mutator, v T) (r Ref[T]) {
	t := cachedInfo[T]()
	if t == nil {
		t = infoFor[T]()
	}
	w, ok := bump(m, t.header, bytesOf[T]())
	if !ok {
		w = m.mustAlloc(t, bytesOf[T](), 0)
	}
	*(*T)(cage.At(uintptr(w))) = v
	r.ref.W = w
	if invariants.Enabled {
		r = r.stamped()
	}
	return r
}

// TryNew is New with an error in place of the panic at the limit: a *LimitError.
func TryNew[T any](m *Mutator) (Ref[T], error) {
	t := infoFor[T]()
	if w, ok := bump(m, t.header, bytesOf[T]()); ok {
		return madeRef[T](w), nil
	}
	w, err := m.allocSlow(t, bytesOf[T](), 0)
	return madeRef[T](w), err
}

// New allocates as the function New does, without looking the type up.
func (t *Type[T]) New(m *Mutator) (r Ref[T]) {
	w, ok := bump(m, t.info.header, bytesOf[T]())
	if !ok {
		w = m.mustAlloc(&t.info, bytesOf[T](), 0)
	}
	r.ref.W = w
	if invariants.Enabled {
		r = r.stamped()
	}
	return r
}

// Alloc allocates as the function Alloc does, without looking the type up.
func (t *Type[T]) Alloc(m *Mutator, v T) (r Ref[T]) {
	w, ok := bump(m, t.info.header, bytesOf[T]())
	if !ok {
		w = m.mustAlloc(&t.info, bytesOf[T](), 0)
	}
	*(*T)(cage.At(uintptr(w))) = v
	r.ref.W = w
	if invariants.Enabled {
		r = r.stamped()
	}
	return r
}

// bump is the fast path: it cuts an object from the mutator's hole, and reports
// whether that had room.
func bump(m *Mutator, h object.Header, bytes uintptr) (w object.Word, ok bool) {
	at := m.buf.Next
	end := at + bytes>>cage.UnitShift
	if end > m.buf.End || bytes > space.MaxSmall {
		return 0, false
	}
	m.buf.Next = end
	*(*object.Header)(cage.At(at)) = h
	return object.Word(at + 1), true
}

// mustAlloc is allocSlow with a panic in place of the error.
func (m *Mutator) mustAlloc(t *typeInfo, bytes uintptr, length uint32) object.Word {
	w, err := m.allocSlow(t, bytes, length)
	if err != nil {
		panic(err)
	}
	return w
}

// allocSlow allocates an object that did not fit the hole.
func (m *Mutator) allocSlow(t *typeInfo, bytes uintptr, length uint32) (object.Word, error) {
	m.check()
	m.ctx.Here() // a mutator is often handed to another goroutine before it allocates
	h := t.header | object.MakeHeader(0, length)
	var at uintptr
	var err error
	if bytes <= space.MaxSmall {
		at, err = m.heap.space.Alloc(&m.buf, bytes>>cage.UnitShift)
	} else {
		h |= object.Large
		at, err = m.heap.space.AllocLarge(&m.buf, bytes, t.desc.HasSlots())
	}
	if err != nil {
		return 0, m.heap.refuse(costOf(bytes), err)
	}
	*(*object.Header)(cage.At(at)) = h
	return object.Word(at + 1), nil
}

// costOf returns what an object of so many bytes takes of the limit.
func costOf(bytes uintptr) int64 {
	if bytes > space.MaxSmall {
		return int64(space.LargeBytes(bytes))
	}
	return int64(bytes)
}
