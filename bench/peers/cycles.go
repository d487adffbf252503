package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/midden-gc/midden"
)

// What lives while collections are timed: nodes that are linked at random, the
// hardest thing to trace, behind an array. A pass of minor collection has a
// nursery of new nodes, of which a few are stored into old ones chosen at random.
const (
	nursery        = 10_000
	survivors      = 1_000 // of the nursery
	objectsPerStop = 1024  // a safepoint after so many
)

type node struct {
	edges [3]midden.Field[node]
	id    uint64
}

var nodeType = midden.TypeFor[node]()

// cyclesOnMidden times collections, each so many times, while n objects live.
func cyclesOnMidden(n, repeat int) (p Point, err error) {
	// No cycle happens but those that are asked for.
	h, err := midden.NewHeap(&midden.Options{Sizer: midden.Fixed(1 << 50)})
	if err != nil {
		return Point{}, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	m := h.NewMutator()
	defer m.Close()

	all := midden.NewHandle(m, midden.NewArray[midden.Field[node]](m, n))
	defer all.Release()
	for start := 0; start < n; start += objectsPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+objectsPerStop, n); i++ {
			places.At(i).Store(m, nodeType.Alloc(m, node{id: uint64(i)}))
		}
		m.Safepoint()
	}
	random := rand.New(rand.NewPCG(1, 4))
	for start := 0; start < n; start += objectsPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+objectsPerStop, n); i++ {
			for edge := range 3 {
				places.At(i).Get().edges[edge].Store(m, places.At(random.IntN(n)).Load())
			}
		}
		m.Safepoint()
	}

	p = Point{Heap: "midden", Objects: n}
	full := func() error {
		seconds, err := timeCycle(h, m, midden.KindFull)
		p.Full = append(p.Full, seconds)
		return err
	}
	minor := func() error {
		places := all.Get(m).Get()
		for i := range nursery {
			fresh := nodeType.Alloc(m, node{id: uint64(i)})
			if i%(nursery/survivors) == 0 {
				places.At(random.IntN(n)).Get().edges[0].Store(m, fresh)
			}
		}
		seconds, err := timeCycle(h, m, midden.KindMinor)
		p.Minor = append(p.Minor, seconds)
		return err
	}
	for _, cycle := range []func() error{full, minor} {
		for range 1 + repeat {
			if err := cycle(); err != nil {
				return p, err
			}
		}
		if p.Live == 0 {
			p.Live = h.Stats().Live
		}
	}
	// The first of each touched memory that nobody had touched before.
	p.Full, p.Minor = p.Full[1:], p.Minor[1:]
	return p, nil
}

// timeCycle collects and returns how long the world was stopped for that.
func timeCycle(h *midden.Heap, m *midden.Mutator, k midden.Kind) (seconds float64, err error) {
	before := h.Stats()
	if err := m.Collect(k); err != nil {
		return 0, err
	}
	after := h.Stats()
	minor, full := after.Minor-before.Minor, after.Full-before.Full
	if wanted := k == midden.KindMinor; minor+full != 1 || (minor == 1) != wanted {
		return 0, fmt.Errorf("one cycle of kind %v was asked for, %d minor and %d full ones happened", k, minor, full)
	}
	return (after.PauseTotal - before.PauseTotal).Seconds(), nil
}

type goNode struct {
	edges [3]*goNode
	id    uint64
}

// cyclesOnGo is cyclesOnMidden for Go's heap.
func cyclesOnGo(n, repeat int) Point {
	all := make([]*goNode, n)
	for i := range all {
		all[i] = &goNode{id: uint64(i)}
	}
	random := rand.New(rand.NewPCG(1, 4))
	for _, from := range all {
		for edge := range from.edges {
			from.edges[edge] = all[random.IntN(n)]
		}
	}
	p := Point{Heap: "go", Objects: n}
	for range 1 + repeat {
		start := time.Now()
		runtime.GC()
		p.Full = append(p.Full, time.Since(start).Seconds())
	}
	p.Full = p.Full[1:]
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	p.Live = int64(stats.HeapAlloc)
	runtime.KeepAlive(all)
	return p
}
