package midden_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/semispace"
)

// A heap for one virtual machine of many: it may not use more than its share,
// and its one goroutine pays for no coordination with others.
func ExampleOptions() {
	h, err := midden.NewHeap(&midden.Options{
		Limit:            32 << 20,
		SingleMutator:    true,
		StragglerTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	_, err = midden.TryNewArray[byte](m, 64<<20)
	fmt.Println(errors.Is(err, midden.ErrLimit))
	// Output: true
}

// A Kind says how much a collection does at least.
func ExampleKind() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for _, k := range []midden.Kind{midden.KindMinor, midden.KindFull, midden.KindCompact} {
		fmt.Println(k, m.Collect(k))
	}
	// Output:
	// minor <nil>
	// full <nil>
	// compact <nil>
}

// Stress finds references that were not rooted: every safepoint moves every small
// object and overwrites where it was. Run the tests of a program like this.
func ExampleStress() {
	type node struct{ value int }
	h := must(midden.NewHeap(&midden.Options{
		Collector: semispace.New(nil),
		Stress:    midden.Stress{EverySafepoint: true, Verify: true, Poison: true, Move: true},
	}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	l := midden.NewLocal(m, midden.Alloc(m, node{7}))
	before := l.Ptr()
	m.Safepoint()
	after := l.Ptr()
	fmt.Println(before != after, after.value)
	// Output: true 7
}

// A Listener is told of each cycle, for metrics and logs. It may use the heap.
func ExampleListener() {
	h := must(midden.NewHeap(&midden.Options{Listener: &midden.Listener{
		Cycle: func(c midden.CycleInfo) {
			fmt.Println("cycle", c.Number, c.Kind, "live:", c.Live)
		},
	}}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	// Output: cycle 1 full live: 0
}

// CycleInfo says what a cycle found and freed.
func ExampleCycleInfo() {
	var last midden.CycleInfo
	h := must(midden.NewHeap(&midden.Options{Listener: &midden.Listener{
		Cycle: func(c midden.CycleInfo) { last = c },
	}}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	midden.NewArray[byte](m, 3<<20)
	kept := midden.NewHandle(m, midden.NewArray[byte](m, 1<<20))
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	fmt.Println("live MiB:", last.Live>>20, "freed MiB:", last.Freed>>20, "error:", last.Err)
	kept.Release()
	// Output: live MiB: 1 freed MiB: 3 error: <nil>
}

// Stats can be compared over time.
func ExampleStats() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	before := h.Stats()
	for range 1000 {
		midden.New[[15]int64](m) // 128 bytes each
	}
	if err := m.Collect(midden.KindFull); err != nil {
		fmt.Println(err)
	}
	after := h.Stats()
	fmt.Println(after.Allocated-before.Allocated >= 128_000, after.Live < 128_000)
	// Output: true true
}

// between collects when the heap has doubled, but always leaves some room and
// never more than much.
type between struct{ some, much int64 }

func (b between) Next(last midden.Measurement) int64 {
	return min(max(2*last.Live, last.Live+b.some), last.Live+b.much)
}

// A Sizer of one's own decides when to collect.
func ExampleSizer() {
	h := must(midden.NewHeap(&midden.Options{Sizer: between{some: 1 << 20, much: 256 << 20}}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for range 100 {
		midden.NewArray[byte](m, 100<<10)
		m.Safepoint()
	}
	s := h.Stats()
	fmt.Println(s.Minor+s.Full > 0)
	// Output: true
}

// A Measurement is all that a Sizer goes by.
func ExampleMeasurement() {
	s := midden.GrowBy(2)
	fmt.Println(s.Next(midden.Measurement{Live: 100 << 20}) >> 20)
	fmt.Println(s.Next(midden.Measurement{Live: 1 << 10}) >> 20)
	// Output:
	// 200
	// 4
}

// GrowBy trades memory for time: with a larger factor there are fewer full
// collections while a heap grows, and more garbage in it.
func ExampleGrowBy() {
	type page struct {
		next midden.Field[page]
		Data [8000]byte
	}
	cycles := func(factor float64) uint64 {
		h := must(midden.NewHeap(&midden.Options{Sizer: midden.GrowBy(factor)}))
		defer h.Close()
		m := h.NewMutator()
		defer m.Close()
		list := midden.Nil[page]()
		for range 8000 {
			list = midden.Safepoint(m, midden.Alloc(m, page{next: midden.FieldOf(list)}))
		}
		return h.Stats().Full
	}
	fmt.Println(cycles(1.5) > cycles(4))
	// Output: true
}

// Adaptive is for programs with several heaps: each takes as much memory as saves
// time worth it. Of two heaps in which as much lives, the busier one is given more
// room.
func ExampleAdaptive() {
	s := midden.Adaptive(1)
	room := func(rate float64) int64 {
		const live = 64 << 20
		return s.Next(midden.Measurement{Live: live, AllocationRate: rate, TraceSpeed: 1 << 30}) - live
	}
	fmt.Println(room(64<<20)>>20, "MiB for a heap that grows by 64 MiB a second")
	fmt.Println(room(256<<20)>>20, "MiB for one that grows by 256 MiB a second")
	// Output:
	// 64 MiB for a heap that grows by 64 MiB a second
	// 128 MiB for one that grows by 256 MiB a second
}

// A PressureInfo says that it is time to let go of something. Whoever runs the
// cycle is told, so a cache that belongs to another goroutine is not emptied right
// there: what was asked for is noted, and its owner sees to it.
func ExamplePressureInfo() {
	var level atomic.Int64
	h := must(midden.NewHeap(&midden.Options{
		Limit: 8 << 20,
		Listener: &midden.Listener{
			Pressure: func(p midden.PressureInfo) { level.Store(int64(p.Level)) },
		},
	}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var cache []*midden.Handle[midden.Array[byte]]
	dropped := 0
	for range 1000 {
		cache = append(cache, midden.NewHandle(m, midden.NewArray[byte](m, 32<<10)))
		m.Safepoint()
		if level.Swap(0) > 0 {
			for _, entry := range cache[:len(cache)/2] {
				entry.Release()
				dropped++
			}
			cache = cache[len(cache)/2:]
		}
	}
	fmt.Println("dropped some:", dropped > 0)
	// Output: dropped some: true
}

// Fixed is for a program that knows how much memory it has to spare, whatever
// lives. Together with a Limit it gives a heap of one size.
func ExampleFixed() {
	h := must(midden.NewHeap(&midden.Options{Limit: 64 << 20, Sizer: midden.Fixed(48 << 20)}))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for range 1000 {
		midden.NewArray[byte](m, 1<<20)
		m.Safepoint()
	}
	s := h.Stats()
	fmt.Println(s.Used <= 64<<20, s.Minor+s.Full > 0)
	// Output: true true
}
