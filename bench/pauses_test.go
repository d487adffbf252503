package bench

import (
	"math"
	"testing"
	"time"

	"github.com/midden-gc/midden"
)

func TestPauseListQuantile(t *testing.T) {
	var l pauseList
	if got := l.quantile(0.99); got != 0 {
		t.Errorf("without pauses %v", got)
	}
	for n := 200; n > 0; n-- {
		l.add(midden.CycleInfo{Pause: time.Duration(n)})
	}
	for q, want := range map[float64]time.Duration{0.5: 100, 0.99: 198, 1: 200} {
		if got := l.quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestClassesQuantile(t *testing.T) {
	edges := []float64{math.Inf(-1), 0, 1, 2, 4, math.Inf(1)}
	before := classes{[]uint64{0, 5, 0, 0, 0}, edges}
	for _, test := range []struct {
		counts []uint64
		q      float64
		want   float64
	}{
		{[]uint64{0, 5, 0, 0, 0}, 1, 0},
		{[]uint64{0, 6, 0, 0, 0}, 1, 1},
		{[]uint64{0, 104, 1, 0, 0}, 0.99, 1},
		{[]uint64{0, 104, 1, 0, 0}, 1, 2},
		{[]uint64{0, 5, 0, 1, 0}, 1, 4},
		{[]uint64{0, 5, 0, 0, 1}, 1, 4},
	} {
		if got := (classes{test.counts, edges}).since(before).quantile(test.q); got != test.want {
			t.Errorf("quantile %v of %v is %v, want %v", test.q, test.counts, got, test.want)
		}
	}
}
