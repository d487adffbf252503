package immix_test

import (
	"fmt"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
)

// A node has slots of every kind that one object can have.
type node struct {
	ID    int64
	Next  midden.Field[node]
	Any   midden.AnyField
	Pair  [2]midden.Field[node]
	Inner struct{ Deep midden.Field[node] }
	_     [120]byte // so that neighbours do not share lines
}

type (
	nodeRef = midden.Ref[node]
	cells   = midden.Array[midden.Field[node]]
	anys    = midden.Array[midden.AnyField]
	nodes   = midden.Array[node]
)

var checked = midden.Stress{Verify: true, Poison: true}

// open makes a heap and a mutator, which are closed when the test ends.
func open(t testing.TB, o midden.Options) (*midden.Heap, *midden.Mutator) {
	t.Helper()
	if o.Collector == nil {
		o.Collector = immix.New(nil)
	}
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatal(err)
	}
	m := h.NewMutator()
	t.Cleanup(func() {
		m.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if s := h.Stats(); s.Committed != 0 || s.Used != 0 {
			t.Errorf("a closed heap has %d bytes committed and %d used", s.Committed, s.Used)
		}
	})
	return h, m
}

func collect(t testing.TB, m *midden.Mutator, k midden.Kind) {
	t.Helper()
	if err := m.Collect(k); err != nil {
		t.Fatalf("Collect(%v): %v", k, err)
	}
}

// litter allocates what nobody keeps, so that memory which was freed by mistake
// is overwritten.
func litter(m *midden.Mutator) {
	for range 300 {
		midden.Alloc(m, node{ID: -1})
	}
	midden.NewArray[byte](m, 20_000)
}

func newNode(m *midden.Mutator, id int64) nodeRef { return midden.Alloc(m, node{ID: id}) }

// newList makes a list of n nodes, of which the first is called id, and spreads
// them over several lines.
func newList(m *midden.Mutator, id int64, n int) nodeRef {
	var head nodeRef
	for i := n - 1; i >= 0; i-- {
		head = midden.Alloc(m, node{ID: id + int64(i), Next: midden.FieldOf(head)})
		midden.NewArray[byte](m, 100)
	}
	return head
}

func checkList(t testing.TB, what string, r nodeRef, id int64, n int) {
	t.Helper()
	for i := range n {
		if r.IsNil() {
			t.Fatalf("%s: nil in place of node %d", what, id+int64(i))
		}
		if got := r.Get().ID; got != id+int64(i) {
			t.Fatalf("%s: node %d in place of node %d", what, got, id+int64(i))
		}
		r = r.Get().Next.Load()
	}
}

func cast(t testing.TB, a midden.AnyRef) nodeRef {
	t.Helper()
	r, ok := midden.Cast[node](a)
	if !ok {
		t.Fatalf("a %s in place of a node", a.TypeName())
	}
	return r
}

// failure returns what f panicked with.
func failure(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

// An edge is a slot of an old object, and a way to write to it.
type edge struct {
	name string
	// make makes the object, which the caller keeps.
	make func(m *midden.Mutator) midden.AnyRef
	set  func(m *midden.Mutator, of midden.AnyRef, r nodeRef)
	get  func(t testing.TB, of midden.AnyRef) nodeRef
}

func the[T any](a midden.AnyRef) *T {
	r, ok := midden.Cast[T](a)
	if !ok {
		panic("the object is a " + a.TypeName())
	}
	return r.Get()
}

// edges are all ways to make an old object refer to a new one.
var edges = func() (list []edge) {
	fields := []struct {
		name string
		of   func(n *node) *midden.Field[node]
	}{
		{"Next", func(n *node) *midden.Field[node] { return &n.Next }},
		{"Pair[1]", func(n *node) *midden.Field[node] { return &n.Pair[1] }},
		{"Inner.Deep", func(n *node) *midden.Field[node] { return &n.Inner.Deep }},
	}
	writes := []struct {
		name string
		set  func(m *midden.Mutator, f *midden.Field[node], r nodeRef)
	}{
		{"Store", func(m *midden.Mutator, f *midden.Field[node], r nodeRef) { f.Store(m, r) }},
		{"StoreAtomic", func(m *midden.Mutator, f *midden.Field[node], r nodeRef) { f.StoreAtomic(m, r) }},
		{"CompareAndSwap", func(m *midden.Mutator, f *midden.Field[node], r nodeRef) { f.CompareAndSwap(m, f.Load(), r) }},
		{"Assign", func(m *midden.Mutator, f *midden.Field[node], r nodeRef) {
			midden.Assign(m, f, midden.FieldOf(r))
		}},
	}
	anyWrites := []struct {
		name string
		set  func(m *midden.Mutator, f *midden.AnyField, r nodeRef)
	}{
		{"Store", func(m *midden.Mutator, f *midden.AnyField, r nodeRef) { f.Store(m, r.Any()) }},
		{"StoreAtomic", func(m *midden.Mutator, f *midden.AnyField, r nodeRef) { f.StoreAtomic(m, r.Any()) }},
		{"CompareAndSwap", func(m *midden.Mutator, f *midden.AnyField, r nodeRef) { f.CompareAndSwap(m, f.Load(), r.Any()) }},
		{"Assign", func(m *midden.Mutator, f *midden.AnyField, r nodeRef) {
			midden.Assign(m, f, midden.AnyFieldOf(r.Any()))
		}},
	}
	add := func(name string, make func(*midden.Mutator) midden.AnyRef, field func(midden.AnyRef) *midden.Field[node]) {
		for _, w := range writes {
			list = append(list, edge{name + " " + w.name, make,
				func(m *midden.Mutator, of midden.AnyRef, r nodeRef) { w.set(m, field(of), r) },
				func(_ testing.TB, of midden.AnyRef) nodeRef { return field(of).Load() },
			})
		}
	}
	addAny := func(name string, make func(*midden.Mutator) midden.AnyRef, field func(midden.AnyRef) *midden.AnyField) {
		for _, w := range anyWrites {
			list = append(list, edge{name + " " + w.name, make,
				func(m *midden.Mutator, of midden.AnyRef, r nodeRef) { w.set(m, field(of), r) },
				func(t testing.TB, of midden.AnyRef) nodeRef { return cast(t, field(of).Load()) },
			})
		}
	}
	makeNode := func(m *midden.Mutator) midden.AnyRef { return newNode(m, 0).Any() }
	for _, f := range fields {
		add(f.name, makeNode, func(a midden.AnyRef) *midden.Field[node] { return f.of(the[node](a)) })
	}
	addAny("Any", makeNode, func(a midden.AnyRef) *midden.AnyField { return &the[node](a).Any })
	// In blocks and in pages of their own; the first, the last, and one between.
	for _, n := range []int{1, 50, 3000, 20_000} {
		makeCells := func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[midden.Field[node]](m, n).Any() }
		makeAnys := func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[midden.AnyField](m, n).Any() }
		makeNodes := func(m *midden.Mutator) midden.AnyRef { return midden.NewArray[node](m, n/10+1).Any() }
		for _, i := range []int{0, n / 2, n - 1} {
			name := fmt.Sprintf("[%d] of %d", i, n)
			add("cell "+name, makeCells, func(a midden.AnyRef) *midden.Field[node] { return the[cells](a).At(i) })
			addAny("any "+name, makeAnys, func(a midden.AnyRef) *midden.AnyField { return the[anys](a).At(i) })
			add("struct "+name, makeNodes, func(a midden.AnyRef) *midden.Field[node] { return &the[nodes](a).At(i / 10).Pair[0] })
			list = append(list,
				edge{"Copy to cell " + name, makeCells,
					func(m *midden.Mutator, of midden.AnyRef, r nodeRef) {
						k := min(i, 2) // the last of several
						from := midden.NewArray[midden.Field[node]](m, k+1)
						from.Get().At(k).Store(m, r)
						midden.Copy(m, the[cells](of).Slice()[i-k:], from.Get().Slice())
					},
					func(_ testing.TB, of midden.AnyRef) nodeRef { return the[cells](of).At(i).Load() }},
				edge{"Assign of a struct " + name, makeNodes,
					func(m *midden.Mutator, of midden.AnyRef, r nodeRef) {
						midden.Assign(m, the[nodes](of).At(i/10), node{ID: 7, Next: midden.FieldOf(r), Any: midden.AnyFieldOf(r.Any())})
					},
					func(_ testing.TB, of midden.AnyRef) nodeRef { return the[nodes](of).At(i / 10).Next.Load() }},
			)
		}
	}
	return list
}()
