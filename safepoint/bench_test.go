package safepoint_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/midden-gc/midden/safepoint"
)

func eachKind(b *testing.B, f func(*testing.B, *World)) {
	for _, single := range []bool{false, true} {
		b.Run(fmt.Sprintf("single=%v", single), func(b *testing.B) {
			f(b, NewWorld(&Options{Single: single}))
		})
	}
}

func BenchmarkPoll(b *testing.B) {
	eachKind(b, func(b *testing.B, w *World) {
		c := w.NewContext()
		for b.Loop() {
			if c.Poll() {
				b.Fatal("nothing is wanted")
			}
		}
	})
}

func BenchmarkFreezeUnfreeze(b *testing.B) {
	eachKind(b, func(b *testing.B, w *World) {
		c := w.NewContext()
		for b.Loop() {
			c.Freeze()
			c.Unfreeze()
		}
	})
}

func BenchmarkFreezeUnfreezeParallel(b *testing.B) {
	w := NewWorld(nil)
	b.RunParallel(func(pb *testing.PB) {
		c := w.NewContext()
		defer c.Close()
		for pb.Next() {
			c.Freeze()
			c.Unfreeze()
		}
	})
}

func BenchmarkCreateClose(b *testing.B) {
	eachKind(b, func(b *testing.B, w *World) {
		for b.Loop() {
			w.NewContext().Close()
		}
	})
}

func BenchmarkWorld(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewWorld(nil)
	}
}

func BenchmarkPrevent(b *testing.B) {
	w := NewWorld(nil)
	b.Run("outsider", func(b *testing.B) {
		for b.Loop() {
			w.Prevent(func() {})
		}
	})
	b.Run("context", func(b *testing.B) {
		c := w.NewContext()
		for b.Loop() {
			c.Prevent(func() {})
		}
	})
}

// pollers starts n goroutines that poll all the time, and returns a function
// that ends them.
func pollers(b *testing.B, w *World, n int) (end func()) {
	var stop atomic.Bool
	var ready, over sync.WaitGroup
	for range n {
		ready.Add(1)
		over.Go(func() {
			c := w.NewContext()
			defer c.Close()
			ready.Done()
			for i := 0; !stop.Load(); i++ {
				if c.Poll() {
					c.Safepoint(nothing)
				}
				if i%1000 == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	ready.Wait()
	b.ResetTimer()
	return func() {
		b.StopTimer()
		stop.Store(true)
		over.Wait()
	}
}

func BenchmarkCollectAlone(b *testing.B) {
	eachKind(b, func(b *testing.B, w *World) {
		c := w.NewContext()
		b.ReportAllocs()
		for b.Loop() {
			c.Collect(background, 1, nothing)
		}
	})
}

// The cost of frozen contexts is what differs between the sub-benchmarks: the
// active ones are at rest, so that nobody's scheduling counts.
func BenchmarkStopFrozen(b *testing.B) {
	for _, frozen := range []int{0, 100, 10_000, 100_000} {
		b.Run(fmt.Sprint(frozen), func(b *testing.B) {
			w := NewWorld(nil)
			keep := make([]*Context, frozen)
			for i := range keep {
				keep[i] = w.NewContext()
				keep[i].Freeze()
			}
			c := w.NewContext()
			b.ResetTimer()
			for range b.N {
				c.Collect(background, 1, nothing)
			}
			b.StopTimer()
			runtime.KeepAlive(keep)
		})
	}
}

func BenchmarkStopActive(b *testing.B) {
	for _, frozen := range []int{0, 100_000} {
		for _, active := range []int{8, 1000} {
			b.Run(fmt.Sprintf("active=%d/frozen=%d", active, frozen), func(b *testing.B) {
				w := NewWorld(nil)
				keep := make([]*Context, frozen)
				for i := range keep {
					keep[i] = w.NewContext()
					keep[i].Freeze()
				}
				defer pollers(b, w, active)()
				for range b.N {
					if err := w.Collect(background, 1, nothing); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(w.Stats().StopMax.Nanoseconds()), "ns-stop-max")
				runtime.KeepAlive(keep)
			})
		}
	}
}
