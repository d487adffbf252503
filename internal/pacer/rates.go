package pacer

import (
	"math"
	"time"
)

// Rates are how fast a heap grows and how fast it is traced, each smoothed as in
// the paper that Adaptive follows: amounts and times fade alike, and the rate is
// their quotient. So a measurement counts as much as it was long, and the first
// one counts in full.
type Rates struct {
	grown, ran   float64 // bytes, seconds
	traced, took float64
}

const (
	keepGrowth = 0.95 // what is left of an old measurement after a second
	keepTrace  = 0.5  // what is left of it after a cycle
)

// Grew notes by how many bytes the heap grew while it ran for so long.
func (r *Rates) Grew(bytes int64, ran time.Duration) {
	keep := math.Pow(keepGrowth, ran.Seconds())
	r.grown = keep*r.grown + float64(max(bytes, 0))
	r.ran = keep*r.ran + ran.Seconds()
}

// Traced notes that a full cycle found so many bytes alive and took so long.
func (r *Rates) Traced(live int64, took time.Duration) {
	r.traced = keepTrace*r.traced + float64(live)
	r.took = keepTrace*r.took + took.Seconds()
}

// Growth returns by how many bytes the heap grows in a second; 0 if that is not
// known yet.
func (r *Rates) Growth() float64 { return quotient(r.grown, r.ran) }

// Trace returns how many bytes are traced in a second; 0 if that is not known yet.
func (r *Rates) Trace() float64 { return quotient(r.traced, r.took) }

func quotient(amount, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return amount / seconds
}
