package bench

import (
	"math"
	"testing"
)

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
