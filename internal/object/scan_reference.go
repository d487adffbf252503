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

// EachWeak calls visit for every weak slot of an object.
func EachWeak(payload unsafe.Pointer, h Header, visit func(*Word)) {
	t := ByID(h.Type())
	t.each(payload, h, t.Weak, func(p unsafe.Pointer) { visit((*Word)(p)) })
}

// EachExternal calls visit for every slot of an external of an object.
func EachExternal(payload unsafe.Pointer, h Header, visit func(*ExternalSlot)) {
	t := ByID(h.Type())
	t.each(payload, h, t.Externals, func(p unsafe.Pointer) { visit((*ExternalSlot)(p)) })
}

// each calls visit for the given offsets in the object, or in each element.
func (t *Type) each(payload unsafe.Pointer, h Header, offsets []uint32, visit func(unsafe.Pointer)) {
	if len(offsets) == 0 {
		return
	}
	n := uint32(1)
	if t.Array {
		n = h.Upper()
	}
	for i := range n {
		for _, off := range offsets {
			visit(unsafe.Add(payload, uintptr(i)*t.Size+uintptr(off)))
		}
	}
}
