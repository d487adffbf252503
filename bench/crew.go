package bench

import (
	"errors"
	"fmt"
	"sync"

	"github.com/midden-gc/midden"
)

// together runs work(0) to work(n-1) at once and returns what went wrong.
func together(n int, work func(i int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = work(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// withMutators is together for a midden heap: every goroutine has a mutator of
// its own, and m is frozen meanwhile, so that no collection waits for it.
func withMutators(m *midden.Mutator, n int, work func(m *midden.Mutator, i int) error) error {
	var err error
	crew := make([]*midden.Mutator, n)
	for i := range crew {
		crew[i] = m.NewMutator()
		crew[i].SetName(fmt.Sprintf("worker %d", i))
	}
	m.Blocking(func() {
		err = together(n, func(i int) (err error) {
			defer crew[i].Close()
			defer catchLimit(&err)
			return work(crew[i], i)
		})
	})
	return err
}

// catchLimit, deferred, turns the panic of an allocation for which the heap is
// too small into an error.
func catchLimit(err *error) {
	switch p := recover().(type) {
	case nil:
	case *midden.LimitError:
		*err = p
	default:
		panic(p)
	}
}

// share returns the part of n things, from lo to below hi, that falls to
// worker i of a crew of so many.
func share(n, i, crew int) (lo, hi int) {
	return n * i / crew, n * (i + 1) / crew
}
