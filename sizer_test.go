package midden_test

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/internal/pacer"
)

// recorder is a Sizer that keeps what it was told.
type recorder struct {
	told []midden.Measurement
	next int64
}

func (r *recorder) Next(m midden.Measurement) int64 {
	r.told = append(r.told, m)
	return r.next
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within*want {
		t.Errorf("%s: %.4g, want %.4g", what, got, want)
	}
}

// A Sizer is asked once for a new heap and after each full cycle, and told how fast
// the heap grows and how fast it is traced.
func TestSizerIsTold(t *testing.T) {
	r := &recorder{next: 16 * mib}
	c := newClocked(t, midden.Options{Collector: immix.New(&immix.Options{FullOnly: true}), Sizer: r, Limit: 1 << 30})
	if len(r.told) != 1 || r.told[0].Live != 0 || r.told[0].AllocationRate != 0 || r.told[0].TraceSpeed != 0 {
		t.Fatalf("a new heap told its Sizer %+v", r.told)
	}
	c.fill(8 * mib)
	for range 100 {
		midden.NewArray[byte](c.m, mib-8)
		c.now += 100 * time.Millisecond
		c.m.Safepoint()
	}
	s := c.h.Stats()
	if s.Full < 8 || len(r.told) != int(s.Full)+1 {
		t.Fatalf("asked %d times in %d full cycles", len(r.told), s.Full)
	}
	last := r.told[len(r.told)-1]
	near(t, "Live", float64(last.Live), 8*mib, 0.15)
	near(t, "Pause", float64(last.Pause), float64(10*time.Millisecond), 0)
	near(t, "AllocationRate", last.AllocationRate, 10*mib, 0.2)
	near(t, "TraceSpeed", last.TraceSpeed, float64(last.Live)*100, 0.1)
	if last.Limit != 1<<30 || last.Used < last.Live {
		t.Errorf("told %+v", last)
	}
}

// Between full cycles it is asked about once a second, with what the last full
// cycle found.
func TestSizerBetweenFullCycles(t *testing.T) {
	r := &recorder{next: 1 << 40}
	c := newClocked(t, midden.Options{Sizer: r})
	c.fill(8 * mib)
	c.now += time.Hour
	if err := c.m.Collect(midden.KindFull); err != nil {
		t.Fatal(err)
	}
	live, asked := c.h.Stats().Live, len(r.told)
	start := c.now
	for c.now < start+10*time.Second {
		midden.NewArray[byte](c.m, 1000)
		if c.now += time.Millisecond; c.now%time.Second == 0 {
			c.fill(int64(len(c.live)+1) * chunk)
		}
		c.m.Safepoint()
	}
	if s := c.h.Stats(); s.Full != 1 || s.Minor < 12 {
		t.Fatalf("%d full cycles and %d minor ones: the test says nothing", s.Full, s.Minor)
	}
	if n := len(r.told) - asked; n < 5 || n > 10 {
		t.Errorf("asked %d times in 10 seconds of minor cycles", n)
	}
	for _, m := range r.told[asked:] {
		if m.Live != live {
			t.Errorf("told that %d bytes live, and the last full cycle found %d", m.Live, live)
		}
	}
	if rate := r.told[len(r.told)-1].AllocationRate; rate > 100_000 {
		t.Errorf("AllocationRate is %.0f, and of 1 MB a second nearly all died young", rate)
	}
}

// adapted runs a heap with 8 MiB live that allocates 16 KiB each so often, and
// returns the extra room that it has in the end.
func adapted(t *testing.T, c float64, each time.Duration) float64 {
	h := newClocked(t, midden.Options{Collector: immix.New(&immix.Options{FullOnly: true}), Sizer: midden.Adaptive(c)})
	h.fill(8 * mib)
	for range 10_000 {
		midden.NewArray[byte](h.m, chunk-8)
		h.now += each
		h.m.Safepoint()
	}
	fullAt, _ := h.h.Paced()
	return float64(fullAt - h.h.Stats().Live)
}

func TestAdaptive(t *testing.T) {
	// 8 MiB in 10 ms of tracing, and 16 KiB each 5 ms:
	// sqrt(1 GiB * 8 MiB * 3.125 MiB/s / 800 MiB/s) = 5.66 MiB
	near(t, "the extra room", adapted(t, 1, 5*time.Millisecond), 5.66*mib, 0.1)
	near(t, "the same with twice the c", adapted(t, 2, 5*time.Millisecond), 2*5.66*mib, 0.1)
	near(t, "the same at four times the rate", adapted(t, 1, 5*time.Millisecond/4), 2*5.66*mib, 0.1)
}

func TestAdaptiveIsChecked(t *testing.T) {
	for _, c := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := midden.NewHeap(&midden.Options{Sizer: midden.Adaptive(c)})
		if err == nil || !strings.Contains(err.Error(), "Options.Sizer: Adaptive") {
			t.Errorf("Adaptive(%v): %v", c, err)
		}
	}
}

// The nursery grows while much survives, and shrinks when nothing does.
func TestNursery(t *testing.T) {
	c := newClocked(t, midden.Options{Sizer: midden.Fixed(1 << 30)})
	if _, n := c.h.Paced(); n != pacer.StartNursery {
		t.Errorf("a nursery of %d bytes at first, want %d", n, pacer.StartNursery)
	}
	for len(c.live) < 16*mib/chunk {
		c.fill(int64(len(c.live)+1) * chunk)
		c.m.Safepoint()
	}
	if _, n := c.h.Paced(); n <= pacer.StartNursery {
		t.Errorf("a nursery of %d bytes when everything survives", n)
	}
	for range 16 * mib / chunk {
		midden.NewArray[byte](c.m, chunk)
		c.m.Safepoint()
	}
	if _, n := c.h.Paced(); n > pacer.StartNursery {
		t.Errorf("a nursery of %d bytes when nothing survives", n)
	}
}

// Each mutator that allocates has a nursery, up to the number of processors.
func TestNurseryForEach(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	c := newClocked(t, midden.Options{})
	var others [3]*midden.Mutator
	for i := range others {
		others[i] = c.m.NewMutator()
		defer others[i].Close()
	}
	for busy, want := range []int64{1, 2, 2} {
		type object struct{ _ int64 }
		midden.New[object](c.m)
		for _, m := range others {
			m.Freeze()
		}
		for _, m := range others[:busy] {
			m.Unfreeze()
			midden.New[object](m)
			m.Freeze()
		}
		if err := c.m.Collect(midden.KindMinor); err != nil {
			t.Fatal(err)
		}
		for _, m := range others {
			m.Unfreeze()
		}
		if _, n := c.h.Paced(); n != want*pacer.StartNursery {
			t.Errorf("%d mutators at work on 2 processors: a nursery of %d bytes, want %d of %d", 1+busy, n, want, pacer.StartNursery)
		}
	}
}
