// Package object says what lies in the heap: headers, type descriptors, and how
// to find the references inside one object.
//
// A descriptor is computed once for each Go type, by reflection. It knows the
// size of the objects and where their slots are. A type that Go's collector
// would have to see, or that would hide a reference from ours, is refused with
// the path of the offending field.
package object

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Type describes the objects of one type: single values of a Go type, or
// arrays of them.
type Type struct {
	Header Header  // of a new object, length 0
	Bytes  uintptr // size of an object with its header and rounding; 0 for arrays
	ID     TypeID
	Array  bool
	Pair   bool // they are ephemerons
	Scan   Scan

	Elem  reflect.Type // the Go type of the value, or of an element; nil for a shape
	Shape any          // whose type it is, if it was given at run time
	Size  uintptr      // of one value or element
	Name  string

	// Offsets in one value or element, ascending.
	Slots     []uint32     // strong slots
	Tagged    []uint32     // tagged words
	Schemes   []SchemeWord // words of an embedder's scheme
	Weak      []uint32     // weak slots
	Externals []uint32     // slots of externals
}

// HasSlots reports whether a store to an object can be of interest to a collector.
func (t *Type) HasSlots() bool { return !t.Scan.Leaf() }

// MaxElem is the largest size of a type that can be described, in bytes.
const MaxElem = 1 << 30

var registry typeRegistry

type typeRegistry struct {
	mu    sync.Mutex
	byKey map[key]*Type
	free  []TypeID                // given back
	types atomic.Pointer[[]*Type] // by id; NoType and Forwarded are nil
	scans atomic.Pointer[[]Scan]  // by id too
}

type key struct {
	t    reflect.Type
	form form
}

// form says how objects are made of a Go type.
type form uint8

const (
	single form = iota
	array
	ephemeron
)

// Describe returns the descriptor of single values of type t.
func Describe(t reflect.Type) (*Type, error) { return describe(key{t, single}, t.String()) }

// DescribeArray returns the descriptor of arrays whose elements have type t, and
// calls it name.
func DescribeArray(t reflect.Type, name string) (*Type, error) { return describe(key{t, array}, name) }

// DescribeEphemeron returns the descriptor of ephemerons that are called t in Go.
// Such an object is a Pair whatever t is.
func DescribeEphemeron(t reflect.Type) (*Type, error) {
	return describe(key{t, ephemeron}, t.String())
}

func describe(k key, name string) (*Type, error) {
	r := &registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.byKey[k]; t != nil {
		return t, nil
	}
	var found layout
	size := unsafe.Sizeof(Pair{})
	if k.form != ephemeron {
		var err error
		if found, err = findSlots(k.t); err != nil {
			return nil, err
		}
		size = k.t.Size()
	}
	if size > MaxElem {
		return nil, fmt.Errorf("cannot hold %v: it has %d bytes, more than %d", k.t, size, MaxElem)
	}
	t := &Type{
		Array:     k.form == array,
		Pair:      k.form == ephemeron,
		Elem:      k.t,
		Size:      size,
		Name:      name,
		Slots:     found.slots,
		Tagged:    found.tagged,
		Schemes:   found.schemes,
		Weak:      found.weak,
		Externals: found.externals,
	}
	if err := r.add(t); err != nil {
		return nil, fmt.Errorf("cannot hold %v: %w", k.t, err)
	}
	if r.byKey == nil {
		r.byKey = map[key]*Type{}
	}
	r.byKey[k] = t
	return t, nil
}

// ErrTooManyTypes says that all type ids are taken.
var ErrTooManyTypes = fmt.Errorf("%d types are known already", maxTypes-firstType)

// DescribeShape completes a descriptor that was not made of a Go type: Array,
// Size, Name, Shape and the lists of slots are given, and must be right.
func DescribeShape(t *Type) error {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	return registry.add(t)
}

// Forget gives the ids of shapes back. Nobody may look at an object of one any
// more.
func Forget(shapes []*Type) {
	r := &registry
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range shapes {
		(*r.types.Load())[t.ID] = nil
		r.free = append(r.free, t.ID)
	}
}

// add completes t and gives it an id.
//
// Readers keep the slices that they loaded, and what they read in them must not
// change. To append beyond their length does not change it. Nor does putting a
// shape where another was: readers look for the types of objects, and of that one
// there are none.
func (r *typeRegistry) add(t *Type) error {
	if r.types.Load() == nil {
		r.types.Store(&[]*Type{nil, nil})
		r.scans.Store(&[]Scan{{}, {}})
	}
	types, scans := *r.types.Load(), *r.scans.Load()
	n := len(r.free)
	if n == 0 && len(types) >= maxTypes {
		return ErrTooManyTypes
	}
	t.ID = TypeID(len(types))
	if n > 0 {
		t.ID = r.free[n-1]
	}
	t.Header = MakeHeader(t.ID, 0)
	if !t.Array {
		t.Bytes = HeaderSize + max(roundUp(t.Size), 8)
	}
	t.Scan = scanOf(t)
	if n > 0 {
		r.free = r.free[:n-1]
		types[t.ID], scans[t.ID] = t, t.Scan
		return nil
	}
	types = append(types, t)
	r.types.Store(&types)
	scans = append(scans, t.Scan)
	r.scans.Store(&scans)
	return nil
}

func scanOf(t *Type) Scan {
	s := Scan{Size: uint32(t.Bytes), NumSlot: uint32(len(t.Slots)), NumTagged: uint32(len(t.Tagged))}
	if offsets := slices.Concat(t.Slots, t.Tagged); len(offsets) > 0 {
		s.Offsets = unsafe.Pointer(&offsets[0])
	}
	if len(t.Tagged) > 0 {
		s.Special |= SpecialTagged
	}
	if len(t.Schemes) > 0 {
		s.Special |= SpecialScheme
	}
	if len(t.Weak) > 0 {
		s.Special |= SpecialWeak
	}
	if len(t.Externals) > 0 {
		s.Special |= SpecialExternal
	}
	if t.Pair {
		s.Special |= SpecialEphemeron
	}
	if t.Array {
		s.Size = uint32(t.Size)
		switch {
		case len(t.Slots) == 0:
			s.Mode = PlainArray
		case t.Size == WordSize:
			s.Mode = Words
		default:
			s.Mode = Structs
		}
		return s
	}
	switch {
	case len(t.Slots) == 0:
		s.Mode = Plain
	case t.Slots[len(t.Slots)-1] < 64*WordSize:
		s.Mode = Bits
		for _, off := range t.Slots {
			s.Bitmap |= 1 << (off / WordSize)
		}
	default:
		s.Mode = Offsets
	}
	return s
}

// ByID returns the descriptor with the given id, nil when there is none.
func ByID(id TypeID) *Type {
	p := registry.types.Load()
	if p == nil || int(id) >= len(*p) {
		return nil
	}
	return (*p)[id]
}

// Scans returns what tracers need of all types known now, by id.
func Scans() []Scan {
	p := registry.scans.Load()
	if p == nil {
		return nil
	}
	return *p
}

// ArrayBytes returns the size of an array of n elements of size bytes each,
// with header and rounding; ok is false when it does not fit 62 bits.
func ArrayBytes(size uintptr, n int) (bytes uintptr, ok bool) {
	hi, lo := bits.Mul64(uint64(size), uint64(n))
	if hi != 0 || lo > 1<<62 {
		return 0, false
	}
	return HeaderSize + max(roundUp(uintptr(lo)), 8), true
}

func roundUp(n uintptr) uintptr { return (n + 7) &^ 7 }
