package object

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

// What the types of package midden are made of, under other names: a slot is
// recognised by its innermost type alone.
type (
	slot   struct{ StrongSlot }
	named  slot
	tagged struct{ TaggedSlot }
	odd    struct {
		_ oddScheme
		_ SchemeSlot
	}
	bare    struct{ BareRef }
	rooted  struct{ _ RootMark }
	inlined struct{ _ InlineMark }
	value   struct{ BareValue }
)

// oddScheme has references in the upper half of odd words.
type oddScheme struct{}

func (oddScheme) Ref(w uint64) uint32 { return uint32(w>>32) * uint32(w&1) }
func (oddScheme) WithRef(w uint64, ref uint32) uint64 {
	return w&(1<<32-1) | uint64(ref)<<32
}

// bigScheme is no scheme: it has a size.
type bigScheme struct {
	oddScheme
	_ int
}

func TestLayouts(t *testing.T) {
	type node struct {
		ID   int64
		Next slot
		_    [3]byte
		Prev named
	}
	for _, c := range []struct {
		v     any
		slots []uint32
		bytes uintptr
		mode  Mode
		array Mode // of an array of such
	}{
		{struct{}{}, nil, 16, Plain, PlainArray},
		{byte(0), nil, 16, Plain, PlainArray},
		{false, nil, 16, Plain, PlainArray},
		{uintptr(0), nil, 16, Plain, PlainArray},
		{complex128(0), nil, 24, Plain, PlainArray},
		{[9]byte{}, nil, 24, Plain, PlainArray},
		{[1 << 20]struct{}{}, nil, 16, Plain, PlainArray},
		{struct {
			A bool
			B float32
			C [2]struct{ D uint16 }
		}{}, nil, 24, Plain, PlainArray},
		{slot{}, []uint32{0}, 16, Bits, Words},
		{named{}, []uint32{0}, 16, Bits, Words},
		{[1]slot{}, []uint32{0}, 16, Bits, Words},
		{[0]slot{}, nil, 16, Plain, PlainArray},
		{[3]slot{}, []uint32{0, 4, 8}, 24, Bits, Structs},
		{node{}, []uint32{8, 16}, 32, Bits, Structs},
		{[3]node{}, []uint32{8, 16, 32, 40, 56, 64}, 80, Bits, Structs},
		{struct {
			A byte
			B [2]struct {
				C uint16
				D [2]slot
			}
			E byte
		}{}, []uint32{8, 12, 20, 24}, 40, Bits, Structs},
		{struct {
			_ [63]uint32
			S slot
		}{}, []uint32{252}, 264, Bits, Structs},
		{struct {
			_ [64]uint32
			S slot
		}{}, []uint32{256}, 272, Offsets, Structs},
		{[64]slot{}, each(64), 264, Bits, Structs},
		{[65]slot{}, each(65), 272, Offsets, Structs},
		{[maxSlots]slot{}, each(maxSlots), 8 + 4*maxSlots, Offsets, Structs},
		{tagged{}, nil, 16, Plain, PlainArray},
		{odd{}, nil, 16, Plain, PlainArray},
		{struct {
			A slot
			B tagged
			C slot
		}{}, []uint32{0, 16}, 32, Bits, Structs},
	} {
		typ := reflect.TypeOf(c.v)
		d, err := Describe(typ)
		if err != nil {
			t.Errorf("%v: %v", typ, err)
			continue
		}
		if !slices.Equal(d.Slots, c.slots) || d.Bytes != c.bytes || d.Scan.Mode != c.mode || d.Array {
			t.Errorf("%v: slots %v, %d bytes, mode %d, array %v", typ, d.Slots, d.Bytes, d.Scan.Mode, d.Array)
		}
		if d.Elem != typ || d.Size != typ.Size() || d.Name != typ.String() || d.Header.Type() != d.ID || d.Header.Upper() != 0 {
			t.Errorf("%v: %+v", typ, d)
		}
		if got := BytesOf(Scans(), d.Header); got != c.bytes {
			t.Errorf("%v: BytesOf is %d, want %d", typ, got, c.bytes)
		}
		a, err := DescribeArray(typ, "row of "+typ.String())
		if err != nil {
			t.Errorf("array of %v: %v", typ, err)
			continue
		}
		if !slices.Equal(a.Slots, c.slots) || a.Bytes != 0 || a.Scan.Mode != c.array || !a.Array || a.ID == d.ID || a.Name != "row of "+typ.String() {
			t.Errorf("array of %v: slots %v, %d bytes, mode %d, name %s", typ, a.Slots, a.Bytes, a.Scan.Mode, a.Name)
		}
		for _, n := range []int{0, 1, 2, 7, 1000} {
			want, ok := ArrayBytes(a.Size, n)
			if got := BytesOf(Scans(), a.Header|MakeHeader(0, uint32(n))); !ok || got != want {
				t.Errorf("array of %d %v: BytesOf is %d, ArrayBytes %d, %v", n, typ, got, want, ok)
			}
		}
		for _, d := range []*Type{d, a} {
			if ByID(d.ID) != d || Scans()[d.ID] != d.Scan {
				t.Errorf("%v is not found by its id", typ)
			}
		}
		if again, err := Describe(typ); again != d || err != nil {
			t.Errorf("%v is described twice", typ)
		}
	}
}

// each returns the offsets of n slots in a row.
func each(n int) (offsets []uint32) {
	for i := range n {
		offsets = append(offsets, uint32(4*i))
	}
	return offsets
}

type Node struct {
	ID   int
	Meta Meta
}

type Meta struct {
	A    [4]byte
	Tags []string
}

type embeds struct{ Meta }

type deep struct {
	Rows [3][2]struct{ Cells [1]struct{ P *int } }
}

func TestRefusals(t *testing.T) {
	const mustSee = ", which Go's collector must see"
	for _, c := range []struct {
		v    any // its type, or the type it points to
		want string
	}{
		{(*Node)(nil), "cannot hold object.Node: field Meta.Tags is a []string" + mustSee},
		{(*embeds)(nil), "cannot hold object.embeds: field Meta.Tags is a []string" + mustSee},
		{(*deep)(nil), "cannot hold object.deep: field Rows[0][0].Cells[0].P is a *int" + mustSee},
		{(*[2]Meta)(nil), "cannot hold [2]object.Meta: field [0].Tags is a []string" + mustSee},
		{(*[0]Meta)(nil), "cannot hold [0]object.Meta: field [0].Tags is a []string" + mustSee},
		{(**int)(nil), "cannot hold *int: it is a *int" + mustSee},
		{(*string)(nil), "cannot hold string: it is a string" + mustSee},
		{(*[]byte)(nil), "cannot hold []uint8: it is a []uint8" + mustSee},
		{(*struct {
			slot
			_ [0]func()
		})(nil), "field _[0] is a func()" + mustSee},
		{(*map[int]int)(nil), "cannot hold map[int]int: it is a map[int]int" + mustSee},
		{(*chan int)(nil), "cannot hold chan int: it is a chan int" + mustSee},
		{(*func())(nil), "cannot hold func(): it is a func()" + mustSee},
		{(*any)(nil), "cannot hold interface {}: it is an interface {}" + mustSee},
		{(*error)(nil), "cannot hold error: it is an error" + mustSee},
		{(*unsafe.Pointer)(nil), "cannot hold unsafe.Pointer: it is an unsafe.Pointer" + mustSee},
		{(*struct{ A, B bare })(nil), "field A is an object.bare, which would hide a reference from the collector: use a Field or an AnyField"},
		{(*bare)(nil), "cannot hold object.bare: it is an object.bare, which would hide a reference"},
		{(*struct{ X [2]value })(nil), "field X[0] is an object.value, which would hide a reference from the collector: use a ValueField"},
		{(*struct{ X struct{ W SchemeSlot } })(nil), "field X is a struct { W object.SchemeSlot }, whose Scheme must be a type without size"},
		{(*struct {
			S bigScheme
			W SchemeSlot
		})(nil), "whose Scheme must be a type without size"},
		{(*[maxSlots/2 + 1]struct {
			A slot
			B tagged
		})(nil), fmt.Sprintf("has more than %d references", maxSlots)},
		{(*[3]rooted)(nil), "field [0] is an object.rooted, which is a root and cannot lie inside an object: use a Field"},
		{(*struct{ X struct{ Y inlined } })(nil), "field X.Y is an object.inlined, which exists only as an object of its own: use a Field that refers to one"},
		{(*[maxSlots + 1]slot)(nil), fmt.Sprintf("which has more than %d references: use an Array", maxSlots)},
		{(*struct{ A, B [maxSlots/2 + 1]slot })(nil), fmt.Sprintf("field B is a [%d]object.slot, which has more than %d references: use an Array", maxSlots/2+1, maxSlots)},
		{(*[1 << 22][1 << 10]slot)(nil), "references: use an Array"},
		{(*[MaxElem + 1]byte)(nil), fmt.Sprintf("cannot hold [%d]uint8: it has %[1]d bytes, more than %d", MaxElem+1, MaxElem)},
		{(*struct {
			_ [1 << 33]byte
			S slot
		})(nil), "bytes, more than"},
	} {
		typ := reflect.TypeOf(c.v).Elem()
		before := len(Scans())
		for _, array := range []bool{false, true} {
			var err error
			if array {
				_, err = DescribeArray(typ, "array")
			} else {
				_, err = Describe(typ)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v, want %q", typ, err, c.want)
			}
		}
		if len(Scans()) != before {
			t.Errorf("%v is refused and has an id", typ)
		}
	}
}

func TestHeaders(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		id, upper, mark := TypeID(r.IntN(maxTypes)), r.Uint32(), uint8(r.Uint32())
		h := MakeHeader(id, upper)
		if h.Type() != id || h.Upper() != upper || h.Mark() != 0 || h&Large != 0 {
			t.Fatalf("MakeHeader(%d, %d) is %#x", id, upper, uint64(h))
		}
		h |= Large
		marked := h.WithMark(mark)
		if marked.Mark() != mark || marked.WithMark(0) != h || marked.Type() != id || marked.Upper() != upper || marked&Large == 0 {
			t.Fatalf("%#x with mark %d is %#x", uint64(h), mark, uint64(marked))
		}
		*MarkOf(&h) = mark
		if h != marked {
			t.Fatalf("a store of the mark %d makes %#x, want %#x", mark, uint64(h), uint64(marked))
		}
		f := Forward(Word(upper))
		if f.Type() != Forwarded || Word(f.Upper()) != Word(upper) {
			t.Fatalf("Forward(%d) is %#x", upper, uint64(f))
		}
	}
	var object [2]uint64
	if unsafe.Pointer(HeaderOf(unsafe.Pointer(&object[1]))) != unsafe.Pointer(&object[0]) {
		t.Error("the header is not the word before the payload")
	}
	// Two fit a cache line, and memory that holds no object has no type.
	if n := unsafe.Sizeof(Scan{}); n > 32 {
		t.Errorf("a Scan has %d bytes", n)
	}
	if ByID(NoType) != nil || ByID(Forwarded) != nil || ByID(maxTypes-1) != nil || ByID(1<<32-1) != nil {
		t.Error("what is no type has a descriptor")
	}
}

func TestArrayBytes(t *testing.T) {
	for _, c := range []struct {
		size  uintptr
		n     int
		bytes uintptr
		ok    bool
	}{
		{0, 0, 16, true},
		{0, math.MaxInt, 16, true},
		{1, 0, 16, true},
		{1, 8, 16, true},
		{1, 9, 24, true},
		{4, 3, 24, true},
		{24, 1 << 32, 24<<32 + 8, true},
		{1, 1 << 62, 1<<62 + 8, true},
		{1, 1<<62 + 1, 0, false},
		{1, math.MaxInt, 0, false},
		{2, 1 << 62, 0, false},
		{1 << 32, 1 << 32, 0, false},
		{math.MaxUint64, 2, 0, false},
		{8, -1, 0, false},
	} {
		bytes, ok := ArrayBytes(c.size, c.n)
		if bytes != c.bytes || ok != c.ok {
			t.Errorf("ArrayBytes(%d, %d) = %d, %v, want %d, %v", c.size, c.n, bytes, ok, c.bytes, c.ok)
		}
	}
}

// randomType makes a type that can lie in the heap.
func randomType(r *rand.Rand, depth int) reflect.Type {
	plain := []reflect.Type{
		reflect.TypeFor[byte](), reflect.TypeFor[uint16](), reflect.TypeFor[int32](), reflect.TypeFor[float64](),
		reflect.TypeFor[complex64](), reflect.TypeFor[struct{}](),
	}
	switch n := r.IntN(10); {
	case n < 3 || depth == 0:
		return plain[r.IntN(len(plain))]
	case n < 5:
		return reflect.TypeFor[StrongSlot]()
	case n < 6:
		return []reflect.Type{reflect.TypeFor[TaggedSlot](), reflect.TypeFor[odd]()}[r.IntN(2)]
	case n < 8:
		return reflect.ArrayOf(r.IntN(9), randomType(r, depth-1))
	}
	var fields []reflect.StructField
	for i := range 1 + r.IntN(6) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: randomType(r, depth-1)})
	}
	return reflect.StructOf(fields)
}

// slotsOf finds the slots of the given type by asking reflection about an
// addressable value.
func slotsOf(v reflect.Value, slot reflect.Type, base uintptr) (offsets []uint32) {
	if v.Type() == slot {
		return []uint32{uint32(v.Addr().Pointer() - base)}
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			offsets = append(offsets, slotsOf(v.Field(i), slot, base)...)
		}
	case reflect.Array:
		for i := range v.Len() {
			offsets = append(offsets, slotsOf(v.Index(i), slot, base)...)
		}
	}
	return offsets
}

// scanned finds the slots of an object by its packed Scan, as tracers do.
func scanned(s Scan, h Header) (offsets []uint32) {
	list := unsafe.Slice((*uint32)(s.Offsets), s.NumSlot)
	switch s.Mode {
	case Bits:
		for m := s.Bitmap; m != 0; m &= m - 1 {
			offsets = append(offsets, uint32(bits.TrailingZeros64(m)*WordSize))
		}
	case Offsets:
		offsets = append(offsets, list...)
	case Words:
		for i := range h.Upper() {
			offsets = append(offsets, i*WordSize)
		}
	case Structs:
		for i := range h.Upper() {
			for _, off := range list {
				offsets = append(offsets, i*s.Size+off)
			}
		}
	}
	return offsets
}

// offsetsOf returns where the words of schemes are, which must be odd ones.
func offsetsOf(t *testing.T, words []SchemeWord) (offsets []uint32) {
	for _, sw := range words {
		if SchemeByID(sw.Scheme) != (oddScheme{}) {
			t.Fatal("a word has another scheme than its own")
		}
		offsets = append(offsets, sw.Offset)
	}
	return offsets
}

// For any type, what reflection knows, the lists of slots, Each, Update and the
// packed Scan agree.
func TestScansAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	modes := map[Mode]int{}
	specials := map[Special]int{}
	for range 900 {
		typ := randomType(r, 4)
		v := reflect.New(typ).Elem()
		strong := slotsOf(v, strongSlot, v.Addr().Pointer())
		tagged := slotsOf(v, taggedSlot, v.Addr().Pointer())
		odds := slotsOf(v, schemeSlot, v.Addr().Pointer())
		d, err := Describe(typ)
		if err != nil {
			t.Fatalf("%v: %v", typ, err)
		}
		a, err := DescribeArray(typ, "array")
		if err != nil {
			t.Fatalf("array of %v: %v", typ, err)
		}
		if !slices.Equal(d.Slots, strong) || !slices.Equal(d.Tagged, tagged) || !slices.Equal(offsetsOf(t, d.Schemes), odds) {
			t.Fatalf("%v: slots %v, %v, %v, want %v, %v, %v", typ, d.Slots, d.Tagged, d.Schemes, strong, tagged, odds)
		}
		if !slices.Equal(d.Scan.TaggedOffsets(), tagged) || !slices.Equal(d.Scan.StrongOffsets(), strong) {
			t.Fatalf("%v: Scan has offsets %v and %v, want %v and %v", typ, d.Scan.StrongOffsets(), d.Scan.TaggedOffsets(), strong, tagged)
		}
		length := r.IntN(5)
		for _, c := range []struct {
			h Header
			d *Type
			n uint32
		}{{d.Header, d, 1}, {a.Header | MakeHeader(0, uint32(length)), a, uint32(length)}} {
			modes[c.d.Scan.Mode]++
			specials[c.d.Scan.Special]++
			if some := len(strong)+len(tagged)+len(odds) > 0; c.d.HasSlots() != some {
				t.Fatalf("%v: HasSlots is %v", typ, !some)
			}
			bytes := BytesOf(Scans(), c.h)
			object := make([]uint64, bytes/8)
			payload := unsafe.Pointer(unsafe.SliceData(object[1:]))

			// Each slot refers to its own offset, and one more so that it is not nil.
			var want, wantStrong []uint32
			for i := range c.n {
				at := i * uint32(typ.Size())
				for _, off := range strong {
					*(*Word)(unsafe.Add(payload, at+off)) = Word(at + off + 1)
					want = append(want, at+off)
					wantStrong = append(wantStrong, at+off)
				}
				for _, off := range tagged {
					*(*uint64)(unsafe.Add(payload, at+off)) = uint64(at + off + 1)
					want = append(want, at+off)
				}
				for _, off := range odds {
					*(*uint64)(unsafe.Add(payload, at+off)) = uint64(at+off+1)<<32 | 7
					want = append(want, at+off)
				}
			}
			if got := scanned(c.d.Scan, c.h); !slices.Equal(got, wantStrong) {
				t.Fatalf("%v: mode %d, Scan finds %v, want %v", typ, c.d.Scan.Mode, got, wantStrong)
			}
			for _, off := range want {
				if uintptr(off)+WordSize > bytes-HeaderSize {
					t.Fatalf("%v: the slot at %d lies outside an object of %d bytes", typ, off, bytes)
				}
			}
			// Whoever visits finds all of them, and moves each by one.
			var moved uint32
			for _, way := range []struct {
				name  string
				visit func(func(*Word))
			}{
				{"Each", func(f func(*Word)) { Each(payload, c.h, f) }},
				{"Update", func(f func(*Word)) { Update(&c.d.Scan, payload, c.h, f) }},
				{"Each", func(f func(*Word)) { Each(payload, c.h, f) }},
			} {
				var got []uint32
				way.visit(func(w *Word) {
					got = append(got, uint32(*w)-1-moved)
					*w++
				})
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("%v: %s finds %v, want %v", typ, way.name, got, want)
				}
				moved++
			}
			for i := range c.n {
				for _, off := range odds {
					at := i*uint32(typ.Size()) + off
					if got := *(*uint64)(unsafe.Add(payload, at)); got != uint64(at+1+moved)<<32|7 {
						t.Fatalf("%v: the word at %d is %#x: its number was changed", typ, at, got)
					}
				}
				// Numbers are left alone.
				for _, off := range tagged {
					*(*uint64)(unsafe.Add(payload, i*uint32(typ.Size())+off)) |= 1 << 32
				}
				for _, off := range odds {
					*(*uint64)(unsafe.Add(payload, i*uint32(typ.Size())+off)) &^= 1
				}
			}
			for name, visit := range map[string]func(func(*Word)){
				"Each":   func(f func(*Word)) { Each(payload, c.h, f) },
				"Update": func(f func(*Word)) { Update(&c.d.Scan, payload, c.h, f) },
			} {
				n := 0
				visit(func(*Word) { n++ })
				if n != len(wantStrong) {
					t.Fatalf("%v: %s visits %d words, %d are references", typ, name, n, len(wantStrong))
				}
			}
		}
	}
	for m := Plain; m <= Structs; m++ {
		if modes[m] == 0 {
			t.Errorf("no type had mode %d", m)
		}
	}
	for _, s := range []Special{0, SpecialTagged, SpecialScheme, SpecialTagged | SpecialScheme} {
		if specials[s] == 0 {
			t.Errorf("no type was special %#b", s)
		}
	}
}

// Types are described by many goroutines at once, while others read.
func TestConcurrentDescribe(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var types []reflect.Type
	for len(types) < 200 {
		types = append(types, randomType(r, 3))
	}
	const goroutines = 4
	var ids [goroutines][]TypeID
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for _, typ := range types {
				d, err := Describe(typ)
				if err != nil {
					t.Error(err)
					return
				}
				a, err := DescribeArray(typ, "array")
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = append(ids[i], d.ID, a.ID)
				scans := Scans()
				for _, x := range []*Type{d, a} {
					if ByID(x.ID) != x || scans[x.ID] != x.Scan {
						t.Errorf("%v is not found by its id", typ)
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range ids {
		if !slices.Equal(ids[i], ids[0]) {
			t.Error("two goroutines learned different ids")
		}
	}
}

// describeFor returns the descriptors of a T, and of arrays of T.
func describeFor[T any](t *testing.T) (single, array *Type) {
	t.Helper()
	single, err := Describe(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	array, err = DescribeArray(reflect.TypeFor[T](), "array")
	if err != nil {
		t.Fatal(err)
	}
	return single, array
}

// More shapes come and go than there are ids; too many at once are refused, and
// cost nobody else anything.
func TestShapes(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a million shapes")
	}
	slots := []uint32{0}
	kept := &Type{Size: 4, Name: "kept", Slots: slots}
	if err := DescribeShape(kept); err != nil {
		t.Fatal(err)
	}
	before := len(Scans())
	var shapes []*Type
	for {
		s := &Type{Size: 16, Name: "shape"}
		if err := DescribeShape(s); err != nil {
			if err != ErrTooManyTypes || len(shapes) != maxTypes-before {
				t.Fatalf("after %d shapes: %v", len(shapes), err)
			}
			break
		}
		shapes = append(shapes, s)
	}
	type late struct{ A slot }
	if _, err := Describe(reflect.TypeFor[late]()); err == nil || !strings.Contains(err.Error(), "cannot hold object.late: 1048574 types are known already") {
		t.Error(err)
	}
	old := shapes[10]
	Forget(shapes)
	if ByID(old.ID) != nil || ByID(kept.ID) != kept {
		t.Error("a shape that was forgotten is still known, or another is not")
	}
	array := &Type{Size: 8, Name: "array", Array: true, Tagged: slots}
	for array.ID != old.ID {
		*array = Type{Size: 8, Name: "array", Array: true, Tagged: slots}
		if err := DescribeShape(array); err != nil {
			t.Fatal(err)
		}
	}
	if ByID(old.ID) != array || Scans()[old.ID] != array.Scan || array.Scan.Special != SpecialTagged || array.Bytes != 0 {
		t.Errorf("the id of a forgotten shape: %+v", array)
	}
	if d, err := Describe(reflect.TypeFor[late]()); err != nil || ByID(d.ID) != d {
		t.Error(err)
	}
	if len(Scans()) > maxTypes {
		t.Error("ids beyond the last")
	}
}
