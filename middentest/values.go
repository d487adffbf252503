package middentest

import (
	"fmt"
	"math"
	"testing"

	"github.com/midden-gc/midden"
)

var valueTests = []test{
	{"InObjects", 0, (*suite).valuesInObjects},
	{"AllPlaces", 0, (*suite).valuesAllPlaces},
	{"OnAStack", 0, (*suite).valuesOnAStack},
	{"Freed", frees, (*suite).valuesFreed},
	{"OldToYoung", 0, (*suite).oldValues},
	{"OldArrays", 0, (*suite).oldValueArrays},
	{"Refused", 0, (*suite).refusedValues},
	{"StoreOutside", 0, (*suite).storeValueOutside},
	{"Schemes", 0, (*suite).schemes},
	{"OldSchemes", 0, (*suite).oldSchemes},
	{"ManyStores", 0, (*suite).manyValueStores},
}

type values = midden.Array[midden.ValueField]

// A dynamic is a struct as a dynamic language has them: Values between other slots and numbers that
// look like references.
type dynamic struct {
	Before uint32
	Node   nodeField
	A      midden.ValueField
	Middle uint32
	Rest   [3]midden.ValueField
	Any    midden.AnyField
}

// number makes a Value that is no reference, of every kind; the numbers in it look like references.
func number(i int) midden.Value {
	switch i % 6 {
	case 0:
		return midden.IntValue(int32(i))
	case 1:
		return midden.FloatValue(float64(i) + 0.25)
	case 2:
		return midden.BoolValue(i%4 == 2)
	case 3:
		return midden.TagValue(uint8(i%16), uint32(i))
	case 4:
		return midden.FloatValue(math.Float64frombits(uint64(i)))
	}
	return midden.Value{}
}

// isNode fails the test unless v refers to the node with this ID.
func isNode(t *testing.T, what string, v midden.Value, id int64) {
	r, ok := midden.As[node](v)
	if !ok {
		t.Helper()
		t.Fatalf("%s: %v, want node %d", what, v, id)
	}
	checkNode(t, what, r, id)
}

// valuesInObjects checks Values of every kind, in structs and in arrays of all sizes: each is still
// what it was after collections.
func (s *suite) valuesInObjects(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{0, 1, 2, 15, 500, 1023, 1024, 1025, s.size(20_000)} {
		scope := m.Scope()
		array := midden.NewLocal(m, midden.NewArray[midden.ValueField](m, n))
		structs := midden.NewLocal(m, midden.NewArray[dynamic](m, n))
		single := midden.NewLocal(m, midden.Alloc(m, dynamic{
			Before: math.MaxUint32, Node: midden.FieldOf(newNode(m, 1)), A: midden.ValueFieldOf(newNode(m, 2).Value()),
			Rest: [3]midden.ValueField{midden.ValueFieldOf(midden.IntValue(3)), midden.ValueFieldOf(newNode(m, 4).Value())},
		}))
		for i := range n {
			if i%3 == 0 {
				array.Ptr().At(i).Store(m, newNode(m, int64(i)).Value())
			} else {
				array.Ptr().At(i).Store(m, number(i))
			}
			d := structs.Ptr().At(i)
			d.Before, d.Middle = 12345, 54321
			d.Node.Store(m, newNode(m, int64(i)))
			d.A.Store(m, number(i))
			d.Rest[i%3].Store(m, newNode(m, int64(-i)).Value())
			d.Rest[(i+1)%3].Store(m, midden.NewString(m, fmt.Sprint(i)).Value())
			d.Any.Store(m, array.Get().Any())
		}
		for _, k := range kinds {
			collect(t, m, k)
			litter(m, 100)
			checkNode(t, "Node", single.Ptr().Node.Load(), 1)
			isNode(t, "A", single.Ptr().A.Load(), 2)
			equal(t, "Rest[0]", single.Ptr().Rest[0].Load(), midden.IntValue(3))
			isNode(t, "Rest[1]", single.Ptr().Rest[1].Load(), 4)
			equal(t, "Rest[2]", single.Ptr().Rest[2].Load(), midden.Value{})
			equal(t, "Len", array.Ptr().Len(), n)
			for i := range n {
				if v := array.Ptr().At(i).Load(); i%3 == 0 {
					isNode(t, "element", v, int64(i))
				} else {
					equal(t, "element", v, number(i))
				}
				d := structs.Ptr().At(i)
				checkNode(t, "Node", d.Node.Load(), int64(i))
				equal(t, "A", d.A.Load(), number(i))
				isNode(t, "Rest", d.Rest[i%3].Load(), int64(-i))
				text, ok := midden.As[midden.String](d.Rest[(i+1)%3].Load())
				if !ok || text.Get().View() != fmt.Sprint(i) {
					t.Fatalf("text %d is lost", i)
				}
				equal(t, "Any", d.Any.Load(), array.Get().Any())
				equal(t, "numbers", [2]uint32{d.Before, d.Middle}, [2]uint32{12345, 54321})
			}
		}
		scope.Close()
	}
}

// valuesAllPlaces checks each slot of a struct with many Values by itself: what it refers to is kept
// by nothing else.
func (s *suite) valuesAllPlaces(t *testing.T) {
	_, m := s.alone(t)
	type object struct {
		_ uint16
		A [40]midden.ValueField
		_ [3]uint32
		B [40]midden.ValueField
	}
	scope := m.Scope()
	defer scope.Close()
	slot := func(o *object, i int) *midden.ValueField {
		if i < 40 {
			return &o.A[i]
		}
		return &o.B[i-40]
	}
	objects := midden.NewLocal(m, midden.NewArray[midden.Field[object]](m, 80))
	for i := range 80 {
		r := midden.New[object](m)
		objects.Ptr().At(i).Store(m, r)
		slot(r.Get(), i).Store(m, newNode(m, int64(i)).Value())
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for i := range 80 {
			o := objects.Ptr().At(i).Get()
			for j := range 80 {
				if v := slot(o, j).Load(); i == j {
					isNode(t, "slot", v, int64(i))
				} else {
					equal(t, "another slot", v, midden.Value{})
				}
			}
		}
	}
}

// A machineStack is the stack of a virtual machine.
type machineStack struct {
	values []midden.Value
	top    int
	acc    midden.Value
}

func (s *machineStack) Trace(v *midden.Visitor) {
	v.Values(s.values[:s.top])
	v.Value(&s.acc)
}

// valuesOnAStack checks Values in Go's memory, roots of a mutator and of the heap.
func (s *suite) valuesOnAStack(t *testing.T) {
	h, m := s.alone(t)
	own, shared := &machineStack{values: make([]midden.Value, 100)}, &machineStack{values: make([]midden.Value, 100)}
	defer m.AddRoots(own)()
	defer h.AddRoots(shared)()
	for round := range s.size(200) {
		for _, stack := range []*machineStack{own, shared} {
			stack.top = round % 100
			for i := range stack.top {
				if stack.values[i] = number(i); i%2 == 0 {
					stack.values[i] = newList(m, i).Value()
				}
			}
			stack.acc = newNode(m, int64(round)).Value()
		}
		collect(t, m, kinds[round%3])
		litter(m, 100)
		for _, stack := range []*machineStack{own, shared} {
			for i := range stack.top {
				if i%2 == 1 {
					equal(t, "a number", stack.values[i], number(i))
					continue
				}
				r, _ := midden.As[node](stack.values[i])
				checkList(t, "a list", r, i)
			}
			isNode(t, "the accumulator", stack.acc, int64(round))
		}
		// To slots and back.
		array := midden.NewArray[midden.ValueField](m, own.top+1)
		equal(t, "StoreValues", midden.StoreValues(m, array.Get().Slice(), own.values[:own.top]), own.top)
		equal(t, "LoadValues", midden.LoadValues(shared.values[:own.top], array.Get().Slice()), own.top)
		for i := range own.top {
			equal(t, "what was stored and loaded", shared.values[i], own.values[i])
		}
	}
}

// valuesFreed checks that numbers keep nothing, though they look like references.
func (s *suite) valuesFreed(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	array := midden.NewLocal(m, midden.NewArray[midden.ValueField](m, 1000))
	for i := range 1000 {
		array.Ptr().At(i).Store(m, midden.NewArray[byte](m, 4000).Value())
	}
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live < 4_000_000 {
		t.Fatalf("%d bytes live", live)
	}
	for i := range 1000 {
		// The bits that were the reference stay.
		v := array.Ptr().At(i).Load()
		array.Ptr().At(i).Store(m, midden.TagValue(uint8(i%16), uint32(v.Any().IdentityHash(m))))
	}
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live > 100_000 {
		t.Fatalf("%d bytes live, of 8000 that can be reached", live)
	}
}

// valueStores is every way to write a Value to a slot of an existing object.
var valueStores = map[string]func(m *midden.Mutator, d *dynamic, v midden.Value){
	"Store":          func(m *midden.Mutator, d *dynamic, v midden.Value) { d.A.Store(m, v) },
	"StoreAtomic":    func(m *midden.Mutator, d *dynamic, v midden.Value) { d.A.StoreAtomic(m, v) },
	"CompareAndSwap": func(m *midden.Mutator, d *dynamic, v midden.Value) { d.A.CompareAndSwap(m, d.A.LoadAtomic(), v) },
	"Assign": func(m *midden.Mutator, d *dynamic, v midden.Value) {
		midden.Assign(m, d, dynamic{A: midden.ValueFieldOf(v)})
	},
	"Assign to the slot": func(m *midden.Mutator, d *dynamic, v midden.Value) {
		midden.Assign(m, &d.A, midden.ValueFieldOf(v))
	},
	"Copy": func(m *midden.Mutator, d *dynamic, v midden.Value) {
		rows := midden.NewArray[[2]midden.ValueField](m, 1)
		midden.StoreValues(m, rows.Get().At(0)[1:], []midden.Value{v})
		midden.Copy(m, d.Rest[:], rows.Get().At(0)[:])
		d.A.Store(m, midden.Value{})
		midden.Assign(m, &d.A, d.Rest[1])
	},
	"StoreValues": func(m *midden.Mutator, d *dynamic, v midden.Value) {
		midden.StoreValues(m, d.Rest[:], []midden.Value{midden.IntValue(1), v, v})
		midden.Assign(m, &d.A, d.Rest[1])
	},
}

// oldValues checks, for every way to store, that an object to which only a Value in an old one refers
// outlives minor collections.
func (s *suite) oldValues(t *testing.T) {
	_, m := s.alone(t)
	for what, store := range valueStores {
		scope := m.Scope()
		old := midden.NewLocal(m, midden.New[dynamic](m))
		age(t, m)
		for id := range int64(20) {
			litter(m, 30)
			store(m, old.Ptr(), midden.Alloc(m, node{ID: id, Next: midden.FieldOf(newList(m, 3))}).Value())
			if id%4 == 3 {
				// What is remembered is a number by the time of the collection, and then not.
				v := old.Ptr().A.Load()
				old.Ptr().A.Store(m, midden.FloatValue(1))
				old.Ptr().A.Store(m, v)
			}
			litter(m, 100)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			isNode(t, what, old.Ptr().A.Load(), id)
			r, _ := midden.As[node](old.Ptr().A.Load())
			checkList(t, what, r.Get().Next.Load(), 3)
			if id%5 == 4 {
				age(t, m)
			}
			if id%7 == 6 {
				store(m, old.Ptr(), midden.FloatValue(math.Pi))
				collect(t, m, midden.KindMinor)
				equal(t, what, old.Ptr().A.Load(), midden.FloatValue(math.Pi))
			}
		}
		scope.Close()
	}
}

// oldValueArrays does the same for slots of arrays, small and large ones.
func (s *suite) oldValueArrays(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{1, 40, 1000, 30000} {
		scope := m.Scope()
		slots := midden.NewLocal(m, midden.NewArray[midden.ValueField](m, n))
		structs := midden.NewLocal(m, midden.NewArray[dynamic](m, n))
		age(t, m)
		for _, i := range []int{0, n / 3, n / 2, n - 1} {
			slots.Ptr().At(i).Store(m, newNode(m, 1).Value())
			litter(m, 30)
			structs.Ptr().At(i).Rest[2].Store(m, newNode(m, 2).Value())
			litter(m, 30)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			isNode(t, "Value of an old array", slots.Ptr().At(i).Load(), 1)
			isNode(t, "Value of a struct of an old array", structs.Ptr().At(i).Rest[2].Load(), 2)
		}
		young := midden.NewArray[midden.ValueField](m, n).Get().Slice()
		for i := range young {
			if young[i].Store(m, number(i)); i%2 == 0 {
				young[i].Store(m, newNode(m, int64(i)).Value())
			}
		}
		midden.Copy(m, slots.Ptr().Slice(), young)
		collect(t, m, midden.KindMinor)
		litter(m, 1000)
		for i := range n {
			if v := slots.Ptr().At(i).Load(); i%2 == 0 {
				isNode(t, "copied Value of an old array", v, int64(i))
			} else {
				equal(t, "copied Value of an old array", v, number(i))
			}
		}
		scope.Close()
	}
}

// manyValueStores fills remembered sets with slots of all kinds, over and over.
func (s *suite) manyValueStores(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	const n = 500
	old := midden.NewLocal(m, midden.NewArray[mixture](m, n))
	age(t, m)
	for round := range s.size(40) {
		for i := range 4 * n {
			x := old.Ptr().At(i * 7 % n)
			id := int64(round*n + i*7%n)
			x.Node.Store(m, newNode(m, id))
			x.Value.Store(m, newNode(m, id+1).Value())
			x.Word.Store(m, oddWord(newNode(m, id+2).Any()))
		}
		collect(t, m, midden.KindMinor)
		litter(m, 5000)
		for i := range n {
			x := old.Ptr().At(i)
			id := int64(round*n + i)
			checkNode(t, "Node", x.Node.Load(), id)
			isNode(t, "Value", x.Value.Load(), id+1)
			r, _ := midden.Cast[node](midden.RefIn[odd](x.Word.Load()))
			checkNode(t, "Word", r, id+2)
		}
	}
}

type (
	hasValue  struct{ At midden.Value }
	hasValues struct {
		Rows [2]struct{ Cell [3]midden.Value }
	}
	ownValue  midden.Value
	hasOwn    struct{ At ownValue }
	hasBig    struct{ At midden.TaggedField[bigScheme] }
	hasLocals struct{ At midden.AnyLocal }

	// ownValueField has lost its methods, and is a slot all the same.
	ownValueField midden.ValueField
	hasOwnField   struct{ At [2]ownValueField }
)

// bigScheme is no Scheme: it has a size.
type bigScheme struct{ _ int }

func (bigScheme) Ref(uint64) uint32             { return 0 }
func (bigScheme) WithRef(uint64, uint32) uint64 { return 0 }

func (s *suite) refusedValues(t *testing.T) {
	_, m := s.alone(t)
	const hides = "would hide a reference from the collector: use a ValueField"
	refuses[hasValue](t, m, "hasValue", "field At is a midden.Value", hides)
	refuses[hasValues](t, m, "Rows", "Cell", "midden.Value", hides)
	refuses[midden.Value](t, m, "midden.Value", hides)
	refuses[hasOwn](t, m, "field At", hides)
	refuses[hasBig](t, m, "field At", "TaggedField", "Scheme must be a type without size")
	refuses[hasLocals](t, m, "field At", "AnyLocal", "is a root")

	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, midden.New[hasOwnField](m))
	(*midden.ValueField)(&l.Ptr().At[1]).Store(m, newNode(m, 7).Value())
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		isNode(t, "a slot of a defined type", (*midden.ValueField)(&l.Ptr().At[1]).Load(), 7)
	}
}

// storeValueOutside checks that slots in Go's memory are refused, for numbers too.
func (s *suite) storeValueOutside(t *testing.T) {
	_, m := s.alone(t)
	var f midden.ValueField
	var w midden.TaggedField[odd]
	for _, v := range []midden.Value{{}, midden.IntValue(1), midden.FloatValue(1), newNode(m, 1).Value()} {
		panics(t, "Store", func() { f.Store(m, v) }, "midden: ", "ValueFieldOf")
		panics(t, "StoreAtomic", func() { f.StoreAtomic(m, v) }, "midden: ", "ValueFieldOf")
		panics(t, "CompareAndSwap", func() { f.CompareAndSwap(m, f.Load(), v) }, "midden: ", "ValueFieldOf")
	}
	for _, word := range []uint64{0, 6, oddWord(newNode(m, 1).Any())} {
		panics(t, "Store", func() { w.Store(m, word) }, "midden: ", "TaggedFieldOf")
		panics(t, "StoreAtomic", func() { w.StoreAtomic(m, word) }, "midden: ", "TaggedFieldOf")
		panics(t, "CompareAndSwap", func() { w.CompareAndSwap(m, w.Load(), word) }, "midden: ", "TaggedFieldOf")
	}
}

// odd is the scheme of a runtime whose even words are numbers. In an odd word the reference is from
// bit 20 on, between other things.
type odd struct{}

func (odd) Ref(word uint64) uint32 {
	if word&1 == 0 {
		return 0
	}
	return uint32(word >> 20)
}

func (odd) WithRef(word uint64, ref uint32) uint64 {
	return word&^(math.MaxUint32<<20) | uint64(ref)<<20
}

// oddExtra is what an odd word has beside the reference.
const oddExtra = 0xabc<<52 | 0x1230f

func oddWord(a midden.AnyRef) uint64 { return midden.WordWith[odd](oddExtra, a) }

// A mixture has slots of every kind.
type mixture struct {
	N     int64
	Node  nodeField
	Value midden.ValueField
	Word  midden.TaggedField[odd]
}

// schemes checks words of a scheme of the program's own: in objects and as roots.
func (s *suite) schemes(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	var stack []uint64
	defer h.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { midden.VisitWords[odd](v, stack) }))()
	const n = 3000
	array := midden.NewLocal(m, midden.NewArray[midden.TaggedField[odd]](m, n))
	structs := midden.NewLocal(m, midden.NewArray[mixture](m, n))
	single := midden.NewLocal(m, midden.Alloc(m, mixture{Word: midden.TaggedFieldOf[odd](oddWord(newNode(m, 5).Any()))}))
	for i := range n {
		word := uint64(i)<<30 | 6
		if i%2 == 0 {
			word = oddWord(newNode(m, int64(i)).Any())
		}
		array.Ptr().At(i).Store(m, word)
		stack = append(stack, word)
		x := structs.Ptr().At(i)
		x.Node.Store(m, newNode(m, 1))
		x.Value.Store(m, newNode(m, 2).Value())
		x.Word.Store(m, oddWord(newNode(m, int64(-i)).Any()))
	}
	is := func(what string, word uint64, id int64) {
		t.Helper()
		if word&^(math.MaxUint32<<20) != oddExtra {
			t.Fatalf("%s: the word is %#x: more than the reference has changed", what, word)
		}
		r, _ := midden.Cast[node](midden.RefIn[odd](word))
		checkNode(t, what, r, id)
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		is("single", single.Ptr().Word.Load(), 5)
		for i := range n {
			for what, word := range map[string]uint64{"array": array.Ptr().At(i).LoadAtomic(), "stack": stack[i]} {
				if i%2 == 0 {
					is(what, word, int64(i))
				} else {
					equal(t, what, word, uint64(i)<<30|6)
				}
			}
			x := structs.Ptr().At(i)
			checkNode(t, "Node", x.Node.Load(), 1)
			isNode(t, "Value", x.Value.Load(), 2)
			is("struct", x.Word.Load(), int64(-i))
		}
	}
	if a := midden.RefIn[odd](6); !a.IsNil() {
		t.Error("a number has a reference in it")
	}
	panics(t, "WordWith of nil", func() { midden.WordWith[odd](1, midden.AnyRef{}) }, "midden: ", "nil")
	panics(t, "WordWith that makes a number", func() { midden.WordWith[odd](2, newNode(m, 1).Any()) }, "midden: ", "Ref does not find")
}

// oldSchemes checks the barrier for such words.
func (s *suite) oldSchemes(t *testing.T) {
	_, m := s.alone(t)
	for what, store := range map[string]func(x *mixture, word uint64){
		"Store":          func(x *mixture, word uint64) { x.Word.Store(m, word) },
		"StoreAtomic":    func(x *mixture, word uint64) { x.Word.StoreAtomic(m, word) },
		"CompareAndSwap": func(x *mixture, word uint64) { x.Word.CompareAndSwap(m, x.Word.LoadAtomic(), word) },
		"Assign":         func(x *mixture, word uint64) { midden.Assign(m, x, mixture{Word: midden.TaggedFieldOf[odd](word)}) },
		"Copy": func(x *mixture, word uint64) {
			young := midden.NewArray[midden.TaggedField[odd]](m, 1)
			young.Get().At(0).Store(m, word)
			midden.Assign(m, &x.Word, young.Get().Slice()[0])
		},
	} {
		scope := m.Scope()
		old := midden.NewLocal(m, midden.New[mixture](m))
		age(t, m)
		for id := range int64(10) {
			litter(m, 30)
			store(old.Ptr(), oddWord(newNode(m, id).Any()))
			litter(m, 30)
			collect(t, m, midden.KindMinor)
			litter(m, 1000)
			r, _ := midden.Cast[node](midden.RefIn[odd](old.Ptr().Word.Load()))
			checkNode(t, what, r, id)
			if id%5 == 4 {
				age(t, m)
			}
		}
		scope.Close()
	}
}
