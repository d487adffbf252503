package middentest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var typeTests = []test{
	{"Refused", 0, (*suite).refused},
	{"RefusedMessage", 0, (*suite).refusedMessage},
	{"DefinedSlots", 0, (*suite).definedSlots},
	{"Lookalikes", 0, (*suite).lookalikes},
	{"StoreOutside", 0, (*suite).storeOutside},
}

// Types that a heap must refuse. Each has one thing that it must not have, at a path that the
// message must name.
type (
	hasPointer   struct{ At *int }
	hasString    struct{ At string }
	hasSlice     struct{ At []byte }
	hasMap       struct{ At map[int]int }
	hasInterface struct{ At any }
	hasError     struct{ At error }
	hasChannel   struct{ At chan int }
	hasFunc      struct{ At func() }
	hasRef       struct{ At nodeRef }
	hasAnyRef    struct{ At midden.AnyRef }
	hasLocal     struct{ At midden.Local[node] }
	hasHandle    struct{ At *midden.Handle[node] }
	hasHandleVal struct{ At midden.Handle[node] }
	hasArray     struct{ At midden.Array[int64] }
	hasText      struct{ At midden.String }

	meta struct {
		ID   int
		Tags []string
	}
	hasNested   struct{ Meta meta }
	hasEmbedded struct{ meta }
	hasArrayOf  struct{ Rows [3]struct{ Cell *int } }
	hasRefs     struct{ Rows [2][2]nodeRef }
	hasLate     struct {
		A int64
		F nodeField
		B [100]nodeField
		C struct{ D struct{ E chan int } }
	}
)

// refuses checks that T is refused, whichever way one asks, with a message that has every one of
// texts.
func refuses[T any](t *testing.T, m *midden.Mutator, texts ...string) {
	t.Helper()
	texts = append(texts, "midden: cannot hold ")
	what := fmt.Sprintf("%T", *new(T))
	panics(t, "New of "+what, func() { midden.New[T](m) }, texts...)
	panics(t, "TryNew of "+what, func() { _, _ = midden.TryNew[T](m) }, texts...)
	panics(t, "Alloc of "+what, func() { midden.Alloc(m, *new(T)) }, texts...)
	panics(t, "TypeFor of "+what, func() { midden.TypeFor[T]().New(m) }, texts...)
	panics(t, "NewArray of "+what, func() { midden.NewArray[T](m, 1) }, texts...)
	panics(t, "NewArray of no "+what, func() { midden.NewArray[T](m, 0) }, texts...)
}

func (s *suite) refused(t *testing.T) {
	_, m := s.alone(t)
	const seen = "which Go's collector must see"

	refuses[hasPointer](t, m, "hasPointer", "field At is a *int", seen)
	refuses[hasString](t, m, "hasString", "field At is a string", seen)
	refuses[hasSlice](t, m, "hasSlice", "field At is a []uint8", seen)
	refuses[hasMap](t, m, "hasMap", "field At is a map[int]int", seen)
	refuses[hasInterface](t, m, "hasInterface", "field At is a", seen)
	refuses[hasError](t, m, "hasError", "field At is a", "error", seen)
	refuses[hasChannel](t, m, "hasChannel", "field At is a chan int", seen)
	refuses[hasFunc](t, m, "hasFunc", "field At is a func()", seen)
	refuses[hasHandle](t, m, "hasHandle", "field At is a", "Handle[")

	refuses[hasRef](t, m, "hasRef", "field At is a", "Ref[")
	refuses[hasAnyRef](t, m, "hasAnyRef", "field At is a", "AnyRef")
	refuses[hasLocal](t, m, "hasLocal", "field At", "Local[")
	refuses[hasHandleVal](t, m, "hasHandleVal", "field At", "Handle[")
	refuses[hasArray](t, m, "hasArray", "field At is a", "Array[int64]")
	refuses[hasText](t, m, "hasText", "field At is a", "String")

	refuses[hasNested](t, m, "hasNested", "field Meta.Tags is a []string", seen)
	refuses[hasEmbedded](t, m, "hasEmbedded", "field meta.Tags is a []string", seen)
	refuses[hasArrayOf](t, m, "hasArrayOf", "Rows", ".Cell is a *int", seen)
	refuses[hasRefs](t, m, "hasRefs", "Rows", "Ref[")
	refuses[hasLate](t, m, "hasLate", "field C.D.E is a chan int", seen)

	refuses[*int](t, m, "*int", seen)
	refuses[string](t, m, "string", seen)
	refuses[[]int](t, m, "[]int", seen)
	refuses[[4]func()](t, m, "func()", seen)
	refuses[any](t, m, "interface", seen)
	refuses[nodeRef](t, m, "Ref[")
	refuses[[2]midden.AnyRef](t, m, "AnyRef")
	refuses[midden.Array[int64]](t, m, "Array[int64]")
	refuses[midden.String](t, m, "String")
	refuses[[2]midden.String](t, m, "String")
	refuses[midden.Array[midden.Array[int64]]](t, m, "Array[int64]")

	checkNode(t, "after all that", newNode(m, 5), 5)
}

// refusedMessage checks one message in full, and that it is the same the second time, when the type
// is known already.
func (s *suite) refusedMessage(t *testing.T) {
	_, m := s.alone(t)
	const want = "midden: cannot hold middentest.hasNested: field Meta.Tags is a []string, which Go's collector must see"
	for range 2 {
		p := recovered(func() { midden.New[hasNested](m) })
		equal(t, "the message", strings.TrimSpace(fmt.Sprint(p)), want)
	}
}

// Slots of defined types: they lose the methods, but are slots all the same.
type (
	ownField    midden.Field[node]
	ownAnyField midden.AnyField
	ownSlots    struct {
		F ownField
		A ownAnyField
		R [2]struct{ F ownField }
	}
)

func (s *suite) definedSlots(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewLocal(m, midden.New[ownSlots](m))
	(*nodeField)(&l.Ptr().F).Store(m, newNode(m, 1))
	(*midden.AnyField)(&l.Ptr().A).Store(m, newNode(m, 2).Any())
	(*nodeField)(&l.Ptr().R[1].F).Store(m, newNode(m, 3))
	l.Ptr().R[0].F = ownField(midden.Field[node]{})
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		checkNode(t, "F", (*nodeField)(&l.Ptr().F).Load(), 1)
		r, _ := midden.Cast[node]((*midden.AnyField)(&l.Ptr().A).Load())
		checkNode(t, "A", r, 2)
		checkNode(t, "R[1].F", (*nodeField)(&l.Ptr().R[1].F).Load(), 3)
	}
}

// Types that are called like slots and are none.
type (
	Field    struct{ Bits uint32 }
	AnyField struct{ Bits uint32 }
)

// lookalikes checks that what is only called a slot is a number: as references these numbers would
// lead nowhere.
func (s *suite) lookalikes(t *testing.T) {
	type object struct {
		F Field
		A AnyField
		N [6]uint32
	}
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	v := object{Field{0xffffffff}, AnyField{0xfffffffe}, [6]uint32{1, 2, 3, 0xdeadbeef, 1 << 31, 77}}
	l := midden.NewLocal(m, midden.Alloc(m, v))
	for _, k := range kinds {
		collect(t, m, k)
		equal(t, "object", *l.Ptr(), v)
	}
}

var globalNode node

// storeOutside checks that Store refuses slots in Go's memory, whose references no collector finds.
func (s *suite) storeOutside(t *testing.T) {
	_, m := s.alone(t)
	r := newNode(m, 1)
	var onStack node
	onHeap := new(node)
	var anyField midden.AnyField
	panics(t, "Store to a variable", func() { onStack.Next.Store(m, r) }, "midden: ", "FieldOf")
	panics(t, "Store to Go's heap", func() { onHeap.Next.Store(m, r) }, "midden: ", "FieldOf")
	panics(t, "Store to a global", func() { globalNode.Next.Store(m, r) }, "midden: ", "FieldOf")
	panics(t, "StoreAtomic to Go's heap", func() { onHeap.Next.StoreAtomic(m, r) }, "midden: ", "FieldOf")
	panics(t, "CompareAndSwap in Go's heap", func() { onHeap.Next.CompareAndSwap(m, nodeRef{}, r) }, "midden: ", "FieldOf")
	panics(t, "Store to an AnyField outside", func() { anyField.Store(m, r.Any()) }, "midden: ", "FieldOf")
}
