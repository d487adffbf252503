package midden

import (
	"fmt"
	"math"
	"strconv"

	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Value is a word that holds any of the things that a dynamic language computes
// with: nil, a bool, an int32, a float64, a reference, or 32 bits under one of 16
// tags that are yours. It is 8 bytes, and nothing of it lies elsewhere: to make
// one, to look at it and to copy it allocates nothing. Its zero value is nil.
//
// A Value is for Go's side: variables, and a stack of your own that a Tracer
// shows with Visitor.Values. One that holds a reference is good until the
// mutator's next safepoint, as a Ref is. Objects have ValueFields.
//
// Values are compared bit by bit with ==, so that they can be keys of a map: it
// tells 1 from 1.0 and 0.0 from -0.0, and finds a NaN equal to itself. All NaNs
// are one Value: a NaN's own bits are not kept. Equal compares as numbers are
// compared.
type Value struct{ word object.BareValue }

// A float64 has some 2⁵³ bit patterns that are NaNs, and a program needs one of
// them. The others are room for everything else ("NaN boxing"). We add 15<<48 to
// the bits of a float64: of what is left, no sum is below that, and none
// overflows. Words below are not floats, and 0 can be nil:
//
//	bits 63…48   47…32   31…0
//	0            0       a reference, or 0 for nil. With the tag invariants, bits
//	                     47…32 have the epoch, while it is not inside an object
//	1            0       an int32
//	2            0       a bool, 0 or 1
//	3            tag     what the user pleases
//	15…65535             a float64, plus 15<<48
const (
	boxShift    = 48
	boxedInt    = 1 << boxShift
	boxedBool   = 2 << boxShift
	boxedTag    = 3 << boxShift
	floatOffset = 15 << boxShift

	userTags = 16
	halfBit  = 32
)

// ValueKind is what a Value holds.
type ValueKind uint8

const (
	NilKind ValueKind = iota
	RefKind
	IntKind
	BoolKind
	TagKind
	FloatKind
)

// String returns the kind's name.
func (k ValueKind) String() string {
	switch k {
	case NilKind:
		return "nil"
	case RefKind:
		return "reference"
	case IntKind:
		return "int"
	case BoolKind:
		return "bool"
	case TagKind:
		return "tag"
	case FloatKind:
		return "float"
	}
	return fmt.Sprintf("ValueKind(%d)", uint8(k))
}

func valueOf(w uint64) Value { return Value{object.BareValue{W: w}} }

// IntValue returns i as a Value.
func IntValue(i int32) Value { return valueOf(boxedInt | uint64(uint32(i))) }

// FloatValue returns f as a Value. Of a NaN, sign and payload are dropped.
func FloatValue(f float64) Value {
	if f != f {
		f = math.NaN()
	}
	return valueOf(math.Float64bits(f) + floatOffset)
}

// BoolValue returns b as a Value.
func BoolValue(b bool) Value {
	if b {
		return valueOf(boxedBool | 1)
	}
	return valueOf(boxedBool)
}

// TagValue returns a Value that holds bits under one of your tags, 0 to 15: an
// atom, a character, an index into a table. It panics if tag is above 15.
func TagValue(tag uint8, bits uint32) Value {
	if tag >= userTags {
		panicTag(tag)
	}
	return valueOf(boxedTag | uint64(tag)<<halfBit | uint64(bits))
}

// Value returns r as a Value; nil is the Value nil.
func (r Ref[T]) Value() Value {
	if invariants.Enabled {
		r.stamp.check(r.ref.W, nameOf[T])
	}
	return stampedValue(r.ref.W, r.stamp)
}

// Value returns a as a Value; nil is the Value nil.
func (a AnyRef) Value() Value {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	return stampedValue(a.ref.W, a.stamp)
}

// IsNil reports whether v is nil.
func (v Value) IsNil() bool { return v.word.W == 0 }

// IsInt reports whether v is an int32.
func (v Value) IsInt() bool { return v.word.W>>halfBit == boxedInt>>halfBit }

// IsFloat reports whether v is a float64.
func (v Value) IsFloat() bool { return v.word.W >= floatOffset }

// IsBool reports whether v is a bool.
func (v Value) IsBool() bool { return v.word.W>>halfBit == boxedBool>>halfBit }

// IsTag reports whether v holds bits under the given tag.
func (v Value) IsTag(tag uint8) bool {
	return v.word.W>>halfBit == boxedTag>>halfBit|uint64(tag) && tag < userTags
}

// IsRef reports whether v is a reference, and not nil.
func (v Value) IsRef() bool { return v.word.W-1 < boxedInt-1 }

// Kind returns what v holds.
func (v Value) Kind() ValueKind {
	switch w := v.word.W; {
	case w >= floatOffset:
		return FloatKind
	case w >= boxedTag:
		return TagKind
	case w >= boxedBool:
		return BoolKind
	case w >= boxedInt:
		return IntKind
	case w != 0:
		return RefKind
	}
	return NilKind
}

// Int returns the int32 in v. It panics if v is something else.
func (v Value) Int() int32 {
	if !v.IsInt() {
		panic(notOfKind{v, IntKind})
	}
	return int32(v.word.W)
}

// Float returns the float64 in v. It panics if v is something else, an int too.
func (v Value) Float() float64 {
	if !v.IsFloat() {
		panic(notOfKind{v, FloatKind})
	}
	return math.Float64frombits(v.word.W - floatOffset)
}

// Number returns the int32 or float64 in v as a float64, and whether v is one of
// them.
func (v Value) Number() (float64, bool) {
	switch {
	case v.IsFloat():
		return math.Float64frombits(v.word.W - floatOffset), true
	case v.IsInt():
		return float64(int32(v.word.W)), true
	}
	return 0, false
}

// Bool returns the bool in v. It panics if v is something else.
func (v Value) Bool() bool {
	if !v.IsBool() {
		panic(notOfKind{v, BoolKind})
	}
	return v.word.W&1 != 0
}

// Tag returns the tag in v. It panics if v is something else.
func (v Value) Tag() uint8 {
	if v.word.W>>boxShift != boxedTag>>boxShift {
		panic(notOfKind{v, TagKind})
	}
	return uint8(v.word.W >> halfBit)
}

// Bits returns what v holds under its tag. It panics if v has none.
func (v Value) Bits() uint32 {
	if v.word.W>>boxShift != boxedTag>>boxShift {
		panic(notOfKind{v, TagKind})
	}
	return uint32(v.word.W)
}

// Any returns the reference in v, nil for nil. It panics if v is something else.
func (v Value) Any() AnyRef {
	if v.word.W >= boxedInt {
		panic(notOfKind{v, RefKind})
	}
	if invariants.Enabled {
		v.check()
	}
	return AnyRef{ref: object.BareRef{W: object.Word(v.word.W)}}.stamped()
}

// As returns the reference in v as a Ref[T], and whether v is a reference to a
// T. Nil is none.
func As[T any](v Value) (Ref[T], bool) {
	if !v.IsRef() {
		return Ref[T]{}, false
	}
	return Cast[T](v.Any())
}

// Equal reports whether v and u are equal as a language with one kind of numbers
// has it: ints and floats by what they are worth, so that 1 is 1.0 and -0.0 is 0.0
// and a NaN is nothing, and the rest bit by bit.
func (v Value) Equal(u Value) bool {
	if v == u {
		return v != valueOf(floatOffset+nanBits)
	}
	a, ok := v.Number()
	b, also := u.Number()
	return ok && also && a == b
}

// nanBits are the bits of the only NaN.
const nanBits = 0x7ff8000000000001

// String shows v: a number as Go writes it, a tag as tag:bits, a reference as the
// name of its type.
func (v Value) String() string {
	switch v.Kind() {
	case RefKind:
		return v.Any().TypeName()
	case IntKind:
		return strconv.Itoa(int(v.Int()))
	case BoolKind:
		return strconv.FormatBool(v.Bool())
	case TagKind:
		return fmt.Sprintf("%d:%#x", v.Tag(), v.Bits())
	case FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return "nil"
}

// notOfKind is what accessors of the wrong kind panic with. The message is made
// when it is read, so that they can be inlined.
type notOfKind struct {
	v      Value
	wanted ValueKind
}

// Error names the mistake.
func (e notOfKind) Error() string {
	return fmt.Sprintf("midden: a Value of kind %v was used as one of kind %v: look at its Kind first", e.v.Kind(), e.wanted)
}

func panicTag(tag uint8) {
	panic(fmt.Sprintf("midden: TagValue with tag %d: there are tags 0 to %d", tag, userTags-1))
}
