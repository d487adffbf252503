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
	Scan   Scan

	Elem reflect.Type // the Go type of the value, or of an element
	Size uintptr      // of one value or element
	Name string

	// Offsets in one value or element, ascending.
	Slots   []uint32     // strong slots
	Tagged  []uint32     // tagged words
	Schemes []SchemeWord // words of an embedder's scheme
}

// HasSlots reports whether a store to an object can be of interest to a collector.
func (t *Type) HasSlots() bool { return !t.Scan.Leaf() }

// MaxElem is the largest size of a type that can be described, in bytes.
const MaxElem = 1 << 30

var registry struct {
	mu    sync.Mutex
	byKey map[key]*Type
	types atomic.Pointer[[]*Type] // by id; NoType and Forwarded are nil
	scans atomic.Pointer[[]Scan]  // by id too
}

type key struct {
	t     reflect.Type
	array bool
}

// Describe returns the descriptor of single values of type t.
func Describe(t reflect.Type) (*Type, error) { return describe(key{t, false}, t.String()) }

// DescribeArray returns the descriptor of arrays whose elements have type t, and
// calls it name.
func DescribeArray(t reflect.Type, name string) (*Type, error) { return describe(key{t, true}, name) }

func describe(k key, name string) (*Type, error) {
	r := &registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.byKey[k]; t != nil {
		return t, nil
	}
	found, err := findSlots(k.t)
	if err != nil {
		return nil, err
	}
	if k.t.Size() > MaxElem {
		return nil, fmt.Errorf("cannot hold %v: it has %d bytes, more than %d", k.t, k.t.Size(), MaxElem)
	}
	if r.byKey == nil {
		r.byKey = map[key]*Type{}
		r.types.Store(&[]*Type{nil, nil})
		r.scans.Store(&[]Scan{{}, {}})
	}
	id := TypeID(len(*r.types.Load()))
	if id >= maxTypes {
		return nil, fmt.Errorf("cannot hold %v: %d types are known already", k.t, maxTypes-firstType)
	}
	t := &Type{
		Header:  MakeHeader(id, 0),
		ID:      id,
		Array:   k.array,
		Elem:    k.t,
		Size:    k.t.Size(),
		Name:    name,
		Slots:   found.slots,
		Tagged:  found.tagged,
		Schemes: found.schemes,
	}
	if !k.array {
		t.Bytes = HeaderSize + max(roundUp(t.Size), 8)
	}
	t.Scan = scanOf(t)
	r.byKey[k] = t
	// Readers keep the slices that they loaded, and those must not change under
	// them; appending beyond their length does not.
	types := append(*r.types.Load(), t)
	r.types.Store(&types)
	scans := append(*r.scans.Load(), t.Scan)
	r.scans.Store(&scans)
	return t, nil
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
