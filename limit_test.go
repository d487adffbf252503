package midden_test

import (
	"errors"
	"runtime/debug"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/internal/invariants"
)

const mib = 1 << 20

type (
	bytesArray = midden.Array[byte]
	bytesRef   = midden.Ref[bytesArray]
)

// clocked is a heap with one mutator whose time passes only when the test says so,
// and by a fixed amount in each cycle.
type clocked struct {
	t        *testing.T
	h        *midden.Heap
	m        *midden.Mutator
	now      time.Duration
	perCycle time.Duration
	cycling  time.Duration // time that was spent in cycles
	calls    int
	pressure []midden.PressureInfo
	live     []midden.Local[bytesArray]
}

// Trace is called in each cycle, and again when the cycle is verified.
func (c *clocked) Trace(*midden.Visitor) {
	if c.calls++; invariants.Enabled && c.calls%2 == 0 {
		return
	}
	c.now += c.perCycle
	c.cycling += c.perCycle
}

func newClocked(t *testing.T, o midden.Options) *clocked {
	c := &clocked{t: t, perCycle: 10 * time.Millisecond}
	o.Listener = &midden.Listener{Pressure: func(p midden.PressureInfo) {
		if c.h.Collecting() {
			t.Error("told of pressure in the pause")
		}
		c.pressure = append(c.pressure, p)
	}}
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatal(err)
	}
	c.h = h
	h.SetClock(func() time.Duration { return c.now })
	c.m = h.NewMutator()
	c.m.AddRoots(c)
	scope := c.m.Scope()
	t.Cleanup(func() {
		scope.Close()
		c.m.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

const chunk = 16 << 10

// fill keeps arrays of 16 KiB until so many bytes live.
func (c *clocked) fill(bytes int64) {
	for int64(len(c.live))*chunk < bytes {
		c.live = append(c.live, midden.NewLocal(c.m, midden.NewArray[byte](c.m, chunk-8)))
	}
}

// drop lets go of all but n bytes.
func (c *clocked) drop(bytes int64) {
	for i := range c.live {
		if int64(i)*chunk >= bytes {
			c.live[i].Set(bytesRef{})
		}
	}
}

// refused calls f and returns the *LimitError that it panicked with, if any.
func refused(f func()) (e *midden.LimitError) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *midden.LimitError:
			e = r
		default:
			panic(r)
		}
	}()
	f()
	return nil
}

// allocators are the ways in which programs meet the limit: an allocation with a
// safepoint before it, and a Reserve. Each allocates a little.
var allocators = map[string]func(c *clocked) *midden.LimitError{
	"Safepoint": func(c *clocked) *midden.LimitError {
		c.m.Safepoint()
		return refused(func() { midden.NewArray[byte](c.m, 1000) })
	},
	"Reserve": func(c *clocked) *midden.LimitError {
		var e *midden.LimitError
		if err := c.m.Reserve(1000); errors.As(err, &e) {
			return e
		}
		midden.NewArray[byte](c.m, 1000)
		return nil
	},
}

// tight is a heap of which all lives but so many bytes.
func tight(t *testing.T, algorithm collector.Collector, free int64) *clocked {
	const limit = 16 * mib
	c := newClocked(t, midden.Options{Collector: algorithm, Limit: limit})
	c.fill(limit - free)
	if err := c.m.Collect(midden.KindFull); err != nil {
		t.Fatal(err)
	}
	return c
}

func eachTight(t *testing.T, free int64, test func(t *testing.T, c *clocked, allocate func(*clocked) *midden.LimitError)) {
	for name, algorithm := range map[string]collector.Collector{
		"immix": immix.New(&immix.Options{FullOnly: true}), "semispace": semispace.New(nil),
	} {
		for how, allocate := range allocators {
			t.Run(name+"/"+how, func(t *testing.T) {
				c := tight(t, algorithm, free)
				test(t, c, allocate)
			})
		}
	}
}

// churn allocates until it is refused, n times at most, and returns how often that
// went well.
func (c *clocked) churn(n int, each time.Duration, allocate func(*clocked) *midden.LimitError) (int, *midden.LimitError) {
	for i := range n {
		if e := allocate(c); e != nil {
			return i, e
		}
		c.now += each
	}
	return n, nil
}

// A program that spends its time in vain cycles is refused after a few of them,
// and has its memory at once when it drops something.
func TestLimitThrashing(t *testing.T) {
	eachTight(t, 256<<10, func(t *testing.T, c *clocked, allocate func(*clocked) *midden.LimitError) {
		before := c.h.Stats().Full
		_, e := c.churn(100_000, 10*time.Microsecond, allocate)
		if e == nil || !e.Thrashing || !errors.Is(e, midden.ErrLimit) {
			t.Fatalf("refused with %v, want a *LimitError that says Thrashing", e)
		}
		if n := c.h.Stats().Full - before; n < 4 || n > 6 {
			t.Errorf("refused after %d full cycles, want some 5", n)
		}
		// Who tries again is given one more cycle.
		c.drop(8 * mib)
		c.m.Safepoint()
		if err := c.m.Reserve(4 * mib); err != nil {
			t.Errorf("after half of the heap was dropped: %v", err)
		}
		if _, e := c.churn(5000, 0, allocate); e != nil {
			t.Errorf("after half of the heap was dropped: %v", e)
		}
	})
}

// A program that goes on after each refusal gets half of the time.
func TestLimitShare(t *testing.T) {
	eachTight(t, 256<<10, func(t *testing.T, c *clocked, allocate func(*clocked) *midden.LimitError) {
		start, before := c.now, c.cycling
		for c.now-start < 10*time.Second {
			allocate(c)
			c.now += 20 * time.Microsecond
		}
		if share := float64(c.cycling-before) / float64(c.now-start); share > 0.53 || share < 0.3 {
			t.Errorf("full cycles took %.2f of the time, want about a half", share)
		}
	})
}

// A program that fits is never refused: not if cycles take most of its time but
// free something, and not if they free almost nothing but are rare.
func TestLimitFits(t *testing.T) {
	eachTight(t, mib, func(t *testing.T, c *clocked, allocate func(*clocked) *midden.LimitError) {
		before := c.h.Stats().Full
		if n, e := c.churn(50_000, 0, allocate); e != nil {
			t.Errorf("refused after %d allocations with a sixteenth of the heap free: %v", n, e)
		}
		if n := c.h.Stats().Full - before; n < 30 {
			t.Errorf("%d full cycles only: the test says nothing", n)
		}
	})
	eachTight(t, 256<<10, func(t *testing.T, c *clocked, allocate func(*clocked) *midden.LimitError) {
		before := c.h.Stats().Full
		if n, e := c.churn(10_000, time.Millisecond, allocate); e != nil {
			t.Errorf("refused after %d allocations, with little time spent in cycles: %v", n, e)
		}
		if n := c.h.Stats().Full - before; n < 30 {
			t.Errorf("%d full cycles only: the test says nothing", n)
		}
	})
}

// Asking for more than there is, again and again, gets half of the time too, and
// disturbs nobody who asks for less.
func TestLimitReserveInVain(t *testing.T) {
	c := tight(t, immix.New(&immix.Options{FullOnly: true}), 4*mib)
	start, before := c.now, c.cycling
	for c.now-start < 10*time.Second {
		if err := c.m.Reserve(6 * mib); !errors.Is(err, midden.ErrLimit) {
			t.Fatalf("Reserve of 6 MiB with 4 free: %v", err)
		}
		c.now += time.Millisecond / 10
	}
	if share := float64(c.cycling-before) / float64(c.now-start); share > 0.53 || share < 0.3 {
		t.Errorf("full cycles took %.2f of the time, want about a half", share)
	}
	if n, e := c.churn(10_000, 0, allocators["Reserve"]); e != nil {
		t.Errorf("refused after %d small allocations: %v", n, e)
	}
}

// What can be given without a cycle is given while the brake holds, and what
// AddExternal gives back counts.
func TestLimitThrashingExternal(t *testing.T) {
	c := newClocked(t, midden.Options{Collector: immix.New(&immix.Options{FullOnly: true}), Limit: 16 * mib})
	c.h.AddExternal(8 * mib)
	c.fill(8*mib - 256<<10)
	allocate := allocators["Reserve"]
	for range 3 {
		c.churn(100_000, 0, allocate)
	}
	if e := allocate(c); e == nil || !e.Thrashing {
		t.Fatalf("%v, want a refusal that says Thrashing", e)
	}
	c.h.AddExternal(-4 * mib)
	if n, e := c.churn(50_000, 0, allocate); e != nil {
		t.Errorf("refused after %d allocations, with 4 MiB given back: %v", n, e)
	}
}

// Cycles that the program asks for do not count against it.
func TestLimitOwnCollections(t *testing.T) {
	c := tight(t, immix.New(&immix.Options{FullOnly: true}), 256<<10)
	for range 50 {
		if err := c.m.Collect(midden.KindFull); err != nil {
			t.Fatal(err)
		}
	}
	// This needs two or three cycles of the heap's own.
	if n, e := c.churn(600, 0, allocators["Reserve"]); e != nil {
		t.Errorf("refused after %d allocations that followed 50 calls of Collect: %v", n, e)
	}
}

// With generations, minor cycles near the limit keep a program going that a full
// cycle each time would stop.
func TestLimitMinor(t *testing.T) {
	for how, allocate := range allocators {
		t.Run(how, func(t *testing.T) {
			c := tight(t, immix.New(nil), 300<<10)
			before := c.h.Stats()
			if n, e := c.churn(20_000, 0, allocate); e != nil {
				t.Errorf("refused after %d allocations of 1 KB that die at once: %v", n, e)
			}
			after := c.h.Stats()
			if full, minor := after.Full-before.Full, after.Minor-before.Minor; full > 3 || minor < 50 {
				t.Errorf("%d full cycles and %d minor ones", full, minor)
			}
		})
	}
}

// Reserve looks through what is new before it has everything traced.
func TestLimitReserveMinor(t *testing.T) {
	c := tight(t, immix.New(nil), 3*mib)
	before := c.h.Stats().Full
	for range 100 {
		if err := c.m.Reserve(2 * mib); err != nil { // which takes 2.7 of the 3
			t.Fatal(err)
		}
		c.churn(300, 0, allocators["Safepoint"])
	}
	if n := c.h.Stats().Full - before; n > 3 {
		t.Errorf("%d full cycles, and all garbage died young", n)
	}
}

// An allocation that is refused has the next safepoint collect, so that a program
// that drops something and tries again gets its memory.
func TestLimitRefusalCollects(t *testing.T) {
	c := newClocked(t, midden.Options{
		Collector: immix.New(&immix.Options{FullOnly: true}), Limit: 16 * mib, Sizer: midden.Fixed(1 << 30),
	})
	for round := range 20 {
		if e := refused(func() { midden.NewArray[byte](c.m, 9*mib) }); e != nil {
			t.Fatalf("round %d: %v", round, e)
		}
		if e := refused(func() { midden.NewArray[byte](c.m, 9*mib) }); e == nil || e.Thrashing {
			t.Fatalf("round %d: 18 MiB of 16: %v", round, e)
		}
		c.m.Safepoint()
	}
	before := c.h.Stats().Full
	if e := refused(func() { midden.NewArray[byte](c.m, 17*mib) }); e == nil {
		t.Fatal("17 MiB of 16")
	}
	c.m.Safepoint()
	if c.h.Stats().Full != before {
		t.Error("a cycle for what can never fit")
	}
}

func TestPressure(t *testing.T) {
	const limit = 16 * mib
	c := newClocked(t, midden.Options{Limit: limit})
	collect := func() {
		t.Helper()
		if err := c.m.Collect(midden.KindFull); err != nil {
			t.Fatal(err)
		}
	}
	told := func(when string, levels ...int) {
		t.Helper()
		if len(c.pressure) != len(levels) {
			t.Fatalf("%s: told %d times, want %d: %+v", when, len(c.pressure), len(levels), c.pressure)
		}
		for i, p := range c.pressure {
			if p.Level != levels[i] || p.Limit != limit || p.Live <= 0 || p.Used < p.Live+p.External {
				t.Errorf("%s: told %+v, want level %d", when, p, levels[i])
			}
		}
		c.pressure = nil
	}
	c.fill(limit/2 + mib)
	collect()
	told("at a half")
	c.fill(limit*13/16 + chunk)
	collect()
	told("at 13/16", 1)
	collect()
	collect()
	told("at the same")
	c.drop(limit * 11 / 16)
	collect()
	told("a little lower")
	c.live = c.live[:limit*11/16/chunk]
	c.fill(limit * 13 / 16)
	collect()
	told("a little higher")
	c.h.AddExternal(2 * mib)
	collect()
	told("with External", 3)
	c.h.AddExternal(-2 * mib)
	c.drop(limit / 4)
	collect()
	told("far below")
	c.live = c.live[:limit/4/chunk]
	c.fill(limit * 15 / 16)
	collect()
	told("at once", 3)
	if err := c.m.Collect(midden.KindMinor); err != nil {
		t.Fatal(err)
	}
	told("after a minor cycle")
}

// Go's memory limit is lower by what heaps hold that share it.
func TestShareMemoryLimit(t *testing.T) {
	const whole = 1 << 30
	before := debug.SetMemoryLimit(whole)
	defer debug.SetMemoryLimit(before)
	limitIs := func(when string, held int64) {
		t.Helper()
		if lower := whole - debug.SetMemoryLimit(-1); lower < held-mib || lower > held+mib {
			t.Errorf("%s: Go's limit is lower by %d bytes, want %d", when, lower, held)
		}
	}
	held := func(c *clocked) int64 { return c.h.Stats().Committed }
	t.Run("heaps", func(t *testing.T) {
		a := newClocked(t, midden.Options{ShareMemoryLimit: true})
		b := newClocked(t, midden.Options{ShareMemoryLimit: true})
		c := newClocked(t, midden.Options{})
		limitIs("new heaps", 0)
		a.fill(64 * mib)
		b.fill(32 * mib)
		c.fill(32 * mib)
		if held(a)+held(b) < 90*mib {
			t.Fatalf("%d bytes are held after 96 MiB were allocated", held(a)+held(b))
		}
		limitIs("with two heaps", held(a)+held(b))
		a.drop(8 * mib)
		if err := a.m.Collect(midden.KindCompact); err != nil {
			t.Fatal(err)
		}
		if held(a) > 32*mib {
			t.Fatalf("%d bytes are held after most was dropped", held(a))
		}
		limitIs("after one has shrunk", held(a)+held(b))
		a.drop(chunk)
		if err := a.m.Collect(midden.KindCompact); err != nil {
			t.Fatal(err)
		}
	})
	if now := debug.SetMemoryLimit(-1); now != whole {
		t.Errorf("with all heaps closed, Go's limit is %d bytes and was %d", now, whole)
	}
}
