package midden_test

import (
	"fmt"

	"github.com/midden-gc/midden"
)

// must keeps the examples short. Of the functions in them that return an error,
// NewHeap fails when options are wrong or the system refuses address space, and
// Collect when a collection cannot happen.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A list that is longer than what Go's collector would like to look at, in a heap
// that Go's collector never sees.
func Example() {
	type node struct {
		value int
		next  midden.Field[node]
	}

	h, err := midden.NewHeap(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	// List is a root: what it refers to lives, and so does all that can be
	// reached from there.
	list := midden.NewLocal(m, midden.Nil[node]())
	for i := range 100_000 {
		list.Set(midden.Alloc(m, node{value: i, next: midden.FieldOf(list.Get())}))
		m.Safepoint() // here, and nowhere else, a collection may happen
	}

	sum := 0
	for n := list.Ptr(); n != nil; n = n.next.Get() {
		sum += n.value
	}
	fmt.Println(sum)
	// Output: 4999950000
}
