package midden_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

// floats are the hard ones, and some of every sort.
func floats() []float64 {
	fs := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, math.Pi, math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(),
	}
	for _, bits := range []uint64{
		0x7ff0000000000001, 0x7ff8000000000000, 0x7fffffffffffffff, // NaNs
		0xfff0000000000001, 0xfff8000000000000, 0xffffffffffffffff, 0xfff100000000001f, 0xfff1000000000000,
		0x000fffffffffffff, 0x8000000000000001, 0x7fefffffffffffff, 0xffefffffffffffff, 1, 1 << 32, 1 << 48, 0xf << 48,
	} {
		fs = append(fs, math.Float64frombits(bits))
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		fs = append(fs, math.Float64frombits(r.Uint64()))
		fs = append(fs, math.Float64frombits(r.Uint64()|0x7ff<<52))
	}
	return fs
}

// kindOf checks that v is of one kind by all methods, and returns it.
func kindOf(t *testing.T, v midden.Value) midden.ValueKind {
	t.Helper()
	k := v.Kind()
	is := map[midden.ValueKind]bool{
		midden.NilKind: v.IsNil(), midden.RefKind: v.IsRef(), midden.IntKind: v.IsInt(), midden.BoolKind: v.IsBool(),
		midden.FloatKind: v.IsFloat(), midden.TagKind: false,
	}
	for tag := range uint8(255) {
		if v.IsTag(tag) {
			is[midden.TagKind] = true
		}
	}
	for kind, is := range is {
		if is != (kind == k) {
			t.Errorf("%v of kind %v: is it of kind %v? %v", v, k, kind, is)
		}
	}
	return k
}

func TestValueFloats(t *testing.T) {
	for i, f := range floats() {
		v := midden.FloatValue(f)
		if i < 1000 {
			if k := kindOf(t, v); k != midden.FloatKind {
				t.Fatalf("%x is of kind %v", math.Float64bits(f), k)
			}
		} else if !v.IsFloat() || v.Kind() != midden.FloatKind {
			t.Fatalf("%x is of kind %v", math.Float64bits(f), v.Kind())
		}
		got := v.Float()
		if math.IsNaN(f) {
			// All NaNs become math.NaN().
			if math.Float64bits(got) != math.Float64bits(math.NaN()) || v != midden.FloatValue(math.NaN()) {
				t.Fatalf("the NaN %x becomes %x", math.Float64bits(f), math.Float64bits(got))
			}
			continue
		}
		if math.Float64bits(got) != math.Float64bits(f) {
			t.Fatalf("%x becomes %x", math.Float64bits(f), math.Float64bits(got))
		}
		if n, ok := v.Number(); !ok || n != f {
			t.Fatalf("%v has Number %v, %v", f, n, ok)
		}
	}
}

func TestValueInts(t *testing.T) {
	ints := []int32{0, 1, -1, math.MaxInt32, math.MinInt32, 1 << 16, -1 << 16}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		ints = append(ints, int32(r.Uint32()))
	}
	for _, i := range ints {
		v := midden.IntValue(i)
		if kindOf(t, v) != midden.IntKind || v.Int() != i {
			t.Fatalf("%d becomes %v of kind %v", i, v, v.Kind())
		}
		if n, ok := v.Number(); !ok || n != float64(i) {
			t.Fatalf("%d has Number %v, %v", i, n, ok)
		}
	}
}

func TestValueOthers(t *testing.T) {
	var zero midden.Value
	if kindOf(t, zero) != midden.NilKind || zero != (midden.AnyRef{}).Value() || zero != midden.Nil[midden.String]().Value() {
		t.Error("the zero Value is not nil, or nil is another")
	}
	if !zero.Any().IsNil() {
		t.Error("the reference in nil is not nil")
	}
	for _, b := range []bool{false, true} {
		if v := midden.BoolValue(b); kindOf(t, v) != midden.BoolKind || v.Bool() != b {
			t.Errorf("%v becomes %v", b, v)
		}
	}
	for tag := range uint8(16) {
		for _, bits := range []uint32{0, 1, 0xdeadbeef, math.MaxUint32} {
			v := midden.TagValue(tag, bits)
			if kindOf(t, v) != midden.TagKind || v.Tag() != tag || v.Bits() != bits || !v.IsTag(tag) || v.IsTag(tag+1) || v.IsTag(tag+16) {
				t.Errorf("%d:%#x becomes %v", tag, bits, v)
			}
		}
	}
	for _, v := range []midden.Value{zero, midden.BoolValue(true), midden.TagValue(0, 0), midden.TagValue(15, 7)} {
		if n, ok := v.Number(); ok || n != 0 {
			t.Errorf("%v has Number %v", v, n)
		}
	}
}

// asBits is one more way to use a Value of TagKind.
const asBits midden.ValueKind = 255

// What accessors of the wrong kind say.
func TestValueMisuse(t *testing.T) {
	h, m := newHeap(t)
	defer h.Close()
	defer m.Close()
	values := map[midden.ValueKind]midden.Value{
		midden.NilKind: {}, midden.IntKind: midden.IntValue(3), midden.FloatKind: midden.FloatValue(3), midden.BoolKind: midden.BoolValue(true),
		midden.TagKind: midden.TagValue(3, 3), midden.RefKind: midden.NewString(m, "three").Value(),
	}
	for kind, v := range values {
		for wanted, use := range map[midden.ValueKind]func(){
			midden.IntKind:   func() { v.Int() },
			midden.FloatKind: func() { v.Float() },
			midden.BoolKind:  func() { v.Bool() },
			midden.TagKind:   func() { v.Tag() },
			asBits:           func() { v.Bits() },
			midden.RefKind:   func() { v.Any() },
		} {
			if wanted == asBits {
				wanted = midden.TagKind
			}
			message := fmt.Sprint(recovered(use))
			switch {
			case kind == wanted || kind == midden.NilKind && wanted == midden.RefKind:
				if message != "<nil>" {
					t.Errorf("%v used as what it is: %s", kind, message)
				}
			case !strings.Contains(message, fmt.Sprintf("midden: a Value of kind %v was used as one of kind %v", kind, wanted)):
				t.Errorf("%v used as %v: %s", kind, wanted, message)
			}
		}
		if _, ok := midden.As[midden.String](v); ok != (kind == midden.RefKind) {
			t.Errorf("As of %v: %v", kind, ok)
		}
	}
	if message := fmt.Sprint(recovered(func() { midden.TagValue(16, 0) })); !strings.Contains(message, "tag 16") {
		t.Error(message)
	}
}

func TestValueEqual(t *testing.T) {
	h, m := newHeap(t)
	defer h.Close()
	defer m.Close()
	a, b := midden.NewString(m, "a").Value(), midden.NewString(m, "a").Value()
	i, f, nan := midden.IntValue, midden.FloatValue, midden.FloatValue(math.NaN())
	for _, c := range []struct {
		v, u        midden.Value
		same, equal bool
	}{
		{i(1), i(1), true, true},
		{i(1), i(2), false, false},
		{i(1), f(1), false, true},
		{f(-7), i(-7), false, true},
		{i(1), f(1.5), false, false},
		{f(0), f(math.Copysign(0, -1)), false, true},
		{i(0), f(math.Copysign(0, -1)), false, true},
		{nan, nan, true, false},
		{nan, f(math.Float64frombits(0xffffffffffffffff)), true, false},
		{nan, i(0), false, false},
		{f(math.Inf(1)), f(math.Inf(1)), true, true},
		{midden.Value{}, midden.Value{}, true, true},
		{midden.Value{}, midden.BoolValue(false), false, false},
		{midden.Value{}, i(0), false, false},
		{midden.BoolValue(true), midden.BoolValue(true), true, true},
		{midden.BoolValue(true), i(1), false, false},
		{midden.TagValue(0, 1), i(1), false, false},
		{midden.TagValue(0, 1), midden.TagValue(1, 1), false, false},
		{midden.TagValue(5, 1), midden.TagValue(5, 1), true, true},
		{a, a, true, true},
		{a, b, false, false},
		{a, i(1), false, false},
	} {
		if (c.v == c.u) != c.same || c.v.Equal(c.u) != c.equal || c.u.Equal(c.v) != c.equal {
			t.Errorf("%v and %v: same %v, equal %v", c.v, c.u, c.v == c.u, c.v.Equal(c.u))
		}
	}
}

func TestValueStrings(t *testing.T) {
	h, m := newHeap(t)
	defer h.Close()
	defer m.Close()
	for want, v := range map[string]midden.Value{
		"nil": {}, "-3": midden.IntValue(-3), "0.5": midden.FloatValue(0.5), "NaN": midden.FloatValue(math.NaN()),
		"true": midden.BoolValue(true), "3:0x1f": midden.TagValue(3, 31), "midden.String": midden.NewString(m, "").Value(),
	} {
		if got := fmt.Sprint(v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	names := ""
	for k := range midden.FloatKind + 2 {
		names += fmt.Sprint(k, " ")
	}
	if names != "nil reference int bool tag float ValueKind(6) " {
		t.Error(names)
	}
}

// To compute with Values allocates nothing, on either heap.
func TestValuesAllocateNothing(t *testing.T) {
	h, m := newHeap(t)
	defer h.Close()
	defer m.Close()
	a := midden.NewArray[midden.ValueField](m, 100)
	before := h.Stats().Allocated
	n := testing.AllocsPerRun(100, func() {
		for i := range 100 {
			slot := a.Get().At(i)
			switch v := slot.Load(); {
			case v.IsNil():
				slot.Store(m, midden.IntValue(int32(i)))
			case v.IsInt():
				slot.Store(m, midden.FloatValue(float64(v.Int())+0.5))
			case v.IsFloat():
				slot.Store(m, midden.BoolValue(v.Float() > 10))
			case v.IsBool():
				slot.Store(m, midden.TagValue(3, 4))
			default:
				slot.Store(m, a.Value())
			}
		}
	})
	if n != 0 || h.Stats().Allocated != before {
		t.Errorf("%v allocations on Go's heap, %d bytes on ours", n, h.Stats().Allocated-before)
	}
}

func newHeap(t *testing.T) (*midden.Heap, *midden.Mutator) {
	t.Helper()
	h, err := midden.NewHeap(nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, h.NewMutator()
}

func recovered(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}
