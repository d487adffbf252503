package midden_test

import (
	"fmt"
	"os"

	"github.com/midden-gc/midden"
)

// A Weak refers to an object without keeping it: a cache that may lose what nobody
// else needs.
func ExampleWeak() {
	type page struct{ number int }
	type cache struct{ pages [8]midden.Weak[page] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()

	c := midden.NewLocal(m, midden.New[cache](m))
	used := midden.NewLocal(m, midden.Alloc(m, page{number: 1}))
	c.Ptr().pages[1].Store(m, used.Get())
	c.Ptr().pages[2].Store(m, midden.Alloc(m, page{number: 2}))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(c.Ptr().pages[1].Load().Get().number, c.Ptr().pages[2].Load().IsNil())
	// Output: 1 true
}

// WeakOf fills a struct for Alloc.
func ExampleWeakOf() {
	type node struct{ parent midden.Weak[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	root := midden.New[node](m)
	child := midden.Alloc(m, node{parent: midden.WeakOf(root)})
	fmt.Println(child.Get().parent.Load() == root)
	// Output: true
}

// Load gives a reference like any other: until the next safepoint it is good, and a
// root makes it good for longer.
func ExampleWeak_Load() {
	type node struct{ other midden.Weak[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n := midden.New[node](m)
	if r := n.Get().other.Load(); r.IsNil() {
		fmt.Println("nothing there")
	}
	// Output: nothing there
}

// Store is the only way to change a slot of an object that exists.
func ExampleWeak_Store() {
	type node struct{ other midden.Weak[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a, b := midden.New[node](m), midden.New[node](m)
	a.Get().other.Store(m, b)
	fmt.Println(a.Get().other.Load() == b)
	// Output: true
}

// LoadAtomic and StoreAtomic are for slots that several mutators use at once.
func ExampleWeak_LoadAtomic() {
	type node struct{ other midden.Weak[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n := midden.New[node](m)
	n.Get().other.StoreAtomic(m, n)
	fmt.Println(n.Get().other.LoadAtomic() == n)
	// Output: true
}

// StoreAtomic publishes an object to other mutators.
func ExampleWeak_StoreAtomic() {
	type node struct {
		value int
		other midden.Weak[node]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n := midden.New[node](m)
	n.Get().other.StoreAtomic(m, midden.Alloc(m, node{value: 2}))
	fmt.Println(n.Get().other.LoadAtomic().Get().value)
	// Output: 2
}

// CompareAndSwap lets one of several mutators fill a place of a cache.
func ExampleWeak_CompareAndSwap() {
	type node struct{ other midden.Weak[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n, mine := midden.New[node](m), midden.New[node](m)
	fmt.Println(n.Get().other.CompareAndSwap(m, midden.Nil[node](), mine))
	fmt.Println(n.Get().other.CompareAndSwap(m, midden.Nil[node](), n))
	// Output:
	// true
	// false
}

// AnyWeak refers to objects of any type, as the weak tables of a dynamic language
// do.
func ExampleAnyWeak() {
	type entry struct{ value midden.AnyWeak }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.New[entry](m)
	e.Get().value.Store(m, midden.NewString(m, "text").Any())
	fmt.Println(e.Get().value.Load().TypeName())
	// Output: midden.String
}

// AnyWeakOf fills a struct for Alloc.
func ExampleAnyWeakOf() {
	type entry struct{ value midden.AnyWeak }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	text := midden.NewString(m, "text")
	e := midden.Alloc(m, entry{midden.AnyWeakOf(text.Any())})
	fmt.Println(e.Get().value.Load() == text.Any())
	// Output: true
}

// Load returns nil when the object has died.
func ExampleAnyWeak_Load() {
	type entry struct{ value midden.AnyWeak }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()

	e := midden.NewLocal(m, midden.New[entry](m))
	e.Ptr().value.Store(m, midden.NewString(m, "text").Any())
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(e.Ptr().value.Load().IsNil())
	// Output: true
}

// Store takes what Any returns.
func ExampleAnyWeak_Store() {
	type entry struct{ value midden.AnyWeak }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.New[entry](m)
	e.Get().value.Store(m, e.Any())
	fmt.Println(e.Get().value.Load() == e.Any())
	// Output: true
}

// An Ephemeron remembers something about an object of somebody else, for as long
// as that object lives. Here what is remembered leads back to the object, which a
// weak reference beside an ordinary one would keep for ever.
func ExampleEphemeron() {
	type node struct{ id int }
	type note struct {
		about midden.Field[node]
		text  midden.Field[midden.String]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()

	n := midden.NewLocal(m, midden.Alloc(m, node{id: 7}))
	e := midden.NewLocal(m, midden.NewEphemeron(m, n.Get(), midden.Alloc(m, note{
		about: midden.FieldOf(n.Get()),
		text:  midden.FieldOf(midden.NewString(m, "a node")),
	})))
	for range 2 {
		if err := m.Collect(midden.KindFull); err != nil {
			fmt.Println(err)
		}
		if v := e.Ptr().Value().Get(); v != nil {
			fmt.Println(v.about.Get().id, v.text.Get())
		} else {
			fmt.Println("the node is gone, and the note with it")
		}
		n.Set(midden.Nil[node]())
	}
	// Output:
	// 7 a node
	// the node is gone, and the note with it
}

// NewEphemeron allocates an object, which has to be rooted like others.
func ExampleNewEphemeron() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	key := midden.New[node](m)
	e := midden.NewEphemeron(m, key, midden.NewString(m, "value"))
	fmt.Println(e.Get().Key() == key, e.Get().Value().Get())
	// Output: true value
}

// Key is nil once the key is dead.
func ExampleEphemeron_Key() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()

	e := midden.NewLocal(m, midden.NewEphemeron(m, midden.New[node](m), midden.NewString(m, "value")))
	fmt.Println(e.Ptr().Key().IsNil())
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(e.Ptr().Key().IsNil())
	// Output:
	// false
	// true
}

// Value is nil once the key is dead.
func ExampleEphemeron_Value() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewEphemeron(m, midden.New[node](m), midden.NewString(m, "value"))
	fmt.Println(e.Get().Value().Get())
	// Output: value
}

// SetValue replaces the value of a key that is there already.
func ExampleEphemeron_SetValue() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewEphemeron(m, midden.New[node](m), midden.NewString(m, "old"))
	e.Get().SetValue(m, midden.NewString(m, "new"))
	fmt.Println(e.Get().Value().Get())
	// Output: new
}

// AnyEphemeron is for tables whose keys and values are of any type.
func ExampleAnyEphemeron() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewAnyEphemeron(m, midden.New[node](m).Any(), midden.NewString(m, "value").Any())
	fmt.Println(e.Get().Key().TypeName(), e.Get().Value().TypeName())
	// Output: midden_test.node midden.String
}

// NewAnyEphemeron takes what Any returns.
func ExampleNewAnyEphemeron() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	key := midden.NewString(m, "key")
	e := midden.NewAnyEphemeron(m, key.Any(), midden.AnyRef{})
	fmt.Println(e.Get().Key() == key.Any(), e.Get().Value().IsNil())
	// Output: true true
}

// Key and Value are cast to what they are.
func ExampleAnyEphemeron_Key() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewAnyEphemeron(m, midden.NewString(m, "key").Any(), midden.AnyRef{})
	if s, ok := midden.Cast[midden.String](e.Get().Key()); ok {
		fmt.Println(s.Get())
	}
	// Output: key
}

// Value is nil if there is none, or the key is dead.
func ExampleAnyEphemeron_Value() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewAnyEphemeron(m, midden.NewString(m, "key").Any(), midden.AnyRef{})
	fmt.Println(e.Get().Value().IsNil())
	// Output: true
}

// SetValue may change the type of the value.
func ExampleAnyEphemeron_SetValue() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.NewAnyEphemeron(m, midden.NewString(m, "key").Any(), midden.AnyRef{})
	e.Get().SetValue(m, midden.NewArray[int](m, 3).Any())
	fmt.Println(e.Get().Value().TypeName())
	// Output: midden.Array[int]
}

// A Guardian gives back what nobody else has any more. The program decides when to
// ask, so what it does with the object runs like any other code.
func ExampleGuardian() {
	type connection struct{ id int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewGuardian[connection](h)
	for id := range 3 {
		g.Register(m, midden.Alloc(m, connection{id}))
	}
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	for {
		c, ok := g.Next(m)
		if !ok {
			break
		}
		fmt.Println("close connection", c.Get().id)
	}
	// Output:
	// close connection 2
	// close connection 1
	// close connection 0
}

// NewGuardian needs no mutator.
func ExampleNewGuardian() {
	type file struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	g := midden.NewGuardian[file](h)
	defer g.Release()

	m := h.NewMutator()
	defer m.Close()
	_, ok := g.Next(m)
	fmt.Println(ok)
	// Output: false
}

// Register may be called again for an object that was delivered.
func ExampleGuardian_Register() {
	type buffer struct{ uses int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	pool := midden.NewGuardian[buffer](h)

	pool.Register(m, midden.New[buffer](m))
	for range 3 {
		if err := m.Collect(midden.KindFull); err != nil {
			fmt.Println(err)
		}
		b, ok := pool.Next(m)
		b.Get().uses++
		fmt.Println(ok, b.Get().uses)
		pool.Register(m, b) // and drop it
	}
	// Output:
	// true 1
	// true 2
	// true 3
}

// Next reports false when nothing is ready, which may change with the next cycle.
func ExampleGuardian_Next() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()
	g := midden.NewGuardian[node](h)

	n := midden.NewLocal(m, midden.New[node](m))
	g.Register(m, n.Get())
	for range 2 {
		if err := m.Collect(midden.KindFull); err != nil {
			fmt.Println(err)
		}
		_, ok := g.Next(m)
		fmt.Println(ok)
		n.Set(midden.Nil[node]())
	}
	// Output:
	// false
	// true
}

// DeliverAll is for the end: Heap.Close delivers nothing.
func ExampleGuardian_DeliverAll() {
	type file struct{ number int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	m.Scope()
	g := midden.NewGuardian[file](h)

	f := midden.NewLocal(m, midden.Alloc(m, file{number: 3}))
	g.Register(m, f.Get())
	g.DeliverAll(m)
	last, ok := g.Next(m)
	fmt.Println(ok, last.Get().number)
	// Output: true 3
}

// Release lets go of whatever was registered.
func ExampleGuardian_Release() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewGuardian[node](h)
	g.Register(m, midden.New[node](m))
	g.Release()
	defer func() { fmt.Println(recover()) }()
	g.Next(m)
	// Output: midden: a Guardian was used after Release
}

// AnyGuardian is for objects of any type, such as those of a language whose
// programs may give each object a finalizer.
func ExampleAnyGuardian() {
	type node struct{ _ int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewAnyGuardian(h)
	g.Register(m, midden.New[node](m).Any())
	g.Register(m, midden.NewString(m, "text").Any())
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	for a, ok := g.Next(m); ok; a, ok = g.Next(m) {
		fmt.Println(a.TypeName())
	}
	// Output:
	// midden.String
	// midden_test.node
}

// NewAnyGuardian needs no mutator.
func ExampleNewAnyGuardian() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	g := midden.NewAnyGuardian(h)
	g.Release()
	// Output:
}

// Register takes what Any returns.
func ExampleAnyGuardian_Register() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewAnyGuardian(h)
	g.Register(m, midden.NewString(m, "text").Any())
	_, ok := g.Next(m) // not before a cycle
	fmt.Println(ok)
	// Output: false
}

// Next returns an object to be cast to what it is.
func ExampleAnyGuardian_Next() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewAnyGuardian(h)
	g.Register(m, midden.NewString(m, "text").Any())
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	if a, ok := g.Next(m); ok {
		s, _ := midden.Cast[midden.String](a)
		fmt.Println(s.Get())
	}
	// Output: text
}

// DeliverAll is for the end of a program.
func ExampleAnyGuardian_DeliverAll() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	g := midden.NewAnyGuardian(h)
	text := midden.NewString(m, "text")
	g.Register(m, text.Any())
	g.DeliverAll(m)
	a, ok := g.Next(m)
	fmt.Println(ok, a == text.Any())
	// Output: true true
}

// Release may be called more than once.
func ExampleAnyGuardian_Release() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	g := midden.NewAnyGuardian(h)
	g.Release()
	g.Release()
	// Output:
}

// An External lets an object hold a Go value, such as a file.
func ExampleExternal() {
	type stream struct {
		file midden.External[*os.File]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close() // lets go of the file, if nothing did before
	m := h.NewMutator()
	defer m.Close()

	s := midden.New[stream](m)
	s.Get().file.Store(m, os.Stdout)
	fmt.Fprintln(s.Get().file.Load(m), "hello")
	// Output: hello
}

// Store replaces what was stored before, which is let go at once.
func ExampleExternal_Store() {
	type object struct {
		native midden.External[func(int) int]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	o := midden.New[object](m)
	for factor := 2; factor < 4; factor++ {
		o.Get().native.Store(m, func(x int) int { return factor * x })
		fmt.Println(o.Get().native.Load(m)(7))
	}
	// Output:
	// 14
	// 21
}

// Load returns the zero value of the type if nothing was stored.
func ExampleExternal_Load() {
	type object struct{ err midden.External[error] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	o := midden.New[object](m)
	fmt.Println(o.Get().err.Load(m))
	o.Get().err.Store(m, os.ErrNotExist)
	fmt.Println(o.Get().err.Load(m))
	// Output:
	// <nil>
	// file does not exist
}
