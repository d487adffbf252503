package object

import "unsafe"

// Scan is what a tracer needs of a Type, packed so that two fit a cache line.
type Scan struct {
	Bitmap    uint64 // Bits: bit i stands for the word at offset i*WordSize
	Size      uint32 // bytes of an object with its header, or of an array's element
	Mode      Mode
	Special   Special
	NumSlot   uint32         // offsets of strong slots
	NumTagged uint32         // offsets of tagged words
	Offsets   unsafe.Pointer // *[NumSlot+NumTagged]uint32
}

// Mode says how to find the strong slots of an object.
type Mode uint8

const (
	// Plain objects have no strong slots.
	Plain Mode = iota
	// Bits objects have their slots in the first 64 words, given by a bitmap.
	Bits
	// Offsets objects have a list of offsets.
	Offsets
	// PlainArray is an array whose elements have no strong slots.
	PlainArray
	// Words is an array whose elements are one slot each and nothing else.
	Words
	// Structs is an array whose elements have a list of offsets.
	Structs
)

// Arrays reports whether objects of this mode are arrays.
func (m Mode) Arrays() bool { return m >= PlainArray }

// Special says what an object has beside strong slots. Most have nothing, and a
// tracer need not look further.
type Special uint8

const (
	// SpecialTagged objects have tagged words.
	SpecialTagged Special = 1 << 0
	// SpecialWeak objects have weak slots.
	SpecialWeak Special = 1 << 1
	// SpecialExternal objects have slots of externals.
	SpecialExternal Special = 1 << 2
	// SpecialEphemeron objects are a Pair.
	SpecialEphemeron Special = 1 << 3
	// SpecialScheme objects have words of an embedder's scheme.
	SpecialScheme Special = 1 << 4
)

// Leaf reports whether objects have nothing in which a store could be of
// interest to a collector.
func (s *Scan) Leaf() bool { return (s.Mode == Plain || s.Mode == PlainArray) && s.Special == 0 }

// StrongOffsets returns the offsets of the strong slots in one value or element.
func (s *Scan) StrongOffsets() []uint32 { return unsafe.Slice((*uint32)(s.Offsets), s.NumSlot) }

// TaggedOffsets returns the offsets of the tagged words in one value or element.
func (s *Scan) TaggedOffsets() []uint32 {
	return unsafe.Slice((*uint32)(s.Offsets), s.NumSlot+s.NumTagged)[s.NumSlot:]
}

// Update does what Each does, in an order that suits it, for collectors that
// move objects. S must be the Scan of h's type.
func Update(s *Scan, payload unsafe.Pointer, h Header, visit func(*Word)) {
	n, size := uintptr(1), uintptr(0)
	if s.Mode.Arrays() {
		n, size = uintptr(h.Upper()), uintptr(s.Size)
	}
	// The slots lie inside the object: element below n, offset in the element.
	for _, off := range s.StrongOffsets() {
		for i := range n {
			visit((*Word)(unsafe.Add(payload, i*size+uintptr(off))))
		}
	}
	if s.Special == 0 {
		return
	}
	for _, off := range s.TaggedOffsets() {
		for i := range n {
			if word := (*uint64)(unsafe.Add(payload, i*size+uintptr(off))); HoldsWord(*word) {
				visit((*Word)(unsafe.Pointer(word)))
			}
		}
	}
	if s.Special&SpecialScheme == 0 {
		return
	}
	for _, sw := range ByID(h.Type()).Schemes {
		scheme := SchemeByID(sw.Scheme)
		for i := range n {
			VisitScheme(scheme, (*uint64)(unsafe.Add(payload, i*size+uintptr(sw.Offset))), visit)
		}
	}
}

// UpdateWeak visits what Update does not, because it keeps nothing alive by
// itself: weak slots, and the two words of an ephemeron.
func UpdateWeak(s *Scan, payload unsafe.Pointer, h Header, visit func(*Word)) {
	if s.Special&SpecialWeak != 0 {
		EachWeak(payload, h, visit)
	}
	if s.Special&SpecialEphemeron != 0 {
		p := PairAt(payload)
		visit(&p.Key)
		visit(&p.Value)
	}
}

// BytesOf returns the size of the object with header h, which must have a type
// of scans, with header and rounding.
func BytesOf(scans []Scan, h Header) uintptr {
	s := &scans[h.Type()]
	bytes := uintptr(s.Size)
	if s.Mode.Arrays() {
		bytes = HeaderSize + max(roundUp(bytes*uintptr(h.Upper())), 8)
	}
	return bytes + h.Tail()
}
