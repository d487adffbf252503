package middentest

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var objectTests = []test{
	{"EverySize", 0, (*suite).everySize},
	{"EveryLength", 0, (*suite).everyLength},
	{"Reused", 0, (*suite).reused},
	{"SizeOf", 0, (*suite).sizesOf},
	{"Allocators", 0, (*suite).allocators},
	{"Alignment", 0, (*suite).alignment},
	{"Numbers", 0, (*suite).numbers},
	{"ZeroSize", 0, (*suite).zeroSize},
	{"Equality", 0, (*suite).equality},
	{"Nil", 0, (*suite).nils},
	{"Any", 0, (*suite).anyRefs},
}

// allocators checks that every function that allocates an object does the same.
func (s *suite) allocators(t *testing.T) {
	_, m := s.alone(t)
	resolved := midden.TypeFor[node]()
	tried, err := midden.TryNew[node](m)
	if err != nil {
		t.Fatalf("TryNew: %v", err)
	}
	for what, r := range map[string]nodeRef{
		"New": midden.New[node](m), "TryNew": tried, "Type.New": resolved.New(m),
		"Alloc of nothing": midden.Alloc(m, node{}),
	} {
		if r.Get().ID != 0 || !r.Get().Next.Load().IsNil() || !r.Get().Other.Load().IsNil() {
			t.Errorf("%s: not zeroed", what)
		}
	}
	a, b := newNode(m, 1), newNode(m, 2)
	v := node{ID: 3, Next: midden.FieldOf(a), Other: midden.FieldOf(b)}
	for what, r := range map[string]nodeRef{"Alloc": midden.Alloc(m, v), "Type.Alloc": resolved.Alloc(m, v)} {
		checkNode(t, what, r, 3)
		checkNode(t, what+": Next", r.Get().Next.Load(), 1)
		checkNode(t, what+": Other", r.Get().Other.Load(), 2)
		equal(t, what+": Other.Get", r.Get().Other.Get().ID, 2)
	}
}

// alignment checks that objects lie where Go would put them, whatever odd sizes lie between.
func (s *suite) alignment(t *testing.T) {
	_, m := s.alone(t)
	aligned := func(what string, p any) {
		t.Helper()
		if at := reflect.ValueOf(p).Pointer(); at%8 != 0 {
			t.Errorf("%s lies at %#x", what, at)
		}
	}
	for n := range 40 {
		midden.NewArray[byte](m, n)
		midden.New[[3]byte](m)
		aligned("int64", midden.New[int64](m).Get())
		aligned("complex128", midden.New[complex128](m).Get())
		aligned("node", midden.New[node](m).Get())
		aligned("element of an array", midden.NewArray[int64](m, 3).Get().At(1))
		aligned("element of an array of structs", midden.NewArray[node](m, 2).Get().At(1))
	}
}

// allNumbers is everything that is a number, or made of numbers.
type allNumbers struct {
	B    bool
	I    int
	I8   int8
	I16  int16
	I32  int32
	I64  int64
	U    uint
	U8   uint8
	U16  uint16
	U32  uint32
	U64  uint64
	Ptr  uintptr
	F32  float32
	F64  float64
	C64  complex64
	C128 complex128
	Arr  [2][3]uint16
	In   struct{ X, Y float32 }
}

func (s *suite) numbers(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	v := allNumbers{
		true, -1, -2, -3, -4, math.MinInt64, 1, 2, 3, 4, math.MaxUint64, math.MaxUint64,
		1.5, math.Inf(-1), 1 + 2i, 3 - 4i, [2][3]uint16{{1, 2, 3}, {4, 5, 6}}, struct{ X, Y float32 }{7, 8},
	}
	l := midden.NewLocal(m, midden.Alloc(m, v))
	for _, k := range kinds {
		collect(t, m, k)
		equal(t, "object of numbers", *l.Ptr(), v)
	}
}

// zeroSize checks that objects without contents are objects all the same.
func (s *suite) zeroSize(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	type empty struct{}
	var locals []midden.Local[empty]
	seen := map[midden.Ref[empty]]bool{}
	for range 1000 {
		r := midden.New[empty](m)
		if r.IsNil() || r.Get() == nil {
			t.Fatal("a new object of size 0 is nil")
		}
		if seen[r] {
			t.Fatal("two objects of size 0 have one reference")
		}
		seen[r] = true
		locals = append(locals, midden.NewLocal(m, r))
	}
	for _, k := range kinds {
		collect(t, m, k)
	}
	clear(seen)
	for _, l := range locals {
		if _, ok := midden.Cast[empty](l.Get().Any()); !ok || seen[l.Get()] {
			t.Fatal("a collection lost an object of size 0")
		}
		seen[l.Get()] = true
	}
	if a := midden.NewArray[empty](m, 1000).Get(); a.Len() != 1000 || len(a.Slice()) != 1000 {
		t.Errorf("an array of 1000 empty structs has length %d", a.Len())
	}
}

// equality checks that references are equal exactly if they refer to one object, also when it moves.
func (s *suite) equality(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	a := newNode(m, 1)
	b := midden.Alloc(m, node{ID: 1, Next: midden.FieldOf(a), Other: midden.FieldOf(a)})
	la, lb, again := midden.NewLocal(m, a), midden.NewLocal(m, b), midden.NewLocal(m, a)
	check := func() {
		t.Helper()
		if la.Get() != again.Get() || la.Get() != lb.Ptr().Next.Load() || la.Get() != lb.Ptr().Other.Load() {
			t.Error("references to one object differ")
		}
		if la.Get() == lb.Get() {
			t.Error("references to two objects are equal")
		}
		if la.Get().Any() != again.Get().Any() || la.Get().Any() == lb.Get().Any() {
			t.Error("AnyRef compares otherwise than Ref")
		}
		if la.Ptr() != again.Ptr() || la.Ptr() == lb.Ptr() {
			t.Error("pointers compare otherwise than references")
		}
	}
	check()
	for _, k := range kinds {
		collect(t, m, k)
		check()
	}
}

func (s *suite) nils(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	var r nodeRef
	equal(t, "the zero Ref", r, midden.Nil[node]())
	if !r.IsNil() || r.Get() != nil || !r.Any().IsNil() || !(midden.AnyRef{}).IsNil() {
		t.Error("the zero Ref is not nil")
	}
	if newNode(m, 1).IsNil() || newNode(m, 1).Any().IsNil() {
		t.Error("an object is nil")
	}
	n := newNode(m, 1).Get()
	n.Next.Store(m, newNode(m, 2))
	n.Next.Store(m, r)
	if !n.Next.Load().IsNil() || n.Next.Get() != nil {
		t.Error("nil was stored, and something else is there")
	}
	l := midden.NewLocal(m, r)
	h := midden.NewHandle(m, r)
	defer h.Release()
	for _, k := range kinds {
		collect(t, m, k)
		if !l.Get().IsNil() || l.Ptr() != nil || !h.Get(m).IsNil() {
			t.Errorf("a root that held nil does not after Collect(%v)", k)
		}
	}
	if a, b := midden.Safepoint2(m, r, midden.Nil[midden.String]()); !a.IsNil() || !b.IsNil() {
		t.Error("a safepoint made something of nil")
	}
}

// anyRefs checks that a reference without a static type knows what it refers to.
func (s *suite) anyRefs(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	// Two types that differ in nothing but their names.
	type metres struct{ X int64 }
	type seconds struct{ X int64 }
	holder := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, 5))
	put := func(i int, a midden.AnyRef) { holder.Ptr().At(i).Store(m, a) }
	put(0, midden.Alloc(m, metres{1}).Any())
	put(1, midden.Alloc(m, seconds{2}).Any())
	put(2, midden.NewString(m, "three").Any())
	put(3, midden.NewArray[int32](m, 4).Any())
	check := func() {
		t.Helper()
		get := func(i int) midden.AnyRef { return holder.Ptr().At(i).Load() }
		if r, ok := midden.Cast[metres](get(0)); !ok || r.Get().X != 1 {
			t.Error("Cast to the type of the object fails")
		}
		if r, ok := midden.Cast[seconds](get(0)); ok || !r.IsNil() {
			t.Error("Cast to a type of the same shape succeeds")
		}
		if r, ok := midden.Cast[seconds](get(1)); !ok || r.Get().X != 2 {
			t.Error("Cast to the type of the object fails")
		}
		if r, ok := midden.Cast[midden.String](get(2)); !ok || r.Get().String() != "three" {
			t.Error("Cast to String fails")
		}
		if r, ok := midden.Cast[midden.Array[int32]](get(3)); !ok || r.Get().Len() != 4 {
			t.Error("Cast to Array[int32] fails")
		}
		if _, ok := midden.Cast[midden.Array[uint32]](get(3)); ok {
			t.Error("Cast of an Array[int32] to Array[uint32] succeeds")
		}
		if _, ok := midden.Cast[int32](get(3)); ok {
			t.Error("Cast of an Array[int32] to int32 succeeds")
		}
		if !get(4).IsNil() {
			t.Error("an empty AnyField is not nil")
		}
		for i, want := range []string{"metres", "seconds", "String", "int32"} {
			if name := get(i).TypeName(); !strings.Contains(name, want) {
				t.Errorf("TypeName is %q, want one with %q", name, want)
			}
		}
	}
	check()
	for _, k := range kinds {
		collect(t, m, k)
		check()
	}
}
