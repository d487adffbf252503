package immix

import (
	"sync"
	"sync/atomic"
)

// worthSharing is how many pieces of work there must be for another worker.
const worthSharing = 8

// parallel calls a function for each number below n, in no particular order. The
// function comes from begin, which each worker calls once. When one panics the
// others stop, and the panic arrives at the caller.
func parallel(workers, n int, begin func() func(int)) {
	var next atomic.Int64
	var failed atomic.Pointer[any]
	run := func() {
		defer func() {
			if r := recover(); r != nil {
				failed.CompareAndSwap(nil, &r)
			}
		}()
		work := begin()
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			work(i)
		}
	}
	var wg sync.WaitGroup
	for range min(workers, n/worthSharing) - 1 {
		wg.Go(run)
	}
	run()
	wg.Wait()
	if p := failed.Load(); p != nil {
		panic(*p)
	}
}
