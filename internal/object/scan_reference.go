package object

import "unsafe"

// Each calls visit for every slot of the object with the given payload and
// header, in order of address. It is the obvious way to do it, against which
// the fast ones are tested.
func Each(payload unsafe.Pointer, h Header, visit func(*Word)) {
	t := ByID(h.Type())
	if len(t.Slots) == 0 {
		return
	}
	n := uint32(1)
	if t.Array {
		n = h.Upper()
	}
	for i := range n {
		for _, off := range t.Slots {
			// The slot lies inside the object: i is below its length, and off is
			// a field's offset in one element.
			visit((*Word)(unsafe.Add(payload, uintptr(i)*t.Size+uintptr(off))))
		}
	}
}
