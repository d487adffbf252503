package midden_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/midden-gc/midden"
)

// An Array is an object of its own, and an object that needs one refers to it.
func ExampleArray() {
	type graph struct {
		edges midden.Field[midden.Array[int32]]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.Alloc(m, graph{midden.FieldOf(midden.NewArray[int32](m, 3))})
	copy(g.Get().edges.Get().Slice(), []int32{7, 8, 9})
	fmt.Println(g.Get().edges.Get().Slice())
	// Output: [7 8 9]
}

// Len takes the length from the object's header.
func ExampleArray_Len() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	fmt.Println(midden.NewArray[byte](m, 1000).Get().Len())
	// Output: 1000
}

// At checks the index, as Go does.
func ExampleArray_At() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a := midden.NewArray[float64](m, 3)
	*a.Get().At(2) = 0.5
	fmt.Println(*a.Get().At(2))

	defer func() { fmt.Println(recover()) }()
	a.Get().At(3)
	// Output:
	// 0.5
	// midden: index 3 out of range of an Array of 3
}

// Slice is a view for loops and for packages that work on slices. It is good
// until the next safepoint.
func ExampleArray_Slice() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	primes := midden.NewArray[int](m, 4).Get().Slice()
	copy(primes, []int{2, 3, 5, 7})
	sum := 0
	for _, p := range primes {
		sum += p
	}
	fmt.Println(sum)
	// Output: 17
}

// Elements lie inline: an array of structs is one object.
func ExampleNewArray() {
	type point struct{ X, Y int32 }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a := midden.NewArray[point](m, 2)
	a.Get().At(1).X = 5
	fmt.Println(a.Get().Slice())
	// Output: [{0 0} {5 0}]
}

// TryNewArray is for sizes that come from outside the program.
func ExampleTryNewArray() {
	h := must(midden.NewHeap(&midden.Options{Limit: 16 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	_, err := midden.TryNewArray[int64](m, 1<<40)
	fmt.Println(errors.Is(err, midden.ErrLimit))
	// Output: true
}

// ArraySize tells what to reserve.
func ExampleArraySize() {
	fmt.Println(midden.ArraySize[int32](100)) // a header of 8 bytes, and 400
	fmt.Println(midden.ArraySize[byte](1))    // rounded up
	// Output:
	// 408
	// 16
}

// A String is text that Go's collector need not see. It prints as Go strings do.
func ExampleString() {
	type person struct{ name midden.Field[midden.String] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	p := midden.Alloc(m, person{midden.FieldOf(midden.NewString(m, "Ada"))})
	fmt.Println(p.Get().name.Get())
	// Output: Ada
}

// Len counts bytes.
func ExampleString_Len() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	fmt.Println(midden.NewString(m, "größe").Get().Len())
	// Output: 7
}

// The method String makes a copy that is good for ever.
func ExampleString_String() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	text := midden.NewString(m, "kept").Get().String()
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(text)
	// Output: kept
}

// View makes no copy, and is for a look in passing.
func ExampleString_View() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	s := midden.NewString(m, "GET /index.html")
	fmt.Println(strings.HasPrefix(s.Get().View(), "GET "))
	// Output: true
}

// NewString copies a Go string into the heap.
func ExampleNewString() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	s := midden.NewString(m, strings.Repeat("ab", 3))
	fmt.Println(s.Get())
	// Output: ababab
}

// TryNewString is for texts of any length, in a heap with a limit.
func ExampleTryNewString() {
	h := must(midden.NewHeap(&midden.Options{Limit: 1 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	_, err := midden.TryNewString(m, strings.Repeat("x", 2<<20))
	fmt.Println(errors.Is(err, midden.ErrLimit))
	// Output: true
}

// StringSize tells what to reserve.
func ExampleStringSize() {
	fmt.Println(midden.StringSize(len("hello")))
	// Output: 16
}
