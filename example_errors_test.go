package midden_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/midden-gc/midden"
)

// A LimitError says how much was wanted, and what the limit is.
func ExampleLimitError() {
	h := must(midden.NewHeap(&midden.Options{Limit: 1 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	_, err := midden.TryNewArray[byte](m, 3<<20)
	var limit *midden.LimitError
	if errors.As(err, &limit) {
		fmt.Println("limit MiB:", limit.Limit>>20, "wanted MiB:", limit.Wanted>>20)
	}
	// Output: limit MiB: 1 wanted MiB: 3
}

// The functions without an error in their signature panic with a *LimitError. A
// program that lets scripts allocate catches it once, around the script.
func ExampleLimitError_Error() {
	h := must(midden.NewHeap(&midden.Options{Limit: 1 << 20}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	run := func(script func()) (err error) {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case *midden.LimitError:
				err = p
			default:
				panic(p)
			}
		}()
		script()
		return nil
	}
	fmt.Println(run(func() { midden.NewArray[byte](m, 4<<20-8) }))
	// Output: midden: no room for 4194304 bytes below the limit of 1048576 (0 live)
}

// Every *LimitError is ErrLimit.
func ExampleLimitError_Unwrap() {
	var err error = &midden.LimitError{Limit: 100, Wanted: 200}
	fmt.Println(errors.Is(err, midden.ErrLimit))
	// Output: true
}

// Which error means what. Where a function has no error to return, it panics with
// one of these.
func Example_errors() {
	h := must(midden.NewHeap(&midden.Options{SingleMutator: true}))
	m := h.NewMutator()

	caught := func(f func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		f()
		return nil
	}
	fmt.Println(errors.Is(h.Close(), midden.ErrMutators))
	fmt.Println(errors.Is(caught(func() { h.NewMutator() }), midden.ErrSingleMutator))
	m.PreventCollection(func() {
		fmt.Println(errors.Is(m.Collect(midden.KindFull), midden.ErrPrevented))
	})

	m.Close()
	if err := h.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(errors.Is(caught(func() { h.NewMutator() }), midden.ErrClosed))
	// Output:
	// true
	// true
	// true
	// true
}

// A Tracer must leave the heap alone. One that calls into it gets ErrCollecting;
// one that panics leaves the heap damaged, and every later call says so.
func Example_damage() {
	h := must(midden.NewHeap(nil))
	h.AddRoots(midden.TracerFunc(func(*midden.Visitor) { panic("a bug in the tracer") }))

	func() {
		defer func() { fmt.Println("panicked:", recover()) }()
		_ = h.Collect(context.Background(), midden.KindFull)
	}()
	func() {
		defer func() {
			err, _ := recover().(error)
			fmt.Println("damaged:", errors.Is(err, midden.ErrDamaged))
		}()
		h.NewMutator()
	}()
	fmt.Println("closed:", h.Close() == nil)
	// Output:
	// panicked: a bug in the tracer
	// damaged: true
	// closed: true
}
