package midden

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

// String is a row of bytes that never change. It exists only as an object of its
// own, used through a Ref[String]; a copy of one outside the heap is a mistake,
// and its methods panic.
type String struct {
	_ object.InlineMark
	_ noCopy
}

// stringByte is the element of a String, a type apart so that a String is not an
// Array of bytes.
type stringByte byte

// NewString allocates a copy of s. It panics with *LimitError if that does not
// fit the limit. The mutator must be active.
func NewString(m *Mutator, s string) Ref[String] {
	w, err := newString(m, s)
	if err != nil {
		panic(err)
	}
	return madeRef[String](w)
}

// TryNewString is NewString with an error in place of the panic at the limit: a
// *LimitError.
func TryNewString(m *Mutator, s string) (Ref[String], error) {
	w, err := newString(m, s)
	return madeRef[String](w), err
}

// StringSize returns what a String of n bytes costs, in bytes: header and
// rounding included. It panics if n is negative.
func StringSize(n int) int64 { return arrayCost(1, n) }

func newString(m *Mutator, s string) (object.Word, error) {
	w, err := newArray(m, (*String)(nil).info(), len(s))
	if err == nil {
		copy(unsafe.Slice((*byte)(cage.At(uintptr(w))), len(s)), s)
	}
	return w, err
}

// Len returns the number of bytes.
func (s *String) Len() int { return lengthAt(unsafe.Pointer(s)) }

// String returns a copy of the bytes as a Go string.
func (s *String) String() string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(s)), lengthAt(unsafe.Pointer(s))))
}

// View returns the bytes as a Go string without copying them, good until the
// mutator's next safepoint.
func (s *String) View() string {
	return unsafe.String((*byte)(unsafe.Pointer(s)), lengthAt(unsafe.Pointer(s)))
}

func (*String) info() *typeInfo { return arrayInfoFor[stringByte]() }
