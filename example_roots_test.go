package midden_test

import (
	"fmt"
	"runtime"

	"github.com/midden-gc/midden"
)

// A function that keeps references across safepoints opens a Scope for them.
func ExampleScope() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	// List returns a Ref: it was rooted until the function ended, and the caller
	// decides what becomes of it before the next safepoint.
	list := func(n int) midden.Ref[node] {
		scope := m.Scope()
		defer scope.Close()
		head := midden.NewLocal(m, midden.Nil[node]())
		for range n {
			m.Safepoint()
			head.Set(midden.Alloc(m, node{midden.FieldOf(head.Get())}))
		}
		return head.Get()
	}

	n := 0
	for e := list(1000).Get(); e != nil; e = e.next.Get() {
		n++
	}
	fmt.Println(n)
	// Output: 1000
}

// Roots go with their scope. What nothing else refers to is garbage then.
func ExampleScope_Close() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	collected := func() int64 {
		if err := m.Collect(midden.KindFull); err != nil {
			fmt.Println(err)
		}
		return h.Stats().Live >> 20
	}
	scope := m.Scope()
	midden.NewLocal(m, midden.NewArray[byte](m, 1<<20))
	fmt.Println("MiB:", collected())
	scope.Close()
	fmt.Println("MiB:", collected())
	// Output:
	// MiB: 1
	// MiB: 0
}

// Scopes nest as the functions do that open them.
func ExampleMutator_Scope() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	outer := m.Scope()
	inner := m.Scope()
	outer.Close() // closes inner too

	defer func() { fmt.Println(recover()) }()
	inner.Close()
	// Output: midden: Scope.Close: the scope is closed already; closing an outer scope closes the inner ones
}

// A Local is a variable that holds a reference and that the collector knows.
func ExampleLocal() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	text := midden.NewLocal(m, midden.NewString(m, "rooted"))
	if err := m.Collect(midden.KindCompact); err != nil {
		fmt.Println(err)
	}
	fmt.Println(text.Ptr())
	// Output: rooted
}

// NewLocal takes a reference before the safepoint that would invalidate it.
func ExampleNewLocal() {
	type point struct{ x, y int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	a := midden.NewLocal(m, midden.Alloc(m, point{1, 2}))
	b := midden.NewLocal(m, midden.Alloc(m, point{3, 4}))
	m.Safepoint()
	fmt.Println(*a.Ptr(), *b.Ptr())
	// Output: {1 2} {3 4}
}

// Get after each safepoint: the object may lie elsewhere.
func ExampleLocal_Get() {
	type point struct{ x, y int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	l := midden.NewLocal(m, midden.Alloc(m, point{1, 2}))
	m.Safepoint()
	p := l.Get() // good until the next safepoint
	fmt.Println(*p.Get())
	// Output: {1 2}
}

// Set makes the same root hold something else.
func ExampleLocal_Set() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	longest := midden.NewLocal(m, midden.Nil[midden.String]())
	for _, word := range []string{"a", "garbage", "heap"} {
		if s := longest.Ptr(); s == nil || len(word) > s.Len() {
			longest.Set(midden.NewString(m, word))
		}
		m.Safepoint()
	}
	fmt.Println(longest.Ptr())
	// Output: garbage
}

// Ptr is for reading and writing in passing.
func ExampleLocal_Ptr() {
	type counter struct{ n int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	c := midden.NewLocal(m, midden.New[counter](m))
	for range 3 {
		c.Ptr().n++
		m.Safepoint()
	}
	fmt.Println(c.Ptr().n)
	// Output: 3
}

// Safepoint keeps one reference without a Scope: the cheapest way for a loop.
func ExampleSafepoint() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	list := midden.Nil[node]()
	for range 100_000 {
		list = midden.Alloc(m, node{midden.FieldOf(list)})
		list = midden.Safepoint(m, list)
	}
	n := 0
	for e := list.Get(); e != nil; e = e.next.Get() {
		n++
	}
	fmt.Println(n)
	// Output: 100000
}

// Safepoint2 keeps two references.
func ExampleSafepoint2() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	key, value := midden.NewString(m, "key"), midden.Alloc(m, 1)
	key, value = midden.Safepoint2(m, key, value)
	fmt.Println(key.Get(), *value.Get())
	// Output: key 1
}

// Safepoint3 keeps three references.
func ExampleSafepoint3() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a, b, c := midden.Alloc(m, 1), midden.Alloc(m, 2.5), midden.Alloc(m, true)
	a, b, c = midden.Safepoint3(m, a, b, c)
	fmt.Println(*a.Get(), *b.Get(), *c.Get())
	// Output: 1 2.5 true
}

// A Handle is a root that Go code can keep anywhere and for as long as it likes:
// in a struct, in a map, in another goroutine.
func ExampleHandle() {
	type document struct{ words int }
	type server struct {
		heap    *midden.Heap
		current *midden.Handle[document]
	}

	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	s := server{h, midden.NewHandle(m, midden.Alloc(m, document{words: 12}))}
	m.Close()

	done := make(chan int)
	go func() {
		m := s.heap.NewMutator()
		defer m.Close()
		done <- s.current.Get(m).Get().words
	}()
	fmt.Println(<-done)
	// Output: 12
}

// A Handle outlives the scopes and the mutator with which it was made.
func ExampleNewHandle() {
	h := must(midden.NewHeap(nil))
	defer h.Close()

	m := h.NewMutator()
	text := midden.NewHandle(m, midden.NewString(m, "kept"))
	m.Close()

	m = h.NewMutator()
	defer m.Close()
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(text.Get(m).Get())
	// Output: kept
}

// Get binds the reference to the mutator that asks, until its next safepoint.
func ExampleHandle_Get() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	counter := midden.NewHandle(m, midden.New[int](m))
	for range 3 {
		*counter.Get(m).Get()++
		m.Safepoint()
	}
	fmt.Println(*counter.Get(m).Get())
	// Output: 3
}

// Release ends a Handle at a moment of the program's choice. One that is merely
// dropped is released too, when Go's collector finds out.
func ExampleHandle_Release() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	page := midden.NewHandle(m, midden.NewArray[byte](m, 1<<20))
	page.Release()
	page.Release() // does nothing
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(h.Stats().Live>>20, "MiB")
	runtime.KeepAlive(page)
	// Output: 0 MiB
}

// machine is a virtual machine whose stack is root storage of its own.
type machine struct {
	stack []midden.Ref[midden.String]
	top   midden.AnyRef
}

// Trace shows every reference that the machine holds.
func (vm *machine) Trace(v *midden.Visitor) {
	for i := range vm.stack {
		midden.Visit(v, &vm.stack[i])
	}
	v.Any(&vm.top)
}

// A Tracer is root storage of your own. For thousands of references that change
// all the time it costs less than a Local for each.
func ExampleTracer() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	vm := &machine{}
	m.AddRoots(vm)
	vm.stack = append(vm.stack, midden.NewString(m, "on the stack"))
	vm.top = midden.Alloc(m, 5).Any()
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(vm.stack[0].Get(), vm.top.TypeName())
	// Output: on the stack int
}

// A function can be a Tracer. AddRoots returns what takes it out again.
func ExampleTracerFunc() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	last := midden.NewString(m, "last")
	remove := m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { midden.Visit(v, &last) }))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(last.Get())
	remove() // from here on, last is good until the next safepoint
	// Output: last
}

// Trace calls the function. A Tracer that consists of others uses that.
func ExampleTracerFunc_Trace() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var a, b midden.Ref[int]
	parts := []midden.Tracer{
		midden.TracerFunc(func(v *midden.Visitor) { midden.Visit(v, &a) }),
		midden.TracerFunc(func(v *midden.Visitor) { midden.Visit(v, &b) }),
	}
	m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) {
		for _, p := range parts {
			p.Trace(v)
		}
	}))
	a, b = midden.Alloc(m, 1), midden.Alloc(m, 2)
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(*a.Get(), *b.Get())
	// Output: 1 2
}

// The Visitor is told where references are, and updates them when objects move.
func ExampleVisitor() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	registers := [4]midden.AnyRef{2: midden.NewString(m, "r2").Any()}
	m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) {
		for i := range registers { // nil ones too: it does no harm
			v.Any(&registers[i])
		}
	}))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(registers[2].TypeName())
	// Output: midden.String
}

// Any shows a reference whose type is known at run time only.
func ExampleVisitor_Any() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	result := midden.Alloc(m, 6.5).Any()
	m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { v.Any(&result) }))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	f, _ := midden.Cast[float64](result)
	fmt.Println(*f.Get())
	// Output: 6.5
}

// Visit shows a reference of a known type. It takes the address, because the
// object may move.
func ExampleVisit() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	best := midden.Alloc(m, 100)
	m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { midden.Visit(v, &best) }))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(*best.Get())
	// Output: 100
}
