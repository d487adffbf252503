package middentest

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var freeingTests = []test{
	{"DeepList", 0, (*suite).deepList},
	{"WideArray", 0, (*suite).wideArray},
	{"LiveFalls", frees, (*suite).liveFalls},
	{"MinorFrees", frees, (*suite).minorFrees},
	{"Cycles", frees, (*suite).cyclicGarbage},
	{"Partly", frees, (*suite).partlyFreed},
	{"Churn", frees, (*suite).churn},
	{"ChurnLarge", frees, (*suite).churnLarge},
	{"ManyHeaps", 0, (*suite).manyHeaps},
	{"ClosedHeaps", 0, (*suite).closedHeaps},
}

const mib = 1 << 20

// deepList checks that depth costs no stack.
func (s *suite) deepList(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	n := s.size(1_000_000)
	l := midden.NewLocal(m, newList(m, n))
	for _, k := range kinds {
		collect(t, m, k)
		checkList(t, "deep list", l.Get(), n)
	}
}

func (s *suite) wideArray(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	n := s.size(1_000_000)
	l := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
	for i := range n {
		l.Ptr().At(i).Store(m, newNode(m, int64(i)))
	}
	for _, k := range kinds {
		collect(t, m, k)
		view := l.Ptr().Slice()
		for i := range view {
			checkNode(t, "element", view[i].Load(), int64(i))
		}
	}
}

// liveFalls checks, for objects of every sort, that Stats.Live and Used tell that they were kept, and
// that they went.
func (s *suite) liveFalls(t *testing.T) {
	total := int64(8 * mib)
	if s.stress.Verify {
		total = 2 * mib
	}
	for _, sort := range []struct {
		name     string
		allocate func(m *midden.Mutator) midden.AnyRef
		cost     int64
	}{
		{"nodes", func(m *midden.Mutator) midden.AnyRef { return newNode(m, 1).Any() }, midden.SizeOf[node]()},
		{"bytes", func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[byte](m, 100).Any() }, midden.ArraySize[byte](100)},
		{"medium", func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[byte](m, 5000).Any() }, midden.ArraySize[byte](5000)},
		{"large", func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[byte](m, 60000).Any() }, midden.ArraySize[byte](60000)},
		{"huge", func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[int64](m, 250000).Any() }, midden.ArraySize[int64](250000)},
		{"strings", func(m *midden.Mutator) midden.AnyRef { return midden.NewString(m, texts[9]).Any() }, midden.ArraySize[byte](len(texts[9]))},
	} {
		h, m := s.alone(t)
		scope := m.Scope()
		count := int(total / sort.cost)
		l := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, count))
		empty := h.Stats()
		for i := range count {
			l.Ptr().At(i).Store(m, sort.allocate(m))
		}
		collect(t, m, midden.KindFull)
		full := h.Stats()
		if full.Live < int64(count)*sort.cost {
			t.Errorf("%s: %d bytes live, %d were allocated and kept", sort.name, full.Live, int64(count)*sort.cost)
		}
		if full.Used < full.Live {
			t.Errorf("%s: %d bytes used, %d live", sort.name, full.Used, full.Live)
		}
		scope.Close()
		collect(t, m, midden.KindFull)
		gone := h.Stats()
		if gone.Live > 64<<10 {
			t.Errorf("%s: %d bytes live after everything was dropped", sort.name, gone.Live)
		}
		if gone.Used > empty.Used+mib {
			t.Errorf("%s: %d bytes used after everything was dropped, %d at the start", sort.name, gone.Used, empty.Used)
		}
	}
}

// minorFrees checks that a minor collection frees what died young.
func (s *suite) minorFrees(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 1000))
	age(t, m)
	for range 5 {
		before := h.Stats()
		litter(m, 50_000)
		midden.NewArray[byte](m, mib)
		collect(t, m, midden.KindMinor)
		after := h.Stats()
		if after.Live > before.Live+64<<10 || after.Used > before.Used+512<<10 {
			t.Errorf("before %+v, after 3 MB of garbage and a minor collection %+v", before, after)
		}
	}
	checkList(t, "what is kept", l.Get(), 1000)
}

// cyclicGarbage drops rings whose nodes all refer to each other.
func (s *suite) cyclicGarbage(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	kept := midden.NewLocal(m, midden.Nil[node]())
	ring := func(n int) nodeRef {
		first := newNode(m, 0)
		last := first
		for id := 1; id < n; id++ {
			next := newNode(m, int64(id))
			next.Get().Other.Store(m, last)
			last.Get().Next.Store(m, next)
			last = next
		}
		last.Get().Next.Store(m, first)
		first.Get().Other.Store(m, last)
		return first
	}
	n := s.size(100_000)
	ring(n)
	kept.Set(ring(10))
	lone := newNode(m, 1)
	lone.Get().Next.Store(m, lone)
	// Garbage that refers to what is kept does not keep itself.
	lone.Get().Other.Store(m, kept.Get())
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live > 64<<10 {
		t.Errorf("%d bytes live, 10 nodes are reachable", live)
	}
	r := kept.Get()
	for id := range int64(10) {
		checkNode(t, "ring", r, id)
		checkNode(t, "ring", r.Get().Next.Get().Other.Load(), id)
		r = r.Get().Next.Load()
	}
	equal(t, "the end of the ring", r, kept.Get())
}

// partlyFreed drops objects at random places among others that stay, again and again, and fills the
// holes.
func (s *suite) partlyFreed(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	const n = 2000
	l := midden.NewLocal(m, midden.NewArray[midden.Field[midden.Array[int64]]](m, n))
	var lengths [n]int
	var random uint32 = 1
	for range s.size(100) {
		for range n / 4 {
			random = random*1664525 + 1013904223
			i, length := int(random>>8)%n, int(random>>20)%120
			if random>>28 == 0 {
				length *= 30
			}
			r := midden.NewArray[int64](m, length)
			for j := range length {
				*r.Get().At(j) = int64(i)<<32 | int64(j)
			}
			l.Ptr().At(i).Store(m, r)
			lengths[i] = length
		}
		collect(t, m, kinds[random>>5%3])
		for i, length := range lengths {
			r := l.Ptr().At(i).Load()
			if r.IsNil() {
				if length > 0 {
					t.Fatalf("array %d is gone", i)
				}
				continue
			}
			equal(t, "length", r.Get().Len(), length)
			for j, got := range r.Get().Slice() {
				if want := int64(i)<<32 | int64(j); got != want {
					t.Fatalf("element %d of array %d is %#x, want %#x", j, i, got, want)
				}
			}
		}
	}
	collect(t, m, midden.KindFull)
	var want int64
	for _, length := range lengths {
		want += midden.ArraySize[int64](length)
	}
	if live := h.Stats().Live; live > 4*want {
		t.Errorf("%d bytes live, %d reachable", live, want)
	}
}

// churn checks that safepoints alone, without anybody asking for a collection, keep a heap small that
// drops everything it allocates.
func (s *suite) churn(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, newList(m, 1000))
	for range s.size(4000) {
		litter(m, 2000)
		m.Safepoint()
	}
	checkList(t, "what is kept", l.Get(), 1000)
	if peak := h.Stats().PeakCommitted; peak > 64*mib {
		t.Errorf("a heap with 1000 live nodes came to %d bytes", peak)
	}
	if cycles(h) == 0 {
		t.Error("there was no collection")
	}
}

// churnLarge does the same with objects that have their own pages.
func (s *suite) churnLarge(t *testing.T) {
	h, m := s.alone(t)
	for i := range s.size(3000) {
		a := midden.NewArray[byte](m, 100_000+i%7*50_000).Get()
		*a.At(0), *a.At(a.Len() - 1) = 1, 1
		m.Safepoint()
	}
	if peak := h.Stats().PeakCommitted; peak > 128*mib {
		t.Errorf("a heap with no live objects came to %d bytes", peak)
	}
	if cycles(h) == 0 {
		t.Error("there was no collection")
	}
}

// manyHeaps opens as many heaps at once as a process with many small virtual machines has.
func (s *suite) manyHeaps(t *testing.T) {
	n := s.size(3000)
	type one struct {
		h *midden.Heap
		m *midden.Mutator
		l midden.Local[node]
	}
	var all []one
	for id := range n {
		h := s.heap(t, midden.Options{Limit: mib, Workers: 1})
		m := s.mutator(t, h)
		m.Scope()
		all = append(all, one{h, m, midden.NewLocal(m, midden.Alloc(m, node{ID: int64(id), Next: midden.FieldOf(newList(m, 10))}))})
		m.Freeze()
	}
	for id, o := range all {
		if err := o.h.Collect(t.Context(), midden.KindFull); err != nil {
			t.Fatalf("Collect: %v", err)
		}
		o.m.Unfreeze()
		litter(o.m, 20)
		checkNode(t, "local", o.l.Get(), int64(id))
		checkList(t, "list", o.l.Ptr().Next.Load(), 10)
	}
}

// closedHeaps checks that the memory of closed heaps is used again or returned: far more heaps than
// the process could keep are opened, filled and closed.
func (s *suite) closedHeaps(t *testing.T) {
	n := s.size(100)
	before := residentBytes(t)
	for range n {
		h := s.open(t, midden.Options{})
		m := h.NewMutator()
		scope := m.Scope()
		l := midden.NewLocal(m, newList(m, 100_000))
		large := midden.NewArray[byte](m, 8*mib).Get().Slice()
		for i := 0; i < len(large); i += 4096 {
			if large[i] != 0 {
				t.Fatal("memory of a closed heap was not cleared")
			}
			large[i] = 1
		}
		checkNode(t, "local", l.Get(), 1)
		scope.Close()
		m.Close()
		if err := h.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	// Each heap had more than 10 MiB. Half of that for each would be a leak.
	if after := residentBytes(t); n > 20 && after > before+int64(n)*5*mib {
		t.Errorf("after %d heaps were closed the process has %d bytes more", n, after-before)
	}
}

// residentBytes is the memory that the process holds, where the system tells, and 0 elsewhere.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatalf("statm: %v", err)
	}
	return pages * int64(os.Getpagesize())
}
