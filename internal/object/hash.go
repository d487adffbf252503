package object

import (
	"sync/atomic"
	"unsafe"
)

// An identity hash is made of where the object lay when it was first asked for
// (Bacon, Fink and Grove, "Space- and time-efficient implementation of the Java
// object model", ECOOP 2002). Until the object moves that is where it lies, and
// the hash costs a flag. When it moves, the copy is 8 bytes longer and has the
// old place in them. Objects that nobody has hashed pay nothing.

// Tail returns the size of what h's object has behind its payload, in bytes.
func (h Header) Tail() uintptr { return uintptr(h>>tailShift&1) * TailSize }

// CopyBytes returns the size that a copy of an object of so many bytes has.
func (h Header) CopyBytes(bytes uintptr) uintptr {
	if h&(Hashed|HashTail) == Hashed {
		return bytes + TailSize
	}
	return bytes
}

// Move copies the object w, which has the given header and size, to the free
// memory at to, where its CopyBytes fit. The header of the copy is set last; the
// old one is left as it is.
func Move(to, from unsafe.Pointer, w Word, h Header, bytes uintptr) {
	copy(unsafe.Slice((*byte)(to), bytes)[HeaderSize:], unsafe.Slice((*byte)(from), bytes)[HeaderSize:])
	if h.CopyBytes(bytes) != bytes {
		*(*uint64)(unsafe.Add(to, bytes)) = uint64(w)
		h |= HashTail
	}
	*(*Header)(to) = h
}

// Hash returns the identity hash of the object w with the given payload, and
// whether nobody has asked for it before.
func Hash(w Word, payload unsafe.Pointer) (hash uint64, first bool) {
	// The lower half of the header, which holds the flags: the upper one may be
	// written to meanwhile.
	half := (*uint32)(unsafe.Pointer(HeaderOf(payload)))
	for {
		flags := atomic.LoadUint32(half)
		switch h := Header(flags); {
		case h&HashTail != 0:
			h = *HeaderOf(payload)
			bytes := BytesOf(Scans(), h)
			return mix(*(*uint64)(unsafe.Add(payload, bytes-HeaderSize-TailSize))), false
		case h&Hashed != 0:
			return mix(uint64(w)), false
		case atomic.CompareAndSwapUint32(half, flags, flags|uint32(Hashed)):
			return mix(uint64(w)), true
		}
	}
}

// mix spreads the bits of neighbouring places: the finalizer of SplitMix64
// (Steele, Lea and Flood, OOPSLA 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
