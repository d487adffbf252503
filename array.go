package midden

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// Array is a row of elements, inline, whose length never changes. It exists only
// as an object of its own, used through a Ref[Array[T]]; a copy of one outside
// the heap is a mistake, and its methods panic.
type Array[T any] struct {
	_ phantom[T]
	_ object.InlineMark
	_ noCopy
}

// noCopy makes go vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// NewArray allocates an array of n zeroed elements. It panics if n is negative,
// and with *LimitError if the array does not fit the limit or has more than
// 2³²-1 elements. The mutator must be active.
func NewArray[T any](m *Mutator, n int) Ref[Array[T]] {
	w, err := newArray(m, arrayInfoFor[T](), n)
	if err != nil {
		panic(err)
	}
	return madeRef[Array[T]](w)
}

// TryNewArray is NewArray with an error in place of the panic at the limit: a
// *LimitError.
func TryNewArray[T any](m *Mutator, n int) (Ref[Array[T]], error) {
	w, err := newArray(m, arrayInfoFor[T](), n)
	return madeRef[Array[T]](w), err
}

// ArraySize returns what an array of n elements of type T costs, in bytes:
// header and rounding included. It panics if n is negative, and returns
// math.MaxInt64 for an array that no heap can hold.
func ArraySize[T any](n int) int64 {
	var v T
	return arrayCost(unsafe.Sizeof(v), n)
}

func arrayCost(size uintptr, n int) int64 {
	if n < 0 {
		panic(fmt.Sprintf("midden: an array of %d elements: the length cannot be negative", n))
	}
	bytes, ok := object.ArrayBytes(size, n)
	if !ok {
		return math.MaxInt64
	}
	return costOf(bytes)
}

func newArray(m *Mutator, t *typeInfo, n int) (object.Word, error) {
	cost := arrayCost(t.desc.Size, n)
	if n > math.MaxUint32 || cost > math.MaxInt64/2 {
		m.check()
		err := m.heap.limitError(cost, space.ErrLimit)
		err.cause = errTooLong
		return 0, err
	}
	bytes, _ := object.ArrayBytes(t.desc.Size, n)
	if w, ok := bump(m, t.header|object.MakeHeader(0, uint32(n)), bytes); ok {
		return w, nil
	}
	return m.allocSlow(t, bytes, uint32(n))
}

var errTooLong = errors.New("an Array has at most 2³²-1 elements")

// Len returns the number of elements.
func (a *Array[T]) Len() int { return lengthAt(unsafe.Pointer(a)) }

// At returns a pointer to element i, good until the mutator's next safepoint. It
// panics unless 0 ≤ i < Len.
func (a *Array[T]) At(i int) *T {
	p := unsafe.Pointer(a)
	if !cage.Contains(p) || uint(i) >= uint(object.HeaderOf(p).Upper()) {
		panic(arrayMisuse{p, i})
	}
	var v T
	// The element lies inside the array: i is below its length.
	return (*T)(unsafe.Add(p, uintptr(i)*unsafe.Sizeof(v)))
}

// Slice returns a view of the elements, good until the mutator's next safepoint.
// Elements that contain slots are written through Store, Assign or Copy.
func (a *Array[T]) Slice() []T {
	return unsafe.Slice((*T)(unsafe.Pointer(a)), lengthAt(unsafe.Pointer(a)))
}

func (*Array[T]) info() *typeInfo { return arrayInfoFor[T]() }

// lengthAt returns the length of the array whose payload is at p, from its
// header.
func lengthAt(p unsafe.Pointer) int {
	if !cage.Contains(p) {
		panic(arrayMisuse{p, 0})
	}
	return int(object.HeaderOf(p).Upper())
}

// arrayMisuse is what the methods of Array and String panic with. The message is
// made when it is read, so that the methods can be inlined.
type arrayMisuse struct {
	at    unsafe.Pointer
	index int
}

// Error names the mistake.
func (e arrayMisuse) Error() string {
	switch {
	case e.at == nil:
		return "midden: nil Array or String: the Ref it came from is nil"
	case !cage.Contains(e.at):
		return "midden: an Array or String outside the heap: it was copied; use it through its Ref only"
	}
	return fmt.Sprintf("midden: index %d out of range of an Array of %d", e.index, lengthAt(e.at))
}
