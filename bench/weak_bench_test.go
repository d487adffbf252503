package bench

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/midden-gc/midden"
)

// These benchmarks measure processor time, of all threads: Go's collector and its
// cleanups work beside the program.

// A weakLink is what chains are made of: 16 bytes with its header, like an ephemeron.
type weakLink struct {
	Next midden.Field[weakLink]
	_    int32
}

type (
	ephemeron = midden.Ephemeron[weakLink, weakLink]
	table     = midden.Array[midden.Field[ephemeron]]
)

// strongChain makes a list of n links.
func strongChain(m *midden.Mutator, n int) midden.Ref[weakLink] {
	var head midden.Ref[weakLink]
	for range n {
		head = midden.Alloc(m, weakLink{Next: midden.FieldOf(head)})
	}
	return head
}

// ephemeronChain fills a table with ephemerons of which each has the value of the one
// before as its key, in the given order, and returns the first key.
func ephemeronChain(m *midden.Mutator, order []int) (first midden.Ref[weakLink], es midden.Ref[table]) {
	es = midden.NewArray[midden.Field[ephemeron]](m, len(order))
	first = midden.New[weakLink](m)
	key := first
	for _, i := range order {
		value := midden.New[weakLink](m)
		es.Get().At(i).Store(m, midden.NewEphemeron(m, key, value))
		key = value
	}
	return first, es
}

// BenchmarkEphemeronChain compares full collections of a chain of -nodes ephemerons
// with those of a list that has as many strong edges, in turn. The table has the
// ephemerons in the order of the chain, in the reverse, or at random.
func BenchmarkEphemeronChain(b *testing.B) {
	n := *nodeCount
	orders := map[string][]int{"forward": make([]int, n), "backward": make([]int, n), "random": rand.New(rand.NewPCG(1, 1)).Perm(n)}
	for i := range n {
		orders["forward"][i], orders["backward"][i] = i, n-1-i
	}
	for _, name := range []string{"forward", "backward", "random"} {
		b.Run(name, func(b *testing.B) {
			o := &midden.Options{Workers: 1}
			_, m := benchHeap(b, o)
			_, em := benchHeap(b, o)
			m.Scope()
			midden.NewLocal(m, strongChain(m, n))
			em.Scope()
			first, es := ephemeronChain(em, orders[name])
			midden.NewLocal(em, first)
			root := midden.NewLocal(em, es)
			var strongTime, weakTime time.Duration
			for b.Loop() {
				strongTime += timeOf(b, func() error { return m.Collect(midden.KindFull) })
				weakTime += timeOf(b, func() error { return em.Collect(midden.KindFull) })
			}
			if root.Ptr().At(orders[name][n-1]).Get().Key().IsNil() {
				b.Fatal("the chain is broken")
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(strongTime.Nanoseconds())/float64(b.N)/float64(n), "strong-ns/edge")
			b.ReportMetric(float64(weakTime.Nanoseconds())/float64(b.N)/float64(n), "ephemeron-ns/edge")
			b.ReportMetric(float64(weakTime)/float64(strongTime), "ephemeron/strong")
		})
	}
}

// timeOf returns the processor time that f takes.
func timeOf(b *testing.B, f func() error) time.Duration {
	start := cpuTime()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return cpuTime() - start
}

// A goPairing is what a program does on Go's heap for want of ephemerons: a weak
// pointer to the key beside the value.
type goPairing struct {
	key   weak.Pointer[goWeakLink]
	value *goWeakLink
}

type goWeakLink struct{ _ *goWeakLink }

// BenchmarkEphemeronTable makes keys, puts each into a table with a value, and
// collects when the table is full: of the keys one in eight lives. Go's side has weak
// pointers to the keys, and drops the values of dead ones by looking at all.
func BenchmarkEphemeronTable(b *testing.B) {
	const size, keep = 1 << 16, 8
	_, m := benchHeap(b, nil)
	m.Scope()
	es := midden.NewLocal(m, midden.NewArray[midden.Field[ephemeron]](m, size))
	keys := midden.NewLocal(m, midden.NewArray[midden.Field[weakLink]](m, size/keep))
	var goTime, middenTime time.Duration
	goTable, goKeys := make([]goPairing, size), make([]*goWeakLink, size/keep)
	for b.Loop() {
		start := cpuTime()
		for i := range goTable {
			k := &goWeakLink{}
			goTable[i] = goPairing{weak.Make(k), &goWeakLink{}}
			if i%keep == 0 {
				goKeys[i/keep] = k
			}
		}
		runtime.GC()
		for i := range goTable {
			if goTable[i].key.Value() == nil {
				goTable[i].value = nil
			}
		}
		half := cpuTime()
		for i := range size {
			k := midden.New[weakLink](m)
			es.Ptr().At(i).Store(m, midden.NewEphemeron(m, k, midden.New[weakLink](m)))
			if i%keep == 0 {
				keys.Ptr().At(i/keep).Store(m, k)
			}
		}
		if err := m.Collect(midden.KindFull); err != nil {
			b.Fatal(err)
		}
		goTime += half - start
		middenTime += cpuTime() - half
	}
	runtime.KeepAlive(goKeys)
	reportRatio(b, goTime, middenTime, size)
}

// reportRatio reports the time for each of n things that an iteration does.
func reportRatio(b *testing.B, goTime, middenTime time.Duration, n int) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(goTime.Nanoseconds())/float64(b.N)/float64(n), "go-ns/each")
	b.ReportMetric(float64(middenTime.Nanoseconds())/float64(b.N)/float64(n), "midden-ns/each")
	b.ReportMetric(float64(goTime)/float64(middenTime), "go/midden")
}

// BenchmarkFinalizers makes objects, asks to be told when each is dead, collects, and
// waits until it was told of all.
func BenchmarkFinalizers(b *testing.B) {
	const n = 1 << 16
	h, m := benchHeap(b, nil)
	g := midden.NewGuardian[weakLink](h)
	var goTime, middenTime time.Duration
	told := make(chan struct{}, n)
	for b.Loop() {
		start := cpuTime()
		for range n {
			runtime.AddCleanup(&goWeakLink{}, func(c chan struct{}) { c <- struct{}{} }, told)
		}
		runtime.GC()
		for range n {
			<-told
		}
		half := cpuTime()
		for range n {
			g.Register(m, midden.New[weakLink](m))
		}
		if err := m.Collect(midden.KindMinor); err != nil {
			b.Fatal(err)
		}
		for range n {
			if _, ok := g.Next(m); !ok {
				b.Fatal("an object was not delivered")
			}
		}
		goTime += half - start
		middenTime += cpuTime() - half
	}
	reportRatio(b, goTime, middenTime, n)
}

// BenchmarkWeak makes weak references to objects that live, collects, and loads each.
func BenchmarkWeak(b *testing.B) {
	const n = 1 << 16
	_, m := benchHeap(b, nil)
	m.Scope()
	slots := midden.NewLocal(m, midden.NewArray[midden.Weak[weakLink]](m, n))
	links := midden.NewLocal(m, midden.NewArray[midden.Field[weakLink]](m, n))
	goLinks, pointers := make([]*goWeakLink, n), make([]weak.Pointer[goWeakLink], n)
	for i := range n {
		goLinks[i] = &goWeakLink{}
		links.Ptr().At(i).Store(m, midden.New[weakLink](m))
	}
	part := func(name string, onGo, onMidden func()) {
		b.Run(name, func(b *testing.B) {
			var goTime, middenTime time.Duration
			for b.Loop() {
				start := cpuTime()
				onGo()
				half := cpuTime()
				onMidden()
				goTime += half - start
				middenTime += cpuTime() - half
			}
			reportRatio(b, goTime, middenTime, n)
		})
	}
	part("make", func() {
		for i, l := range goLinks {
			pointers[i] = weak.Make(l)
		}
	}, func() {
		to := slots.Ptr().Slice()
		for i := range links.Ptr().Slice() {
			to[i].Store(m, links.Ptr().At(i).Load())
		}
	})
	var alive int
	part("load", func() {
		for _, p := range pointers {
			if p.Value() != nil {
				alive++
			}
		}
	}, func() {
		from := slots.Ptr().Slice()
		for i := range from {
			if !from[i].Load().IsNil() {
				alive++
			}
		}
	})
	part("collect", runtime.GC, func() {
		if err := m.Collect(midden.KindFull); err != nil {
			b.Fatal(err)
		}
	})
	if alive == 0 {
		b.Log("nothing was alive")
	}
	runtime.KeepAlive(goLinks)
}
