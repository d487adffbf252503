package midden

import (
	"reflect"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Ephemeron is an object that joins a value to a key without keeping the key
// alive: the value lives for as long as both the ephemeron and the key do, even
// if the value itself refers to the key. Tables that remember something about
// objects of others are made of ephemerons. When the key dies, both become nil.
//
// An Ephemeron exists only as an object of its own, which NewEphemeron makes, and
// is used through a Ref[Ephemeron[K, V]]. It takes 16 bytes, header included.
//
// After Hayes, "Ephemerons: a new finalization mechanism" (OOPSLA 1997).
type Ephemeron[K, V any] struct {
	_    phantom[K]
	_    phantom[V]
	_    object.InlineMark
	_    noCopy
	pair object.Pair
}

// NewEphemeron allocates an ephemeron. It panics if k is nil, and with
// *LimitError at the hard limit. The mutator must be active.
func NewEphemeron[K, V any](m *Mutator, k Ref[K], v Ref[V]) Ref[Ephemeron[K, V]] {
	if k.IsNil() {
		panic("midden: NewEphemeron with a nil key: only an object can die")
	}
	if invariants.Enabled {
		k.stamp.checkHeap(m, k.ref.W, nameOf[K])
		v.stamp.checkHeap(m, v.ref.W, nameOf[V])
	}
	w := newPair(m, ephemeronInfoFor[K, V](), object.Pair{Key: k.ref.W, Value: v.ref.W})
	return madeRef[Ephemeron[K, V]](w)
}

// newPair allocates an ephemeron. What is new needs no barrier.
func newPair(m *Mutator, t *typeInfo, p object.Pair) object.Word {
	w, ok := bump(m, t.header, t.desc.Bytes)
	if !ok {
		w = m.mustAlloc(t, t.desc.Bytes, 0)
	}
	*object.PairAt(cage.At(uintptr(w))) = p
	return w
}

// Key returns the key, nil once it is dead.
func (e *Ephemeron[K, V]) Key() Ref[K] { return madeRef[K](pairIn(unsafe.Pointer(e)).Key) }

// Value returns the value, nil once the key is dead.
func (e *Ephemeron[K, V]) Value() Ref[V] { return madeRef[V](pairIn(unsafe.Pointer(e)).Value) }

// SetValue joins another value to the key, or none. It does nothing once the key
// is dead. The mutator must be active.
func (e *Ephemeron[K, V]) SetValue(m *Mutator, v Ref[V]) {
	p := pairIn(unsafe.Pointer(e))
	if invariants.Enabled {
		v.stamp.checkStore(m, unsafe.Pointer(e), v.ref.W, nameOf[V])
	}
	p.setValue(m, v.ref.W)
}

func (*Ephemeron[K, V]) info() *typeInfo { return ephemeronInfoFor[K, V]() }

// AnyEphemeron is an Ephemeron whose key and value may be of any type.
type AnyEphemeron struct {
	_    object.InlineMark
	_    noCopy
	pair object.Pair
}

// NewAnyEphemeron allocates an ephemeron, as NewEphemeron does.
func NewAnyEphemeron(m *Mutator, k, v AnyRef) Ref[AnyEphemeron] {
	if k.IsNil() {
		panic("midden: NewAnyEphemeron with a nil key: only an object can die")
	}
	if invariants.Enabled {
		k.stamp.checkHeap(m, k.ref.W, nameOfAny)
		v.stamp.checkHeap(m, v.ref.W, nameOfAny)
	}
	return madeRef[AnyEphemeron](newPair(m, (*AnyEphemeron)(nil).info(), object.Pair{Key: k.ref.W, Value: v.ref.W}))
}

// Key returns the key, nil once it is dead.
func (e *AnyEphemeron) Key() AnyRef {
	return AnyRef{ref: object.BareRef{W: pairIn(unsafe.Pointer(e)).Key}}.stamped()
}

// Value returns the value, nil once the key is dead.
func (e *AnyEphemeron) Value() AnyRef {
	return AnyRef{ref: object.BareRef{W: pairIn(unsafe.Pointer(e)).Value}}.stamped()
}

// SetValue joins another value to the key, as Ephemeron.SetValue does.
func (e *AnyEphemeron) SetValue(m *Mutator, v AnyRef) {
	p := pairIn(unsafe.Pointer(e))
	if invariants.Enabled {
		v.stamp.checkStore(m, unsafe.Pointer(e), v.ref.W, nameOfAny)
	}
	p.setValue(m, v.ref.W)
}

func (*AnyEphemeron) info() *typeInfo {
	return ephemeronInfo(typeKey[AnyEphemeron](), describeEphemeron[AnyEphemeron])
}

// pairInHeap is the Pair of an ephemeron that lies in a heap.
type pairInHeap object.Pair

// pairIn returns what the ephemeron at p consists of.
func pairIn(p unsafe.Pointer) *pairInHeap {
	if p == nil {
		panic("midden: nil Ephemeron: the Ref it came from is nil")
	}
	inCage(p, "an Ephemeron outside the heap: it was copied; use it through its Ref only")
	return (*pairInHeap)(p)
}

func (p *pairInHeap) setValue(m *Mutator, w object.Word) {
	if p.Key != 0 {
		barrierOf(m, unsafe.Pointer(&p.Value), w, ephemeronKind)
		p.Value = w
	}
}

func ephemeronInfoFor[K, V any]() *typeInfo {
	return ephemeronInfo(typeKey[Ephemeron[K, V]](), describeEphemeron[Ephemeron[K, V]])
}

// ephemeronInfo returns the info of ephemerons. Run-time types are aligned, so the
// key is free.
func ephemeronInfo(key uintptr, describe func() (*object.Type, error)) *typeInfo {
	key |= 2
	if t := cached(key); t != nil {
		return t
	}
	return findInfo(key, describe)
}

func describeEphemeron[E any]() (*object.Type, error) {
	return object.DescribeEphemeron(reflect.TypeFor[E]())
}
