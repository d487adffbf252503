package immix_test

import (
	"fmt"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
)

// Immix is the default, so it needs to be named only where options are chosen.
// What is dead is freed, and its memory is used again.
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

// When a heap has shrunk, what is left lies here and there, and memory between is
// free but held. A compacting cycle moves it together, so that it goes back to the
// system.
func ExampleNew_compact() {
	h, err := midden.NewHeap(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	defer m.Scope().Close()

	const n = 100_000
	all := midden.NewLocal(m, midden.NewArray[midden.Field[midden.String]](m, n))
	for i := range n {
		all.Ptr().At(i).Store(m, midden.NewString(m, fmt.Sprint("text ", i)))
	}
	for i := range n {
		if i%20 != 0 {
			all.Ptr().At(i).Store(m, midden.Nil[midden.String]())
		}
	}
	for _, k := range []midden.Kind{midden.KindFull, midden.KindCompact} {
		if err := m.Collect(k); err != nil {
			fmt.Println(err)
		}
		s := h.Stats()
		fmt.Printf("%v: more than a MiB held: %v\n", k, s.Committed > 1<<20)
	}
	fmt.Println(all.Ptr().At(40).Get())
	// Output:
	// full: more than a MiB held: true
	// compact: more than a MiB held: false
	// text 40
}

// With NoMove, objects stay where they are. Programs cannot rely on that: it is
// for measuring what moving them is worth.
func ExampleOptions() {
	h, err := midden.NewHeap(&midden.Options{Collector: immix.New(&immix.Options{NoMove: true})})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	defer m.Scope().Close()

	l := midden.NewLocal(m, midden.NewString(m, "here"))
	before := l.Ptr()
	if err := m.Collect(midden.KindCompact); err != nil {
		fmt.Println(err)
	}
	fmt.Println(l.Ptr() == before)
	// Output: true
}
