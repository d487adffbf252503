package object

import (
	"fmt"
	"reflect"
	"strconv"
)

var (
	strongSlot = reflect.TypeFor[StrongSlot]()
	bareRef    = reflect.TypeFor[BareRef]()
	rootMark   = reflect.TypeFor[RootMark]()
	inlineMark = reflect.TypeFor[InlineMark]()
)

// maxSlots bounds the list of offsets of one type: a struct of giant arrays of
// slots would otherwise cost more descriptor than heap.
const maxSlots = 1 << 16

// layout walks a Go type and collects its slots.
type layout struct {
	root  reflect.Type
	slots []uint32
}

// findSlots returns the offsets of the slots in a value of type t, or an error
// that names the field because of which t cannot lie in the heap.
func findSlots(t reflect.Type) ([]uint32, error) {
	l := layout{root: t}
	if err := l.walk(t, 0, ""); err != nil {
		return nil, err
	}
	return l.slots, nil
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
	before := len(l.slots)
	if err := l.walk(t.Elem(), off, path+"[0]"); err != nil {
		return err
	}
	first := l.slots[before:len(l.slots):len(l.slots)]
	if len(first) == 0 {
		return nil
	}
	if len(first) > (maxSlots-before)/t.Len() {
		return l.refuse(t, path, "which has more than "+strconv.Itoa(maxSlots)+" references: use an Array")
	}
	for i := 1; i < t.Len(); i++ {
		for _, s := range first {
			l.slots = append(l.slots, s+uint32(uintptr(i)*t.Elem().Size()))
		}
	}
	return nil
}

func (l *layout) structure(t reflect.Type, off uintptr, path string) error {
	if t == strongSlot {
		l.slots = append(l.slots, uint32(off))
		return nil
	}
	for i := range t.NumField() {
		switch t.Field(i).Type {
		case bareRef:
			return l.refuse(t, path, "which would hide a reference from the collector: use a Field or an AnyField")
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
