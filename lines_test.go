package midden

import (
	"testing"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

// What one mutator writes as it allocates, stores and roots lies on no line of a
// processor's cache that has anything of another mutator.
func TestMutatorsShareNoLine(t *testing.T) {
	if n := unsafe.Sizeof(rememberedSet{}); n%lineSize != 0 {
		t.Errorf("a rememberedSet has %d bytes, which are no whole lines", n)
	}
	h, err := NewHeap(nil)
	if err != nil {
		t.Fatal(err)
	}
	const mutators, grown = 50, 100
	owners := map[uintptr]int{}
	own := func(of int, p unsafe.Pointer, size uintptr, what string) {
		if size == 0 {
			return
		}
		for line := uintptr(p) / lineSize; line <= (uintptr(p)+size-1)/lineSize; line++ {
			if other, taken := owners[line]; taken && other != of {
				t.Fatalf("mutators %d and %d share a line, in %s", other, of, what)
			}
			owners[line] = of
		}
	}
	var all []*Mutator
	check := func() {
		clear(owners)
		for i, m := range all {
			own(i, unsafe.Pointer(m), unsafe.Sizeof(*m), "Mutator")
			own(i, unsafe.Pointer(m.remembered), unsafe.Sizeof(*m.remembered), "rememberedSet")
			own(i, unsafe.Pointer(unsafe.SliceData(m.roots)), uintptr(cap(m.roots))*unsafe.Sizeof(object.Word(0)), "roots")
			own(i, unsafe.Pointer(unsafe.SliceData(m.scopes)), uintptr(cap(m.scopes))*unsafe.Sizeof(scope{}), "scopes")
			own(i, unsafe.Pointer(unsafe.SliceData(m.remembered.slots)), 8*uintptr(cap(m.remembered.slots)), "slots")
		}
	}
	for range mutators {
		m := h.NewMutator()
		defer m.Close()
		all = append(all, m)
		m.Freeze()
	}
	check()
	for i := range grown {
		for _, m := range all {
			m.Unfreeze()
			m.Scope()
			NewLocal(m, Nil[int]())
			m.remembered.add(0)
			m.Freeze()
		}
		if i&(i+1) == 0 { // each size that the stacks begin with, and some later ones
			check()
		}
	}
	check()
	for _, m := range all {
		m.remembered.drop()
	}
}
