package safepoint_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	. "github.com/midden-gc/midden/safepoint"
)

// Every duration is counted in the class that it lies in, at the edges too, and
// the classes are as narrow as they are said to be.
func TestHistogramClasses(t *testing.T) {
	var ends []time.Duration
	for end, n := range (Histogram{}).Buckets() {
		ends = append(ends, end)
		if n != 0 {
			t.Fatalf("an empty histogram has %d below %v", n, end)
		}
	}
	if !slices.IsSorted(ends) || ends[0] != 128 || ends[len(ends)-1] != math.MaxInt64 {
		t.Fatalf("ends are %v", ends)
	}
	for i, end := range ends[1 : len(ends)-1] {
		if begin := ends[i]; end-begin > begin/4 || end == begin {
			t.Errorf("the class from %v to %v is too wide, or empty", begin, end)
		}
	}
	if last := ends[len(ends)-2]; last < 17*time.Second || last > 18*time.Second {
		t.Errorf("the last class begins at %v", last)
	}
	class := func(d time.Duration) int {
		var h Histogram
		h.Add(d)
		at := -1
		i := 0
		for _, n := range h.Buckets() {
			if n > 0 {
				at = i
			}
			i++
		}
		return at
	}
	for i, end := range ends[:len(ends)-1] {
		if class(end-1) != i || class(end) != i+1 {
			t.Errorf("%v is in class %d and %v in %d, want %d and %d", end-1, class(end-1), end, class(end), i, i+1)
		}
	}
	if class(0) != 0 || class(-5) != 0 || class(math.MaxInt64) != len(ends)-1 {
		t.Error("0, a negative duration, or the longest is in a wrong class")
	}
	for range Histogram.Buckets(Histogram{}) {
		break
	}
}

// The figures agree with those of a sorted list, up to the width of a class.
func TestHistogramAgainstList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		var h, half Histogram
		var list []time.Duration
		var sum time.Duration
		for range 1 + random.IntN(300) {
			d := time.Duration(math.Exp(random.Float64() * math.Log(20e9)))
			list = append(list, d)
			sum += d
			if len(list)%2 == 0 {
				half.Add(d)
			} else {
				h.Add(d)
			}
		}
		h.Merge(half)
		slices.Sort(list)
		longest := list[len(list)-1]
		if h.Count() != uint64(len(list)) || h.Sum() != sum || h.Max() != longest {
			t.Fatalf("round %d: %v, sum %v; want n=%d, max %v, sum %v", round, h, h.Sum(), len(list), longest, sum)
		}
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			rank := max(1, int(math.Ceil(q*float64(len(list)))))
			exact := list[rank-1]
			if got := h.Quantile(q); got < exact || got > longest || got > max(exact+exact/4+1, 128) && exact < 17*time.Second {
				t.Errorf("round %d: quantile %v is %v, in the list %v", round, q, got, exact)
			}
		}
		if h.Quantile(1) != longest {
			t.Errorf("all are below %v, Max is %v", h.Quantile(1), longest)
		}
	}
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	if h.Count() != 0 || h.Sum() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 || h.Quantile(1) != 0 {
		t.Errorf("%v", h)
	}
	for _, q := range []float64{-0.1, 1.1, 99, math.NaN()} {
		says(t, func() { h.Quantile(q) }, "safepoint: Quantile(", "from 0 to 1")
	}
	if n := unsafe.Sizeof(h); n > 1024 {
		t.Errorf("a histogram has %d bytes", n)
	}
}

// The times to stop and the times stopped are kept apart, and pauses that are
// given up are in neither.
func TestStatsKeepTimesApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(&Options{StragglerTimeout: -1})
		if s := w.Stats(); s.StopTimes.Count() != 0 || s.PauseTimes.Count() != 0 {
			t.Errorf("before the first pause: %v %v", s.StopTimes, s.PauseTimes)
		}
		a, slow := w.NewContext(), w.NewContext()
		pause := func(stop, stopped time.Duration) {
			late := start(func() {
				time.Sleep(stop)
				slow.Freeze()
			})
			ok(t, a.Collect(background, 1, func(*Pause) error { time.Sleep(stopped); return nil }))
			late.now(t)
			slow.Unfreeze()
		}
		pause(3*time.Second, 20*time.Millisecond)
		pause(time.Second, 50*time.Millisecond)
		slow.Freeze()
		_, err := w.Stop(background) // waits for a
		is(t, err, ErrActive)
		a.Freeze()
		p, err := w.Stop(background)
		ok(t, err)
		time.Sleep(30 * time.Millisecond)
		during := w.Stats()
		p.Start(nil)
		s := w.Stats()
		if during.StopTimes.Count() != 3 || during.PauseTimes.Count() != 2 || during.Pauses != 2 {
			t.Errorf("during a pause: %v %v", during.StopTimes, during.PauseTimes)
		}
		if s.StopTimes.Count() != 3 || s.StopMax != 3*time.Second || s.StopTimes.Max() != s.StopMax || s.StopTimes.Sum() != 4*time.Second {
			t.Errorf("times to stop %v, sum %v", s.StopTimes, s.StopTimes.Sum())
		}
		if s.Pauses != 3 || s.PauseTimes.Count() != 3 || s.PauseMax != 50*time.Millisecond || s.PauseTotal != 100*time.Millisecond {
			t.Errorf("times stopped %v, sum %v; %d pauses", s.PauseTimes, s.PauseTotal, s.Pauses)
		}
		if got := s.PauseTimes.Quantile(0.3); got < 20*time.Millisecond || got > 25*time.Millisecond {
			t.Errorf("a third of the pauses is below %v", got)
		}
		if s.GivenUp != 1 {
			t.Errorf("%d given up", s.GivenUp)
		}
		if text := fmt.Sprintf("%+v", s); !strings.Contains(text, "PauseTimes:{n=3 p50=") || len(text) > 1000 {
			t.Errorf("printed as %s", text)
		}
	})
}

// A pause that had to queue is not blamed for its predecessor.
func TestQueuedPauseIsTimedFromItsTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := NewWorld(nil)
		p, err := w.Stop(background)
		ok(t, err)
		queued := start(func() {
			p, err := w.Stop(background)
			ok(t, err)
			p.Start(nil)
		})
		queued.waits(t)
		time.Sleep(time.Second)
		p.Start(nil)
		queued.now(t)
		if s := w.Stats(); s.StopMax != 0 || s.PauseMax != time.Second || s.Pauses != 2 {
			t.Errorf("%+v", s)
		}
	})
}
