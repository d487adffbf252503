package middentest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
)

// Stress lets goroutines do everything at once to one heap for about as long as given, and fails the
// test if something that they built is not as they built it. What it finds depends on chance: the
// longer it runs, the better.
//
// Some goroutines keep structures of their own, some share one, some pass handles on, some come and
// go, some only collect, prevent collections, give up waiting, or lose their mutators.
func Stress(t testing.TB, newCollector func() collector.Collector, o midden.Options, lasts time.Duration) {
	t.Helper()
	o.Collector = newCollector()
	if o.Limit == 0 {
		o.Limit = 64 * mib
	}
	if o.StragglerTimeout == 0 {
		o.StragglerTimeout = 10 * time.Millisecond // for the lost mutators
	}
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatalf("NewHeap: %v", err)
	}
	m := h.NewMutator()
	st := &storm{
		t: t, heap: h, frees: o.Collector.Constraints().Frees, until: time.Now().Add(lasts),
		passed: make(chan *midden.Handle[link], 8),
		shared: midden.NewHandle(m, midden.NewArray[midden.Field[link]](m, 16)),
	}
	m.Freeze()
	wg := crew{t: t}
	for i := range 2 * runtime.GOMAXPROCS(0) {
		seed := uint64(i)
		wg.Go(func() { st.each(seed, st.keepTree) })
		wg.Go(func() { st.each(seed, st.pushShared) })
		wg.Go(func() { st.each(seed, st.passHandle) })
		wg.Go(func() { st.each(seed, st.comeAndGo) })
	}
	wg.Go(func() { st.outside(1, st.collectOutside) })
	wg.Go(func() { st.outside(2, st.giveUp) })
	wg.Go(func() { st.outside(3, st.preventOutside) })
	wg.Go(func() { st.outside(4, st.loseMutator) })
	wg.Wait()
	st.end(m)
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
	return x ^ x>>29
}

// A storm is one run of Stress.
type storm struct {
	t        testing.TB
	heap     *midden.Heap
	frees    bool
	full     atomic.Bool // the limit was reached, and the collector frees nothing
	failed   atomic.Bool
	until    time.Time
	passed   chan *midden.Handle[link]
	shared   *midden.Handle[midden.Array[midden.Field[link]]]
	pushed   atomic.Uint64 // to the shared lists
	checked  atomic.Uint64 // links and leaves whose checksums were compared
	gaveUp   atomic.Uint64
	outsides atomic.Uint64
}

// over tells whether it is time to stop.
func (st *storm) over() bool {
	return st.failed.Load() || st.full.Load() || time.Now().After(st.until)
}

// fail reports a broken structure.
func (st *storm) fail(format string, args ...any) {
	if !st.failed.Swap(true) {
		st.t.Errorf(format, args...)
	}
}

// each runs f again and again on a mutator that is now and then another one.
func (st *storm) each(seed uint64, f func(m *midden.Mutator, random *rand.Rand)) {
	random := rand.New(rand.NewPCG(seed, 1))
	for !st.over() {
		m := st.heap.NewMutator()
		for range 1 + random.IntN(50) {
			if st.over() {
				break
			}
			scope := m.Scope()
			if refused := refusal(func() { f(m, random); st.pause(m, random) }); refused != nil && !st.frees {
				st.full.Store(true)
			}
			scope.Close()
		}
		m.Close()
	}
}

// pause is a safepoint of one sort or another.
func (st *storm) pause(m *midden.Mutator, random *rand.Rand) {
	switch random.IntN(12) {
	default:
		m.Safepoint()
	case 0:
		m.Freeze()
		runtime.Gosched()
		m.Unfreeze()
	case 1:
		if err := m.Collect(kinds[random.IntN(len(kinds))]); err != nil {
			st.fail("Collect: %v", err)
		}
	case 2:
		m.PreventCollection(func() {
			r := midden.Alloc(m, link{Key: 7})
			m.Safepoint()
			if r.Get().Key != 7 {
				st.fail("a reference changed inside PreventCollection")
			}
		})
	case 3:
		if err := m.Reserve(100_000); err == nil {
			midden.NewArray[byte](m, 50_000)
		} else if !errors.Is(err, midden.ErrLimit) {
			st.fail("Reserve: %v", err)
		}
	}
}

// grow makes a tree. It has safepoints in it, so that every level is rooted by its own scope.
func (st *storm) grow(m *midden.Mutator, depth int, random *rand.Rand) midden.Ref[leaf] {
	if depth == 0 {
		return midden.Nil[leaf]()
	}
	defer m.Scope().Close()
	left := midden.NewLocal(m, st.grow(m, depth-1-random.IntN(2)*(depth/3), random))
	right := midden.NewLocal(m, st.grow(m, depth-1, random))
	if depth%4 == 0 {
		st.pause(m, random)
	}
	key := random.Uint64()
	var sums [2]uint64
	for i, l := range []midden.Local[leaf]{left, right} {
		if !l.Get().IsNil() {
			sums[i] = l.Ptr().Sum
		}
	}
	return midden.Alloc(m, leaf{key, mix(key, sums[0], sums[1]), midden.FieldOf(left.Get()), midden.FieldOf(right.Get())})
}

// checkTree compares the checksums of a tree and returns that of its root.
func (st *storm) checkTree(p *leaf) uint64 {
	if p == nil {
		return 0
	}
	sum := mix(p.Key, st.checkTree(p.Left.Get()), st.checkTree(p.Right.Get()))
	if sum != p.Sum {
		st.fail("a tree has a node with a wrong checksum")
	}
	st.checked.Add(1)
	return p.Sum
}

// keepTree keeps a tree, replaces parts of it, and checks it at every step.
func (st *storm) keepTree(m *midden.Mutator, random *rand.Rand) {
	tree := midden.NewLocal(m, st.grow(m, 8, random))
	for range 10 {
		st.checkTree(tree.Ptr())
		st.pause(m, random)
		// A new subtree, and checksums up to the root: stores to old objects.
		fresh := midden.NewLocal(m, st.grow(m, 4, random))
		p := tree.Ptr()
		p.Right.Store(m, fresh.Get())
		p.Sum = mix(p.Key, sumOf(p.Left.Get()), sumOf(p.Right.Get()))
		litter(m, random.IntN(200))
		if random.IntN(10) == 0 {
			midden.NewArray[byte](m, random.IntN(100_000))
		}
	}
}

func sumOf(p *leaf) uint64 {
	if p == nil {
		return 0
	}
	return p.Sum
}

// checkLinks compares the checksums of a list, which ends in a link whose Sum is mix of its key alone.
func (st *storm) checkLinks(p *link) {
	for ; p != nil; p = p.Next.Get() {
		var sum uint64
		if next := p.Next.Get(); next != nil {
			sum = next.Sum
		}
		if p.Sum != mix(p.Key, sum, 0) {
			st.fail("a list has a link with a wrong checksum")
			return
		}
		if text := p.Text.Get(); text != nil && text.View() != fmt.Sprint(p.Key) {
			st.fail("a list has a link with another text")
			return
		}
		st.checked.Add(1)
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
func (st *storm) pushShared(m *midden.Mutator, random *rand.Rand) {
	heads := midden.NewLocal(m, st.shared.Get(m))
	for range 20 {
		head := heads.Ptr().At(random.IntN(heads.Ptr().Len()))
		for {
			old := head.LoadAtomic()
			if head.CompareAndSwap(m, old, newLink(m, random.Uint64(), old)) {
				st.pushed.Add(1)
				break
			}
		}
		if random.IntN(100) == 0 {
			whole := head.LoadAtomic()
			for !head.CompareAndSwap(m, whole, midden.Nil[link]()) {
				whole = head.LoadAtomic()
			}
			st.checkLinks(whole.Get())
		}
		st.pause(m, random)
		st.checkLinks(heads.Ptr().At(random.IntN(heads.Ptr().Len())).LoadAtomic().Get())
	}
}

// passHandle takes a handle from another goroutine, makes the list behind it longer, or begins a new
// one, and passes it on.
func (st *storm) passHandle(m *midden.Mutator, random *rand.Rand) {
	var list midden.Ref[link]
	select {
	case h := <-st.passed:
		list = h.Get(m)
		h.Release()
		st.checkLinks(list.Get())
	default:
	}
	l := midden.NewLocal(m, list)
	for range 5 {
		l.Set(newLink(m, random.Uint64(), l.Get()))
		st.pause(m, random)
	}
	if random.IntN(30) == 0 {
		return // the list is garbage
	}
	h := midden.NewHandle(m, l.Get())
	select {
	case st.passed <- h:
	default:
		if random.IntN(2) == 0 {
			h.Release() // or Go's collector finds that it was dropped
		}
	}
}

// comeAndGo makes mutators of a mutator, for goroutines that end soon.
func (st *storm) comeAndGo(m *midden.Mutator, random *rand.Rand) {
	wg := crew{t: st.t}
	handle := midden.NewHandle(m, newLink(m, 1, newLink(m, 2, midden.Nil[link]())))
	for range 3 {
		other := m.NewMutator()
		seed := random.Uint64()
		wg.Go(func() {
			defer other.Close()
			own := rand.New(rand.NewPCG(seed, 2))
			defer other.AddRoots(&ownRoots{})()
			other.Scope()
			refusal(func() {
				l := midden.NewLocal(other, newLink(other, own.Uint64(), handle.Get(other)))
				st.pause(other, own)
				st.checkLinks(l.Ptr())
				if own.IntN(2) == 0 {
					other.Freeze() // and closed frozen
				}
			})
		})
	}
	m.Blocking(wg.Wait)
	handle.Release()
}

// outside runs f again and again in a goroutine without a mutator.
func (st *storm) outside(seed uint64, f func(random *rand.Rand)) {
	random := rand.New(rand.NewPCG(seed, 3))
	for !st.over() {
		f(random)
		st.outsides.Add(1)
		for range random.IntN(50) {
			runtime.Gosched()
		}
	}
}

func (st *storm) collectOutside(random *rand.Rand) {
	if err := st.heap.Collect(context.Background(), kinds[random.IntN(len(kinds))]); err != nil {
		st.fail("Heap.Collect: %v", err)
	}
}

// giveUp asks for collections with hardly any time to wait.
func (st *storm) giveUp(random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(random.IntN(50))*time.Microsecond)
	defer cancel()
	switch err := st.heap.Collect(ctx, midden.KindMinor); {
	case errors.Is(err, context.DeadlineExceeded):
		st.gaveUp.Add(1)
	case err != nil:
		st.fail("Heap.Collect with a deadline: %v", err)
	}
}

func (st *storm) preventOutside(random *rand.Rand) {
	st.heap.PreventCollection(func() {
		before := cycles(st.heap)
		for range random.IntN(20) {
			runtime.Gosched()
		}
		if cycles(st.heap) != before {
			st.fail("a collection ran inside Heap.PreventCollection")
		}
	})
	st.heap.AddExternal(1000)
	st.heap.AddExternal(-1000)
}

// loseMutator now and then loses one, which costs the time of finding it.
func (st *storm) loseMutator(random *rand.Rand) {
	if random.IntN(50) == 0 {
		lose(st.heap, random.IntN(2) == 0)
	}
}

// end checks what is left, drops it, and closes the heap.
func (st *storm) end(m *midden.Mutator) {
	if st.t.Failed() {
		return // a heap that may be damaged is left alone
	}
	m.Unfreeze()
	heads := st.shared.Get(m).Get()
	for i := range heads.Len() {
		st.checkLinks(heads.At(i).Get())
	}
	st.shared.Release()
	close(st.passed)
	for h := range st.passed {
		st.checkLinks(h.Get(m).Get())
		h.Release()
	}
	// Handles and mutators that were dropped are found some time after a collection of Go's.
	stats := st.heap.Stats()
	for range 500 {
		runtime.GC()
		if err := m.Collect(midden.KindFull); err != nil {
			st.t.Fatalf("Collect: %v", err)
		}
		if stats = st.heap.Stats(); stats.Mutators == 1 && (!st.frees || stats.Live < 64<<10) {
			break
		}
	}
	if stats.Mutators != 1 || st.frees && stats.Live >= 64<<10 {
		st.t.Errorf("when everything was dropped: %+v", stats)
	}
	if st.checked.Load() == 0 || st.pushed.Load() == 0 || st.outsides.Load() == 0 {
		st.t.Error("nothing was done")
	}
	st.t.Logf("%d checksums, %d pushes, %d calls from outside, %d given up; %+v",
		st.checked.Load(), st.pushed.Load(), st.outsides.Load(), st.gaveUp.Load(), stats)
	m.Close()
	if err := st.heap.Close(); err != nil {
		st.t.Errorf("Close: %v", err)
	}
}
