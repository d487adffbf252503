package middentest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var dynamicTests = []test{
	{"TypeIDs", 0, (*suite).typeIDs},
	{"AnyRoots", 0, (*suite).anyRoots},
	{"UserBits", 0, (*suite).userBits},
	{"Hashes", 0, (*suite).hashes},
	{"HashesOfMany", 0, (*suite).hashesOfMany},
	{"HashedSizes", frees, (*suite).hashedSizes},
	{"Shapes", 0, (*suite).shapes},
	{"ShapeArrays", 0, (*suite).shapeArrays},
	{"OldRecords", 0, (*suite).oldRecords},
	{"BadSpecs", 0, (*suite).badSpecs},
	{"ShapeMisuse", 0, (*suite).shapeMisuse},
	{"ShapesAndLimit", 0, (*suite).shapesAndLimit},
	{"ShapeIDs", 0, (*suite).shapeIDs},
}

// typeIDs checks that objects are told apart by their types, and by nothing else.
func (s *suite) typeIDs(t *testing.T) {
	h, m := s.alone(t)
	_, other := s.alone(t)
	shape := func(name string, array bool) *midden.Shape {
		s, err := h.NewShape(midden.ShapeSpec{Name: name, Size: 8, Array: array})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, twin, row := shape("one", false), shape("one", false), shape("row", true)
	objects := []struct {
		id midden.TypeID
		a  midden.AnyRef
	}{
		{midden.TypeIDFor[node](), newNode(m, 1).Any()},
		{midden.TypeFor[pair]().ID(), midden.New[pair](m).Any()},
		{midden.TypeIDFor[[1]pair](), midden.New[[1]pair](m).Any()},
		{midden.TypeIDFor[nodeArray](), midden.NewArray[nodeField](m, 3).Any()},
		{midden.TypeIDFor[midden.Array[node]](), midden.NewArray[node](m, 0).Any()},
		{midden.TypeIDFor[midden.Array[byte]](), midden.NewArray[byte](m, 5).Any()},
		{midden.TypeIDFor[midden.String](), midden.NewString(m, "").Any()},
		{one.ID(), one.New(m)}, {twin.ID(), twin.New(m)}, {row.ID(), row.NewArray(m, 2)},
	}
	for i, o := range objects {
		if o.id == 0 || o.a.TypeID() != o.id || o.a.Value().TypeID() != o.id {
			t.Errorf("%s has the id %d, want %d", o.a.TypeName(), o.a.TypeID(), o.id)
		}
		for j, p := range objects {
			if (i == j) != (o.id == p.id) {
				t.Errorf("%s and %s have the ids %d and %d", o.a.TypeName(), p.a.TypeName(), o.id, p.id)
			}
		}
	}
	equal(t, "the id in another heap", newNode(other, 1).Any().TypeID(), midden.TypeIDFor[node]())
	for _, id := range []midden.TypeID{midden.AnyRef{}.TypeID(), midden.Value{}.TypeID(), midden.IntValue(5).TypeID(), midden.FloatValue(5).TypeID()} {
		equal(t, "the id of nothing", id, 0)
	}

	nodes := midden.TypeFor[node]()
	for i, o := range objects {
		a, ok := nodes.Cast(o.a)
		b, also := nodes.As(o.a.Value())
		c, too := midden.As[node](o.a.Value())
		if is := i == 0; ok != is || also != is || too != is || a.IsNil() == is || a != b || b != c {
			t.Errorf("a %s is a node: %v, %v, %v", o.a.TypeName(), ok, also, too)
		}
		if (o.a.Shape() == nil) != (i < 7) {
			t.Errorf("a %s has the shape %v", o.a.TypeName(), o.a.Shape())
		}
	}
	checkNode(t, "Cast", func() nodeRef { r, _ := nodes.Cast(objects[0].a); return r }(), 1)
	if r, ok := nodes.Cast(midden.AnyRef{}); !ok || !r.IsNil() {
		t.Error("nil is no node for Cast")
	}
	for _, v := range []midden.Value{{}, midden.IntValue(1)} {
		if r, ok := nodes.As(v); ok || !r.IsNil() {
			t.Errorf("%v is a node", v)
		}
	}
}

// anyRoots checks locals and handles for what has a type at run time only.
func (s *suite) anyRoots(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	l := midden.NewAnyLocal(m, newNode(m, 1).Any())
	h := midden.NewAnyHandle(m, midden.NewString(m, "text").Any())
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		r, _ := midden.Cast[node](l.Get())
		checkNode(t, "AnyLocal", r, 1)
		equal(t, "AnyHandle", cast[midden.String](h.Get(m)).View(), "text")
	}
	l.Set(h.Get(m))
	h.Release()
	panics(t, "Get after Release", func() { h.Get(m) }, "midden: ", "Release")
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	equal(t, "AnyLocal", cast[midden.String](l.Get()).View(), "text")
	scope.Close()
	panics(t, "Get after Close", func() { l.Get() }, "midden: ", "Scope")
}

// userBits checks that they stay, and belong to one object.
func (s *suite) userBits(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	const n = 200
	nodes := midden.NewLocal(m, midden.NewArray[nodeField](m, n))
	large := midden.NewLocal(m, midden.New[[3000]nodeField](m))
	for i := range n {
		r := newNode(m, int64(i))
		equal(t, "bits of a new object", r.Any().UserBits(), 0)
		r.Any().SetUserBits(uint32(i) * 0x01234567)
		nodes.Ptr().At(i).Store(m, r)
	}
	large.Get().Any().SetUserBits(1<<32 - 1)
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for i := range n {
			r := nodes.Ptr().At(i).Load()
			checkNode(t, "node", r, int64(i))
			equal(t, "bits", r.Any().UserBits(), uint32(i)*0x01234567)
		}
		equal(t, "bits of a large object", large.Get().Any().UserBits(), 1<<32-1)
	}
	a := nodes.Ptr().At(1).Load().Any()
	if a.CompareAndSwapUserBits(0, 5) || !a.CompareAndSwapUserBits(0x01234567, 5) || a.UserBits() != 5 {
		t.Errorf("CompareAndSwapUserBits: the bits are %#x", a.UserBits())
	}
	panics(t, "user bits of an array", func() { nodes.Get().Any().SetUserBits(1) }, "midden: ", "Array", "length")
	panics(t, "user bits of a string", func() { midden.NewString(m, "abc").Any().UserBits() }, "midden: ", "String", "length")
	panics(t, "user bits of nil", func() { midden.AnyRef{}.UserBits() }, "midden: ", "nil")
	equal(t, "the array's length", nodes.Ptr().Len(), n)
}

// hashes checks that a hash stays while objects move, for objects of every sort, and that it disturbs
// nothing else in them.
func (s *suite) hashes(t *testing.T) {
	h, m := s.alone(t)
	shape, err := h.NewShape(midden.ShapeSpec{Name: "point", Size: 24, Values: []int{8}})
	if err != nil {
		t.Fatal(err)
	}
	scope := m.Scope()
	defer scope.Close()
	objects := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, 8))
	for i, a := range []midden.AnyRef{
		newNode(m, 1).Any(), midden.NewString(m, "hashed").Any(), midden.NewString(m, "").Any(),
		midden.NewArray[midden.ValueField](m, 3).Any(), midden.NewArray[midden.ValueField](m, 5000).Any(),
		midden.New[[3000]nodeField](m).Any(), shape.New(m), midden.New[struct{}](m).Any(),
	} {
		objects.Ptr().At(i).Store(m, a)
	}
	equal(t, "the hash of nil", midden.AnyRef{}.IdentityHash(m), 0)
	hashes := map[int]uint64{}
	for round := range 6 {
		for i := range objects.Ptr().Len() {
			a := objects.Ptr().At(i).Load()
			if i%3 <= round { // some are hashed only after they have moved
				hash := a.IdentityHash(m)
				if old, ok := hashes[i]; ok {
					equal(t, "the hash of a "+a.TypeName(), hash, old)
				}
				hashes[i] = hash
			}
		}
		a := objects.Ptr().At(0).Load()
		a.SetUserBits(a.UserBits() + 1)
		equal(t, "the user bits of a hashed object", a.UserBits(), uint32(round+1))
		cast[values](objects.Ptr().At(3).Load()).At(2).Store(m, newNode(m, 3).Value())
		cast[values](objects.Ptr().At(4).Load()).At(4999).Store(m, newNode(m, 4).Value())
		shape.Record(objects.Ptr().At(6).Load()).Value(0).Store(m, newNode(m, 6).Value())
		*midden.Data[uint64](shape.Record(objects.Ptr().At(6).Load()), 16) = 0xffff

		collect(t, m, kinds[round%3])
		litter(m, 1000)

		r, _ := midden.Cast[node](objects.Ptr().At(0).Load())
		checkNode(t, "a hashed node", r, 1)
		equal(t, "a hashed string", cast[midden.String](objects.Ptr().At(1).Load()).View(), "hashed")
		equal(t, "a hashed string", cast[midden.String](objects.Ptr().At(2).Load()).View(), "")
		isNode(t, "a hashed array", cast[values](objects.Ptr().At(3).Load()).At(2).Load(), 3)
		isNode(t, "a hashed array", cast[values](objects.Ptr().At(4).Load()).At(4999).Load(), 4)
		record := shape.Record(objects.Ptr().At(6).Load())
		isNode(t, "a hashed record", record.Value(0).Load(), 6)
		equal(t, "a hashed record", *midden.Data[uint64](record, 16), 0xffff)
	}
	// Those that were hashed at one time lay at different places.
	seen := map[uint64]bool{}
	for i := 0; i < len(hashes); i += 3 {
		if seen[hashes[i]] || hashes[i] == 0 {
			t.Errorf("object %d has the hash %#x, which is 0 or another's", i, hashes[i])
		}
		seen[hashes[i]] = true
	}
}

// hashesOfMany hashes all objects of a heap that has little else: each grows when it moves.
func (s *suite) hashesOfMany(t *testing.T) {
	_, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	n := s.size(100_000)
	objects := midden.NewLocal(m, midden.NewArray[midden.Field[int64]](m, n))
	hashes := make([]uint64, n)
	buckets := make([]int, 256)
	for i := range n {
		r := midden.Alloc(m, int64(i))
		objects.Ptr().At(i).Store(m, r)
		hashes[i] = r.Any().IdentityHash(m)
		buckets[hashes[i]%256]++
	}
	for i, k := range []midden.Kind{midden.KindFull, midden.KindCompact, midden.KindMinor} {
		collect(t, m, k)
		litter(m, 1000)
		for j := range n {
			r := objects.Ptr().At(j).Load()
			equal(t, "object", *r.Get(), int64(j))
			equal(t, "hash", r.Any().IdentityHash(m), hashes[j])
		}
		// New ones between those that have grown.
		for j := i; j < n; j += 5 {
			r := midden.Alloc(m, int64(j))
			objects.Ptr().At(j).Store(m, r)
			hashes[j] = r.Any().IdentityHash(m)
		}
	}
	for i, count := range buckets {
		if n > 50_000 && (count < n/256/2 || count > n/256*2) {
			t.Errorf("bucket %d has %d of %d hashes", i, count, n)
		}
	}
}

// hashedSizes hashes objects of all sizes about those at which space is managed otherwise.
func (s *suite) hashedSizes(t *testing.T) {
	h, m := s.alone(t)
	scope := m.Scope()
	defer scope.Close()
	var sizes []int
	for _, about := range []int{0, 112, 120, 128, 4096, 8176, 8184, 8192, 16384, 32760} {
		for n := max(0, about-24); n <= about+24; n += 8 {
			sizes = append(sizes, n)
		}
	}
	objects := midden.NewLocal(m, midden.NewArray[midden.Field[blob]](m, len(sizes)))
	var hashes []uint64
	for i, n := range sizes {
		r := midden.NewArray[byte](m, n)
		objects.Ptr().At(i).Store(m, r)
		for j := range n {
			*r.Get().At(j) = byte(i + j)
		}
		hashes = append(hashes, r.Any().IdentityHash(m))
	}
	for round := range 6 {
		collect(t, m, kinds[round%3])
		litter(m, 1000)
		for i, n := range sizes {
			r := objects.Ptr().At(i).Load()
			equal(t, "length", r.Get().Len(), n)
			equal(t, "hash", r.Any().IdentityHash(m), hashes[i])
			for j, b := range r.Get().Slice() {
				if b != byte(i+j) {
					t.Fatalf("byte %d of %d is %#x", j, n, b)
				}
			}
		}
	}
	objects.Set(midden.Nil[midden.Array[midden.Field[blob]]]())
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live > 4096 {
		t.Errorf("%d bytes live, and nothing can be reached", live)
	}
}

// randomSpec draws a spec that makes sense.
func randomSpec(r *rand.Rand, array bool) midden.ShapeSpec {
	words := r.IntN(12)
	if r.IntN(8) == 0 {
		words = 200
	}
	if array {
		words &^= 1
	}
	spec := midden.ShapeSpec{Name: fmt.Sprint("random", words), Size: 4 * words, Array: array}
	for w := 0; w < words; w++ {
		switch n := r.IntN(4); {
		case n == 0:
			spec.Refs = append(spec.Refs, 4*w)
		case n == 1 && w%2 == 0 && w+1 < words:
			spec.Values = append(spec.Values, 4*w)
			w++
		}
	}
	r.Shuffle(len(spec.Refs), func(i, j int) { spec.Refs[i], spec.Refs[j] = spec.Refs[j], spec.Refs[i] })
	r.Shuffle(len(spec.Values), func(i, j int) { spec.Values[i], spec.Values[j] = spec.Values[j], spec.Values[i] })
	return spec
}

// fillRecord writes to every slot and every number of a record, and checkRecord reads them.
func fillRecord(m *midden.Mutator, r midden.Record, spec midden.ShapeSpec, id int) {
	for i := range spec.Refs {
		r.Ref(i).Store(m, newNode(m, int64(id+i)).Any())
	}
	for i := range spec.Values {
		if r.Value(i).Store(m, number(id+i)); i%2 == 0 {
			r.Value(i).Store(m, newNode(m, int64(id-i)).Value())
		}
	}
	for _, off := range numbersOf(spec) {
		*midden.Data[uint32](r, off) = uint32(id + off)
	}
}

func checkRecord(t *testing.T, r midden.Record, spec midden.ShapeSpec, id int) {
	t.Helper()
	for i := range spec.Refs {
		n, _ := midden.Cast[node](r.Ref(i).Load())
		checkNode(t, "a reference of a record", n, int64(id+i))
	}
	for i := range spec.Values {
		if v := r.Value(i).Load(); i%2 == 0 {
			isNode(t, "a Value of a record", v, int64(id-i))
		} else {
			equal(t, "a Value of a record", v, number(id+i))
		}
	}
	for _, off := range numbersOf(spec) {
		equal(t, "a number of a record", *midden.Data[uint32](r, off), uint32(id+off))
	}
}

// numbersOf returns where a spec has no slots.
func numbersOf(spec midden.ShapeSpec) (offsets []int) {
	taken := map[int]bool{}
	for _, off := range spec.Refs {
		taken[off] = true
	}
	for _, off := range spec.Values {
		taken[off], taken[off+4] = true, true
	}
	for off := 0; off+4 <= spec.Size; off += 4 {
		if !taken[off] {
			offsets = append(offsets, off)
		}
	}
	return offsets
}

// shapes checks objects of shapes drawn at random.
func (s *suite) shapes(t *testing.T) {
	h, m := s.alone(t)
	random := rand.New(rand.NewPCG(1, 1))
	n := s.size(300)
	var specs []midden.ShapeSpec
	var shapes []*midden.Shape
	scope := m.Scope()
	defer scope.Close()
	objects := midden.NewLocal(m, midden.NewArray[midden.AnyField](m, n))
	for i := range n {
		spec := randomSpec(random, false)
		shape, err := h.NewShape(spec)
		if err != nil {
			t.Fatal(err)
		}
		if shape.Name() != spec.Name || shape.Size() != spec.Size || shape.NumRefs() != len(spec.Refs) || shape.NumValues() != len(spec.Values) || shape.IsArray() {
			t.Fatalf("%+v becomes %+v", spec, shape)
		}
		before := h.Stats().Allocated
		a := shape.New(m)
		if i%2 == 0 {
			if a, err = shape.TryNew(m); err != nil {
				t.Fatal(err)
			}
		}
		if spent := h.Stats().Allocated - before; spent < 0 {
			t.Fatal(spent)
		}
		equal(t, "TypeName", a.TypeName(), spec.Name)
		equal(t, "Shape", a.Shape(), shape)
		equal(t, "Cost", shape.Cost(0), int64(8+max(8, (spec.Size+7)&^7)))
		for j := range spec.Refs {
			equal(t, "a new reference", shape.Record(a).Ref(j).Load().IsNil(), true)
		}
		for j := range spec.Values {
			equal(t, "a new Value", shape.Record(a).Value(j).Load(), midden.Value{})
		}
		for _, off := range numbersOf(spec) {
			equal(t, "a new number", *midden.Data[uint32](shape.Record(a), off), 0)
		}
		fillRecord(m, shape.Record(a), spec, i)
		objects.Ptr().At(i).Store(m, a)
		// The spec is the caller's again.
		specs, shapes = append(specs, cloneSpec(spec)), append(shapes, shape)
		clear(spec.Refs)
		clear(spec.Values)
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for i, shape := range shapes {
			a := objects.Ptr().At(i).Load()
			equal(t, "Shape", a.Shape(), shape)
			checkRecord(t, shape.Record(a), specs[i], i)
		}
	}
}

func cloneSpec(spec midden.ShapeSpec) midden.ShapeSpec {
	spec.Refs, spec.Values = append([]int(nil), spec.Refs...), append([]int(nil), spec.Values...)
	return spec
}

// shapeArrays does the same for arrays.
func (s *suite) shapeArrays(t *testing.T) {
	h, m := s.alone(t)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range s.size(60) {
		spec := randomSpec(random, true)
		shape, err := h.NewShape(spec)
		if err != nil {
			t.Fatal(err)
		}
		n := random.IntN(20)
		if round%8 == 0 {
			n = 700
		}
		scope := m.Scope()
		l := midden.NewAnyLocal(m, shape.NewArray(m, n))
		equal(t, "Len", shape.Len(l.Get()), n)
		equal(t, "Cost", shape.Cost(n) >= int64(n*spec.Size), true)
		for i := range n {
			fillRecord(m, shape.At(l.Get(), i), spec, i)
		}
		for _, k := range kinds {
			collect(t, m, k)
			litter(m, 300)
			for i := range n {
				checkRecord(t, shape.At(l.Get(), i), spec, i)
			}
		}
		panics(t, "At beyond the end", func() { shape.At(l.Get(), n) }, "midden: ", "range")
		panics(t, "At before the start", func() { shape.At(l.Get(), -1) }, "midden: ", "range")
		scope.Close()
	}

	array := func(size int, refs, values []int) *midden.Shape {
		s, err := h.NewShape(midden.ShapeSpec{Name: "row", Size: size, Refs: refs, Values: values, Array: true})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	bytes, refs, vals := array(1, nil, nil), array(4, []int{0}, nil), array(8, nil, []int{0})
	b, r, v := bytes.NewArray(m, 9), refs.NewArray(m, 3), vals.NewArray(m, 4)
	copy(midden.Elements[uint8](bytes, b), "123456789")
	equal(t, "an element", *midden.Data[uint8](bytes.At(b, 8), 0), '9')
	midden.Elements[midden.AnyField](refs, r)[2].Store(m, b)
	equal(t, "an element", refs.At(r, 2).Ref(0).Load(), b)
	midden.Elements[midden.ValueField](vals, v)[3].Store(m, r.Value())
	equal(t, "an element", vals.At(v, 3).Value(0).Load(), r.Value())
	for what, f := range map[string]func(){
		"numbers of references": func() { midden.Elements[uint32](refs, r) },
		"numbers of Values":     func() { midden.Elements[uint64](vals, v) },
		"references of numbers": func() { midden.Elements[midden.AnyField](array(4, nil, nil), array(4, nil, nil).NewArray(m, 1)) },
		"Values of numbers":     func() { x := array(8, nil, nil); midden.Elements[midden.ValueField](x, x.NewArray(m, 1)) },
		"Values of references":  func() { x := array(8, []int{0, 4}, nil); midden.Elements[midden.ValueField](x, x.NewArray(m, 1)) },
		"wide numbers of bytes": func() { midden.Elements[uint16](bytes, b) },
		"of another array":      func() { midden.Elements[uint8](bytes, r) },
	} {
		panics(t, what, f, "midden: ", "shape")
	}
	three := array(3, nil, nil)
	a := three.NewArray(m, 2)
	*midden.Data[uint8](three.At(a, 1), 2) = 1
	panics(t, "a number that lies badly in the second element", func() { midden.Data[uint16](three.At(a, 0), 0) }, "midden: ", "multiple")
}

// oldRecords checks the barrier for slots of records.
func (s *suite) oldRecords(t *testing.T) {
	h, m := s.alone(t)
	shape, err := h.NewShape(midden.ShapeSpec{Name: "class", Size: 400, Refs: []int{4, 396}, Values: []int{384, 8}})
	if err != nil {
		t.Fatal(err)
	}
	scope := m.Scope()
	defer scope.Close()
	l := midden.NewAnyLocal(m, shape.New(m))
	age(t, m)
	for id := range int64(20) {
		i := int(id % 2)
		litter(m, 30)
		shape.Record(l.Get()).Ref(i).Store(m, newNode(m, id).Any())
		litter(m, 30)
		shape.Record(l.Get()).Value(i).Store(m, newNode(m, id+100).Value())
		litter(m, 30)
		collect(t, m, midden.KindMinor)
		litter(m, 1000)
		r, _ := midden.Cast[node](shape.Record(l.Get()).Ref(i).Load())
		checkNode(t, "Ref", r, id)
		isNode(t, "Value", shape.Record(l.Get()).Value(i).Load(), id+100)
		if id%5 == 4 {
			age(t, m)
		}
	}
}

// badSpecs checks what is said of specs that make no sense.
func (s *suite) badSpecs(t *testing.T) {
	h, m := s.alone(t)
	many := make([]int, 1<<16+1)
	for i := range many {
		many[i] = 4 * i
	}
	for _, c := range []struct {
		spec    midden.ShapeSpec
		field   string
		problem string
	}{
		{midden.ShapeSpec{Size: -1}, "Size", "negative"},
		{midden.ShapeSpec{Size: 1<<30 + 1}, "Size", "more than"},
		{midden.ShapeSpec{Size: 1 << 62}, "Size", "more than"},
		{midden.ShapeSpec{Size: 8, Refs: []int{8}}, "Refs[0]", "outside"},
		{midden.ShapeSpec{Size: 8, Refs: []int{0, -4}}, "Refs[1]", "outside"},
		{midden.ShapeSpec{Size: 7, Refs: []int{4}}, "Refs[0]", "outside"},
		{midden.ShapeSpec{Size: 0, Refs: []int{0}}, "Refs[0]", "outside"},
		{midden.ShapeSpec{Size: 3, Refs: []int{-1 << 63}}, "Refs[0]", "outside"},
		{midden.ShapeSpec{Size: 3, Refs: []int{1<<63 - 1}}, "Refs[0]", "outside"},
		{midden.ShapeSpec{Size: 100, Refs: []int{0, 4, 9}}, "Refs[2]", "multiple of 4"},
		{midden.ShapeSpec{Size: 16, Values: []int{12}}, "Values[0]", "outside"},
		{midden.ShapeSpec{Size: 16, Values: []int{4}}, "Values[0]", "multiple of 8"},
		{midden.ShapeSpec{Size: 16, Values: []int{1<<32 + 8}}, "Values[0]", "outside"},
		{midden.ShapeSpec{Size: 16, Refs: []int{0, 4, 0}}, "Refs[2]", "another slot"},
		{midden.ShapeSpec{Size: 16, Refs: []int{12}, Values: []int{8}}, "Values[0]", "another slot"},
		{midden.ShapeSpec{Size: 16, Values: []int{8, 8}}, "Values[1]", "another slot"},
		{midden.ShapeSpec{Size: 12, Values: []int{0}, Array: true}, "Size", "multiple of 8"},
		{midden.ShapeSpec{Size: 6, Refs: []int{0}, Array: true}, "Size", "multiple of 4"},
		{midden.ShapeSpec{Size: 1 << 20, Refs: many}, "Refs and Values", "use an array"},
	} {
		c.spec.Name = "bad"
		shape, err := h.NewShape(c.spec)
		var bad *midden.ShapeError
		if shape != nil || !errors.As(err, &bad) || bad.Name != "bad" || bad.Field != c.field || !strings.Contains(bad.Problem, c.problem) {
			t.Errorf("%d bytes, %v, %v: %v; want one of %s: %s", c.spec.Size, c.spec.Refs[:min(3, len(c.spec.Refs))], c.spec.Values, err, c.field, c.problem)
		}
	}
	// What is just not too much.
	for _, spec := range []midden.ShapeSpec{
		{}, {Array: true}, {Size: 1 << 18, Refs: many[:1<<16]}, {Size: 7}, {Size: 5, Array: true}, {Size: 12, Refs: []int{8}, Array: true},
	} {
		shape, err := h.NewShape(spec)
		if err != nil {
			t.Fatal(err)
		}
		if spec.Array {
			shape.NewArray(m, 3)
		} else {
			shape.New(m)
		}
		collect(t, m, midden.KindFull)
	}
}

// shapeMisuse checks that nothing can be read or written that is not there.
func (s *suite) shapeMisuse(t *testing.T) {
	h, m := s.alone(t)
	_, other := s.alone(t)
	make := func(array bool) *midden.Shape {
		shape, err := h.NewShape(midden.ShapeSpec{Name: "mine", Size: 40, Refs: []int{12}, Values: []int{16}, Array: array})
		if err != nil {
			t.Fatal(err)
		}
		return shape
	}
	shape, twin, row := make(false), make(false), make(true)
	a := shape.New(m)
	r := shape.Record(a)
	equal(t, "Shape", r.Shape(), shape)
	for what, f := range map[string]func(){
		"Record of nil":             func() { shape.Record(midden.AnyRef{}) },
		"Record of another":         func() { shape.Record(newNode(m, 1).Any()) },
		"Record of a twin":          func() { twin.Record(a) },
		"Record of an array":        func() { row.Record(row.NewArray(m, 1)) },
		"Len of a record":           func() { shape.Len(a) },
		"At of a record":            func() { shape.At(a, 0) },
		"At of another":             func() { row.At(a, 0) },
		"New of an array":           func() { row.New(m) },
		"TryNew of an array":        func() { row.TryNew(m) },
		"NewArray of a record":      func() { shape.NewArray(m, 1) },
		"New in another heap":       func() { shape.New(other) },
		"NewArray in another heap":  func() { row.NewArray(other, 1) },
		"a number before the start": func() { midden.Data[uint8](r, -1) },
		"a number beyond the end":   func() { midden.Data[uint8](r, 40) },
		"a number across the end":   func() { midden.Data[uint64](r, 36) },
		"a number far away":         func() { midden.Data[uint64](r, -1<<63) },
		"a number at an odd place":  func() { midden.Data[uint32](r, 2) },
		"a byte of a reference":     func() { midden.Data[uint8](r, 15) },
		"a word over a reference":   func() { midden.Data[uint64](r, 8) },
		"the lower half of a Value": func() { midden.Data[uint32](r, 16) },
		"the upper half of a Value": func() { midden.Data[uint16](r, 22) },
		"a Value as a number":       func() { midden.Data[float64](r, 16) },
	} {
		panics(t, what, f, "midden: ", "mine")
	}
	panics(t, "an array too short", func() { row.NewArray(m, -1) }, "midden: ", "negative")
	for _, i := range []int{-1, 1} {
		panics(t, "a reference that is none", func() { r.Ref(i) }, "range")
		panics(t, "a Value that is none", func() { r.Value(i) }, "range")
	}
	*midden.Data[float64](r, 32) = 1.5
	*midden.Data[int16](r, 26) = -7
	*midden.Data[uint64](r, 0) = 1<<64 - 1
	equal(t, "a number", *midden.Data[float64](r, 32), 1.5)
	equal(t, "a reference beside it", r.Ref(0).Load().IsNil(), true)
}

// shapesAndLimit checks that shapes count to the limit, and what happens when there is no room.
func (s *suite) shapesAndLimit(t *testing.T) {
	h := s.heap(t, midden.Options{Limit: 2 * mib})
	m := s.mutator(t, h)
	name := strings.Repeat("x", 50_000)
	before := h.Stats().Used
	shape, err := h.NewShape(midden.ShapeSpec{Name: name, Size: 8})
	if err != nil {
		t.Fatal(err)
	}
	if spent := h.Stats().Used - before; spent < 50_000 {
		t.Errorf("a shape with a name of 50,000 bytes costs %d", spent)
	}
	n := 1
	for ; n < 1000 && err == nil; n++ {
		_, err = h.NewShape(midden.ShapeSpec{Name: name, Size: 8})
	}
	var limit *midden.LimitError
	if !errors.As(err, &limit) || limit.Limit != 2*mib || n > 2*mib/50_000+1 {
		t.Fatalf("after %d shapes: %v", n, err)
	}
	if used := h.Stats().Used; used > 2*mib {
		t.Errorf("%d bytes are used", used)
	}
	if refused := refusal(func() { shape.New(m) }); refused == nil {
		t.Error("shapes have taken all there is, and an object can still be made")
	}
	if _, err := shape.TryNew(m); !errors.Is(err, midden.ErrLimit) {
		t.Error(err)
	}
}

// shapeIDs makes shapes in one heap after the other: a heap that is closed gives their ids back.
func (s *suite) shapeIDs(t *testing.T) {
	long := s.open(t, midden.Options{})
	m := long.NewMutator()
	kept, err := long.NewShape(midden.ShapeSpec{Name: "kept", Size: 16, Refs: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	scope := m.Scope()
	l := midden.NewAnyLocal(m, kept.New(m))
	kept.Record(l.Get()).Ref(0).Store(m, newNode(m, 9).Any())
	var before, now midden.TypeID // the highest
	for round := range 3 {
		h := s.open(t, midden.Options{})
		before, now = now, 0
		seen := map[midden.TypeID]bool{kept.ID(): true, midden.TypeIDFor[node](): true}
		for i := range 1000 {
			shape, err := h.NewShape(midden.ShapeSpec{Name: "x", Size: 8})
			if err != nil {
				t.Fatalf("shape %d: %v", i, err)
			}
			if seen[shape.ID()] {
				t.Fatal("an id is given out twice")
			}
			seen[shape.ID()] = true
			now = max(now, shape.ID())
		}
		if round > 0 && now > before {
			t.Errorf("the highest id is %d, and was %d before the heap was closed", now, before)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := h.NewShape(midden.ShapeSpec{}); !errors.Is(err, midden.ErrClosed) {
			t.Errorf("NewShape of a closed heap: %v", err)
		}
	}
	// An id that is used again has the new shape, for tracers too.
	h := s.open(t, midden.Options{})
	n := h.NewMutator()
	shape, err := h.NewShape(midden.ShapeSpec{Name: "again", Size: 64, Values: []int{48}})
	if err != nil {
		t.Fatal(err)
	}
	scopeN := n.Scope()
	again := midden.NewAnyLocal(n, shape.New(n))
	shape.Record(again.Get()).Value(0).Store(n, newNode(n, 5).Value())
	for _, k := range kinds {
		collect(t, n, k)
		litter(n, 1000)
		collect(t, m, k)
		litter(m, 1000)
		isNode(t, "an object of a shape whose id was used before", shape.Record(again.Get()).Value(0).Load(), 5)
		r, _ := midden.Cast[node](kept.Record(l.Get()).Ref(0).Load())
		checkNode(t, "an object of a shape that was kept", r, 9)
		equal(t, "TypeName", again.Get().TypeName(), "again")
	}
	scopeN.Close()
	scope.Close()
	n.Close()
	m.Close()
	for _, h := range []*midden.Heap{h, long} {
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
