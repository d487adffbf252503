package object

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
)

// Scheme is how an embedder's own words of 64 bits hold references. Its methods
// are called with the world stopped, by several goroutines at once.
type Scheme interface {
	// Ref returns the reference in word, 0 if there is none.
	Ref(word uint64) (ref uint32)
	// WithRef returns word, in which Ref has found a reference, with another in
	// its place.
	WithRef(word uint64, ref uint32) uint64
}

// SchemeID names a scheme for as long as the process runs.
type SchemeID uint16

// SchemeWord is a word inside objects, and the scheme that reads it.
type SchemeWord struct {
	Offset uint32
	Scheme SchemeID
}

var schemes struct {
	mu   sync.Mutex
	byGo map[reflect.Type]SchemeID
	list atomic.Pointer[[]Scheme]
}

var schemeInterface = reflect.TypeFor[Scheme]()

// SchemeOf returns the id of the scheme that is the zero value of t.
func SchemeOf(t reflect.Type) (SchemeID, error) {
	if t.Kind() == reflect.Pointer || t.Size() != 0 || !t.Implements(schemeInterface) {
		return 0, fmt.Errorf("%v is no Scheme: it must be a type without size, and have the methods", t)
	}
	s := &schemes
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, ok := s.byGo[t]; ok {
		return id, nil
	}
	var list []Scheme
	if p := s.list.Load(); p != nil {
		list = *p
	}
	if len(list) > 1<<16-1 {
		return 0, fmt.Errorf("%v is one Scheme too many: %d are known already", t, len(list))
	}
	if s.byGo == nil {
		s.byGo = map[reflect.Type]SchemeID{}
	}
	id := SchemeID(len(list))
	// Readers keep the slice that they loaded; appending beyond its length does
	// not change it.
	list = append(list, reflect.Zero(t).Interface().(Scheme))
	s.list.Store(&list)
	s.byGo[t] = id
	return id, nil
}

// SchemeByID returns the scheme with the given id.
func SchemeByID(id SchemeID) Scheme { return (*schemes.list.Load())[id] }

// VisitScheme calls visit with the reference in *word, if there is one, and puts
// what visit has changed it to in its place.
func VisitScheme(s Scheme, word *uint64, visit func(*Word)) {
	old := Word(s.Ref(*word))
	if old == 0 {
		return
	}
	w := old
	if visit(&w); w != old {
		*word = s.WithRef(*word, uint32(w))
	}
}
