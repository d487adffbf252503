package midden_test

import (
	"errors"
	"fmt"
	"math"

	"github.com/midden-gc/midden"
)

// The inner loop of an interpreter: what is computed with are Values, on a stack
// of its own, which a Tracer shows to collections.
func ExampleValue() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	vm := &adder{}
	defer m.AddRoots(vm)()
	vm.push(midden.IntValue(20))
	vm.push(midden.FloatValue(0.5))
	vm.push(midden.IntValue(1))
	vm.add()
	vm.add()
	m.Safepoint()
	fmt.Println(vm.stack)
	vm.push(midden.NewString(m, "one").Value())
	fmt.Println(vm.add())
	// Output:
	// [21.5]
	// cannot add midden.String to 21.5
}

type adder struct{ stack []midden.Value }

func (vm *adder) Trace(v *midden.Visitor) { v.Values(vm.stack) }

func (vm *adder) push(v midden.Value) { vm.stack = append(vm.stack, v) }

func (vm *adder) add() error {
	n := len(vm.stack)
	a, b := vm.stack[n-2], vm.stack[n-1]
	vm.stack = vm.stack[:n-1]
	if a.IsInt() && b.IsInt() {
		if sum := int64(a.Int()) + int64(b.Int()); sum == int64(int32(sum)) {
			vm.stack[n-2] = midden.IntValue(int32(sum))
			return nil
		}
	}
	x, ok := a.Number()
	y, also := b.Number()
	if !ok || !also {
		return fmt.Errorf("cannot add %v to %v", b, a)
	}
	vm.stack[n-2] = midden.FloatValue(x + y)
	return nil
}

// Kind is for a switch over everything that a Value can be.
func ExampleValue_Kind() {
	truth := func(v midden.Value) bool { // as Lua has it
		switch v.Kind() {
		case midden.NilKind:
			return false
		case midden.BoolKind:
			return v.Bool()
		}
		return true
	}
	fmt.Println(truth(midden.Value{}), truth(midden.BoolValue(false)), truth(midden.IntValue(0)))
	// Output: false false true
}

// Values are compared bit by bit with ==, and as numbers by Equal.
func ExampleValue_Equal() {
	one, nan, zero := midden.IntValue(1), midden.FloatValue(math.NaN()), midden.FloatValue(0)
	fmt.Println(one == midden.FloatValue(1), one.Equal(midden.FloatValue(1)))
	fmt.Println(nan == midden.FloatValue(zero.Float()/zero.Float()), nan.Equal(nan))
	// Output:
	// false true
	// true false
}

// Tags are for small things of the language's own, such as symbols.
func ExampleTagValue() {
	const symbol = 0
	names := []string{"quote", "lambda"}
	v := midden.TagValue(symbol, 1)
	fmt.Println(v.IsTag(symbol), names[v.Bits()])
	// Output: true lambda
}

// As asks for one type. Nil is none.
func ExampleAs() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for _, v := range []midden.Value{midden.NewString(m, "text").Value(), midden.IntValue(3), {}} {
		s, ok := midden.As[midden.String](v)
		fmt.Println(v, ok, !s.IsNil())
	}
	// Output:
	// midden.String true true
	// 3 false false
	// nil false false
}

// A ValueField is a slot of an object, or of an array.
func ExampleValueField() {
	type pair struct{ first, rest midden.ValueField }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	list := midden.Value{}
	for i := range int32(3) {
		list = midden.Alloc(m, pair{midden.ValueFieldOf(midden.IntValue(i)), midden.ValueFieldOf(list)}).Value()
	}
	pairs := midden.TypeFor[pair]()
	p, _ := pairs.As(list)
	p.Get().first.Store(m, midden.FloatValue(2.5))
	for p, ok := pairs.As(list); ok; p, ok = pairs.As(p.Get().rest.Load()) {
		fmt.Print(p.Get().first.Load(), " ")
	}
	// Output: 2.5 1 0
}

// A closure takes a part of the stack with it.
func ExampleStoreValues() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	stack := []midden.Value{midden.IntValue(1), midden.BoolValue(true), midden.FloatValue(0.5)}
	closure := midden.NewArray[midden.ValueField](m, 2)
	fmt.Println(midden.StoreValues(m, closure.Get().Slice(), stack[1:]))
	clear(stack)
	fmt.Println(midden.LoadValues(stack, closure.Get().Slice()), stack)
	// Output:
	// 2
	// 2 [true 0.5 nil]
}

// A runtime with tags of its own: even words are numbers, odd ones references.
type evenOdd struct{}

func (evenOdd) Ref(word uint64) uint32 { return uint32(word>>1) * uint32(word&1) }

func (evenOdd) WithRef(_ uint64, ref uint32) uint64 { return uint64(ref)<<1 | 1 }

func ExampleTaggedField() {
	type cell struct{ word midden.TaggedField[evenOdd] }
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	c := midden.Alloc(m, cell{midden.TaggedFieldOf[evenOdd](2 * 21)})
	fmt.Println(c.Get().word.Load()/2, midden.RefIn[evenOdd](c.Get().word.Load()).IsNil())
	c.Get().word.Store(m, midden.WordWith[evenOdd](0, midden.NewString(m, "text").Any()))
	c = midden.Safepoint(m, c)
	fmt.Println(midden.RefIn[evenOdd](c.Get().word.Load()).TypeName())
	// Output:
	// 21 true
	// midden.String
}

// Words of a scheme on a stack are shown as they are.
func ExampleVisitWords() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	var stack []uint64
	defer m.AddRoots(midden.TracerFunc(func(v *midden.Visitor) { midden.VisitWords[evenOdd](v, stack) }))()
	stack = append(stack, 42, midden.WordWith[evenOdd](0, midden.NewString(m, "text").Any()))
	fmt.Println(m.Collect(midden.KindFull), stack[0], midden.RefIn[evenOdd](stack[1]).TypeName())
	// Output: <nil> 42 midden.String
}

// The types of a program, resolved once.
var (
	stringID = midden.TypeIDFor[midden.String]()
	tableID  = midden.TypeIDFor[midden.Array[midden.ValueField]]()
)

// A switch over types compares ids.
func ExampleTypeID() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	for _, v := range []midden.Value{
		midden.NewString(m, "text").Value(), midden.NewArray[midden.ValueField](m, 7).Value(), midden.IntValue(1),
	} {
		switch v.TypeID() {
		case 0:
			fmt.Println("no object:", v)
		case stringID:
			s, _ := midden.As[midden.String](v)
			fmt.Println("a string:", s.Get().View())
		case tableID:
			a, _ := midden.As[midden.Array[midden.ValueField]](v)
			fmt.Println("a table of", a.Get().Len())
		}
	}
	// Output:
	// a string: text
	// a table of 7
	// no object: 1
}

// What has a type at run time only is rooted like anything else.
func ExampleAnyLocal() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()
	scope := m.Scope()
	defer scope.Close()

	l := midden.NewAnyLocal(m, midden.NewString(m, "text").Any())
	handle := midden.NewAnyHandle(m, l.Get())
	defer handle.Release()
	m.Safepoint()
	fmt.Println(l.Get() == handle.Get(m), l.Get().TypeName())
	// Output: true midden.String
}

// A language freezes objects with a bit of the header.
func ExampleAnyRef_SetUserBits() {
	const frozen = 1 << 0
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	a := midden.New[[4]midden.ValueField](m).Any()
	a.SetUserBits(a.UserBits() | frozen)
	fmt.Println(a.UserBits()&frozen != 0)
	// Output: true
}

// The hash of an object stays, also when the object moves.
func ExampleAnyRef_IdentityHash() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	r := midden.NewString(m, "text")
	before := r.Any().IdentityHash(m)
	r = midden.Safepoint(m, r)
	fmt.Println(r.Any().IdentityHash(m) == before)
	// Output: true
}

// A hidden class: what an object of a script has is known when the script runs.
func ExampleHeap_NewShape() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	point, err := h.NewShape(midden.ShapeSpec{
		Name:   "Point",
		Size:   32,
		Refs:   []int{0},     // the next point
		Values: []int{8, 16}, // x, y
	})
	if err != nil {
		panic(err)
	}
	a := point.New(m)
	p := point.Record(a)
	p.Value(0).Store(m, midden.IntValue(3))
	p.Value(1).Store(m, midden.FloatValue(0.5))
	p.Ref(0).Store(m, a)
	*midden.Data[uint64](p, 24) = 1 << 40 // neither a reference nor a Value

	fmt.Println(a.TypeName(), a.Shape() == point, p.Value(0).Load(), p.Value(1).Load())

	_, err = h.NewShape(midden.ShapeSpec{Name: "Bad", Size: 8, Values: []int{4}})
	var bad *midden.ShapeError
	fmt.Println(errors.As(err, &bad), err)
	// Output:
	// Point true 3 0.5
	// true midden: shape "Bad": Values[0] is at 4, outside the 8 bytes
}

// Arrays of a shape, as those of a Wasm module, are each of a type of their own.
func ExampleShape_NewArray() {
	h := must(midden.NewHeap(nil))
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	i16 := must(h.NewShape(midden.ShapeSpec{Name: "(array i16)", Size: 2, Array: true}))
	a := i16.NewArray(m, 3)
	copy(midden.Elements[int16](i16, a), []int16{1, -2, 3})
	fmt.Println(a.TypeName(), i16.Len(a), *midden.Data[int16](i16.At(a, 1), 0))

	entry := must(h.NewShape(midden.ShapeSpec{Name: "entry", Size: 16, Refs: []int{0}, Values: []int{8}, Array: true}))
	entries := entry.NewArray(m, 10)
	entry.At(entries, 9).Ref(0).Store(m, a)
	fmt.Println(entry.At(entries, 9).Ref(0).Load() == a)
	// Output:
	// (array i16) 3 -2
	// true
}
