package middentest

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/midden-gc/midden"
)

var externalTests = []test{
	{"Values", 0, (*suite).externalValues},
	{"Freed", frees, (*suite).externalFreed},
	{"Old", 0, (*suite).externalOld},
	{"DiesYoung", generations, (*suite).externalYoung},
	{"Copies", frees, (*suite).externalCopies},
	{"Arrays", frees, (*suite).externalArrays},
	{"Resurrected", frees, (*suite).externalResurrected},
	{"Close", 0, (*suite).externalClose},
	{"Misuse", 0, (*suite).externalMisuse},
	{"ManyMutators", 0, (*suite).externalMutators},
}

// A resource is a Go value whose end is noticed.
type resource struct {
	id   int
	text string
}

// An owner is an object that holds Go values.
type owner struct {
	ID       int64
	Resource midden.External[*resource]
	Next     midden.Field[owner]
	Text     midden.External[string]
	Any      midden.External[any]
	Func     midden.External[func() int]
}

// watched are resources of which each counts how often Go's collector freed it.
type watched struct{ freed []atomic.Int32 }

func (w *watched) resource(id int) *resource {
	r := &resource{id: id, text: fmt.Sprint("resource ", id)}
	runtime.AddCleanup(r, func(id int) { w.freed[id].Add(1) }, id)
	return r
}

// expect waits until Go's collector has freed the resources of which freed says so, and fails the test if
// it frees others, or one twice.
func (w *watched) expect(t *testing.T, what string, freed func(id int) bool) {
	t.Helper()
	for try := 0; ; try++ {
		runtime.GC()
		runtime.Gosched()
		late := -1
		for id := range w.freed {
			n := w.freed[id].Load()
			if n > 1 || n == 1 && !freed(id) {
				t.Fatalf("%s: resource %d was freed %d times", what, id, n)
			}
			if n == 0 && freed(id) {
				late = id
			}
		}
		switch {
		case late < 0 && try > 2:
			return
		case try == 500:
			t.Fatalf("%s: resource %d is not freed", what, late)
		}
	}
}

func (s *suite) externalValues(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, midden.New[owner](m))
	check := func(what string, r *resource, text string, any any, f bool) {
		t.Helper()
		litter(m, 500)
		o := l.Ptr()
		equal(t, what+": the pointer", o.Resource.Load(m), r)
		equal(t, what+": the text", o.Text.Load(m), text)
		equal(t, what+": the interface", o.Any.Load(m), any)
		equal(t, what+": the func", o.Func.Load(m) != nil && o.Func.Load(m)() == 7, f)
	}
	check("empty", nil, "", nil, false)
	r := &resource{id: 1}
	l.Ptr().Resource.Store(m, r)
	l.Ptr().Text.Store(m, "text")
	l.Ptr().Any.Store(m, 7.5)
	l.Ptr().Func.Store(m, func() int { return 7 })
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		check("stored", r, "text", 7.5, true)
	}
	l.Ptr().Resource.Store(m, nil)
	l.Ptr().Text.Store(m, "other")
	l.Ptr().Any.Store(m, nil)
	l.Ptr().Func.Store(m, nil)
	for _, k := range kinds {
		collect(t, m, k)
		check("stored again", nil, "other", nil, false)
	}
}

// externalFreed checks that a value lives as long as the object that holds it, and is let go once.
func (s *suite) externalFreed(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	const n = 60
	w := &watched{make([]atomic.Int32, n+1)}
	kept := midden.NewLocal(m, midden.NewArray[midden.Field[owner]](m, n))
	for i := range n {
		o := midden.New[owner](m)
		o.Get().Resource.Store(m, w.resource(i))
		litter(m, 20)
		kept.Ptr().At(i).Store(m, o)
	}
	age(t, m)
	w.expect(t, "while all live", func(int) bool { return false })
	for i := range n {
		if i%3 == 0 {
			kept.Ptr().At(i).Store(m, midden.Nil[owner]())
		}
	}
	collect(t, m, midden.KindFull)
	w.expect(t, "when a third died", func(id int) bool { return id < n && id%3 == 0 })
	// The places of those that were freed are used again.
	for i := range n {
		if i%3 == 0 {
			o := midden.New[owner](m)
			o.Get().Resource.Store(m, &resource{id: i})
			kept.Ptr().At(i).Store(m, o)
		}
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 500)
		for i := range n {
			equal(t, "the resource of an owner", kept.Ptr().At(i).Get().Resource.Load(m).id, i)
		}
	}
	// What is overwritten is let go without a cycle.
	kept.Ptr().At(1).Get().Resource.Store(m, w.resource(n))
	w.expect(t, "when one was overwritten", func(id int) bool { return id < n && id%3 == 0 || id == 1 })
	kept.Set(midden.Nil[midden.Array[midden.Field[owner]]]())
	collect(t, m, midden.KindFull)
	w.expect(t, "in the end", func(id int) bool { return true })
}

// externalOld stores values into old objects.
func (s *suite) externalOld(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, midden.New[owner](m))
	second := midden.NewLocal(m, midden.New[owner](m))
	age(t, m)
	r := &resource{id: 1}
	l.Ptr().Resource.Store(m, r)
	// An old object takes a value over from a new one, which dies.
	young := midden.New[owner](m)
	young.Get().Text.Store(m, "young")
	midden.Assign(m, second.Ptr(), *young.Get())
	for range 3 {
		collect(t, m, midden.KindMinor)
		litter(m, 500)
		for i := range 10 { // who would take its place
			midden.New[owner](m).Get().Text.Store(m, fmt.Sprint(i))
		}
		equal(t, "the resource of an old owner", l.Ptr().Resource.Load(m), r)
		equal(t, "a value that was copied to an old owner", second.Ptr().Text.Load(m), "young")
	}
}

// externalYoung checks that minor cycles free what died young, and nothing else.
func (s *suite) externalYoung(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	w := &watched{make([]atomic.Int32, 4)}
	l := midden.NewLocal(m, midden.New[owner](m))
	young := midden.NewLocal(m, midden.Nil[owner]())
	age(t, m)
	l.Ptr().Resource.Store(m, w.resource(0))
	young.Set(midden.New[owner](m))
	young.Ptr().Resource.Store(m, w.resource(1))
	midden.New[owner](m).Get().Resource.Store(m, w.resource(2))
	collect(t, m, midden.KindMinor)
	w.expect(t, "after a minor cycle", func(id int) bool { return id == 2 })
	// What is old by now is not freed by another.
	young.Set(midden.Nil[owner]())
	clone := midden.NewLocal(m, midden.Alloc(m, *l.Ptr()))
	clone.Ptr().Any.Store(m, w.resource(3))
	l.Set(midden.Nil[owner]())
	collect(t, m, midden.KindMinor)
	w.expect(t, "after another", func(id int) bool { return id == 2 })
	collect(t, m, midden.KindFull)
	w.expect(t, "after a full cycle", func(id int) bool { return id == 2 || id == 1 })
	equal(t, "the resource of a copy", clone.Ptr().Resource.Load(m).id, 0)
}

// externalCopies checks that a copy of the object shares the value, and keeps it.
func (s *suite) externalCopies(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	w := &watched{make([]atomic.Int32, 1)}
	l := midden.NewLocal(m, midden.New[owner](m))
	l.Ptr().Resource.Store(m, w.resource(0))
	rows := midden.NewLocal(m, midden.NewArray[owner](m, 3))
	age(t, m)
	midden.Copy(m, rows.Ptr().Slice(), []owner{*l.Ptr(), {}, *midden.Alloc(m, *l.Ptr()).Get()})
	l.Set(midden.Nil[owner]())
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 500)
		equal(t, "the copy", rows.Ptr().At(0).Resource.Load(m).id, 0)
		equal(t, "the other copy", rows.Ptr().At(2).Resource.Load(m).id, 0)
		equal(t, "no copy: nil", rows.Ptr().At(1).Resource.Load(m) == nil, true)
	}
	w.expect(t, "while a copy lives", func(int) bool { return false })
	midden.Assign(m, rows.Ptr().At(0), owner{})
	midden.Assign(m, rows.Ptr().At(2), owner{})
	collect(t, m, midden.KindFull)
	w.expect(t, "when all copies are gone", func(int) bool { return true })
}

func (s *suite) externalArrays(t *testing.T) {
	_, m := s.alone(t)
	defer m.Scope().Close()
	for _, n := range []int{5, 3000, 30000} {
		l := midden.NewLocal(m, midden.NewArray[midden.External[int]](m, n))
		age(t, m)
		for i := range n {
			l.Ptr().At(i).Store(m, i)
		}
		for _, k := range kinds {
			collect(t, m, k)
			for i := range n {
				equal(t, "a number", l.Ptr().At(i).Load(m), i)
			}
		}
		l.Set(midden.Nil[midden.Array[midden.External[int]]]())
		collect(t, m, midden.KindFull)
	}
}

// externalResurrected checks that an object that a guardian delivers has its values.
func (s *suite) externalResurrected(t *testing.T) {
	h, m := s.alone(t)
	w := &watched{make([]atomic.Int32, 1)}
	g := midden.NewGuardian[owner](h)
	o := midden.New[owner](m)
	o.Get().Resource.Store(m, w.resource(0))
	g.Register(m, o)
	for _, k := range append(kinds, kinds...) {
		collect(t, m, k)
		litter(m, 200)
	}
	w.expect(t, "before it is delivered", func(int) bool { return false })
	o, _ = g.Next(m)
	equal(t, "the resource", o.Get().Resource.Load(m).id, 0)
	collect(t, m, midden.KindFull)
	w.expect(t, "afterwards", func(int) bool { return true })
}

// externalClose checks that closing the heap lets go of everything.
func (s *suite) externalClose(t *testing.T) {
	h := s.open(t, midden.Options{})
	m := h.NewMutator()
	m.Scope()
	w := &watched{make([]atomic.Int32, 20)}
	l := midden.NewLocal(m, midden.NewArray[owner](m, 20))
	for i := range 20 {
		l.Ptr().At(i).Resource.Store(m, w.resource(i))
		if i == 10 {
			age(t, m)
		}
	}
	w.expect(t, "before Close", func(int) bool { return false })
	m.Close()
	if err := h.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	w.expect(t, "after Close", func(int) bool { return true })
	runtime.KeepAlive(h)
}

func (s *suite) externalMisuse(t *testing.T) {
	_, m := s.alone(t)
	var prepared owner
	panics(t, "Store outside the heap", func() { prepared.Text.Store(m, "text") }, "midden: ", "outside the heap")
	equal(t, "Load of nothing", prepared.Text.Load(m), "")
}

// externalMutators lets several mutators fill and read externals while they collect.
func (s *suite) externalMutators(t *testing.T) {
	_, m := s.alone(t)
	wg := crew{t: t}
	for g := range 4 {
		other := m.NewMutator()
		wg.Go(func() {
			defer other.Close()
			defer other.Scope().Close()
			l := midden.NewLocal(other, midden.NewArray[midden.Field[owner]](other, 50))
			for i := range s.size(3000) {
				o := midden.New[owner](other)
				id := g*1_000_000 + i
				o.Get().Text.Store(other, fmt.Sprint(id))
				o.Get().ID = int64(id)
				l.Ptr().At(i%50).Store(other, o)
				other.Safepoint()
				if i%100 == 0 {
					if err := other.Collect(kinds[i/100%len(kinds)]); err != nil {
						t.Errorf("Collect: %v", err)
					}
				}
				if o := l.Ptr().At(i * 7 % 50).Get(); o != nil && o.Text.Load(other) != fmt.Sprint(o.ID) {
					t.Errorf("the text of %d is %q", o.ID, o.Text.Load(other))
				}
			}
		})
	}
	m.Blocking(wg.Wait)
}
