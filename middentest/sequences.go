package middentest

import (
	"math"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var sequenceTests = []test{
	{"Strings", 0, (*suite).strings},
	{"StringsOfEveryByte", 0, (*suite).everyByte},
	{"StringCopies", 0, (*suite).stringCopies},
	{"Arrays", 0, (*suite).arrays},
	{"ArrayBounds", 0, (*suite).arrayBounds},
	{"ImpossibleLengths", 0, (*suite).impossibleLengths},
	{"Copy", 0, (*suite).copying},
	{"CopiedOutside", 0, (*suite).copiedOutside},
}

var texts = []string{
	"", "a", "\x00", "\x00\x00", "seven b", "eight by", "nine byte", "äöü – 世界 🗑",
	"\xff\xfe not \xc0 UTF-8", strings.Repeat("line ", 30), strings.Repeat("x", 8192),
	strings.Repeat("block", 10000), strings.Repeat("mega", 1<<18),
}

func (s *suite) strings(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	var locals []midden.Local[midden.String]
	for _, text := range texts {
		locals = append(locals, midden.NewLocal(m, midden.NewString(m, text)))
	}
	for _, k := range kinds {
		litter(m, 100)
		collect(t, m, k)
		for i, l := range locals {
			equal(t, "length", l.Ptr().Len(), len(texts[i]))
			if l.Ptr().String() != texts[i] || l.Ptr().View() != texts[i] {
				t.Fatalf("string %d of %d bytes changed", i, len(texts[i]))
			}
		}
	}
}

func (s *suite) everyByte(t *testing.T) {
	_, m := s.alone(t)
	var every strings.Builder
	for b := range 256 {
		every.WriteByte(byte(b))
	}
	for n := range 256 {
		text := every.String()[256-n:] + every.String()[:n/2]
		if got := midden.NewString(m, text).Get().String(); got != text {
			t.Fatalf("%q became %q", text, got)
		}
	}
}

// stringCopies checks that what String returns is Go's, and outlives the object.
func (s *suite) stringCopies(t *testing.T) {
	_, m := s.alone(t)
	var copies []string
	for _, text := range texts {
		copies = append(copies, midden.NewString(m, text).Get().String())
	}
	collect(t, m, midden.KindFull)
	litter(m, 10000)
	for i := range texts {
		if copies[i] != texts[i] {
			t.Fatalf("the copy of string %d changed with the heap", i)
		}
	}
}

func (s *suite) arrays(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	for _, n := range []int{0, 1, 2, 3, 10, 100, 5000, 100000} {
		l := midden.NewLocal(m, midden.NewArray[int32](m, n))
		for i := range n {
			*l.Ptr().At(i) = int32(i)
		}
		for _, k := range kinds {
			collect(t, m, k)
			a := l.Ptr()
			equal(t, "Len", a.Len(), n)
			view := a.Slice()
			equal(t, "length of the view", len(view), n)
			// More capacity would let append write over the next object.
			equal(t, "capacity of the view", cap(view), n)
			for i := range n {
				if view[i] != int32(i) || a.At(i) != &view[i] {
					t.Fatalf("element %d of %d is %d", i, n, view[i])
				}
			}
		}
	}
}

func (s *suite) arrayBounds(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{0, 1, 10} {
		a := midden.NewArray[int64](m, n).Get()
		for _, i := range []int{-1, n, n + 1, 1 << 29, 1 << 32, math.MaxInt, math.MinInt} {
			panics(t, "At", func() { *a.At(i) = 1 })
		}
	}
}

// impossibleLengths checks that no length, however large, turns into a small one.
func (s *suite) impossibleLengths(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{-1, -8, math.MinInt32, math.MinInt} {
		panics(t, "NewArray[byte] of a negative length", func() { midden.NewArray[byte](m, n) })
		panics(t, "NewArray[node] of a negative length", func() { midden.NewArray[node](m, n) })
		panics(t, "NewArray[struct{}] of a negative length", func() { midden.NewArray[struct{}](m, n) })
	}
	refuse := func(what string, f func()) {
		t.Helper()
		if refusal(f) == nil {
			t.Errorf("%s: no *LimitError", what)
		}
	}
	for _, n := range []int{1 << 32, 1<<32 + 1, 1 << 40, 1 << 61, 1<<62 + 1, math.MaxInt - 7, math.MaxInt} {
		refuse("bytes", func() { midden.NewArray[byte](m, n) })
		refuse("empty structs", func() { midden.NewArray[struct{}](m, n) })
		refuse("numbers", func() { midden.NewArray[int64](m, n) })
		refuse("nodes", func() { midden.NewArray[node](m, n) })
		refuse("slots", func() { midden.NewArray[nodeField](m, n) })
	}
	// The products of these are 2⁵⁰, 2⁶⁰, 2⁶², 2⁶⁴, and 2⁶⁴ and a little.
	refuse("2²⁰ times 2³⁰", func() { midden.NewArray[[1 << 20]byte](m, 1<<30) })
	refuse("2²⁹ times 2³¹", func() { midden.NewArray[[1 << 29]byte](m, 1<<31) })
	refuse("2³⁰ times 2³²", func() { midden.NewArray[[1 << 30]byte](m, 1<<32-1) })
	refuse("2⁴ times 2⁶⁰", func() { midden.NewArray[[16]byte](m, 1<<60) })
	refuse("2⁴ times 2⁶⁰+1", func() { midden.NewArray[[16]byte](m, 1<<60+1) })
	// And the heap works.
	checkNode(t, "after all that", newNode(m, 5), 5)
	collect(t, m, midden.KindFull)
}

// copying compares Copy with Go's copy, for elements with slots and for plain ones.
func (s *suite) copying(t *testing.T) {
	_, m := s.alone(t)
	const n = 12
	for from := 0; from <= n; from += 3 {
		for to := range n + 1 {
			for length := range n - from + 1 {
				numbers := midden.NewArray[int32](m, n).Get().Slice()
				nodes := midden.NewArray[nodeField](m, n).Get().Slice()
				want := make([]int32, n)
				for i := range want {
					want[i] = int32(i + 1)
					numbers[i] = want[i]
					nodes[i].Store(m, newNode(m, int64(i+1)))
				}
				count := copy(want[to:], want[from:from+length])
				equal(t, "result of Copy", midden.Copy(m, numbers[to:], numbers[from:from+length]), count)
				equal(t, "result of Copy", midden.Copy(m, nodes[to:], nodes[from:from+length]), count)
				for i := range want {
					if numbers[i] != want[i] || nodes[i].Get().ID != int64(want[i]) {
						t.Fatalf("Copy of [%d:%d] to %d: element %d is %d, and node %d, want %d",
							from, from+length, to, i, numbers[i], nodes[i].Get().ID, want[i])
					}
				}
			}
		}
	}
}

// copiedOutside checks that a copy of an array or a string, whose elements stayed behind, refuses to
// work.
func (s *suite) copiedOutside(t *testing.T) {
	_, m := s.alone(t)
	array := *midden.NewArray[int64](m, 3).Get()
	panics(t, "Len of a copied Array", func() { array.Len() }, "midden: ")
	panics(t, "At of a copied Array", func() { array.At(0) }, "midden: ")
	panics(t, "Slice of a copied Array", func() { array.Slice() }, "midden: ")
	text := *midden.NewString(m, "text").Get()
	panics(t, "Len of a copied String", func() { text.Len() }, "midden: ")
	panics(t, "String of a copied String", func() { _ = text.String() }, "midden: ")
	panics(t, "View of a copied String", func() { text.View() }, "midden: ")
}
