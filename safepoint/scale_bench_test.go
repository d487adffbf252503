package safepoint_test

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// These benchmarks are about how the cost of a stop grows. Their figures are the
// metrics: the time to stop, from asking until nobody moves, and the time to
// restart, from then until the last goroutine that stood still has run again;
// the median of each, and the longest. ns/op also has the time in between, in
// which goroutines work, and says little.

// A crew is goroutines that poll about every microsecond. They are more than
// there are processors, so each yields when it has polled: without that Go would
// let it compute for 10 ms while the others wait.
type crew struct {
	w         *World
	n         int32
	back      atomic.Int32
	restarted chan time.Time
	over      atomic.Bool
	running   sync.WaitGroup
}

var loops = func() int {
	const probe = 1 << 20
	start := time.Now()
	compute(probe)
	return int(probe*time.Microsecond/time.Since(start)) + 1
}()

var computed atomic.Uint64

// compute keeps a processor busy for a microsecond if n is loops.
func compute(n int) {
	x := uint64(n) | 1
	for range n {
		x ^= x << 13
		x ^= x >> 7
	}
	if x == 0 {
		computed.Add(1)
	}
}

func newCrew(w *World, n int) *crew {
	c := &crew{w: w, n: int32(n), restarted: make(chan time.Time, 1)}
	var ready sync.WaitGroup
	for range n {
		ready.Add(1)
		c.running.Go(func() {
			own := w.NewContext()
			defer own.Close()
			ready.Done()
			for !c.over.Load() {
				compute(loops)
				if own.Poll() {
					own.Safepoint(nothing)
					// A pause does not run before each of the crew has come here, so
					// each does once a pause.
					if c.back.Add(1) == c.n {
						c.restarted <- time.Now()
					}
				}
				runtime.Gosched()
			}
		})
	}
	ready.Wait()
	return c
}

// also runs f over and over in another goroutine, and returns how often it ran,
// to be read after end.
func (c *crew) also(f func()) *int {
	n := new(int)
	c.running.Go(func() {
		for ; !c.over.Load(); *n++ {
			f()
			if *n%64 == 0 {
				runtime.Gosched()
			}
		}
	})
	return n
}

func (c *crew) end() {
	c.over.Store(true)
	c.running.Wait()
}

// measure stops and restarts the world b.N times.
func (c *crew) measure(b *testing.B) {
	stops := make([]time.Duration, 0, b.N)
	restarts := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		c.back.Store(0)
		var still time.Time
		start := time.Now()
		if err := c.w.Collect(background, 1, func(*Pause) error { still = time.Now(); return nil }); err != nil {
			b.Fatal(err)
		}
		stops = append(stops, still.Sub(start))
		restarts = append(restarts, (<-c.restarted).Sub(still))
	}
	b.StopTimer()
	for name, times := range map[string][]time.Duration{"stop": stops, "restart": restarts} {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2]), "ns-"+name+"-median")
		b.ReportMetric(float64(times[len(times)-1]), "ns-"+name+"-max")
	}
}

// frozenContexts adds n frozen contexts to w, for as long as b runs.
func frozenContexts(b *testing.B, w *World, n int) {
	all := make([]*Context, n)
	for i := range all {
		all[i] = w.NewContext()
		all[i].Freeze()
	}
	b.Cleanup(func() { runtime.KeepAlive(all) })
}

func BenchmarkScaleFrozen(b *testing.B) {
	for _, frozen := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("active=8/frozen=%d", frozen), func(b *testing.B) {
			w := NewWorld(nil)
			frozenContexts(b, w, frozen)
			c := newCrew(w, 8)
			defer c.end()
			c.measure(b)
		})
	}
}

func BenchmarkScalePolling(b *testing.B) {
	for _, n := range []int{2, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			c := newCrew(NewWorld(nil), n)
			defer c.end()
			c.measure(b)
		})
	}
}

// BenchmarkScaleChurn has 8 goroutines that poll, and on each processor one that
// does nothing but open and close contexts.
func BenchmarkScaleChurn(b *testing.B) {
	benchmarkBeside(b, func(w *World) func() {
		return func() { w.NewContext().Close() }
	})
}

// BenchmarkScaleStorm is BenchmarkScaleChurn with contexts that freeze and unfreeze.
func BenchmarkScaleStorm(b *testing.B) {
	benchmarkBeside(b, func(w *World) func() {
		c := w.NewContext()
		c.Freeze()
		return func() {
			c.Unfreeze()
			c.Freeze()
		}
	})
}

func benchmarkBeside(b *testing.B, work func(*World) func()) {
	w := NewWorld(nil)
	var done []*int
	c := newCrew(w, 8)
	for range runtime.GOMAXPROCS(0) {
		done = append(done, c.also(work(w)))
	}
	c.measure(b)
	c.end()
	sum := 0
	for _, n := range done {
		sum += *n
	}
	b.ReportMetric(float64(sum)/b.Elapsed().Seconds(), "beside/s")
}
