package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
)

// BenchmarkCores shows that mutators which have nothing to do with each other
// slow each other down in nothing: what two of them do together, divided by what
// one does alone, is near 2 where two processors are free. It would be near 1, or
// less, if both wrote to one cache line; freeze, for which there is one count a
// heap, shows what that looks like. No cycle runs while anything is timed: the heap
// is one without minor cycles, and full ones are made in between.
func BenchmarkCores(b *testing.B) {
	if runtime.GOMAXPROCS(0) < 2 {
		b.Skip("needs two processors")
	}
	steps := map[string]func(m *midden.Mutator, t *tree, n int){
		"poll": func(m *midden.Mutator, t *tree, n int) {
			for range n {
				m.Safepoint()
			}
		},
		"scope": func(m *midden.Mutator, t *tree, n int) {
			for range n {
				s := m.Scope()
				midden.NewLocal(m, midden.Nil[tree]())
				s.Close()
			}
		},
		"poll+alloc+store": func(m *midden.Mutator, t *tree, n int) {
			for range n {
				m.Safepoint()
				t.left.Store(m, treeType.New(m))
			}
		},
		"freeze": func(m *midden.Mutator, t *tree, n int) {
			for range n {
				m.Freeze()
				m.Unfreeze()
			}
		},
	}
	for _, name := range []string{"poll", "scope", "poll+alloc+store", "freeze"} {
		b.Run(name, func(b *testing.B) { benchmarkCores(b, steps[name]) })
	}
}

func benchmarkCores(b *testing.B, step func(m *midden.Mutator, t *tree, n int)) {
	const portion = 1 << 20
	h, m := benchHeap(b, &midden.Options{
		Collector: immix.New(&immix.Options{FullOnly: true}),
		Sizer:     midden.Fixed(1 << 34),
	})
	crew := []*midden.Mutator{m.NewMutator(), m.NewMutator()}
	var into [2]*midden.Handle[tree]
	for i, m := range crew {
		// Many in between, so that the objects of the two share no line.
		for range 1000 {
			into[i] = midden.NewHandle(m, treeType.New(m))
			defer into[i].Release()
		}
		m.Freeze()
		defer m.Close()
	}
	// run lets the first n of the crew work at once, and returns ns an operation
	// of each.
	run := func(n int) (times [2]float64) {
		var ready atomic.Int32
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				m := crew[i]
				m.Unfreeze()
				defer m.Freeze()
				t := into[i].Get(m).Get()
				for ready.Add(1); int(ready.Load()) < n; {
				}
				start := time.Now()
				step(m, t, portion)
				times[i] = float64(time.Since(start)) / portion
			})
		}
		m.Freeze()
		wg.Wait()
		m.Unfreeze()
		return times
	}
	var alone, together []float64
	collect := func() {
		if err := m.Collect(midden.KindFull); err != nil {
			b.Fatal(err)
		}
	}
	for left := b.N; left > 0; left -= portion {
		collect()
		alone = append(alone, run(1)[0])
		collect()
		two := run(2)
		together = append(together, two[0], two[1])
	}
	if s := h.Stats(); s.Minor > 0 || s.Full > uint64(2*len(alone)) {
		b.Fatal("a cycle ran while something was timed")
	}
	b.ReportMetric(0, "ns/op")
	one, two := median(alone), median(together)
	b.ReportMetric(one, "ns-alone")
	b.ReportMetric(two, "ns-together")
	b.ReportMetric(2*one/two, "ratio")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// BenchmarkHandleChurn makes and releases handles on several mutators at once,
// with and without cycles meanwhile. An operation is one handle.
func BenchmarkHandleChurn(b *testing.B) {
	for _, mutators := range []int{1, 2, 8} {
		for _, cycles := range []bool{false, true} {
			b.Run(fmt.Sprintf("mutators=%d/cycles=%t", mutators, cycles), func(b *testing.B) {
				benchmarkHandleChurn(b, mutators, cycles)
			})
		}
	}
}

func benchmarkHandleChurn(b *testing.B, mutators int, cycles bool) {
	const kept = 64 // handles of a mutator at a time
	h, m := benchHeap(b, nil)
	crew := make([]*midden.Mutator, mutators)
	for i := range crew {
		crew[i] = m.NewMutator()
	}
	m.Freeze()
	defer m.Unfreeze()
	var over atomic.Bool
	var collecting sync.WaitGroup
	b.ResetTimer()
	if cycles {
		collecting.Go(func() {
			for !over.Load() {
				if err := h.Collect(context.Background(), midden.KindMinor); err != nil {
					b.Error(err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	err := together(mutators, func(i int) error {
		m := crew[i]
		defer m.Close()
		var handles [kept]*midden.Handle[tree]
		lo, hi := share(b.N, i, mutators)
		for n := range hi - lo {
			old := &handles[n%kept]
			if *old != nil {
				(*old).Release()
			}
			*old = midden.NewHandle(m, treeType.New(m))
			m.Safepoint()
		}
		for _, handle := range handles {
			if handle != nil {
				handle.Release()
			}
		}
		return nil
	})
	b.StopTimer()
	over.Store(true)
	collecting.Wait()
	if err != nil {
		b.Fatal(err)
	}
	if s := h.Stats(); cycles {
		b.ReportMetric(float64(s.StopTimes.Count()), "cycles")
		b.ReportMetric(float64(s.StopTimes.Quantile(0.5)), "ns-stop-median")
		b.ReportMetric(float64(s.StopMax), "ns-stop-max")
		b.ReportMetric(float64(s.PauseTimes.Quantile(0.5)), "ns-pause-median")
		b.ReportMetric(float64(s.PauseMax), "ns-pause-max")
	}
}
