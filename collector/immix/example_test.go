package immix_test

import (
	"fmt"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
)

// Immix is the default, so it needs to be named only where options are chosen.
// What lives stays where it is, and the memory of the rest is used again.
func ExampleNew() {
	h, err := midden.NewHeap(&midden.Options{Collector: immix.New(nil)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for range 1000 {
		midden.NewArray[byte](m, 1<<20-8)
		m.Safepoint()
	}
	s := h.Stats()
	fmt.Println("allocated MiB:", s.Allocated>>20, "never more than 64 held:", s.PeakCommitted < 64<<20)
	// Output: allocated MiB: 1000 never more than 64 held: true
}
