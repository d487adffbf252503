package midden_test

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/midden-gc/midden"
)

// A Ref may be held in a plain variable, passed and returned, until the next
// safepoint. Two are equal when they refer to the same object.
func ExampleRef() {
	type point struct{ x, y int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	p := midden.Alloc(m, point{1, 2})
	q := p
	fmt.Println(p == q, p == midden.Alloc(m, point{1, 2}))
	// Output: true false
}

// Get gives a plain pointer. What is not a slot is read and written as usual.
func ExampleRef_Get() {
	type point struct{ X, Y int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	p := midden.New[point](m)
	p.Get().X = 3
	fmt.Println(*p.Get(), midden.Nil[point]().Get() == nil)
	// Output: {3 0} true
}

// The zero Ref refers to nothing.
func ExampleRef_IsNil() {
	var r midden.Ref[int]
	fmt.Println(r.IsNil())
	// Output: true
}

// Any is for places that hold objects of several types.
func ExampleRef_Any() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for _, a := range []midden.AnyRef{
		midden.Alloc(m, 1.5).Any(),
		midden.NewString(m, "text").Any(),
		midden.NewArray[int32](m, 3).Any(),
	} {
		fmt.Println(a.TypeName())
	}
	// Output:
	// float64
	// midden.String
	// midden.Array[int32]
}

// Nil is the zero Ref, for where an expression is wanted.
func ExampleNil() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n := midden.Alloc(m, node{next: midden.FieldOf(midden.New[node](m))})
	n.Get().next.Store(m, midden.Nil[node]()) // cut the list
	fmt.Println(n.Get().next.Load().IsNil())
	// Output: true
}

// An AnyRef knows at run time what it refers to: what an interpreter needs for
// the values of a dynamic language.
func ExampleAnyRef() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	show := func(a midden.AnyRef) {
		if s, ok := midden.Cast[midden.String](a); ok {
			fmt.Println("string", s.Get())
		} else if f, ok := midden.Cast[float64](a); ok {
			fmt.Println("number", *f.Get())
		}
	}
	show(midden.NewString(m, "pi").Any())
	show(midden.Alloc(m, 3.14).Any())
	// Output:
	// string pi
	// number 3.14
}

// The zero AnyRef refers to nothing, like that of a Ref.
func ExampleAnyRef_IsNil() {
	var a midden.AnyRef
	fmt.Println(a.IsNil(), a == midden.Nil[int]().Any())
	// Output: true true
}

// TypeName is for messages: the type comes from the object itself.
func ExampleAnyRef_TypeName() {
	type closure struct{ Code int32 }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	fmt.Printf("cannot add a number and a %s\n", midden.New[closure](m).Any().TypeName())
	// Output: cannot add a number and a midden_test.closure
}

// Cast tells whether the object has the type. Nil has every type.
func ExampleCast() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a := midden.Alloc(m, int64(7)).Any()
	n, ok := midden.Cast[int64](a)
	fmt.Println(*n.Get(), ok)
	_, ok = midden.Cast[float64](a)
	fmt.Println(ok)
	// Output:
	// 7 true
	// false
}

// New is for objects that are filled in afterwards.
func ExampleNew() {
	type vector [3]float64
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	v := midden.New[vector](m)
	v.Get()[1] = 1
	fmt.Println(*v.Get())
	// Output: [0 1 0]
}

// Alloc is for objects whose contents are at hand. References among them are
// made with FieldOf.
func ExampleAlloc() {
	type expression struct {
		operator    byte
		value       int
		left, right midden.Field[expression]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	// No safepoint in between, so nothing needs to be rooted.
	two := midden.Alloc(m, expression{value: 2})
	three := midden.Alloc(m, expression{value: 3})
	sum := midden.Alloc(m, expression{operator: '+', left: midden.FieldOf(two), right: midden.FieldOf(three)})

	e := sum.Get()
	fmt.Printf("%d %c %d\n", e.left.Get().value, e.operator, e.right.Get().value)
	// Output: 2 + 3
}

// TryNew is for programs that can do without the object.
func ExampleTryNew() {
	type chunk [4096]byte
	h := must(midden.NewHeap(&midden.Options{Limit: 256 << 10}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for {
		if _, err := midden.TryNew[chunk](m); err != nil {
			fmt.Println(errors.Is(err, midden.ErrLimit), h.Stats().Used <= 256<<10)
			return
		}
	}
	// Output: true true
}

// A type that is resolved once, in a package variable say, is not looked up at
// every allocation.
func ExampleType() {
	type cell struct{ Head, Tail midden.AnyField }
	cells := midden.TypeFor[cell]()

	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	list := midden.Nil[cell]()
	for range 3 {
		list = cells.Alloc(m, cell{Tail: midden.AnyFieldOf(list.Any())})
	}
	n := 0
	for c := list; !c.IsNil(); n++ {
		c, _ = midden.Cast[cell](c.Get().Tail.Load())
	}
	fmt.Println(n)
	// Output: 3
}

// The method New is the function New, without looking the type up.
func ExampleType_New() {
	counters := midden.TypeFor[int64]()
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	c := counters.New(m)
	*c.Get() += 2
	fmt.Println(*c.Get())
	// Output: 2
}

// The method Alloc is the function Alloc, without looking the type up.
func ExampleType_Alloc() {
	type point struct{ x, y int }
	points := midden.TypeFor[point]()
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	fmt.Println(*points.Alloc(m, point{3, 4}).Get())
	// Output: {3 4}
}

// TypeFor in a package variable finds out when the program starts that a type
// cannot lie in a heap.
func ExampleTypeFor() {
	type Meta struct{ Tags []string }
	type node struct {
		Meta Meta
		Next midden.Field[node]
	}
	defer func() { fmt.Println(recover()) }()
	midden.TypeFor[node]()
	// Output: midden: cannot hold midden_test.node: field Meta.Tags is a []string, which Go's collector must see
}

// An object costs its fields, a header of 8 bytes, and what fills it up to a
// multiple of 8. A Field is 4 bytes, half a pointer.
func ExampleSizeOf() {
	type goTree struct {
		Left, Right *goTree
		Key         int64
	}
	type tree struct {
		Left, Right midden.Field[tree]
		Key         int64
	}
	fmt.Println("on Go's heap:", unsafe.Sizeof(goTree{}))
	fmt.Println("in a midden, header included:", midden.SizeOf[tree]())
	// Output:
	// on Go's heap: 24
	// in a midden, header included: 24
}
