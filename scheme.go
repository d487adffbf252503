package midden

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/invariants"
	"github.com/midden-gc/midden/internal/object"
)

// Scheme is a way of your own to keep numbers and references in one word of 64
// bits, for a runtime whose tagging is not that of Value. It is a type without
// size: its zero value is what gets called. The methods are called with the world
// stopped, by several goroutines at once; they compute, and do nothing else.
type Scheme interface {
	// Ref returns the 32 bits of the reference in word, 0 if there is none.
	Ref(word uint64) (ref uint32)
	// WithRef returns word with ref as the reference in it: what Ref then finds.
	WithRef(word uint64, ref uint32) uint64
}

// TaggedField is a slot inside an object that holds a word of the scheme S. It is
// 8 bytes, and is used as Field is.
type TaggedField[S Scheme] struct {
	_    S
	slot object.SchemeSlot
}

// TaggedFieldOf returns a TaggedField that holds word, for a struct that will be
// given to Alloc.
func TaggedFieldOf[S Scheme](word uint64) TaggedField[S] {
	return TaggedField[S]{slot: object.SchemeSlot{W: word}}
}

// Load returns the word in f. A reference in it is good until the mutator's next
// safepoint.
func (f *TaggedField[S]) Load() uint64 { return f.slot.W }

// Store makes f hold word. It panics if f lies outside the heap. The mutator must
// be active.
func (f *TaggedField[S]) Store(m *Mutator, word uint64) {
	f.barrier(m, word)
	f.slot.W = word
}

// LoadAtomic is Load for a slot that several mutators use at once.
func (f *TaggedField[S]) LoadAtomic() uint64 { return atomic.LoadUint64(&f.slot.W) }

// StoreAtomic is Store for a slot that several mutators use at once.
func (f *TaggedField[S]) StoreAtomic(m *Mutator, word uint64) {
	f.barrier(m, word)
	atomic.StoreUint64(&f.slot.W, word)
}

// CompareAndSwap stores new if f holds old, in one step, and reports whether it
// did.
func (f *TaggedField[S]) CompareAndSwap(m *Mutator, old, new uint64) bool {
	f.barrier(m, new)
	return atomic.CompareAndSwapUint64(&f.slot.W, old, new)
}

func (f *TaggedField[S]) barrier(m *Mutator, word uint64) {
	inCage(unsafe.Pointer(f), "Store to a TaggedField outside the heap: fill a struct for Alloc with TaggedFieldOf")
	var s S
	w := object.Word(s.Ref(word))
	if w == 0 {
		return
	}
	if invariants.Enabled {
		stampOf(w).checkStore(m, unsafe.Pointer(f), w, nameOf[S])
	}
	if off := uintptr(unsafe.Pointer(f)) - uintptr(cage.Base); oldToNew(off, w) {
		m.remembered.add(off | schemeKind | uintptr(mustScheme[S]())<<schemeShift)
	}
}

// RefIn returns the reference in word, nil if there is none.
func RefIn[S Scheme](word uint64) AnyRef {
	var s S
	return AnyRef{ref: object.BareRef{W: object.Word(s.Ref(word))}}.stamped()
}

// WordWith returns word with a as the reference in it. It panics if the scheme
// does not find it there again, and if a is nil: your nil is a word without a
// reference.
func WordWith[S Scheme](word uint64, a AnyRef) uint64 {
	if invariants.Enabled {
		a.stamp.check(a.ref.W, nameOfAny)
	}
	if a.ref.W == 0 {
		panic("midden: WordWith of nil: how a scheme writes nil is its own affair")
	}
	var s S
	word = s.WithRef(word, uint32(a.ref.W))
	if s.Ref(word) != uint32(a.ref.W) {
		panic(fmt.Sprintf("midden: the scheme %T is wrong: Ref does not find what WithRef has put there, in %#x", s, word))
	}
	return word
}

// VisitWords shows words of the scheme S, and updates the references in them if
// objects move.
func VisitWords[S Scheme](v *Visitor, words []uint64) {
	var s S
	for i := range words {
		object.VisitScheme(s, &words[i], v.visit)
	}
}

func mustScheme[S Scheme]() object.SchemeID {
	id, err := object.SchemeOf(reflect.TypeFor[S]())
	if err != nil {
		panic("midden: " + err.Error())
	}
	return id
}
