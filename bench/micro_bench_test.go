package bench

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/midden-gc/midden"
)

// The benchmarks that compare heaps measure both in turn, in small portions, so
// that whatever else the machine does meets both alike. They report nanoseconds
// on each, and how many times longer Go's heap takes.

var nodeCount = flag.Int("nodes", 1_000_000, "nodes of the graph that the collection benchmarks collect")

// inTurn runs b.N operations on each heap.
func inTurn(b *testing.B, onGo, onMidden func(n int)) {
	const portion = 1 << 14
	var goTime, middenTime time.Duration
	for left := b.N; left > 0; left -= portion {
		n := min(left, portion)
		start := time.Now()
		onGo(n)
		half := time.Now()
		onMidden(n)
		goTime += half.Sub(start)
		middenTime += time.Since(half)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(goTime.Nanoseconds())/float64(b.N), "go-ns/op")
	b.ReportMetric(float64(middenTime.Nanoseconds())/float64(b.N), "midden-ns/op")
	b.ReportMetric(float64(goTime)/float64(middenTime), "go/midden")
}

// benchHeap returns a new heap and a mutator of it, for as long as b runs.
func benchHeap(b *testing.B, o *midden.Options) (*midden.Heap, *midden.Mutator) {
	b.Helper()
	h, err := midden.NewHeap(o)
	if err != nil {
		b.Fatal(err)
	}
	m := h.NewMutator()
	b.Cleanup(func() {
		m.Close()
		if err := h.Close(); err != nil {
			b.Error(err)
		}
	})
	return h, m
}

// Objects of 16, 32 and 64 bytes on Go's heap, and what they are on midden.
type (
	go16 struct{ _ [2]*go16 }
	go32 struct {
		_ [2]*go32
		_ [2]int64
	}
	go64 struct {
		_ [4]*go64
		_ [4]int64
	}
	midden16 struct{ _ [2]midden.Field[midden16] }
	midden32 struct {
		_ [2]midden.Field[midden32]
		_ [2]int64
	}
	midden64 struct {
		_ [4]midden.Field[midden64]
		_ [4]int64
	}
)

func BenchmarkNew(b *testing.B) {
	b.Run("bytes=16", benchmarkNew[go16, midden16])
	b.Run("bytes=32", benchmarkNew[go32, midden32])
	b.Run("bytes=64", benchmarkNew[go64, midden64])
}

// safepointEvery is how many objects are allocated between two safepoints: like
// a program that handles a request, and then looks whether it should stop.
const safepointEvery = 128

func benchmarkNew[G, M any](b *testing.B) {
	_, m := benchHeap(b, nil)
	typ := midden.TypeFor[M]()
	var sink *G
	inTurn(b, func(n int) {
		for range n {
			sink = new(G)
		}
	}, func(n int) {
		for i := range n {
			typ.New(m)
			if i%safepointEvery == 0 {
				m.Safepoint()
			}
		}
	})
	runtime.KeepAlive(sink)
}

// BenchmarkAlloc makes objects that are complete when they are made.
func BenchmarkAlloc(b *testing.B) {
	_, m := benchHeap(b, nil)
	var sink *goTree
	leaf := &goTree{}
	inTurn(b, func(n int) {
		for range n {
			sink = &goTree{leaf, leaf}
		}
	}, func(n int) {
		leaf := treeType.New(m)
		for range n {
			treeType.Alloc(m, tree{midden.FieldOf(leaf), midden.FieldOf(leaf)})
		}
		m.Safepoint()
	})
	runtime.KeepAlive(sink)
}

// BenchmarkStore stores into an object that is new, and into one that is old.
func BenchmarkStore(b *testing.B) {
	for _, old := range []bool{false, true} {
		b.Run(fmt.Sprintf("old=%t", old), func(b *testing.B) {
			_, m := benchHeap(b, nil)
			into := midden.NewHandle(m, treeType.New(m))
			defer into.Release()
			if old {
				if err := m.Collect(midden.KindFull); err != nil {
					b.Fatal(err)
				}
			}
			goInto, goLeaf := &goTree{}, &goTree{}
			inTurn(b, func(n int) {
				for range n {
					goInto.left = goLeaf
				}
			}, func(n int) {
				t, leaf := into.Get(m).Get(), into.Get(m)
				for range n {
					t.left.Store(m, leaf)
				}
			})
			runtime.KeepAlive(goInto)
		})
	}
}

func BenchmarkSafepoint(b *testing.B) {
	_, m := benchHeap(b, nil)
	for b.Loop() {
		m.Safepoint()
	}
}

func BenchmarkFreeze(b *testing.B) {
	h, m := benchHeap(b, nil)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			m.Freeze()
			m.Unfreeze()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		m.Freeze()
		defer m.Unfreeze()
		b.RunParallel(func(pb *testing.PB) {
			m := h.NewMutator()
			defer m.Close()
			for pb.Next() {
				m.Freeze()
				m.Unfreeze()
			}
		})
	})
}

func BenchmarkHandle(b *testing.B) {
	_, m := benchHeap(b, nil)
	t := treeType.New(m)
	for b.Loop() {
		midden.NewHandle(m, t).Release()
	}
}

func BenchmarkLocal(b *testing.B) {
	_, m := benchHeap(b, nil)
	t := treeType.New(m)
	for b.Loop() {
		s := m.Scope()
		midden.NewLocal(m, t)
		s.Close()
	}
}

func BenchmarkOpenAndClose(b *testing.B) {
	for b.Loop() {
		h, err := midden.NewHeap(nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// newGraph makes a graph of n nodes linked at random on m's heap.
func newGraph(m *midden.Mutator, n int) *midden.Handle[nodes] {
	all := midden.NewHandle(m, midden.NewArray[midden.Field[node]](m, n))
	makeNodes(m, all, 0, n)
	linkNodes(m, all, 0, n)
	return all
}

// BenchmarkFullCollection collects all of a graph that is linked at random. An
// operation is one collection.
func BenchmarkFullCollection(b *testing.B) {
	n := *nodeCount
	all := make([]*goNode, n)
	for i := range all {
		all[i] = &goNode{id: uint64(i)}
	}
	for i, from := range all {
		for edge, to := range targets(i, n) {
			from.edges[edge] = all[to]
		}
	}
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			_, m := benchHeap(b, &midden.Options{Workers: workers})
			defer newGraph(m, n).Release()
			var goWall, middenWall, goCPU, middenCPU time.Duration
			for range b.N {
				wall, cpu := measured(runtime.GC)
				goWall += wall
				goCPU += cpu
				wall, cpu = measured(func() {
					if err := m.Collect(midden.KindFull); err != nil {
						b.Fatal(err)
					}
				})
				middenWall += wall
				middenCPU += cpu
			}
			b.ReportMetric(0, "ns/op")
			perNode := float64(b.N * n)
			b.ReportMetric(float64(goWall)/perNode, "go-ns/node")
			b.ReportMetric(float64(middenWall)/perNode, "midden-ns/node")
			b.ReportMetric(float64(goCPU)/perNode, "go-cpu-ns/node")
			b.ReportMetric(float64(middenCPU)/perNode, "midden-cpu-ns/node")
			b.ReportMetric(float64(goWall)/float64(middenWall), "go/midden")
			b.ReportMetric(float64(goCPU)/float64(middenCPU), "go/midden-cpu")
		})
	}
	runtime.KeepAlive(all)
}

// BenchmarkMinorCollection collects a portion of garbage beside a graph that is
// old. An operation is one collection; its time should not depend on -nodes.
func BenchmarkMinorCollection(b *testing.B) {
	_, m := benchHeap(b, nil)
	all := newGraph(m, *nodeCount)
	defer all.Release()
	if err := m.Collect(midden.KindFull); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		serve(m, all, 0, 100)
		if err := m.Collect(midden.KindMinor); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompaction lets two thirds of a graph die that is linked at random, and
// compares a full cycle, a compacting one that moves the rest, and a full one after
// that.
func BenchmarkCompaction(b *testing.B) {
	n := *nodeCount
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			var cpus [3]time.Duration
			var held [3]int64
			for range b.N {
				h, m := benchHeap(b, &midden.Options{Workers: workers, Sizer: midden.Fixed(1 << 40)})
				all := midden.NewHandle(m, midden.NewArray[midden.Field[node]](m, n))
				makeNodes(m, all, 0, n)
				places := all.Get(m).Get()
				for i := 0; i < n; i += 3 {
					for edge, to := range targets(i, n) {
						places.At(i).Get().edges[edge].Store(m, places.At(to-to%3).Load())
					}
				}
				for i := range n {
					if i%3 != 0 {
						places.At(i).Store(m, midden.Nil[node]())
					}
				}
				for i, k := range []midden.Kind{midden.KindFull, midden.KindCompact, midden.KindFull} {
					_, cpu := measured(func() {
						if err := m.Collect(k); err != nil {
							b.Fatal(err)
						}
					})
					cpus[i] += cpu
					held[i] = h.Stats().Committed
				}
				all.Release()
			}
			b.ReportMetric(0, "ns/op")
			perNode := float64(b.N*n) / 3
			b.ReportMetric(float64(cpus[0])/perNode, "full-cpu-ns/node")
			b.ReportMetric(float64(cpus[1])/perNode, "compact-cpu-ns/node")
			b.ReportMetric(float64(cpus[2])/perNode, "packed-full-cpu-ns/node")
			b.ReportMetric(float64(cpus[1])/float64(cpus[0]), "compact/full")
			b.ReportMetric(float64(held[0])/float64(held[1]), "full/compact-bytes")
		})
	}
}

// measured runs f and says how long it took, and how much CPU the process used.
func measured(f func()) (wall, cpu time.Duration) {
	start, used := time.Now(), cpuTime()
	f()
	return time.Since(start), cpuTime() - used
}
