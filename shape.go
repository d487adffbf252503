package midden

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// ShapeSpec says what objects look like whose shape is known only at run time:
// the hidden classes of a script, or the structs and arrays of a Wasm module.
// Offsets and sizes are in bytes.
type ShapeSpec struct {
	// Name is what AnyRef.TypeName returns.
	Name string
	// Size is that of one object, or of an element of an array, without a header.
	Size int
	// Refs are the offsets of references, 4 bytes each, in any order. They are
	// multiples of 4.
	Refs []int
	// Values are the offsets of Values, 8 bytes each. They are multiples of 8.
	Values []int
	// Array says that an object is a row of elements, each as described.
	Array bool
}

// What is in neither list are numbers, and no collector looks at them.

// Shape is a type of objects that was made at run time. It belongs to its heap,
// and so does its TypeID, which two Shapes never share, alike or not; both go
// when the heap is closed. Any mutator of the heap may use it.
type Shape struct {
	heap *Heap
	info typeInfo
	desc object.Type

	refs, values []uint32 // offsets, in the order of the spec
	slots        []uint64 // a bit for each 4 bytes that belong to a slot
	align        uintptr  // the largest number that lies well in every element, in bytes
}

// ShapeError says what is wrong with a ShapeSpec.
type ShapeError struct {
	Name    string // of the shape
	Field   string // of the spec, such as "Size" or "Refs[3]"
	Problem string
}

// Error names the shape, the field and the problem.
func (e *ShapeError) Error() string {
	return fmt.Sprintf("midden: shape %q: %s %s", e.Name, e.Field, e.Problem)
}

// ErrTypes is given when a process has as many types, Shapes of open heaps
// included, as a header can tell apart: about a million.
var ErrTypes = errors.New("midden: there are too many types")

// maxShapeSlots bounds the references and Values of a shape: more belong into an
// array.
const maxShapeSlots = 1 << 16

// shapes are those of a heap.
type shapes struct {
	mu     sync.Mutex
	descs  []*object.Type
	cost   int64 // charged for them
	closed bool
}

// NewShape makes a Shape. A spec that makes no sense is a *ShapeError; it fails
// with ErrTypes if there are too many types, with ErrClosed if the heap is closed,
// and with *LimitError if what the heap has to know of the shape, some hundred
// bytes, does not fit the limit. Any goroutine may call it.
func (h *Heap) NewShape(spec ShapeSpec) (*Shape, error) {
	h.check()
	s := &Shape{heap: h}
	slots, err := spec.check()
	if err != nil {
		return nil, err
	}
	s.slots = slots
	s.align = object.TaggedSize
	if spec.Array {
		// The lowest bit that is set, of 8 at most.
		s.align = uintptr((spec.Size | object.TaggedSize) & -(spec.Size | object.TaggedSize))
	}
	s.refs, s.values = offsets(spec.Refs), offsets(spec.Values)
	s.desc = object.Type{
		Array:  spec.Array,
		Size:   uintptr(spec.Size),
		Name:   strings.Clone(spec.Name),
		Shape:  s,
		Slots:  slices.Sorted(slices.Values(s.refs)),
		Tagged: slices.Sorted(slices.Values(s.values)),
	}
	// The offsets are there three times, and the ids in two tables.
	cost := int64(unsafe.Sizeof(*s)) + int64(len(spec.Name)) + 12*int64(len(s.refs)+len(s.values)) + 8*int64(len(slots)) + 64

	h.shapes.mu.Lock()
	defer h.shapes.mu.Unlock()
	if h.shapes.closed {
		return nil, ErrClosed
	}
	if !h.space.TryChargeSet(cost) {
		return nil, h.limitError(cost, space.ErrLimit)
	}
	h.shapes.cost += cost
	if err := object.DescribeShape(&s.desc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTypes, err)
	}
	h.shapes.descs = append(h.shapes.descs, &s.desc)
	s.info = typeInfo{header: s.desc.Header, desc: &s.desc}
	return s, nil
}

// close ends all shapes, when nobody will look at an object any more. It returns
// what was charged for them.
func (ss *shapes) close() (cost int64) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	object.Forget(ss.descs)
	cost = ss.cost
	ss.descs, ss.cost, ss.closed = nil, 0, true
	return cost
}

// check returns which words of 4 bytes belong to slots.
func (spec *ShapeSpec) check() (slots []uint64, err error) {
	bad := func(field, problem string, args ...any) ([]uint64, error) {
		return nil, &ShapeError{strings.Clone(spec.Name), field, fmt.Sprintf(problem, args...)}
	}
	switch n := len(spec.Refs) + len(spec.Values); {
	case spec.Size < 0:
		return bad("Size", "is negative: %d", spec.Size)
	case spec.Size > object.MaxElem:
		return bad("Size", "is %d bytes, more than %d", spec.Size, object.MaxElem)
	case n > maxShapeSlots:
		return bad("Refs and Values", "are %d, more than %d: use an array", n, maxShapeSlots)
	case spec.Array && len(spec.Values) > 0 && spec.Size%object.TaggedSize != 0:
		return bad("Size", "is %d, and that of an element with Values must be a multiple of %d", spec.Size, object.TaggedSize)
	case spec.Array && len(spec.Refs) > 0 && spec.Size%object.WordSize != 0:
		return bad("Size", "is %d, and that of an element with references must be a multiple of %d", spec.Size, object.WordSize)
	case n == 0:
		return nil, nil
	}
	for _, kind := range []struct {
		field   string
		offsets []int
		size    int
	}{{"Refs", spec.Refs, object.WordSize}, {"Values", spec.Values, object.TaggedSize}} {
		for i, off := range kind.offsets {
			field := fmt.Sprintf("%s[%d]", kind.field, i)
			switch {
			case off < 0 || off > spec.Size-kind.size:
				return bad(field, "is at %d, outside the %d bytes", off, spec.Size)
			case off%kind.size != 0:
				return bad(field, "is at %d, which is no multiple of %d", off, kind.size)
			}
			for word := off / object.WordSize; word < (off+kind.size)/object.WordSize; word++ {
				for word/64 >= len(slots) {
					slots = append(slots, 0)
				}
				if slots[word/64]>>(word%64)&1 != 0 {
					return bad(field, "is at %d, where there is another slot", off)
				}
				slots[word/64] |= 1 << (word % 64)
			}
		}
	}
	return slots, nil
}

func offsets(spec []int) []uint32 {
	list := make([]uint32, len(spec))
	for i, off := range spec {
		list[i] = uint32(off)
	}
	return list
}

// ID returns the id of objects of this shape.
func (s *Shape) ID() TypeID { return TypeID(s.info.header.Type()) }

// Name returns the spec's name.
func (s *Shape) Name() string { return s.desc.Name }

// Size returns the spec's size, in bytes.
func (s *Shape) Size() int { return int(s.desc.Size) }

// NumRefs returns how many references there are in one object, or element.
func (s *Shape) NumRefs() int { return len(s.refs) }

// NumValues returns how many Values there are in one object, or element.
func (s *Shape) NumValues() int { return len(s.values) }

// IsArray reports whether objects of this shape are arrays.
func (s *Shape) IsArray() bool { return s.desc.Array }

// New allocates a zeroed object. It panics with *LimitError at the hard limit,
// if the shape is that of arrays, and if m is a mutator of another heap. The
// mutator must be active.
func (s *Shape) New(m *Mutator) AnyRef {
	s.usable(m, false)
	w, ok := bump(m, s.info.header, s.desc.Bytes)
	if !ok {
		w = m.mustAlloc(&s.info, s.desc.Bytes, 0)
	}
	return madeAny(w)
}

// TryNew is New with an error in place of the panic at the limit: a *LimitError.
func (s *Shape) TryNew(m *Mutator) (AnyRef, error) {
	s.usable(m, false)
	if w, ok := bump(m, s.info.header, s.desc.Bytes); ok {
		return madeAny(w), nil
	}
	w, err := m.allocSlow(&s.info, s.desc.Bytes, 0)
	return madeAny(w), err
}

// NewArray allocates an array of n zeroed elements. It panics as the function
// NewArray does, if the shape is not that of arrays, and if m is a mutator of
// another heap. The mutator must be active.
func (s *Shape) NewArray(m *Mutator, n int) AnyRef {
	a, err := s.TryNewArray(m, n)
	if err != nil {
		panic(err)
	}
	return a
}

// TryNewArray is NewArray with an error in place of the panic at the limit: a
// *LimitError.
func (s *Shape) TryNewArray(m *Mutator, n int) (AnyRef, error) {
	s.usable(m, true)
	w, err := newArray(m, &s.info, n)
	return madeAny(w), err
}

// Cost returns what one object costs, in bytes, header and rounding included; n
// is how many elements it has, if the shape is that of arrays. It panics as
// ArraySize does.
func (s *Shape) Cost(n int) int64 {
	if s.desc.Array {
		return arrayCost(s.desc.Size, n)
	}
	return costOf(s.desc.Bytes)
}

// usable panics unless m can allocate objects of this shape.
func (s *Shape) usable(m *Mutator, array bool) {
	if m.heap != s.heap {
		panic(shapeMisuse{s, "is of another heap than the mutator"})
	}
	s.mustBeArray(array)
}

// mustBeArray panics unless the shape is, or is not, that of arrays.
func (s *Shape) mustBeArray(array bool) {
	if s.desc.Array == array {
		return
	}
	if s.desc.Array {
		panic(shapeMisuse{s, "is that of arrays: use NewArray and At"})
	}
	panic(shapeMisuse{s, "is not that of arrays: use New and Record"})
}

// shapeMisuse is what the methods of Shape panic with.
type shapeMisuse struct {
	shape   *Shape
	problem string
}

// Error names the mistake.
func (e shapeMisuse) Error() string {
	return fmt.Sprintf("midden: shape %q %s", e.shape.desc.Name, e.problem)
}

// Shape returns the Shape of the object, nil if it has none: if it is of a Go
// type, or a is nil.
func (a AnyRef) Shape() *Shape {
	id := a.TypeID()
	if id == 0 {
		return nil
	}
	s, _ := object.ByID(object.TypeID(id)).Shape.(*Shape)
	return s
}

func madeAny(w object.Word) AnyRef { return AnyRef{ref: object.BareRef{W: w}}.stamped() }

// payload returns where a's object is, which must be of this shape.
func (s *Shape) payload(a AnyRef) unsafe.Pointer {
	if a.TypeID() != s.ID() {
		panic(shapeMisuse{s, "was used to look into " + a.TypeName()})
	}
	return cage.At(uintptr(a.ref.W))
}
