package midden

import (
	"fmt"
	"math"
	"time"

	"github.com/midden-gc/midden/internal/pacer"
)

// Sizer decides when a heap is collected fully. Minor cycles, where the collector
// has them, come in between, and are not its business.
//
// [GrowBy] needs no thought and is the default. [Fixed] is for a heap that has its
// memory set apart: it costs least time, and never gives way. [Adaptive] is for
// many heaps, or one that changes much: it spends memory where that saves most
// time.
type Sizer interface {
	// Next returns how large the heap may grow, in bytes of objects and External,
	// before a full cycle is wanted. It is called with the world stopped: once for
	// the new heap, after each full cycle, and in between about once a second when
	// a minor cycle ends, since the rates may have changed. It must not use the
	// heap. The limit of the heap is applied to the result. Heaps that share a
	// Sizer may call it at the same time.
	Next(Measurement) int64
}

// Measurement is what a Sizer learns of the last full cycle, and of the time
// since.
type Measurement struct {
	Live  int64 // bytes that the last full cycle found alive
	Used  int64 // bytes of blocks and pages in use now, and External
	Limit int64 // Options.Limit; 0: none

	// Pause is how long the last full cycle took; 0 before the first.
	Pause time.Duration
	// AllocationRate is how many bytes a second the heap grows by while it is not
	// being collected fully: what is allocated, less what minor cycles free. Old
	// seconds count less, by a twentieth for each. 0 if that is not known yet.
	AllocationRate float64
	// TraceSpeed is how many living bytes a full cycle gets through in a second, by
	// the clock and with all workers. Each cycle counts half as much as the next. 0
	// before the first.
	TraceSpeed float64
}

// GrowBy collects fully when the heap has grown to factor times what lived after the
// last cycle, and to 4 MiB at least. GrowBy(2) is like GOGC=100. The factor must
// be above 1.
func GrowBy(factor float64) Sizer { return growBy(factor) }

type growBy float64

func (g growBy) Next(m Measurement) int64 { return pacer.GrowBy(m.Live, float64(g)) }

func (g growBy) valid() error {
	if !(g > 1) {
		return fmt.Errorf("GrowBy(%v): %w", float64(g), errFactor)
	}
	return nil
}

// Fixed collects fully when so many bytes are in use, however many of them live.
func Fixed(bytes int64) Sizer { return fixed(bytes) }

type fixed int64

func (f fixed) Next(Measurement) int64 { return int64(f) }

func (f fixed) valid() error {
	if f <= 0 {
		return fmt.Errorf("Fixed(%d): the size must be positive", int64(f))
	}
	return nil
}

// Adaptive collects fully when the extra room that it has chosen is used up:
//
//	c * sqrt(1 GiB * live bytes * allocation rate / trace speed)
//
// which is as much memory as pays: each hundredth of the time that goes into full
// cycles is worth 10 MiB with c = 1, and c² times that otherwise.
// Twice the rate or twice the live data need only the square root of two of it, so
// heaps that grow get relatively less, small busy ones more, and those with the
// same c share memory in the way that is best for all. C must be positive and
// finite; 1 is a good start, 0.5 thrifty, 2 generous.
//
// The room is an eighth of what lives at least, and eight times that or 32 MiB at
// most, and the heap grows to 4 MiB at least before it is collected. Rates are
// taken from the clock, so when cycles come is not the same in every run.
//
// It is the rule of Kirisame, Shenoy and Panchekha, "Optimal heap limits for
// reducing browser memory use" (OOPSLA 2022).
func Adaptive(c float64) Sizer { return adaptive(c) }

type adaptive float64

func (a adaptive) Next(m Measurement) int64 {
	return pacer.Adaptive(m.Live, m.AllocationRate, m.TraceSpeed, float64(a))
}

func (a adaptive) valid() error {
	if !(a > 0) || math.IsInf(float64(a), 1) {
		return fmt.Errorf("Adaptive(%v): the factor must be positive and finite", float64(a))
	}
	return nil
}
