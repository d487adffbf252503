package epsilon_test

import (
	"fmt"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/epsilon"
)

// Epsilon never frees: for a program that ends before its memory does, such as a
// compiler that handles one file.
func ExampleNew() {
	h, err := midden.NewHeap(&midden.Options{Collector: epsilon.New(nil), Limit: 64 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	allocated := 0
	for {
		if _, err := midden.TryNewArray[byte](m, 1<<20-8); err != nil {
			fmt.Println(allocated, "MiB, and then:", err)
			return
		}
		allocated++
		m.Safepoint()
	}
	// Output: 64 MiB, and then: midden: no room for 1048576 bytes below the limit of 67108864 (0 live)
}
