package midden_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/midden-gc/midden"
)

// Each heap is a world of its own. A collection of one stops the mutators of
// that one alone.
func ExampleHeap() {
	a, b := must(midden.NewHeap(nil)), must(midden.NewHeap(nil))
	defer a.Close()
	defer b.Close()

	ma, mb := a.NewMutator(), b.NewMutator()
	defer ma.Close()
	defer mb.Close()

	if err := ma.Collect(midden.KindFull); err != nil { // mb goes on working
		fmt.Println(err)
	}
	fmt.Println(a.Stats().Full, b.Stats().Full)
	// Output: 1 0
}

// Nil options are good for most programs. Bad ones are refused with the name of
// the field.
func ExampleNewHeap() {
	h, err := midden.NewHeap(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()

	_, err = midden.NewHeap(&midden.Options{Sizer: midden.GrowBy(0.5)})
	fmt.Println(err)
	// Output: midden: Options.Sizer: GrowBy(0.5): the factor must be above 1
}

// Close gives the memory back at once, whatever lives there, but not under the
// feet of a mutator.
func ExampleHeap_Close() {
	h := must(midden.NewHeap(nil))
	m := h.NewMutator()
	fmt.Println(errors.Is(h.Close(), midden.ErrMutators))

	m.Close()
	fmt.Println(h.Close(), h.Close())
	// Output:
	// true
	// <nil> <nil>
}

// A goroutine that works on a heap opens a mutator first.
func ExampleHeap_NewMutator() {
	h := must(midden.NewHeap(nil))
	defer h.Close()

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			midden.New[[4]int64](m)
		})
	}
	wg.Wait()
	fmt.Println(h.Stats().Mutators)
	// Output: 0
}

// A goroutine without a mutator, such as one that answers an operator's command,
// can collect too. It gives up when its context ends before all mutators have
// stopped; nothing has happened then.
func ExampleHeap_Collect() {
	h := must(midden.NewHeap(nil))
	defer h.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(h.Collect(ctx, midden.KindFull), h.Stats().Full)

	cancel()
	err := h.Collect(ctx, midden.KindFull)
	fmt.Println(errors.Is(err, context.Canceled), h.Stats().Full)
	// Output:
	// <nil> 1
	// true 1
}

// Collecting lets code that also runs during a collection, such as a logging
// function, find out that it must leave the heap alone.
func ExampleHeap_Collecting() {
	h := must(midden.NewHeap(nil))
	defer h.Close()

	inside := false
	defer h.AddRoots(midden.TracerFunc(func(*midden.Visitor) { inside = h.Collecting() }))()
	if err := h.Collect(context.Background(), midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(inside, h.Collecting())
	// Output: true false
}

// A goroutine without a mutator can hold collections off for a while, for
// example while it measures something that a pause would disturb.
func ExampleHeap_PreventCollection() {
	h := must(midden.NewHeap(nil))
	defer h.Close()

	h.PreventCollection(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		done := make(chan error)
		go func() { done <- h.Collect(ctx, midden.KindFull) }()
		fmt.Println(errors.Is(<-done, context.DeadlineExceeded))
	})
	fmt.Println(h.Collect(context.Background(), midden.KindFull))
	// Output:
	// true
	// <nil>
}

// Roots that belong to no mutator, such as a table of globals.
func ExampleHeap_AddRoots() {
	type object struct{ id int }
	h := must(midden.NewHeap(nil))
	defer h.Close()

	globals := map[string]midden.Ref[object]{}
	remove := h.AddRoots(midden.TracerFunc(func(v *midden.Visitor) {
		for name, r := range globals {
			midden.Visit(v, &r)
			globals[name] = r // the object may have moved
		}
	}))
	defer remove()

	m := h.NewMutator()
	defer m.Close()
	globals["answer"] = midden.Alloc(m, object{42})
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println(globals["answer"].Get().id)
	// Output: 42
}

// Objects that own memory elsewhere, such as file mappings, should weigh what
// they keep alive.
func ExampleHeap_AddExternal() {
	h := must(midden.NewHeap(&midden.Options{Limit: 64 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	h.AddExternal(60 << 20) // mapped
	fmt.Println(m.Reserve(10<<20) == nil)
	h.AddExternal(-60 << 20) // unmapped
	fmt.Println(m.Reserve(10<<20) == nil)
	// Output:
	// false
	// true
}

// Stats may be called at any time by any goroutine, for metrics.
func ExampleHeap_Stats() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	handle := midden.NewHandle(m, midden.NewArray[byte](m, 1<<20))
	midden.NewArray[byte](m, 3<<20) // dropped at once
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	s := h.Stats()
	fmt.Println("live MiB:", s.Live>>20, "allocated MiB:", s.Allocated>>20, "full cycles:", s.Full)
	handle.Release()
	// Output: live MiB: 1 allocated MiB: 4 full cycles: 1
}
