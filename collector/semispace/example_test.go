package semispace_test

import (
	"fmt"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/semispace"
)

// Semispace is for tests. It moves every small object in every cycle, so that a
// reference that was not rooted is sure to be wrong.
func ExampleNew() {
	h, err := midden.NewHeap(&midden.Options{
		Collector: semispace.New(nil),
		Stress:    midden.Stress{EverySafepoint: true, Verify: true, Poison: true},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	l := midden.NewLocal(m, midden.NewString(m, "moves"))
	before := l.Ptr()
	m.Safepoint()
	fmt.Println(l.Ptr() != before, l.Ptr())
	// Output: true moves
}
