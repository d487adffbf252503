package midden

import (
	"iter"
	"slices"
	"sync"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

// The line-mark table tells old from young for any address, because new objects
// lie only in lines that were free. So the barrier is two bytes of it: a store
// is remembered when the slot's line is old and the target's is not. Collectors
// that do not tell old from new mark no line as old, and nothing is remembered.
// (Block 0 has no objects; its first line is marked old, so that storing nil is
// not remembered either.)

// barrier is the write barrier. It panics if the slot lies outside the heap.
func barrier(m *Mutator, slot unsafe.Pointer, w object.Word) {
	off := uintptr(slot) - uintptr(cage.Base)
	if off >= cage.Size {
		panicStoreOutside()
	}
	if oldToNew(off, w) {
		m.remembered.add(off)
	}
}

func panicStoreOutside() {
	panic("midden: Store to a slot outside the heap: fill a struct for Alloc with FieldOf, AnyFieldOf or ValueFieldOf")
}

// barrierTagged is the barrier for a tagged word that has been stored: what is
// remembered is the slot, so it may come after.
func barrierTagged(m *Mutator, f *ValueField) {
	off := uintptr(unsafe.Pointer(f)) - uintptr(cage.Base)
	if off >= cage.Size {
		panicStoreOutside()
	}
	if word := f.slot.W; object.HoldsWord(word) && oldToNew(off, object.Word(word)) {
		m.remembered.add(off | taggedKind)
	}
}

// barrierScheme is the barrier for a word of a scheme.
func barrierScheme(m *Mutator, slot unsafe.Pointer, w object.Word, s object.SchemeID) {
	off := uintptr(slot) - uintptr(cage.Base)
	if off >= cage.Size {
		panicStoreOutside()
	}
	if oldToNew(off, w) {
		m.remembered.add(off | schemeKind | uintptr(s)<<schemeShift)
	}
}

// barrierOf is the barrier for a slot of another kind that has a Word.
func barrierOf(m *Mutator, slot unsafe.Pointer, w object.Word, kind uintptr) {
	off := uintptr(slot) - uintptr(cage.Base)
	if off >= cage.Size {
		panicStoreOutside()
	}
	if oldToNew(off, w) {
		m.remembered.add(off | kind)
	}
}

// oldToNew reports whether the slot so far from the base is old and w is not.
func oldToNew(off uintptr, w object.Word) bool {
	from := *(*uint8)(unsafe.Add(cage.Lines, off>>cage.LineShift))
	to := *(*uint8)(unsafe.Add(cage.Lines, uintptr(w)>>(cage.LineShift-cage.UnitShift)))
	return from&^to&space.OldLine != 0
}

// isOld reports whether what lies at p, in the heap, is old.
func isOld(p unsafe.Pointer) bool {
	off := uintptr(p) - uintptr(cage.Base)
	return *(*uint8)(unsafe.Add(cage.Lines, off>>cage.LineShift))&space.OldLine != 0
}

// What is remembered of a slot is how far it lies from the base of the cage, in
// bytes, and above that its kind, and the scheme if the kind has one.
const (
	strongKind    = 0 << 56
	taggedKind    = 1 << 56
	schemeKind    = 2 << 56
	weakKind      = 3 << 56
	ephemeronKind = 4 << 56 // the slot of the value
	kindMask      = 0xff << 56
	schemeShift   = 40
	placeMask     = 1<<schemeShift - 1
)

// rememberedSet holds the slots of old objects that one mutator has made to refer
// to new ones. The heap keeps it until the next cycle, whatever becomes of the
// mutator.
type rememberedSet struct {
	slots []uint64 // with their kinds
	space *space.Space
	all   *rememberedSets // of the heap
	known bool            // it is among them: it has had a slot since the last cycle
	open  bool            // its mutator is, as of the present cycle
	_     [lineSize - 48]byte
}

const minRemembered = 64

func (s *rememberedSet) add(off uintptr) {
	if len(s.slots) == cap(s.slots) {
		s.makeRoom()
	}
	s.slots = append(s.slots, uint64(off))
}

// makeRoom drops duplicates, and lets the set grow only if that was not enough.
// What it takes counts to the limit.
func (s *rememberedSet) makeRoom() {
	if !s.known {
		s.known = true
		s.all.add(s)
	}
	slices.Sort(s.slots)
	s.slots = slices.Compact(s.slots)
	if 2*len(s.slots) < cap(s.slots) {
		return
	}
	slots := make([]uint64, len(s.slots), max(2*cap(s.slots), minRemembered))
	copy(slots, s.slots)
	s.space.ChargeSet(8 * int64(cap(slots)-cap(s.slots)))
	s.slots = slots
}

// each calls visit for every slot in the set that keeps something alive by
// itself.
func (s *rememberedSet) each(visit func(*object.Word)) {
	for _, slot := range s.slots {
		p := unsafe.Add(cage.Base, slot&placeMask)
		switch slot & kindMask {
		case strongKind:
			visit((*object.Word)(p))
		case taggedKind:
			if object.HoldsWord(*(*uint64)(p)) {
				visit((*object.Word)(p))
			}
		case schemeKind:
			object.VisitScheme(object.SchemeByID(object.SchemeID(slot>>schemeShift)), (*uint64)(p), visit)
		}
	}
}

// clear empties the set for the next cycle. Its memory is kept if a good part of
// it was needed.
func (s *rememberedSet) clear() {
	if len(s.slots) < cap(s.slots)/4 {
		s.drop()
		return
	}
	s.slots = s.slots[:0]
}

// drop empties the set and gives its memory back.
func (s *rememberedSet) drop() {
	s.space.ChargeSet(-8 * int64(cap(s.slots)))
	s.slots = nil
}

// rememberedSets are those that mutators have put a slot into since the last
// cycle.
type rememberedSets struct {
	mu   sync.Mutex
	sets []*rememberedSet
}

func (ss *rememberedSets) add(s *rememberedSet) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sets = append(ss.sets, s)
}

// each calls visit for every slot in any set that keeps something alive by
// itself.
func (ss *rememberedSets) each(visit func(*object.Word)) {
	for _, s := range ss.sets {
		s.each(visit)
	}
}

// weak calls visit for every weak slot in any set.
func (ss *rememberedSets) weak(visit func(*object.Word)) {
	for slot := range ss.of(weakKind) {
		visit((*object.Word)(slot))
	}
}

// ephemerons calls visit for every ephemeron whose value is in any set.
func (ss *rememberedSets) ephemerons(visit func(object.Word)) {
	for slot := range ss.of(ephemeronKind) {
		at := uintptr(slot) - unsafe.Offsetof(object.Pair{}.Value) - uintptr(cage.Base)
		visit(object.Word(at >> cage.UnitShift))
	}
}

// of yields the slots of one kind in any set.
func (ss *rememberedSets) of(kind uint64) iter.Seq[unsafe.Pointer] {
	return func(yield func(unsafe.Pointer) bool) {
		for _, s := range ss.sets {
			for _, slot := range s.slots {
				if slot&kindMask == kind && !yield(unsafe.Add(cage.Base, slot&placeMask)) {
					return
				}
			}
		}
	}
}

// reset ends a cycle: all sets are cleared, and those of mutators that are gone
// dropped.
func (ss *rememberedSets) reset(open []*Mutator) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, s := range ss.sets {
		s.open = false
	}
	for _, m := range open {
		m.remembered.open = true
	}
	kept := ss.sets[:0]
	for _, s := range ss.sets {
		if s.open {
			s.clear()
		} else {
			s.drop()
		}
		if s.known = s.slots != nil; s.known {
			kept = append(kept, s)
		}
	}
	clear(ss.sets[len(kept):])
	ss.sets = kept
}

// barriers applies the barrier to every slot of n values of type t at p.
func (m *Mutator) barriers(t *object.Type, p unsafe.Pointer, n int) {
	if !t.HasSlots() {
		return
	}
	for range n {
		for _, off := range t.Slots {
			slot := (*object.Word)(unsafe.Add(p, off))
			barrier(m, unsafe.Pointer(slot), *slot)
		}
		for _, off := range t.Tagged {
			f := (*ValueField)(unsafe.Add(p, off))
			barrierTagged(m, f)
		}
		for _, sw := range t.Schemes {
			slot := (*uint64)(unsafe.Add(p, sw.Offset))
			w := object.SchemeByID(sw.Scheme).Ref(*slot)
			barrierScheme(m, unsafe.Pointer(slot), object.Word(w), sw.Scheme)
		}
		for _, off := range t.Weak {
			slot := (*object.Word)(unsafe.Add(p, off))
			barrierOf(m, unsafe.Pointer(slot), *slot, weakKind)
		}
		for _, off := range t.Externals {
			m.copiedExternal((*object.ExternalSlot)(unsafe.Add(p, off)))
		}
		p = unsafe.Add(p, t.Size)
	}
}
