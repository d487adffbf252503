package object

import "unsafe"

// Each calls visit for every word of the object with the given payload and
// header that is a reference, or nil, element by element. Visit may change it;
// what it is given for a word of a scheme is a copy, and the word takes the
// change over when visit returns. It is the obvious way to do it, against which
// the fast ones are tested.
func Each(payload unsafe.Pointer, h Header, visit func(*Word)) {
	t := ByID(h.Type())
	if !t.HasSlots() {
		return
	}
	n := uint32(1)
	if t.Array {
		n = h.Upper()
	}
	for i := range n {
		// The slots lie inside the object: i is below its length, and the offsets
		// are those of fields in one element.
		elem := unsafe.Add(payload, uintptr(i)*t.Size)
		for _, off := range t.Slots {
			visit((*Word)(unsafe.Add(elem, off)))
		}
		for _, off := range t.Tagged {
			if word := (*uint64)(unsafe.Add(elem, off)); HoldsWord(*word) {
				visit((*Word)(unsafe.Pointer(word)))
			}
		}
		for _, sw := range t.Schemes {
			VisitScheme(SchemeByID(sw.Scheme), (*uint64)(unsafe.Add(elem, sw.Offset)), visit)
		}
	}
}
