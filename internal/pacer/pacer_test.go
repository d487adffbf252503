package pacer

import (
	"math"
	"testing"
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
		name                         string
		threshold, live, used, limit int64
		want                         int64
	}{
		{"no limit", 800 << 20, 400 << 20, 500 << 20, 0, 400 << 20},
		{"limit far away", 800 << 20, 400 << 20, 500 << 20, 10_000 << 20, 400 << 20},
		{"limit near", 1600, 800, 800, 1000, 175},
		{"holes count as free", 1600, 400, 800, 1000, 525},
		{"at the limit", 2000, 1000, 1000, 1000, 0},
		{"beyond the limit", 2400, 1200, 1200, 1000, 0},
		{"outgrown", 100, 400, 400, 0, 0},
	} {
		if got := Clamp(c.threshold, c.live, c.used, c.limit); got != c.want {
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
