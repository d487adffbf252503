package object

import (
	"fmt"
	"reflect"
	"strconv"
)

var (
	strongSlot   = reflect.TypeFor[StrongSlot]()
	taggedSlot   = reflect.TypeFor[TaggedSlot]()
	schemeSlot   = reflect.TypeFor[SchemeSlot]()
	weakSlot     = reflect.TypeFor[WeakSlot]()
	externalSlot = reflect.TypeFor[ExternalSlot]()
	bareRef      = reflect.TypeFor[BareRef]()
	bareValue    = reflect.TypeFor[BareValue]()
	rootMark     = reflect.TypeFor[RootMark]()
	inlineMark   = reflect.TypeFor[InlineMark]()
)

// maxSlots bounds the list of offsets of one type: a struct of giant arrays of
// slots would otherwise cost more descriptor than heap.
const maxSlots = 1 << 16

// layout walks a Go type and collects its slots, with their offsets.
type layout struct {
	root      reflect.Type
	slots     []uint32
	tagged    []uint32
	schemes   []SchemeWord
	weak      []uint32
	externals []uint32
}

// findSlots finds the slots in a value of type t, or returns an error that names
// the field because of which t cannot lie in the heap.
func findSlots(t reflect.Type) (layout, error) {
	l := layout{root: t}
	err := l.walk(t, 0, "")
	return l, err
}

// count is the number of slots found so far.
func (l *layout) count() int {
	return len(l.slots) + len(l.tagged) + len(l.schemes) + len(l.weak) + len(l.externals)
}

func (l *layout) walk(t reflect.Type, off uintptr, path string) error {
	switch t.Kind() {
	case reflect.Bool,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return nil
	case reflect.Array:
		return l.array(t, off, path)
	case reflect.Struct:
		return l.structure(t, off, path)
	}
	return l.refuse(t, path, "which Go's collector must see")
}

func (l *layout) array(t reflect.Type, off uintptr, path string) error {
	if t.Len() == 0 {
		// An array of nothing holds nothing, but its element type still says
		// what the programmer meant to keep here.
		return (&layout{root: l.root}).walk(t.Elem(), off, path+"[0]")
	}
	before := *l
	if err := l.walk(t.Elem(), off, path+"[0]"); err != nil {
		return err
	}
	one := l.count() - before.count()
	if one > (maxSlots-before.count())/t.Len() {
		return l.refuse(t, path, "which has more than "+strconv.Itoa(maxSlots)+" references: use an Array")
	}
	l.slots = repeat(l.slots, len(before.slots), t, shift)
	l.tagged = repeat(l.tagged, len(before.tagged), t, shift)
	l.weak = repeat(l.weak, len(before.weak), t, shift)
	l.externals = repeat(l.externals, len(before.externals), t, shift)
	l.schemes = repeat(l.schemes, len(before.schemes), t, func(s SchemeWord, by uint32) SchemeWord {
		s.Offset += by
		return s
	})
	return nil
}

func shift(offset, by uint32) uint32 { return offset + by }

// repeat appends what was found in the first element of an array, which begins
// at from, for each of the others.
func repeat[S any](found []S, from int, array reflect.Type, shift func(S, uint32) S) []S {
	first := found[from:len(found):len(found)]
	if len(first) == 0 {
		return found
	}
	for i := 1; i < array.Len(); i++ {
		for _, s := range first {
			found = append(found, shift(s, uint32(uintptr(i)*array.Elem().Size())))
		}
	}
	return found
}

func (l *layout) structure(t reflect.Type, off uintptr, path string) error {
	switch t {
	case strongSlot:
		l.slots = append(l.slots, uint32(off))
		return nil
	case taggedSlot:
		l.tagged = append(l.tagged, uint32(off))
		return nil
	case weakSlot:
		l.weak = append(l.weak, uint32(off))
		return nil
	case externalSlot:
		l.externals = append(l.externals, uint32(off))
		return nil
	}
	for i := range t.NumField() {
		switch t.Field(i).Type {
		case bareRef:
			return l.refuse(t, path, "which would hide a reference from the collector: use a Field or an AnyField")
		case bareValue:
			return l.refuse(t, path, "which would hide a reference from the collector: use a ValueField")
		case schemeSlot:
			return l.scheme(t, off+t.Field(i).Offset, path)
		case rootMark:
			return l.refuse(t, path, "which is a root and cannot lie inside an object: use a Field")
		case inlineMark:
			return l.refuse(t, path, "which exists only as an object of its own: use a Field that refers to one")
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Name
		if path != "" {
			name = path + "." + name
		}
		if err := l.walk(f.Type, off+f.Offset, name); err != nil {
			return err
		}
	}
	return nil
}

// scheme adds a word of an embedder's scheme, which a field beside it names.
func (l *layout) scheme(t reflect.Type, off uintptr, path string) error {
	for i := range t.NumField() {
		if f := t.Field(i).Type; f.Size() == 0 && f.Implements(schemeInterface) {
			id, err := SchemeOf(f)
			if err != nil {
				return l.refuse(t, path, "and "+err.Error())
			}
			l.schemes = append(l.schemes, SchemeWord{uint32(off), id})
			return nil
		}
	}
	return l.refuse(t, path, "whose Scheme must be a type without size")
}

func (l *layout) refuse(t reflect.Type, path, why string) error {
	if path == "" {
		return fmt.Errorf("cannot hold %v: it is %s %v, %s", l.root, article(t), t, why)
	}
	return fmt.Errorf("cannot hold %v: field %s is %s %v, %s", l.root, path, article(t), t, why)
}

// article picks the word that reads right before the name of t.
func article(t reflect.Type) string {
	switch t.String()[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "an"
	}
	return "a"
}
