package object

import "unsafe"

// Header is the word before each object.
//
//	bit 63                32 31       12 11   8 7     0
//	┌───────────────────────┬───────────┬──────┬───────┐
//	│ length, or user bits  │ type id   │ flags│ mark  │
//	└───────────────────────┴───────────┴──────┴───────┘
//
// Mutators may change flags and user bits at the same time, so each half is
// written as a word of its own.
//
// Mark is the epoch of the last cycle that found the object alive, 0 for one
// that no cycle has seen. A forwarded object has the type id Forwarded and its
// new reference in the upper half.
type Header uint64

// TypeID names a type descriptor for as long as the process runs.
type TypeID uint32

const (
	// HeaderSize is the size of a header in bytes.
	HeaderSize = 8

	// Large flags an object that lies in pages of its own, and never moves. The
	// flag tells, not the size: a HashTail makes small objects larger.
	Large Header = 1 << 8
	// Hashed flags an object whose identity hash somebody has seen.
	Hashed Header = 1 << 9
	// HashTail flags an object that was moved after that: a last word of 8 bytes,
	// behind the payload, has what the hash is made of.
	HashTail Header = 1 << 10
	// Key flags an object that is the key of an ephemeron whose value is kept as
	// soon as the key is found. It is set in the middle of a cycle only.
	Key Header = 1 << 11

	TailSize   = 8
	tailShift  = 10
	typeShift  = 12
	typeBits   = 20
	typeMask   = 1<<typeBits - 1
	upperShift = 32

	// NoType is the id in memory that holds no object.
	NoType TypeID = 0
	// Forwarded is the id in the old place of an object that was moved.
	Forwarded TypeID = 1

	firstType TypeID = 2
	maxTypes         = 1 << typeBits
)

// MakeHeader returns the header of a new object.
func MakeHeader(id TypeID, upper uint32) Header {
	return Header(id)<<typeShift | Header(upper)<<upperShift
}

// Forward returns the header that an object leaves behind when it moves to w.
func Forward(w Word) Header { return MakeHeader(Forwarded, uint32(w)) }

// Mark returns the epoch in which the object was last found alive.
func (h Header) Mark() uint8 { return uint8(h) }

// WithMark returns h with another mark.
func (h Header) WithMark(epoch uint8) Header { return h&^0xff | Header(epoch) }

// Type returns the type id.
func (h Header) Type() TypeID { return TypeID(h>>typeShift) & typeMask }

// Upper returns the length of an array, or the new place of a forwarded object.
func (h Header) Upper() uint32 { return uint32(h >> upperShift) }

// UpperOf returns where the upper half of a header lies.
func UpperOf(h *Header) *uint32 { return (*uint32)(unsafe.Add(unsafe.Pointer(h), 4)) }

// HeaderOf returns where the header of the object with the given payload lies.
// Every reference points HeaderSize past the start of an object, so the header
// is always in front of the payload.
func HeaderOf(payload unsafe.Pointer) *Header {
	return (*Header)(unsafe.Add(payload, -HeaderSize))
}

// MarkOf returns where the mark of the object with the given header lies. The
// supported systems are little-endian, so it is the header's first byte; a
// store to it alone cannot undo another worker's change of the rest.
func MarkOf(h *Header) *uint8 { return (*uint8)(unsafe.Pointer(h)) }
