package midden_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/midden-gc/midden"
)

// One goroutine, one mutator. Work is done between safepoints, and what must
// live across them is rooted.
func ExampleMutator() {
	type account struct{ balance int }
	h := must(midden.NewHeap(nil))
	defer h.Close()

	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	a := midden.NewLocal(m, midden.New[account](m))
	for range 10 {
		a.Ptr().balance += 5
		m.Safepoint()
	}
	fmt.Println(a.Ptr().balance)
	// Output: 50
}

// A loop that runs for long has a safepoint in it, or a collection that another
// mutator wants has to wait for its end.
func ExampleMutator_Safepoint() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for range 1_000_000 {
		midden.New[[8]int64](m) // 72 bytes of garbage
		m.Safepoint()
	}
	s := h.Stats()
	fmt.Println(s.Minor+s.Full > 0, s.PeakCommitted < 64<<20)
	// Output: true true
}

// Collect is a safepoint that does not leave it to chance. Programs call it where
// much has just been dropped; otherwise the heap knows when to collect.
func ExampleMutator_Collect() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	document := midden.NewHandle(m, midden.NewArray[byte](m, 10<<20))
	document.Release()
	before := h.Stats().Used
	if err := m.Collect(midden.KindCompact); err != nil {
		fmt.Println(err)
	}
	fmt.Println(before-h.Stats().Used >= 10<<20)
	// Output: true
}

// Reserve turns running out of memory into an error at one place. The allocations
// that follow, up to the next safepoint, cannot fail.
func ExampleMutator_Reserve() {
	type node struct{ next midden.Field[node] }
	h := must(midden.NewHeap(&midden.Options{Limit: 1 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	build := func(nodes int) error {
		if err := m.Reserve(int64(nodes) * midden.SizeOf[node]()); err != nil {
			return err
		}
		var r midden.Ref[node]
		for range nodes {
			r = midden.Alloc(m, node{midden.FieldOf(r)})
		}
		return nil
	}
	fmt.Println(build(10_000))
	fmt.Println(errors.Is(build(1_000_000), midden.ErrLimit))
	// Output:
	// <nil>
	// true
}

// Freeze before the goroutine waits for something, and Unfreeze after: nobody
// waits for a frozen mutator. Its roots stay roots.
func ExampleMutator_Freeze() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()
	text := midden.NewLocal(m, midden.NewString(m, "still here"))

	collected := make(chan error)
	m.Freeze()
	go func() { collected <- h.Collect(context.Background(), midden.KindFull) }()
	err := <-collected // with m active, this would wait for ever
	m.Unfreeze()
	fmt.Println(err, text.Ptr())
	// Output: <nil> still here
}

// Unfreeze waits while a collection is in progress, so that nothing touches the
// heap beside it.
func ExampleMutator_Unfreeze() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	m.Freeze()
	fmt.Println(h.Stats().Frozen)
	m.Unfreeze()
	fmt.Println(h.Stats().Frozen)
	// Output:
	// 1
	// 0
}

// Blocking is Freeze and Unfreeze around one call that may wait.
func ExampleMutator_Blocking() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	lines := make(chan string, 1)
	lines <- "input"
	var line string
	m.Blocking(func() { line = <-lines }) // no Ref is touched in here
	fmt.Println(midden.NewString(m, line).Get())
	// Output: input
}

// Lock keeps no collection waiting while it waits. It is a safepoint, so what is
// needed afterwards is rooted.
func ExampleMutator_Lock() {
	type counter struct{ n int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	main := h.NewMutator()
	defer main.Close()

	var mu sync.Mutex
	shared := midden.NewHandle(main, midden.New[counter](main))
	var wg sync.WaitGroup
	for range 4 {
		m := main.NewMutator()
		wg.Go(func() {
			defer m.Close()
			for range 100 {
				m.Lock(&mu)
				shared.Get(m).Get().n++
				m.Safepoint() // with the lock: sound, since everybody uses Lock
				mu.Unlock()
			}
		})
	}
	main.Blocking(wg.Wait)
	fmt.Println(shared.Get(main).Get().n)
	// Output: 400
}

// RLock is the same for those who only read. Many of them may have the lock at once.
func ExampleMutator_RLock() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var mu sync.RWMutex
	names := map[string]int{"one": 1}
	m.RLock(&mu)
	fmt.Println(names["one"])
	mu.RUnlock()
	// Output: 1
}

// Any type with RLock and RUnlock will do; TryRLock, if it is there, saves a freeze.
func ExampleRLocker() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var l midden.RLocker = new(sync.RWMutex)
	m.RLock(l)
	fmt.Println("read")
	l.RUnlock()
	// Output: read
}

// Wait is for conditions, as Blocking is for channels and for other things that
// leave no lock in the hands of who has waited.
func ExampleMutator_Wait() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var mu sync.Mutex
	changed := sync.NewCond(&mu)
	var orders []string
	go func() {
		mu.Lock() // it has no mutator, so it locks plainly
		orders = append(orders, "tea")
		mu.Unlock()
		changed.Signal()
	}()

	m.Lock(&mu)
	for len(orders) == 0 {
		m.Wait(changed)
	}
	order := orders[0]
	mu.Unlock()
	fmt.Println(midden.NewString(m, order).Get())
	// Output: tea
}

// A goroutine that has an active mutator opens those of its helpers through it,
// because Heap.NewMutator might wait for a collection that waits for that mutator.
func ExampleMutator_NewMutator() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	shared := midden.NewHandle(m, midden.NewArray[int](m, 4))
	var wg sync.WaitGroup
	for i := range 4 {
		helper := m.NewMutator()
		wg.Go(func() {
			defer helper.Close()
			*shared.Get(helper).Get().At(i) = i * i
		})
	}
	m.Blocking(wg.Wait)
	fmt.Println(shared.Get(m).Get().Slice())
	// Output: [0 1 4 9]
}

// A mutator that was closed has no roots any more, and panics when it is used.
func ExampleMutator_Close() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	m.Close()

	defer func() { fmt.Println(recover()) }()
	m.Scope()
	// Output: midden: Scope of a Mutator after Close: open another with NewMutator
}

// A virtual machine keeps references on a stack of its own, which lives as long
// as its mutator.
func ExampleMutator_AddRoots() {
	type value struct{ n int }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var stack []midden.Ref[value]
	m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) {
		for i := range stack {
			midden.Visit(v, &stack[i])
		}
	}))

	for i := range 3 {
		stack = append(stack, midden.Alloc(m, value{i}))
		if err := m.Collect(midden.KindFull); err != nil {
			fmt.Println(err)
		}
	}
	for _, r := range stack {
		fmt.Print(r.Get().n, " ")
	}
	// Output: 0 1 2
}

// Code that was written without safepoints in mind can be called where a
// safepoint inside it must not stop.
func ExampleMutator_PreventCollection() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	text := midden.NewString(m, "not rooted")
	m.PreventCollection(func() {
		m.Safepoint() // does not stop
		fmt.Println(errors.Is(m.Collect(midden.KindFull), midden.ErrPrevented))
		fmt.Println(text.Get()) // so this is good
	})
	// Output:
	// true
	// not rooted
}

// A name is what logs and reports show.
func ExampleMutator_SetName() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	m.SetName("parser")
	fmt.Println(strings.Contains(m.String(), `"parser"`))
	// Output: true
}

// String is for a look at a mutator in a debugger or a log.
func ExampleMutator_String() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	fmt.Println(strings.Contains(m.String(), "active"))
	m.Freeze()
	fmt.Println(strings.Contains(m.String(), "frozen"))
	m.Unfreeze()
	// Output:
	// true
	// true
}

// A mutator can be given to slog as it is.
func ExampleMutator_LogValue() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for _, a := range slog.AnyValue(m).Resolve().Group() {
		fmt.Println(a.Key)
	}
	// Output:
	// context
	// scopes
	// roots
}
