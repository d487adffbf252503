package midden_test

import (
	"fmt"
	"sync"

	"github.com/midden-gc/midden"
)

// Objects refer to each other through Fields.
func ExampleField() {
	type person struct {
		age    int
		friend midden.Field[person]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	ann, bob := midden.Alloc(m, person{age: 30}), midden.Alloc(m, person{age: 40})
	ann.Get().friend.Store(m, bob)
	bob.Get().friend.Store(m, ann) // cycles are no trouble
	fmt.Println(ann.Get().friend.Get().age, bob.Get().friend.Get().age)
	// Output: 40 30
}

// Load is for a reference that is going to be stored, compared or rooted.
func ExampleField_Load() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	last := midden.New[node](m)
	first := midden.Alloc(m, node{next: midden.FieldOf(last)})
	fmt.Println(first.Get().next.Load() == last)
	// Output: true
}

// Get is for walking through objects. It returns nil at the end.
func ExampleField_Get() {
	type node struct {
		value int
		next  midden.Field[node]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	list := midden.Nil[node]()
	for i := range 3 {
		list = midden.Alloc(m, node{i, midden.FieldOf(list)})
	}
	for n := list.Get(); n != nil; n = n.next.Get() {
		fmt.Print(n.value, " ")
	}
	// Output: 2 1 0
}

// Store is the only way to change a single slot of an object that exists: it
// tells the collector. A struct outside the heap is not told about, so Store
// refuses it.
func ExampleField_Store() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	n := midden.New[node](m)
	n.Get().next.Store(m, n)
	fmt.Println(n.Get().next.Load() == n)

	defer func() { fmt.Println(recover()) }()
	var prepared node
	prepared.next.Store(m, n)
	// Output:
	// true
	// midden: Store to a slot outside the heap: fill a struct for Alloc with FieldOf, AnyFieldOf or ValueFieldOf
}

// FieldOf fills a struct that is going to be an object.
func ExampleFieldOf() {
	type pair struct{ first, second midden.Field[int] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	p := midden.Alloc(m, pair{
		first:  midden.FieldOf(midden.Alloc(m, 1)),
		second: midden.FieldOf(midden.Alloc(m, 2)),
	})
	fmt.Println(*p.Get().first.Get(), *p.Get().second.Get())
	// Output: 1 2
}

// Slots that several mutators use at once are read and written atomically, like
// any shared variable of Go.
func ExampleField_LoadAtomic() {
	type config struct{ version int }
	type holder struct{ current midden.Field[config] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	shared := midden.NewHandle(m, midden.Alloc(m, holder{midden.FieldOf(midden.Alloc(m, config{1}))}))
	reader := m.NewMutator()
	version := make(chan int, 1)
	go func() {
		defer reader.Close()
		version <- shared.Get(reader).Get().current.LoadAtomic().Get().version
	}()
	m.Blocking(func() { fmt.Println(<-version) })
	// Output: 1
}

// StoreAtomic publishes an object: who sees the reference sees its contents.
func ExampleField_StoreAtomic() {
	type config struct{ version int }
	type holder struct{ current midden.Field[config] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	shared := midden.NewHandle(m, midden.New[holder](m))
	reader := m.NewMutator()
	version := make(chan int, 1)
	go func() {
		defer reader.Close()
		for {
			if c := shared.Get(reader).Get().current.LoadAtomic().Get(); c != nil {
				version <- c.version
				return
			}
			reader.Safepoint()
		}
	}()
	shared.Get(m).Get().current.StoreAtomic(m, midden.Alloc(m, config{2}))
	m.Blocking(func() { fmt.Println(<-version) })
	// Output: 2
}

// CompareAndSwap is the ground of structures without locks, such as a stack that
// many mutators push to.
func ExampleField_CompareAndSwap() {
	type node struct{ next midden.Field[node] }
	type stack struct{ top midden.Field[node] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	shared := midden.NewHandle(m, midden.New[stack](m))
	var wg sync.WaitGroup
	for range 4 {
		helper := m.NewMutator()
		wg.Go(func() {
			defer helper.Close()
			for range 1000 {
				s, n := shared.Get(helper).Get(), midden.New[node](helper)
				for {
					top := s.top.LoadAtomic()
					n.Get().next.Store(helper, top)
					if s.top.CompareAndSwap(helper, top, n) {
						break
					}
				}
				helper.Safepoint()
			}
		})
	}
	m.Blocking(wg.Wait)

	n := 0
	for e := shared.Get(m).Get().top.Get(); e != nil; e = e.next.Get() {
		n++
	}
	fmt.Println(n)
	// Output: 4000
}

// An AnyField refers to an object of any type.
func ExampleAnyField() {
	type cell struct{ head, tail midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	c := midden.Alloc(m, cell{
		head: midden.AnyFieldOf(midden.Alloc(m, 1).Any()),
		tail: midden.AnyFieldOf(midden.NewString(m, "end").Any()),
	})
	fmt.Println(c.Get().head.Load().TypeName(), c.Get().tail.Load().TypeName())
	// Output: int midden.String
}

// AnyFieldOf fills a struct that is going to be an object.
func ExampleAnyFieldOf() {
	type box struct{ content midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	b := midden.Alloc(m, box{midden.AnyFieldOf(midden.NewString(m, "letter").Any())})
	fmt.Println(b.Get().content.Load().TypeName())
	// Output: midden.String
}

// Load gives the reference; Cast gives it its type back.
func ExampleAnyField_Load() {
	type box struct{ content midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	b := midden.Alloc(m, box{midden.AnyFieldOf(midden.NewString(m, "letter").Any())})
	if s, ok := midden.Cast[midden.String](b.Get().content.Load()); ok {
		fmt.Println(s.Get())
	}
	// Output: letter
}

// Store replaces what an object refers to, by an object of any type.
func ExampleAnyField_Store() {
	type variable struct{ value midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	v := midden.New[variable](m).Get()
	v.value.Store(m, midden.Alloc(m, 1.5).Any())
	v.value.Store(m, midden.NewString(m, "text").Any())
	fmt.Println(v.value.Load().TypeName())
	// Output: midden.String
}

// The atomic forms are for slots that several mutators use at once.
func ExampleAnyField_LoadAtomic() {
	type variable struct{ value midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	v := midden.New[variable](m).Get()
	fmt.Println(v.value.LoadAtomic().TypeName())
	// Output: nil
}

// StoreAtomic publishes an object to other mutators.
func ExampleAnyField_StoreAtomic() {
	type variable struct{ value midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	v := midden.New[variable](m).Get()
	v.value.StoreAtomic(m, midden.Alloc(m, true).Any())
	fmt.Println(v.value.LoadAtomic().TypeName())
	// Output: bool
}

// CompareAndSwap lets the first of several mutators decide.
func ExampleAnyField_CompareAndSwap() {
	type once struct{ result midden.AnyField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	o := midden.New[once](m).Get()
	none := midden.AnyRef{}
	fmt.Println(o.result.CompareAndSwap(m, none, midden.Alloc(m, 1).Any()))
	fmt.Println(o.result.CompareAndSwap(m, none, midden.Alloc(m, 2).Any()))
	// Output:
	// true
	// false
}

// Assign replaces a whole object. A plain assignment over slots would not tell
// the collector.
func ExampleAssign() {
	type entry struct {
		key   int
		value midden.Field[midden.String]
	}
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	e := midden.New[entry](m)
	midden.Assign(m, e.Get(), entry{key: 1, value: midden.FieldOf(midden.NewString(m, "one"))})
	fmt.Println(e.Get().key, e.Get().value.Get())
	// Output: 1 one
}

// Copy does for elements with slots what Go's copy does for plain ones, for
// example when a table grows.
func ExampleCopy() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	words := midden.NewArray[midden.Field[midden.String]](m, 2)
	words.Get().At(0).Store(m, midden.NewString(m, "old"))
	words.Get().At(1).Store(m, midden.NewString(m, "words"))

	larger := midden.NewArray[midden.Field[midden.String]](m, 2*words.Get().Len())
	fmt.Println(midden.Copy(m, larger.Get().Slice(), words.Get().Slice()))
	fmt.Println(larger.Get().At(1).Get(), larger.Get().At(3).Get() == nil)
	// Output:
	// 2
	// words true
}
