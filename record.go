package midden

import (
	"fmt"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

// Record is an object of a Shape, or an element of one, as one looks into it. It
// is good until the mutator's next safepoint, like a pointer from Get.
type Record struct {
	at    unsafe.Pointer // in the cage
	shape *Shape
}

// Record looks into an object of this shape. It panics if a is nil or something
// else, and for arrays: their elements are Records.
func (s *Shape) Record(a AnyRef) Record {
	s.mustBeArray(false)
	return Record{s.payload(a), s}
}

// Len returns the number of elements of an array of this shape. It panics if a
// is nil or something else.
func (s *Shape) Len(a AnyRef) int {
	s.mustBeArray(true)
	return int(object.HeaderOf(s.payload(a)).Upper())
}

// At looks into element i of an array of this shape. It panics unless a is one,
// and 0 ≤ i < Len.
func (s *Shape) At(a AnyRef, i int) Record {
	s.mustBeArray(true)
	p := s.payload(a)
	if uint(i) >= uint(object.HeaderOf(p).Upper()) {
		panic(arrayMisuse{p, i})
	}
	// The element lies inside the array: i is below its length.
	return Record{unsafe.Add(p, uintptr(i)*s.desc.Size), s}
}

// Shape returns the record's shape.
func (r Record) Shape() *Shape { return r.shape }

// Ref returns the slot of ShapeSpec.Refs[i]. It panics if there is none.
func (r Record) Ref(i int) *AnyField {
	// The slot lies inside the object: NewShape has seen to it.
	return (*AnyField)(unsafe.Add(r.at, r.shape.refs[i]))
}

// Value returns the slot of ShapeSpec.Values[i]. It panics if there is none.
func (r Record) Value(i int) *ValueField {
	// The slot lies inside the object: NewShape has seen to it.
	return (*ValueField)(unsafe.Add(r.at, r.shape.values[i]))
}

// Number is what may lie in a Record beside references and Values.
type Number interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Data returns where the number at the given offset lies, in bytes. It panics if
// that is not inside the record, is not a multiple of the number's size (in an
// array, in each element), or belongs to a reference or a Value.
func Data[T Number](r Record, offset int) *T {
	var v T
	size := unsafe.Sizeof(v)
	s := r.shape
	if uint(offset)%uint(size) != 0 || size > s.align || uint(offset) > uint(s.desc.Size) || s.desc.Size-uintptr(offset) < size || s.touchesSlot(uintptr(offset), size) {
		panic(noData{s, offset, int(size)})
	}
	// It lies inside the object, as was just seen.
	return (*T)(unsafe.Add(r.at, offset))
}

// touchesSlot reports whether a number belongs to a slot. It lies in one word of
// 4 bytes, or in two of which the first has an even number.
func (s *Shape) touchesSlot(offset, size uintptr) bool {
	word := offset / object.WordSize
	if word/64 >= uintptr(len(s.slots)) {
		return false
	}
	mask := uint64(1)
	if size > object.WordSize {
		mask = 3
	}
	return s.slots[word/64]>>(word%64)&mask != 0
}

// noData is what Data panics with.
type noData struct {
	shape        *Shape
	offset, size int
}

// Error names the mistake.
func (e noData) Error() string {
	return fmt.Sprintf("midden: shape %q has no number of %d bytes at offset %d: it must lie inside the %d bytes, at a multiple of its size in every element, and on no slot",
		e.shape.desc.Name, e.size, e.offset, e.shape.desc.Size)
}

// Element is what the elements of an array of a Shape can be seen as.
type Element interface {
	Number | AnyField | ValueField
}

// Elements returns a view of the elements of an array, good until the mutator's
// next safepoint, if each is nothing but one T: a number of that size, a reference
// (AnyField) or a Value (ValueField). It panics if they are not, or if a is not of
// this shape. Slots are written through their Store, or by Copy.
func Elements[T Element](s *Shape, a AnyRef) []T {
	var v T
	n := s.Len(a)
	ok := s.desc.Size == unsafe.Sizeof(v)
	switch any(v).(type) {
	case AnyField:
		ok = ok && len(s.refs) == 1
	case ValueField:
		ok = ok && len(s.values) == 1
	default:
		ok = ok && len(s.slots) == 0
	}
	if !ok {
		panic(fmt.Sprintf("midden: the elements of shape %q are not of type %T", s.desc.Name, v))
	}
	return unsafe.Slice((*T)(s.payload(a)), n)
}
