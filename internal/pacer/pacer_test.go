package pacer

import (
	"math"
	"testing"
	"time"
)

func TestGrowBy(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live   int64
		factor float64
		want   int64
	}{
		{0, 2, MinThreshold},
		{mib, 2, MinThreshold},
		{4 * mib, 2, 8 * mib},
		{100 * mib, 1.5, 150 * mib},
		{math.MaxInt64 / 2, 4, 1 << 62},
		{mib, math.Inf(1), 1 << 62},
	} {
		if got := GrowBy(c.live, c.factor); got != c.want {
			t.Errorf("GrowBy(%d, %v) = %d, want %d", c.live, c.factor, got, c.want)
		}
	}
}

func TestClamp(t *testing.T) {
	for _, c := range []struct {
		name                               string
		threshold, live, used, limit, kept int64
		want                               int64
	}{
		{"no limit", 800 << 20, 400 << 20, 500 << 20, 0, 0, 400 << 20},
		{"limit far away", 800 << 20, 400 << 20, 500 << 20, 10_000 << 20, 100 << 20, 400 << 20},
		{"limit near", 1600, 800, 800, 1000, 25, 175},
		{"holes count as free", 1600, 400, 800, 1000, 75, 525},
		{"minor cycles have used some", 1600, 900, 900, 1000, 75, 25},
		{"only what is kept is left", 1600, 960, 960, 1000, 75, 0},
		{"at the limit", 2000, 1000, 1000, 1000, 10, 0},
		{"beyond the limit", 2400, 1200, 1200, 1000, 0, 0},
		{"outgrown", 100, 400, 400, 0, 0, 0},
	} {
		if got := Clamp(c.threshold, c.live, c.used, c.limit, c.kept); got != c.want {
			t.Errorf("%s: Clamp = %d, want %d", c.name, got, c.want)
		}
	}
}

func TestRelax(t *testing.T) {
	for _, c := range []struct{ threshold, live, want int64 }{
		{800 << 20, 400 << 20, 800 << 20},
		{100 << 20, 400 << 20, 425 << 20},
		{100, 400, 400 + minRoom},
	} {
		if got := Relax(c.threshold, c.live); got != c.want {
			t.Errorf("Relax(%d, %d) = %d, want %d", c.threshold, c.live, got, c.want)
		}
	}
}

func TestAdaptive(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for _, c := range []struct {
		name                   string
		live                   int64
		growth, speed, c, want float64
	}{
		{"not known yet", 100 * mib, 0, 0, 1, 200 * mib},
		{"no speed", 100 * mib, gib, 0, 1, 200 * mib},
		{"an empty heap", 0, gib, gib, 1, MinThreshold},
		// sqrt(1024 * 64 * 0.25) = 128
		{"64 MiB, a quarter of the speed", 64 * mib, gib / 4, gib, 1, (64 + 128) * mib},
		{"the same, c 2", 64 * mib, gib / 4, gib, 2, (64 + 256) * mib},
		{"the same, c 1/2", 64 * mib, gib / 4, gib, 0.5, (64 + 64) * mib},
		{"twice as large, half as busy", 128 * mib, gib / 8, gib, 1, (128 + 128) * mib},
		{"four times as busy", 64 * mib, gib, gib, 1, (64 + 256) * mib},
		{"hardly busy", 64 * mib, 1000, gib, 1, 72 * mib},
		{"mismeasured", 64 * mib, gib, 1000, 1, 9 * 64 * mib},
		{"huge", 1 << 62, gib, gib, 1, 1 << 62},
	} {
		if got := Adaptive(c.live, c.growth, c.speed, c.c); math.Abs(float64(got)-c.want) > 1 {
			t.Errorf("%s: Adaptive = %d, want %.0f", c.name, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	var r Rates
	if r.Growth() != 0 || r.Trace() != 0 {
		t.Error("rates are known before anything was measured")
	}
	r.Grew(100, 2*time.Second)
	near("the first measurement", r.Growth(), 50)
	r.Grew(0, 0)
	near("no time at all", r.Growth(), 50)
	r.Grew(500, time.Second)
	near("and another", r.Growth(), (100*0.95+500)/(2*0.95+1))
	for range 1000 {
		r.Grew(7, time.Second)
	}
	near("old measurements are forgotten", r.Growth(), 7)

	// A second is a second, however it is cut.
	var a, b Rates
	for range 10 {
		a.Grew(10_000, time.Second)
		for range 100 {
			b.Grew(100, time.Second/100)
		}
	}
	near("in pieces", b.Growth(), a.Growth())

	r.Traced(1000, time.Second)
	near("a trace", r.Trace(), 1000)
	r.Traced(4000, time.Second)
	near("and another", r.Trace(), 4500/1.5)
	r.Traced(0, 0)
	near("a trace of nothing", r.Trace(), 3000)
}

func TestFree(t *testing.T) {
	for _, c := range []struct{ live, used, limit, want int64 }{
		{100, 200, 1000, 900},
		{200, 200, 1000, 800},
		{300, 200, 1000, 800}, // bytes that were noted after the cycle
		{1000, 1000, 1000, 0},
		{1200, 1200, 1000, 0},
	} {
		if got := Free(c.live, c.used, c.limit); got != c.want {
			t.Errorf("Free(%d, %d, %d) = %d, want %d", c.live, c.used, c.limit, got, c.want)
		}
	}
}
