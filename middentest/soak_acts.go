package middentest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/midden-gc/midden"
)

// What a goroutine does, each a step. The operations of a machine follow.
const (
	actOpen = iota
	actClose
	actQuiet
	actTakeOver
	actPark
	actShare
	actPass
	actTree
	actComeAndGo
	actOutside
	actGiveUp
	actPrevent
	actRoots
	actLook
	actOperation
)

var acts = [...]string{
	"open", "close", "quiet", "take over", "park", "share", "pass", "tree", "come and go",
	"collect outside", "give up", "prevent", "roots", "look",
}

// An episode is what one goroutine of a round does before it ends.
type episode struct {
	r      *round
	slot   *slot
	random *rand.Rand
	m      *midden.Mutator // of most episodes
}

func (e *episode) run() {
	n := e.random.IntN(12)
	switch {
	case n < 6 || e.r.plan.options.SingleMutator:
		e.program()
	case n < 7:
		e.withMutator(actTree, 3, e.keepTree)
	case n < 8:
		e.withMutator(actShare, 20, e.pushShared)
	case n < 9:
		e.withMutator(actPass, 20, e.passHandle)
	case n < 10:
		e.withMutator(actComeAndGo, 5, e.comeAndGo)
	default:
		e.outside()
	}
}

// attempt is one step. It reports whether the episode may go on, also after a fault.
func (e *episode) attempt(what int, f func()) (goOn bool) {
	e.slot.note(what)
	e.r.operations.Add(1)
	defer func() {
		if p := recover(); p != nil {
			goOn = e.r.expected(p)
		}
	}()
	f()
	return !e.r.broken.Load()
}

// program runs a program on a machine of its own, or on one that was left by another episode, with the
// model beside it.
func (e *episode) program() {
	mc := e.r.unpark(e.random)
	goOn := e.attempt(actTakeOver, func() {
		if mc != nil {
			mc.now.m.Unfreeze()
			m := newMatcher()
			mc.check(m)
			e.r.checked.Add(uint64(len(m.object)))
			return
		}
		mc = newMachine(e.r.heap, nil)
		mc.solo = e.r.plan.options.SingleMutator
		if e.r.first != nil {
			s := e.r.shared
			mc.now.scopes[0].locals = append(mc.now.scopes[0].locals, localOf[pairs](mc.now.m, s.get(mc.now.m), s.shadow))
		}
	})
	if mc == nil {
		return
	}
	mc.bytes = make([]byte, e.r.plan.bytes)
	for i := range mc.bytes {
		mc.bytes[i] = byte(e.random.Uint32())
	}
	for goOn && !mc.ended() {
		i := mc.below(len(operations))
		goOn = e.attempt(actOperation+i, func() { operations[i](mc) })
	}
	if !goOn {
		e.leave(mc)
		return
	}
	switch n := e.random.IntN(10); {
	case n < 5 && !mc.solo:
		e.attempt(actPark, func() {
			mc.check(newMatcher())
			mc.now.m.Freeze()
		})
		if !e.r.park(mc) {
			e.leave(mc)
		}
	case n < 7 && e.r.plan.lose:
		// The heap keeps what it was given, so all that goes; the mutators are left as they are.
		e.r.lost.Add(uint64(len(mc.actors)))
		e.r.heap.AddExternal(-mc.external)
		mc.removeTracers()
		mc.weak.close()
		if n == 5 {
			runtime.Goexit()
		}
	default:
		e.leave(mc)
	}
}

// leave closes a machine, whatever has happened.
func (e *episode) leave(mc *machine) {
	e.attempt(actClose, func() { e.r.leave(mc) })
}

// withMutator opens a mutator, and runs f on it some times, each in a scope.
func (e *episode) withMutator(what, times int, f func()) {
	e.attempt(actOpen, func() { e.m = e.r.heap.NewMutator() })
	if e.m == nil {
		return
	}
	defer func() { e.attempt(actClose, e.m.Close) }()
	for range 1 + e.random.IntN(times) {
		scope := e.m.Scope()
		goOn := e.attempt(what, func() { refusal(f) })
		scope.Close()
		if !goOn {
			return
		}
	}
}

// pause is a safepoint of one sort or another.
func (e *episode) pause() {
	m := e.m
	e.r.gauge.hold()
	switch e.random.IntN(12) {
	default:
		m.Safepoint()
	case 0:
		m.Freeze()
		runtime.Gosched()
		m.Unfreeze()
	case 1:
		if err := m.Collect(drawn(e.random, kinds...)); err != nil {
			panic(err)
		}
	case 2:
		m.PreventCollection(func() {
			r := midden.Alloc(m, link{Key: 7})
			m.Safepoint()
			e.r.gauge.hold()
			if r.Get().Key != 7 {
				e.r.fail("a reference changed inside PreventCollection")
			}
		})
	case 3:
		switch err := m.Reserve(100_000); {
		case err == nil:
			midden.NewArray[byte](m, 50_000)
		case !errors.Is(err, midden.ErrLimit):
			panic(err)
		}
	}
	e.r.gauge.hold()
}

// A link is a node of a list with a checksum over all of it: Sum depends on Key and on the Sum of Next.
type link struct {
	Key, Sum uint64
	Next     midden.Field[link]
	Text     midden.Field[midden.String]
}

// A leaf is a node of a tree of which each node has the checksum of its subtree.
type leaf struct {
	Key, Sum    uint64
	Left, Right midden.Field[leaf]
}

// mix is the checksum of a key and what follows.
func mix(key, a, b uint64) uint64 {
	x := key*0x9e3779b97f4a7c15 ^ a*0xbf58476d1ce4e5b9 ^ (b+1)*0x94d049bb133111eb
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

// grow makes a tree. It has safepoints in it, so that every level is rooted by its own scope.
func (e *episode) grow(depth int) midden.Ref[leaf] {
	if depth <= 0 {
		return midden.Nil[leaf]()
	}
	m := e.m
	defer m.Scope().Close()
	left := midden.NewLocal(m, e.grow(depth-1-e.random.IntN(2)*(depth/3)))
	right := midden.NewLocal(m, e.grow(depth-1))
	if depth%4 == 0 {
		e.pause()
	}
	key := e.random.Uint64()
	return midden.Alloc(m, leaf{
		key, mix(key, sumOf(left.Ptr()), sumOf(right.Ptr())), midden.FieldOf(left.Get()), midden.FieldOf(right.Get()),
	})
}

func sumOf(p *leaf) uint64 {
	if p == nil {
		return 0
	}
	return p.Sum
}

// checkTree compares the checksums of a tree and returns that of its root.
func (e *episode) checkTree(p *leaf) uint64 {
	if p == nil {
		return 0
	}
	if mix(p.Key, e.checkTree(p.Left.Get()), e.checkTree(p.Right.Get())) != p.Sum {
		e.r.fail("a tree has a node with a wrong checksum")
	}
	e.r.checked.Add(1)
	return p.Sum
}

// keepTree keeps a tree, replaces parts of it, and checks it at every step.
func (e *episode) keepTree() {
	m := e.m
	tree := midden.NewLocal(m, e.grow(8))
	for range 10 {
		e.checkTree(tree.Ptr())
		e.pause()
		// A new subtree, and checksums up to the root: stores to old objects.
		fresh := midden.NewLocal(m, e.grow(4))
		p := tree.Ptr()
		p.Right.Store(m, fresh.Get())
		p.Sum = mix(p.Key, sumOf(p.Left.Get()), sumOf(p.Right.Get()))
		litter(m, e.random.IntN(200))
		if e.random.IntN(10) == 0 {
			midden.NewArray[byte](m, e.random.IntN(100_000))
		}
	}
	e.checkTree(tree.Ptr())
}

// checkLinks compares the checksums of a list, which ends in a link whose Sum is mix of its key alone.
func (e *episode) checkLinks(p *link) {
	for ; p != nil; p = p.Next.Get() {
		var sum uint64
		if next := p.Next.Get(); next != nil {
			sum = next.Sum
		}
		if p.Sum != mix(p.Key, sum, 0) {
			e.r.fail("a list has a link with a wrong checksum")
			return
		}
		if text := p.Text.Get(); text != nil && text.View() != fmt.Sprint(p.Key) {
			e.r.fail("a list has a link with another text")
			return
		}
		e.r.checked.Add(1)
	}
}

// newLink allocates a link before next.
func newLink(m *midden.Mutator, key uint64, next midden.Ref[link]) midden.Ref[link] {
	l := link{Key: key, Next: midden.FieldOf(next)}
	var sum uint64
	if !next.IsNil() {
		sum = next.Get().Sum
	}
	l.Sum = mix(key, sum, 0)
	if key%8 == 0 {
		l.Text = midden.FieldOf(midden.NewString(m, fmt.Sprint(key)))
	}
	return midden.Alloc(m, l)
}

// pushShared pushes to lists that all mutators push to, and now and then takes a whole list away.
func (e *episode) pushShared() {
	m := e.m
	heads := midden.NewLocal(m, e.r.lists.Get(m))
	for range 20 {
		head := heads.Ptr().At(e.random.IntN(heads.Ptr().Len()))
		if e.random.IntN(50) == 0 {
			whole := head.LoadAtomic()
			for !head.CompareAndSwap(m, whole, midden.Nil[link]()) {
				whole = head.LoadAtomic()
			}
			e.checkLinks(whole.Get())
		}
		for {
			old := head.LoadAtomic()
			if head.CompareAndSwap(m, old, newLink(m, e.random.Uint64(), old)) {
				break
			}
		}
		e.pause()
		e.checkLinks(heads.Ptr().At(e.random.IntN(heads.Ptr().Len())).LoadAtomic().Get())
	}
}

// passHandle takes a handle from another goroutine, makes the list behind it longer, or begins a new
// one, and passes it on.
func (e *episode) passHandle() {
	m := e.m
	l := midden.NewLocal(m, midden.Nil[link]())
	select {
	case h := <-e.r.passed:
		l.Set(h.Get(m))
		h.Release()
		e.checkLinks(l.Ptr())
	default:
	}
	for range 5 {
		l.Set(newLink(m, e.random.Uint64(), l.Get()))
		e.pause()
	}
	if e.random.IntN(30) == 0 {
		return // the list is garbage
	}
	h := midden.NewHandle(m, l.Get())
	select {
	case e.r.passed <- h:
	default:
		if e.random.IntN(2) == 0 {
			h.Release() // or Go's collector finds that it was dropped
		}
	}
}

// comeAndGo makes mutators of a mutator, for goroutines that end soon, each in its own way.
func (e *episode) comeAndGo() {
	m := e.m
	handle := midden.NewHandle(m, newLink(m, 1, newLink(m, 2, midden.Nil[link]())))
	defer handle.Release()
	var wg sync.WaitGroup
	defer m.Blocking(wg.Wait)
	for range 3 {
		child := &episode{r: e.r, slot: e.slot, m: m.NewMutator(), random: rand.New(rand.NewPCG(e.random.Uint64(), 2))}
		how := e.random.IntN(6)
		wg.Go(func() {
			defer child.m.Close()
			defer func() {
				if p := recover(); p != nil {
					e.r.expected(p)
				}
			}()
			refusal(func() { child.comeAndGoAway(handle, how) })
		})
	}
}

func (e *episode) comeAndGoAway(handle *midden.Handle[link], how int) {
	m := e.m
	defer m.AddRoots(&ownRoots{})()
	m.Scope()
	l := midden.NewLocal(m, newLink(m, e.random.Uint64(), handle.Get(m)))
	e.pause()
	e.checkLinks(l.Ptr())
	switch how {
	case 0:
		m.Freeze() // and closed frozen
	case 1:
		m.PreventCollection(runtime.Goexit)
	case 2:
		m.Blocking(func() { panic(userFault) })
	case 3:
		time.Sleep(3 * time.Millisecond) // and others wait for it
	}
}

// outside does some of what goroutines without a mutator may do.
func (e *episode) outside() {
	r := e.r
	for range 1 + e.random.IntN(20) {
		goOn := true
		switch n := e.random.IntN(8); {
		case n < 2:
			goOn = e.attempt(actOutside, func() { e.collect(context.Background()) })
		case n < 4 && r.plan.cancel:
			goOn = e.attempt(actGiveUp, e.giveUp)
		case n < 5:
			goOn = e.attempt(actPrevent, e.prevent)
		case n < 6:
			goOn = e.attempt(actRoots, func() {
				remove := r.heap.AddRoots(&ownRoots{})
				runtime.Gosched()
				remove()
				remove()
			})
		default:
			goOn = e.attempt(actLook, e.look)
		}
		if !goOn {
			return
		}
		for range e.random.IntN(50) {
			runtime.Gosched()
		}
	}
}

func (e *episode) collect(ctx context.Context) {
	err := e.r.heap.Collect(ctx, drawn(e.random, kinds...))
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		panic(err)
	}
}

// giveUp asks for a collection with a context that ends soon, or has ended.
func (e *episode) giveUp() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(e.random.IntN(300))*time.Microsecond)
	defer cancel()
	if n := e.random.IntN(30); n < 20 {
		go func() {
			for range n {
				runtime.Gosched()
			}
			cancel()
		}()
	}
	e.collect(ctx)
}

// prevent checks that no collection runs beside a function that prevents them.
func (e *episode) prevent() {
	r := e.r
	r.heap.PreventCollection(func() {
		before := cycles(r.heap)
		r.gauge.hold()
		for range e.random.IntN(20) {
			runtime.Gosched()
		}
		r.gauge.hold()
		if cycles(r.heap) != before {
			r.fail("a collection ran inside Heap.PreventCollection")
		}
		if e.random.IntN(4) == 0 {
			panic(userFault)
		}
	})
}

// look reads what may be read at any time.
func (e *episode) look() {
	before := e.r.heap.Stats()
	e.r.heap.AddExternal(1000)
	e.r.heap.Collecting()
	if e.random.IntN(10) == 0 {
		runtime.GC()
	}
	e.r.heap.AddExternal(-1000)
	after := e.r.heap.Stats()
	if after.Used < 0 || after.Live < 0 || after.Allocated < before.Allocated || after.PeakCommitted < before.PeakCommitted ||
		after.Minor < before.Minor || after.Full < before.Full || after.PauseTotal < before.PauseTotal || after.StopMax < before.StopMax ||
		after.Lost < before.Lost || after.GivenUp < before.GivenUp {
		e.r.fail(fmt.Sprintf("figures run backwards: %+v after %+v", after, before))
	}
}
