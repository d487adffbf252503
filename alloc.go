package midden

import (
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// New allocates a zeroed object. It never collects and never stops. It panics
// with *LimitError at the hard limit, and if a T cannot lie in a heap. The
// mutator must be active.
func New[T any](m *Mutator) Ref[T] {
	if t := cachedInfo[T](); t != nil {
		if w := bump(m, t.header, bytesOf[T]()); w != 0 {
			return madeRef[T](w)
		}
	}
	return madeRef[T](m.mustAlloc(infoFor[T](), bytesOf[T](), 0))
}

// Alloc allocates an object with the value v. It panics as New does. References
// in v are made with FieldOf: a new object needs no barrier.
func Alloc[T any](m *Mutator, v T) Ref[T] {
	if t := cachedInfo[T](); t != nil {
		if w := bump(m, t.header, bytesOf[T]()); w != 0 {
			*(*T)(cage.At(uintptr(w))) = v
			return madeRef[T](w)
		}
	}
	w := m.mustAlloc(infoFor[T](), bytesOf[T](), 0)
	*(*T)(cage.At(uintptr(w))) = v
	return madeRef[T](w)
}

// TryNew is New with an error in place of the panic at the limit: a *LimitError.
func TryNew[T any](m *Mutator) (Ref[T], error) {
	t := infoFor[T]()
	if w := bump(m, t.header, bytesOf[T]()); w != 0 {
		return madeRef[T](w), nil
	}
	w, err := m.allocSlow(t, bytesOf[T](), 0)
	return madeRef[T](w), err
}

// New allocates as the function New does, without looking the type up.
func (t *Type[T]) New(m *Mutator) Ref[T] {
	if w := bump(m, t.info.header, bytesOf[T]()); w != 0 {
		return madeRef[T](w)
	}
	return madeRef[T](m.mustAlloc(&t.info, bytesOf[T](), 0))
}

// Alloc allocates as the function Alloc does, without looking the type up.
func (t *Type[T]) Alloc(m *Mutator, v T) Ref[T] {
	w := bump(m, t.info.header, bytesOf[T]())
	if w == 0 {
		w = m.mustAlloc(&t.info, bytesOf[T](), 0)
	}
	*(*T)(cage.At(uintptr(w))) = v
	return madeRef[T](w)
}

// bump is the fast path: it cuts an object from the mutator's hole, or returns 0
// if that has no room.
func bump(m *Mutator, h object.Header, bytes uintptr) object.Word {
	at := m.buf.Next
	end := at + bytes>>cage.UnitShift
	if end > m.buf.End || bytes > space.MaxSmall {
		return 0
	}
	m.buf.Next = end
	*(*object.Header)(cage.At(at)) = h
	return object.Word(at + 1)
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
	h := t.header | object.MakeHeader(0, length)
	var at uintptr
	var err error
	if bytes <= space.MaxSmall {
		at, err = m.heap.space.Alloc(&m.buf, bytes>>cage.UnitShift)
	} else {
		h |= object.Large
		at, err = m.heap.space.AllocLarge(&m.buf, bytes, len(t.desc.Slots) > 0)
	}
	if err != nil {
		return 0, m.heap.limitError(costOf(bytes), err)
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
