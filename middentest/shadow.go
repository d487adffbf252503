package middentest

import (
	"fmt"

	"github.com/midden-gc/midden"
)

// A shadow is an object of the model: what Go's own memory says that an object of the heap should be.
type shadow struct {
	shape shape
	id    int64     // of a pair, and of the header of a record
	bytes string    // of a text or a blob
	slots []*shadow // in the order of the shape
	// What is in those slots that may hold a number, and do: nil for shapes that have none.
	numbers []midden.Value
	hash    uint64 // the identity hash, if somebody has asked for it
	bits    uint32 // user bits, of what is no array
	// shared objects belong to several machines at once, which read them only.
	shared bool
}

// A shape is a type of object in the model test.
type shape int

const (
	pairShape   shape = iota // a struct with slots of both sorts
	recordShape              // a struct with slots in an array of structs
	pairsShape               // an array of slots
	anysShape                // an array of slots for anything
	rowsShape                // an array of structs with slots
	textShape                // a string
	blobShape                // an array without slots
	valuesShape              // an array of Values
	mixedShape               // a struct with Values and a word of a scheme
	classShape               // a shape of run time, with a reference, Values, and a number
	shapes
)

type (
	pair struct {
		ID   int64
		A, B midden.Field[pair]
		X    midden.AnyField
	}
	row struct {
		N uint8
		F midden.Field[pair]
		G midden.AnyField
	}
	record struct {
		ID   int64
		Rows [3]row
		Last midden.AnyField
	}
	pairs       = midden.Array[midden.Field[pair]]
	anys        = midden.Array[midden.AnyField]
	rows        = midden.Array[row]
	blob        = midden.Array[byte]
	mixedObject struct {
		ID   int64
		V    [3]midden.ValueField
		Word midden.TaggedField[odd]
	}
)

// class is what a classShape is made with: slot 0 is the reference, 1 and 2 are Values.
var class = midden.ShapeSpec{Name: "class", Size: 40, Refs: []int{20}, Values: []int{8, 32}}

// value is slot i of an object whose slots hold Values, and nil for others.
func (s *shadow) value(a midden.AnyRef, i int) *midden.ValueField {
	switch {
	case s.shape == valuesShape:
		return cast[values](a).At(i)
	case s.shape == mixedShape && i < 3:
		return &cast[mixedObject](a).V[i]
	case s.shape == classShape && i > 0:
		return a.Shape().Record(a).Value(i - 1)
	}
	return nil
}

// word is slot i of an object if that holds a word of a scheme, and nil for others.
func (s *shadow) word(a midden.AnyRef, i int) *midden.TaggedField[odd] {
	if s.shape == mixedShape && i == 3 {
		return &cast[mixedObject](a).Word
	}
	return nil
}

// A number in a word of a scheme is twice the int of the shadow.
func wordOf(v midden.Value) uint64 {
	if v.IsNil() {
		return 0
	}
	return uint64(uint32(v.Int())) << 1
}

// dynamic tells whether slot i may hold a number as well as a reference.
func (s *shadow) dynamic(i int) bool { return s.numbers != nil && (s.shape != classShape || i > 0) }

// cast is Cast of what must be a T.
func cast[T any](a midden.AnyRef) *T {
	r, ok := midden.Cast[T](a)
	if !ok {
		panic(fmt.Sprintf("an object is a %s, want a %T", a.TypeName(), *new(T)))
	}
	return r.Get()
}

// slot is slot i of an object: one of the two is not nil.
func (s *shadow) slot(a midden.AnyRef, i int) (*midden.Field[pair], *midden.AnyField) {
	ofRow := func(r *row) (*midden.Field[pair], *midden.AnyField) {
		if i%2 == 0 {
			return &r.F, nil
		}
		return nil, &r.G
	}
	switch s.shape {
	case pairShape:
		p := cast[pair](a)
		switch i {
		case 0:
			return &p.A, nil
		case 1:
			return &p.B, nil
		}
		return nil, &p.X
	case recordShape:
		r := cast[record](a)
		if i == 6 {
			return nil, &r.Last
		}
		return ofRow(&r.Rows[i/2])
	case pairsShape:
		return cast[pairs](a).At(i), nil
	case anysShape:
		return nil, cast[anys](a).At(i)
	case classShape:
		return nil, a.Shape().Record(a).Ref(0)
	case rowsShape:
		return ofRow(cast[rows](a).At(i / 2))
	}
	panic("no slots")
}

// load is what slot i of the object refers to. It panics if there is a number, and should be another.
func (s *shadow) load(a midden.AnyRef, i int) midden.AnyRef {
	if s.dynamic(i) {
		v, w := s.value(a, i), s.word(a, i)
		switch {
		case s.slots[i] != nil && v != nil:
			return v.Load().Any()
		case s.slots[i] != nil:
			return midden.RefIn[odd](w.Load())
		case v != nil && v.Load() != s.numbers[i] || w != nil && w.Load() != wordOf(s.numbers[i]):
			panic(fmt.Sprintf("slot %d of a %s is not %v", i, a.TypeName(), s.numbers[i]))
		}
		return midden.AnyRef{}
	}
	f, g := s.slot(a, i)
	if f != nil {
		return f.Load().Any()
	}
	return g.Load()
}

// takes tells whether slot i may refer to an object of this shape.
func (s *shadow) takes(i int, target shape) bool {
	switch s.shape {
	case pairShape:
		return i == 2 || target == pairShape
	case pairsShape:
		return target == pairShape
	case recordShape, rowsShape:
		return i%2 == 1 || i == 6 && s.shape == recordShape || target == pairShape
	}
	return true
}

// cost is what the object costs in the heap, header and rounding included.
func (s *shadow) cost() int64 {
	switch s.shape {
	case pairShape:
		return midden.SizeOf[pair]()
	case recordShape:
		return midden.SizeOf[record]()
	case pairsShape:
		return midden.ArraySize[midden.Field[pair]](len(s.slots))
	case anysShape:
		return midden.ArraySize[midden.AnyField](len(s.slots))
	case rowsShape:
		return midden.ArraySize[row](len(s.slots) / 2)
	case valuesShape:
		return midden.ArraySize[midden.ValueField](len(s.slots))
	case mixedShape:
		return midden.SizeOf[mixedObject]()
	case classShape:
		return int64(class.Size + 8)
	}
	return midden.ArraySize[byte](len(s.bytes))
}

// checkContents panics unless the object's own contents, its slots apart, are the shadow's.
func (s *shadow) checkContents(a midden.AnyRef) {
	ok := false
	switch s.shape {
	case pairShape:
		ok = cast[pair](a).ID == s.id
	case recordShape:
		r := cast[record](a)
		ok = r.ID == s.id && r.Rows[0].N == 0 && r.Rows[2].N == 0
	case pairsShape:
		ok = cast[pairs](a).Len() == len(s.slots)
	case anysShape:
		ok = cast[anys](a).Len() == len(s.slots)
	case rowsShape:
		ok = cast[rows](a).Len() == len(s.slots)/2
	case textShape:
		ok = cast[midden.String](a).View() == s.bytes
	case blobShape:
		ok = string(cast[blob](a).Slice()) == s.bytes
	case valuesShape:
		ok = cast[values](a).Len() == len(s.slots)
	case mixedShape:
		ok = cast[mixedObject](a).ID == s.id
	case classShape:
		ok = *midden.Data[int64](a.Shape().Record(a), 0) == s.id && a.TypeName() == "class"
	}
	if s.bits != 0 {
		ok = ok && a.UserBits() == s.bits
	}
	if !ok {
		panic(fmt.Sprintf("a %s with ID %d and %d slots, %d bytes has other contents", a.TypeName(), s.id, len(s.slots), len(s.bytes)))
	}
}

// A matcher compares a graph of objects with its shadow. Two roots or slots must refer to one object
// exactly if their shadows are one.
type matcher struct {
	object map[*shadow]midden.AnyRef
	shadow map[midden.AnyRef]*shadow
	todo   []*shadow
}

func newMatcher() *matcher {
	return &matcher{object: map[*shadow]midden.AnyRef{}, shadow: map[midden.AnyRef]*shadow{}}
}

// match panics unless what a refers to, and everything that can be reached from there, is as s says.
func (m *matcher) match(a midden.AnyRef, s *shadow) {
	m.pair(a, s)
	for len(m.todo) > 0 {
		s := m.todo[len(m.todo)-1]
		m.todo = m.todo[:len(m.todo)-1]
		a := m.object[s]
		s.checkContents(a)
		for i, target := range s.slots {
			m.pair(s.load(a, i), target)
		}
	}
}

// pair notes that a and s belong together, and panics if one of them belongs to another already.
func (m *matcher) pair(a midden.AnyRef, s *shadow) {
	if a.IsNil() || s == nil {
		if !a.IsNil() || s != nil {
			panic(fmt.Sprintf("a reference is nil: %t, should be: %t", a.IsNil(), s == nil))
		}
		return
	}
	known, ok := m.object[s]
	if !ok && m.shadow[a] == nil {
		m.object[s], m.shadow[a] = a, s
		m.todo = append(m.todo, s)
		return
	}
	if known != a {
		panic("two references to one object refer to two, or the other way round")
	}
}

// cost is what everything that was reached costs together.
func (m *matcher) cost() (bytes int64) {
	for s := range m.object {
		bytes += s.cost()
	}
	return bytes
}
