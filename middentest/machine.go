package middentest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/midden-gc/midden"
)

// A program is the bytes from which the model test takes its decisions. At its end it is all zeros.
type program struct {
	bytes []byte
}

func (p *program) ended() bool { return len(p.bytes) == 0 }

// next is the next byte.
func (p *program) next() int {
	if p.ended() {
		return 0
	}
	b := p.bytes[0]
	p.bytes = p.bytes[1:]
	return int(b)
}

// below is a number below n, from one byte.
func (p *program) below(n int) int { return p.next() % n }

// A machine runs a program on a heap and on the model at once. It has several mutators, of which one is
// active, and stays in one goroutine.
type machine struct {
	program
	heap    *midden.Heap
	actors  []*actor
	now     *actor // the one whose mutator is active
	handles []root
	tracers stack // added to the heap

	removeTracers func()
	external      int64
	lastID        int64
	solo          bool // one mutator at a time
	blobs         int  // bytes in blobs so far
	class         *midden.Shape
	weak          weakPart
}

// An actor is a mutator and its roots.
type actor struct {
	m       *midden.Mutator
	scopes  []frame
	tracers stack // added to the mutator
}

// A frame is a scope with the locals in it.
type frame struct {
	scope  midden.Scope
	locals []root
}

// A root is a place that refers to an object, and its shadow.
type root struct {
	get     func(m *midden.Mutator) midden.AnyRef
	set     func(a midden.AnyRef) // nil for handles
	release func()                // nil for locals
	shape   shape
	shadow  *shadow
}

// A stack is a Tracer that keeps anything.
type stack struct {
	refs    []midden.AnyRef
	shadows []*shadow
}

func (s *stack) Trace(v *midden.Visitor) {
	for i := range s.refs {
		v.Any(&s.refs[i])
	}
}

func localOf[T any](m *midden.Mutator, a midden.AnyRef, s *shadow) root {
	r, _ := midden.Cast[T](a)
	l := midden.NewLocal(m, r)
	return root{
		get: func(*midden.Mutator) midden.AnyRef { return l.Get().Any() },
		set: func(a midden.AnyRef) {
			r, _ := midden.Cast[T](a)
			l.Set(r)
		},
		shape: s.shape, shadow: s,
	}
}

func anyLocalOf(m *midden.Mutator, a midden.AnyRef, s *shadow) root {
	l := midden.NewAnyLocal(m, a)
	return root{get: func(*midden.Mutator) midden.AnyRef { return l.Get() }, set: l.Set, shape: s.shape, shadow: s}
}

func anyHandleOf(m *midden.Mutator, a midden.AnyRef, s *shadow) root {
	h := midden.NewAnyHandle(m, a)
	return root{get: h.Get, release: h.Release, shape: s.shape, shadow: s}
}

func handleOf[T any](m *midden.Mutator, a midden.AnyRef, s *shadow) root {
	r, _ := midden.Cast[T](a)
	h := midden.NewHandle(m, r)
	return root{
		get:     func(m *midden.Mutator) midden.AnyRef { return h.Get(m).Any() },
		release: h.Release, shape: s.shape, shadow: s,
	}
}

// Each shape has a type, for which locals and handles are made.
var (
	newLocals = [shapes]func(*midden.Mutator, midden.AnyRef, *shadow) root{
		localOf[pair], localOf[record], localOf[pairs], localOf[anys], localOf[rows], localOf[midden.String], localOf[blob],
		localOf[values], localOf[mixedObject], anyLocalOf,
	}
	newHandles = [shapes]func(*midden.Mutator, midden.AnyRef, *shadow) root{
		handleOf[pair], handleOf[record], handleOf[pairs], handleOf[anys], handleOf[rows], handleOf[midden.String], handleOf[blob],
		handleOf[values], handleOf[mixedObject], anyHandleOf,
	}
)

func newMachine(h *midden.Heap, bytes []byte) *machine {
	mc := &machine{program: program{bytes}, heap: h}
	mc.removeTracers = h.AddRoots(&mc.tracers)
	mc.open(h.NewMutator())
	return mc
}

// operations is every operation of a program, chosen by one byte each.
var operations = []func(*machine){
	(*machine).newObject, (*machine).newObject, (*machine).newObject, (*machine).newObject,
	(*machine).newDynamic, (*machine).newDynamic, (*machine).newDynamic, (*machine).storeNumber, (*machine).hash, (*machine).setBits,
	(*machine).newArray, (*machine).newArray, (*machine).newText, (*machine).newBlob,
	(*machine).store, (*machine).store, (*machine).store, (*machine).store,
	(*machine).storeAtomic, (*machine).assign, (*machine).copy, (*machine).write,
	(*machine).dropLocal, (*machine).setLocal, (*machine).openScope, (*machine).closeScope,
	(*machine).newHandle, (*machine).releaseHandle, (*machine).push, (*machine).pop,
	(*machine).safepoint, (*machine).collect, (*machine).collectOutside, (*machine).prevent,
	(*machine).switchMutator, (*machine).openMutator, (*machine).closeMutator, (*machine).reserve,
	(*machine).addExternal, (*machine).litter, (*machine).giveUp, (*machine).userPanics,
	(*machine).storeWeak, (*machine).storeWeak, (*machine).newEphemeron, (*machine).newEphemeron,
	(*machine).setValue, (*machine).register, (*machine).ask, (*machine).collectWeak,
}

// run runs the program to its end.
func (mc *machine) run() {
	for !mc.ended() {
		operations[mc.below(len(operations))](mc)
	}
}

// close leaves the heap, with everything that the machine kept.
func (mc *machine) close() {
	mc.leave()
	mc.heap.AddExternal(-mc.external)
}

// leave drops all roots, and closes the mutators as they are.
func (mc *machine) leave() {
	mc.removeTracers()
	mc.weak.close()
	for _, h := range mc.handles {
		h.release()
	}
	for _, a := range mc.actors {
		a.m.Close()
	}
}

// check compares everything that the active mutator may look at with the model.
func (mc *machine) check(m *matcher) {
	for _, h := range mc.handles {
		m.match(h.get(mc.now.m), h.shadow)
	}
	for _, f := range mc.now.scopes {
		for _, l := range f.locals {
			m.match(l.get(mc.now.m), l.shadow)
		}
	}
	for _, tracers := range []*stack{&mc.tracers, &mc.now.tracers} {
		for i, r := range tracers.refs {
			m.match(r, tracers.shadows[i])
		}
	}
	mc.checkWeak(m, mc.reachable(), false)
}

// checkAll does it with each mutator in turn. All of them are frozen, and nobody collects.
func (mc *machine) checkAll(m *matcher) {
	for _, mc.now = range mc.actors {
		mc.now.m.Unfreeze()
		mc.check(m)
		mc.now.m.Freeze()
	}
}

// settle gives back what mutators have reserved.
func (mc *machine) settle() {
	for _, a := range mc.actors {
		a.m.Unfreeze()
		a.m.Safepoint()
		a.m.Freeze()
	}
}

// pick chooses an object: a root, and some steps from there. It may be nil.
func (mc *machine) pick() (midden.AnyRef, *shadow) {
	var a midden.AnyRef
	var s *shadow
	locals := mc.now.scopes[mc.below(len(mc.now.scopes))].locals
	switch n := mc.next(); {
	case n%8 == 0 && len(mc.handles) > 0:
		h := mc.handles[n/8%len(mc.handles)]
		a, s = h.get(mc.now.m), h.shadow
	case n%8 == 1 && len(mc.tracers.refs) > 0:
		i := n / 8 % len(mc.tracers.refs)
		a, s = mc.tracers.refs[i], mc.tracers.shadows[i]
	case n%8 == 2 && len(mc.now.tracers.refs) > 0:
		i := n / 8 % len(mc.now.tracers.refs)
		a, s = mc.now.tracers.refs[i], mc.now.tracers.shadows[i]
	case len(locals) > 0:
		l := locals[n/8%len(locals)]
		a, s = l.get(mc.now.m), l.shadow
	}
	for range mc.below(4) {
		if s == nil || len(s.slots) == 0 {
			break
		}
		i := mc.below(len(s.slots))
		a, s = s.load(a, i), s.slots[i]
	}
	if a.IsNil() != (s == nil) {
		panic("a reference is nil, or is not and should be")
	}
	return a, s
}

// pickOwn is pick of an object that the machine may write to.
func (mc *machine) pickOwn() (midden.AnyRef, *shadow) {
	a, s := mc.pick()
	if s == nil || s.shared {
		return midden.AnyRef{}, nil
	}
	return a, s
}

// pickPair is pick of a pair, or nil.
func (mc *machine) pickPair() (midden.Ref[pair], *shadow) {
	a, s := mc.pick()
	if s == nil || s.shape != pairShape {
		return midden.Ref[pair]{}, nil
	}
	r, ok := midden.Cast[pair](a)
	if !ok {
		panic("a pair is of another type")
	}
	return r, s
}

// keep makes a local of a new object.
func (mc *machine) keep(a midden.AnyRef, s *shadow) {
	f := &mc.now.scopes[len(mc.now.scopes)-1]
	f.locals = append(f.locals, newLocals[s.shape](mc.now.m, a, s))
}

// newObject allocates a struct, initialised or zeroed. At the limit nothing happens.
func (mc *machine) newObject() {
	mc.lastID++
	s := &shadow{id: mc.lastID}
	var a midden.AnyRef
	how := mc.next()
	refusal(func() {
		// Garbage in between, so that objects are not kept by their neighbours.
		litter(mc.now.m, how/4%16)
		switch how % 4 {
		case 0:
			s.shape, s.slots = recordShape, make([]*shadow, 7)
			r := midden.New[record](mc.now.m)
			r.Get().ID = s.id
			a = r.Any()
		case 1:
			s.slots = make([]*shadow, 3)
			r, err := midden.TryNew[pair](mc.now.m)
			if err != nil {
				return
			}
			r.Get().ID = s.id
			a = r.Any()
		default:
			ra, sa := mc.pickPair()
			rb, sb := mc.pickPair()
			x, sx := mc.pick()
			s.slots = []*shadow{sa, sb, sx}
			a = midden.Alloc(mc.now.m, pair{s.id, midden.FieldOf(ra), midden.FieldOf(rb), midden.AnyFieldOf(x)}).Any()
		}
	})
	if !a.IsNil() {
		mc.keep(a, s)
	}
}

func (mc *machine) newArray() {
	s := &shadow{}
	n := mc.below(12)
	if mc.below(16) == 0 {
		n *= 300
	}
	var a midden.AnyRef
	how := mc.below(3)
	refusal(func() {
		switch how {
		case 0:
			s.shape, s.slots = pairsShape, make([]*shadow, n)
			a = midden.NewArray[midden.Field[pair]](mc.now.m, n).Any()
		case 1:
			s.shape, s.slots = anysShape, make([]*shadow, n)
			a = midden.NewArray[midden.AnyField](mc.now.m, n).Any()
		case 2:
			s.shape, s.slots = rowsShape, make([]*shadow, 2*n)
			a = midden.NewArray[row](mc.now.m, n).Any()
		}
	})
	if !a.IsNil() {
		mc.keep(a, s)
	}
}

// number draws a Value that is no reference; for a word of a scheme, an int.
func (mc *machine) number(int bool) midden.Value {
	n := mc.next()
	if int {
		return midden.IntValue(int32(n))
	}
	return number(n)
}

// newDynamic allocates what may hold numbers and references in the same slots.
func (mc *machine) newDynamic() {
	mc.lastID++
	s := &shadow{id: mc.lastID}
	how, n := mc.below(4), mc.below(12)
	if mc.below(16) == 0 {
		n *= 300
	}
	v, word := mc.number(false), mc.number(true)
	x, sx := mc.pick()
	var a midden.AnyRef
	refusal(func() {
		switch how {
		case 0:
			s.shape, s.slots, s.numbers = mixedShape, []*shadow{sx, nil, nil, nil}, []midden.Value{{}, v, {}, word}
			a = midden.Alloc(mc.now.m, mixedObject{s.id, [3]midden.ValueField{midden.ValueFieldOf(x.Value()), midden.ValueFieldOf(v)},
				midden.TaggedFieldOf[odd](wordOf(word))}).Any()
		case 1:
			if mc.class == nil {
				mc.class, _ = mc.heap.NewShape(class)
			}
			if mc.class == nil {
				return
			}
			s.shape, s.slots, s.numbers = classShape, make([]*shadow, 3), make([]midden.Value, 3)
			a = mc.class.New(mc.now.m)
			*midden.Data[int64](mc.class.Record(a), 0) = s.id
		default:
			s.shape, s.slots, s.numbers = valuesShape, make([]*shadow, n), make([]midden.Value, n)
			a = midden.NewArray[midden.ValueField](mc.now.m, n).Any()
		}
	})
	if !a.IsNil() {
		mc.keep(a, s)
	}
}

// storeDynamic stores a reference, or a number in its place, in one of several ways.
func (mc *machine) storeDynamic(a midden.AnyRef, s *shadow, i, how int, target midden.AnyRef, st *shadow, number midden.Value) {
	m := mc.now.m
	ok := true
	if f := s.value(a, i); f != nil {
		v := number
		if st != nil {
			v = target.Value()
		}
		switch how {
		case 0:
			f.Store(m, v)
		case 1:
			f.StoreAtomic(m, v)
		case 2:
			ok = f.CompareAndSwap(m, f.LoadAtomic(), v)
		case 3:
			midden.Assign(m, f, midden.ValueFieldOf(v))
		}
	} else {
		f := s.word(a, i)
		w := wordOf(number)
		if st != nil {
			w = oddWord(target)
		}
		switch how {
		case 0:
			f.Store(m, w)
		case 1:
			f.StoreAtomic(m, w)
		case 2:
			ok = f.CompareAndSwap(m, f.LoadAtomic(), w)
		case 3:
			midden.Assign(m, f, midden.TaggedFieldOf[odd](w))
		}
	}
	if !ok {
		panic("CompareAndSwap of what is there fails")
	}
	s.slots[i], s.numbers[i] = st, number
}

// storeNumber puts a number where a reference may have been, or a reference where a number was.
func (mc *machine) storeNumber() {
	a, s := mc.pickOwn()
	if s == nil || len(s.slots) == 0 {
		return
	}
	i := mc.below(len(s.slots))
	if !s.dynamic(i) {
		return
	}
	number := mc.number(s.word(a, i) != nil)
	mc.storeDynamic(a, s, i, mc.below(4), midden.AnyRef{}, nil, number)
}

// hash asks for the identity hash of an object, for the first time or again.
func (mc *machine) hash() {
	a, s := mc.pickOwn()
	if s == nil {
		return
	}
	hash := a.IdentityHash(mc.now.m)
	if s.hash != 0 && s.hash != hash {
		panic("the identity hash of an object has changed")
	}
	s.hash = hash
}

func (mc *machine) setBits() {
	a, s := mc.pickOwn()
	if s == nil {
		return
	}
	switch s.shape {
	case pairShape, recordShape, mixedShape, classShape:
		s.bits = uint32(mc.next()+1) << 24
		a.SetUserBits(s.bits)
	}
}

// contents makes n bytes that are not like others.
func (mc *machine) contents(n int) string {
	b := make([]byte, n)
	seed := byte(mc.next())
	for i := range b {
		b[i] = seed + byte(i*i>>3) | 1
	}
	return string(b)
}

func (mc *machine) newText() {
	s := &shadow{shape: textShape, bytes: mc.contents(mc.next() * mc.below(3))}
	var a midden.AnyRef
	refusal(func() { a = midden.NewString(mc.now.m, s.bytes).Any() })
	if !a.IsNil() {
		mc.keep(a, s)
	}
}

// newBlob allocates from a few bytes to more than there are in a block. A program that does little else
// gets small ones after a while, or it would take for ever.
func (mc *machine) newBlob() {
	n := mc.next() << mc.below(11)
	if mc.blobs += n; mc.blobs > 2*mib {
		n &= 0xff
	}
	s := &shadow{shape: blobShape, bytes: mc.contents(n)}
	var a midden.AnyRef
	refusal(func() {
		r := midden.NewArray[byte](mc.now.m, n)
		for i, b := range r.Get().Slice() {
			if b != 0 {
				panic(fmt.Sprintf("byte %d of a new array of %d is %#x", i, n, b))
			}
		}
		copy(r.Get().Slice(), s.bytes)
		a = r.Any()
	})
	if !a.IsNil() {
		mc.keep(a, s)
	}
}

func (mc *machine) store() {
	a, s := mc.pickOwn()
	if s == nil || len(s.slots) == 0 {
		return
	}
	i := mc.below(len(s.slots))
	target, st := mc.pick()
	if st != nil && !s.takes(i, st.shape) {
		target, st = midden.AnyRef{}, nil
	}
	if s.dynamic(i) {
		mc.storeDynamic(a, s, i, 0, target, st, midden.Value{})
		return
	}
	f, g := s.slot(a, i)
	if f != nil {
		r, _ := midden.Cast[pair](target)
		f.Store(mc.now.m, r)
	} else {
		g.Store(mc.now.m, target)
	}
	s.slots[i] = st
}

func (mc *machine) storeAtomic() {
	a, s := mc.pickOwn()
	if s == nil || len(s.slots) == 0 {
		return
	}
	i := mc.below(len(s.slots))
	r, st := mc.pickPair()
	swap := mc.below(2) == 0
	if s.dynamic(i) {
		mc.storeDynamic(a, s, i, 1, r.Any(), st, midden.Value{})
		return
	}
	f, g := s.slot(a, i)
	ok := true
	switch {
	case f != nil && swap:
		ok = f.CompareAndSwap(mc.now.m, f.LoadAtomic(), r)
	case f != nil:
		f.StoreAtomic(mc.now.m, r)
	case swap:
		ok = g.CompareAndSwap(mc.now.m, g.LoadAtomic(), r.Any())
	default:
		g.StoreAtomic(mc.now.m, r.Any())
	}
	if !ok {
		panic("CompareAndSwap of what is there fails")
	}
	s.slots[i] = st
}

// assign overwrites a pair, or a row of an array.
func (mc *machine) assign() {
	a, s := mc.pickOwn()
	if s == nil {
		return
	}
	r, sr := mc.pickPair()
	x, sx := mc.pick()
	switch {
	case s.shape == pairShape:
		mc.lastID++
		midden.Assign(mc.now.m, cast[pair](a), pair{mc.lastID, midden.FieldOf(r), midden.FieldOf(r), midden.AnyFieldOf(x)})
		s.id = mc.lastID
		copy(s.slots, []*shadow{sr, sr, sx})
	case s.shape == rowsShape && len(s.slots) > 0:
		i := mc.below(len(s.slots) / 2)
		midden.Assign(mc.now.m, cast[rows](a).At(i), row{F: midden.FieldOf(r), G: midden.AnyFieldOf(x)})
		s.slots[2*i], s.slots[2*i+1] = sr, sx
	}
}

// copy copies from one array to another of its shape, or within it.
func (mc *machine) copy() {
	a, s := mc.pickOwn()
	b, from := mc.pick()
	if s == nil || from == nil || s.shape != from.shape || len(s.slots) == 0 || len(from.slots) == 0 {
		return
	}
	i, j := mc.below(len(s.slots)), mc.below(len(from.slots))
	n := 0
	switch s.shape {
	case pairsShape:
		n = midden.Copy(mc.now.m, cast[pairs](a).Slice()[i:], cast[pairs](b).Slice()[j:])
	case anysShape:
		n = midden.Copy(mc.now.m, cast[anys](a).Slice()[i:], cast[anys](b).Slice()[j:])
	case rowsShape:
		i, j = i&^1, j&^1
		n = 2 * midden.Copy(mc.now.m, cast[rows](a).Slice()[i/2:], cast[rows](b).Slice()[j/2:])
	case valuesShape:
		n = midden.Copy(mc.now.m, cast[values](a).Slice()[i:], cast[values](b).Slice()[j:])
		copy(s.numbers[i:], from.numbers[j:])
	default:
		return
	}
	if n != copy(s.slots[i:], from.slots[j:]) {
		panic("Copy copied another number of elements than copy")
	}
}

// write changes a byte of a blob.
func (mc *machine) write() {
	a, s := mc.pickOwn()
	if s == nil || s.shape != blobShape || len(s.bytes) == 0 {
		return
	}
	b := []byte(s.bytes)
	i := mc.next() * len(b) / 256
	b[i] ^= 0x5a
	*cast[blob](a).At(i) ^= 0x5a
	s.bytes = string(b)
}

// dropLocal sets a local to nil.
func (mc *machine) dropLocal() {
	locals := mc.now.scopes[mc.below(len(mc.now.scopes))].locals
	if len(locals) > 0 {
		l := &locals[mc.below(len(locals))]
		l.set(midden.AnyRef{})
		l.shadow = nil
	}
}

// setLocal lets a local refer to another object of its shape.
func (mc *machine) setLocal() {
	a, s := mc.pick()
	locals := mc.now.scopes[mc.below(len(mc.now.scopes))].locals
	if len(locals) > 0 && s != nil {
		if l := &locals[mc.below(len(locals))]; l.shape == s.shape {
			l.set(a)
			l.shadow = s
		}
	}
}

func (mc *machine) openScope() {
	if len(mc.now.scopes) < 20 {
		mc.now.scopes = append(mc.now.scopes, frame{scope: mc.now.m.Scope()})
	}
}

// closeScope closes a scope, which may be an outer one.
func (mc *machine) closeScope() {
	if n := len(mc.now.scopes); n > 1 {
		i := n - 1 - mc.below(2)*mc.below(n-1)
		mc.now.scopes[i].scope.Close()
		mc.now.scopes = mc.now.scopes[:i]
	}
}

func (mc *machine) newHandle() {
	if a, s := mc.pick(); s != nil && len(mc.handles) < 30 {
		mc.handles = append(mc.handles, newHandles[s.shape](mc.now.m, a, s))
	}
}

func (mc *machine) releaseHandle() {
	if n := len(mc.handles); n > 0 {
		i := mc.below(n)
		mc.handles[i].release()
		mc.handles[i] = mc.handles[n-1]
		mc.handles = mc.handles[:n-1]
	}
}

func (mc *machine) push() {
	to := &mc.tracers
	if mc.below(2) == 0 {
		to = &mc.now.tracers
	}
	if a, s := mc.pick(); len(to.refs) < 30 {
		to.refs, to.shadows = append(to.refs, a), append(to.shadows, s)
	}
}

func (mc *machine) pop() {
	from := &mc.tracers
	if mc.below(2) == 0 {
		from = &mc.now.tracers
	}
	if n := len(from.refs); n > 0 {
		from.refs, from.shadows = from.refs[:n-1], from.shadows[:n-1]
	}
}

// safepoint stops, keeping nothing, one reference, or three.
func (mc *machine) safepoint() {
	switch mc.below(3) {
	case 0:
		mc.now.m.Safepoint()
	case 1:
		r, s := mc.pickPair()
		r = midden.Safepoint(mc.now.m, r)
		newMatcher().match(r.Any(), s)
	case 2:
		a, sa := mc.pickPair()
		b, sb := mc.pickPair()
		c, sc := mc.pickPair()
		a, b, c = midden.Safepoint3(mc.now.m, a, b, c)
		m := newMatcher()
		m.match(a.Any(), sa)
		m.match(b.Any(), sb)
		m.match(c.Any(), sc)
	}
}

func (mc *machine) collect() {
	if err := mc.now.m.Collect(kinds[mc.below(len(kinds))]); err != nil {
		panic(err)
	}
	mc.check(newMatcher())
}

// collectOutside collects without an active mutator.
func (mc *machine) collectOutside() {
	k := kinds[mc.below(len(kinds))]
	mc.now.m.Blocking(func() {
		if err := mc.heap.Collect(context.Background(), k); err != nil {
			panic(err)
		}
	})
	mc.check(newMatcher())
}

// giveUp wants a collection for a moment only.
func (mc *machine) giveUp() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(mc.next())*time.Microsecond)
	defer cancel()
	mc.now.m.Blocking(func() {
		if err := mc.heap.Collect(ctx, midden.KindMinor); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			panic(err)
		}
	})
}

// userPanics lets functions of the user's fail in the middle, after which the mutator is as it was.
func (mc *machine) userPanics() {
	r, s := mc.pickPair()
	defer mc.now.m.Scope().Close()
	l := midden.NewLocal(mc.now.m, r)
	fails := func() { panic(userFault) }
	switch how := mc.below(4); {
	case how == 0:
		mustPanic(func() { mc.now.m.Blocking(fails) })
	case how == 1:
		mustPanic(func() { mc.now.m.PreventCollection(fails) })
	case how == 2 && !mc.solo:
		mustPanic(func() {
			m := mc.now.m.NewMutator()
			defer m.Close()
			m.Scope()
			midden.NewLocal(m, l.Get())
			fails()
		})
	default:
		mc.now.m.Blocking(func() { mustPanic(func() { mc.heap.PreventCollection(fails) }) })
	}
	newMatcher().match(l.Get().Any(), s)
	mc.now.m.Safepoint()
	newMatcher().match(l.Get().Any(), s)
}

// mustPanic lets f panic with userFault, and nothing else.
func mustPanic(f func()) {
	switch p := recovered(f); p {
	case userFault:
	case nil:
		panic("a panic was swallowed")
	default:
		panic(p)
	}
}

// prevent holds references in variables across what would be a safepoint elsewhere.
func (mc *machine) prevent() {
	mc.now.m.PreventCollection(func() {
		r, s := mc.pickPair()
		mc.now.m.Safepoint()
		if mc.now.m.Collect(midden.KindFull) == nil {
			panic("Collect inside PreventCollection succeeds")
		}
		litter(mc.now.m, 0)
		newMatcher().match(r.Any(), s)
	})
}

// open takes up a new mutator. The one before is frozen already.
func (mc *machine) open(m *midden.Mutator) {
	a := &actor{m: m}
	m.AddRoots(&a.tracers)
	a.scopes = []frame{{scope: m.Scope()}}
	mc.actors = append(mc.actors, a)
	mc.now = a
}

func (mc *machine) openMutator() {
	if len(mc.actors) >= 5 || mc.solo {
		return
	}
	before := mc.now.m
	if mc.below(2) == 0 {
		before.Freeze()
		mc.open(mc.heap.NewMutator())
		return
	}
	mc.open(before.NewMutator())
	before.Freeze()
}

func (mc *machine) switchMutator() {
	if next := mc.actors[mc.below(len(mc.actors))]; next != mc.now {
		mc.now.m.Freeze()
		mc.now = next
		next.m.Unfreeze()
		mc.check(newMatcher())
	}
}

// closeMutator closes one mutator of several, the active one or a frozen one.
func (mc *machine) closeMutator() {
	if len(mc.actors) == 1 {
		return
	}
	i := mc.below(len(mc.actors))
	gone := mc.actors[i]
	mc.actors = append(mc.actors[:i], mc.actors[i+1:]...)
	if gone == mc.now {
		gone.m.Close()
	} else {
		mc.now.m.Blocking(gone.m.Close)
	}
	if gone == mc.now {
		mc.now = mc.actors[mc.below(len(mc.actors))]
		mc.now.m.Unfreeze()
	}
}

// reserve reserves, and spends it in one piece or in many.
func (mc *machine) reserve() {
	n := int64(mc.next()) << mc.below(10)
	pieces := 1 << mc.below(8)
	if err := mc.now.m.Reserve(n); err != nil {
		if !errors.Is(err, midden.ErrLimit) {
			panic(err)
		}
		return
	}
	length := int(n) / pieces
	for length > 0 && midden.ArraySize[byte](length)*int64(pieces) > n {
		length--
	}
	if midden.ArraySize[byte](length)*int64(pieces) > n {
		return
	}
	for range pieces {
		if refused := refusal(func() { midden.NewArray[byte](mc.now.m, length) }); refused != nil {
			if errors.Is(refused, errNoMemory) {
				return
			}
			panic(fmt.Sprintf("Reserve granted %d bytes, and one of %d pieces of %d was refused: %v", n, pieces, length, refused))
		}
	}
}

func (mc *machine) addExternal() {
	n := int64(mc.next()) << mc.below(8)
	if mc.external > 0 {
		n = -mc.external
	}
	mc.heap.AddExternal(n)
	mc.external += n
}

func (mc *machine) litter() {
	n := mc.next()
	refusal(func() { litter(mc.now.m, n) })
}
