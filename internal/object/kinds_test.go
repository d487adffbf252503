package object

import (
	"reflect"
	"slices"
	"testing"
	"unsafe"
)

type (
	weakly   struct{ WeakSlot }
	external struct {
		_ struct{}
		ExternalSlot
	}
)

// Each kind of slot has a list of its own, and none disturbs the others.
func TestWeakLayouts(t *testing.T) {
	type mixed struct {
		A slot
		W weakly
		T tagged
		X external
		I [2]struct {
			W [2]weakly
			S slot
			X external
		}
	}
	for _, c := range []struct {
		v                      any
		slots, weak, externals []uint32
		special                Special
		mode, array            Mode
	}{
		{weakly{}, nil, []uint32{0}, nil, SpecialWeak, Plain, PlainArray},
		{external{}, nil, nil, []uint32{0}, SpecialExternal, Plain, PlainArray},
		{[3]weakly{}, nil, []uint32{0, 4, 8}, nil, SpecialWeak, Plain, PlainArray},
		{struct {
			A slot
			B weakly
		}{}, []uint32{0}, []uint32{4}, nil, SpecialWeak, Bits, Structs},
		{mixed{}, []uint32{0, 28, 44}, []uint32{4, 20, 24, 36, 40}, []uint32{16, 32, 48}, SpecialWeak | SpecialExternal | SpecialTagged, Bits, Structs},
	} {
		typ := reflect.TypeOf(c.v)
		d, err := Describe(typ)
		if err != nil {
			t.Fatal(err)
		}
		a, err := DescribeArray(typ, "row")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []*Type{d, a} {
			if !slices.Equal(d.Slots, c.slots) || !slices.Equal(d.Weak, c.weak) || !slices.Equal(d.Externals, c.externals) {
				t.Errorf("%v: slots %v, weak %v, externals %v", typ, d.Slots, d.Weak, d.Externals)
			}
			if d.Scan.Special != c.special || !d.HasSlots() {
				t.Errorf("%v: special %b, has slots %v", typ, d.Scan.Special, d.HasSlots())
			}
		}
		if d.Scan.Mode != c.mode || a.Scan.Mode != c.array {
			t.Errorf("%v: modes %d and %d", typ, d.Scan.Mode, a.Scan.Mode)
		}
	}
	if _, err := Describe(reflect.TypeFor[[maxSlots + 1]weakly]()); err == nil {
		t.Error("any number of weak slots is taken")
	}
	if _, err := Describe(reflect.TypeFor[struct {
		A [maxSlots]weakly
		B [2]external
	}]()); err == nil {
		t.Error("any number of slots of two kinds is taken")
	}
}

func TestEphemeronType(t *testing.T) {
	type e struct {
		_ InlineMark
		Pair
	}
	d, err := DescribeEphemeron(reflect.TypeFor[e]())
	if err != nil {
		t.Fatal(err)
	}
	if d.Bytes != 16 || d.Scan.Special != SpecialEphemeron || d.Scan.Mode != Plain || len(d.Slots) != 0 {
		t.Errorf("%+v", d)
	}
	if again, _ := DescribeEphemeron(reflect.TypeFor[e]()); again != d {
		t.Error("a second descriptor")
	}
	if _, err := Describe(reflect.TypeFor[e]()); err == nil {
		t.Error("an ephemeron by value is taken")
	}
}

// EachWeak and EachExternal see the slots of every element, in order.
func TestEachWeak(t *testing.T) {
	type row struct {
		N uint64
		W weakly
		X external
		S slot
	}
	a, err := DescribeArray(reflect.TypeFor[row](), "rows")
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]row, 5)
	for i := range rows {
		rows[i].W.W, rows[i].X.ID, rows[i].S.W = Word(10+i), uint32(20+i), Word(30+i)
	}
	payload, h := unsafe.Pointer(&rows[0]), a.Header|MakeHeader(0, 5)
	var weak, strong []Word
	var ids []uint32
	EachWeak(payload, h, func(w *Word) { weak = append(weak, *w) })
	EachExternal(payload, h, func(x *ExternalSlot) { ids = append(ids, x.ID) })
	Each(payload, h, func(w *Word) { strong = append(strong, *w) })
	if !slices.Equal(weak, []Word{10, 11, 12, 13, 14}) || !slices.Equal(ids, []uint32{20, 21, 22, 23, 24}) || !slices.Equal(strong, []Word{30, 31, 32, 33, 34}) {
		t.Errorf("weak %v, externals %v, strong %v", weak, ids, strong)
	}
	strong = nil
	Update(&a.Scan, payload, h, func(w *Word) { strong = append(strong, *w) })
	if len(strong) != 5 {
		t.Errorf("Update visits %v", strong)
	}
}
