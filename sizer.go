package midden

import (
	"fmt"

	"github.com/midden-gc/midden/internal/pacer"
)

// Sizer decides when a heap is collected fully. Minor cycles, where the collector
// has them, come in between, and are not its business.
type Sizer interface {
	// Next returns how large the heap may grow, in bytes of objects and External,
	// before a full cycle is wanted. It is called after each full cycle with the
	// world stopped, and once for the new heap. The limit of the heap is applied
	// to the result.
	Next(Measurement) int64
}

// Measurement is what a Sizer learns of the last full cycle.
type Measurement struct {
	Live  int64 // bytes that live
	Used  int64 // bytes of blocks and pages that hold them, and External
	Limit int64 // Options.Limit; 0: none
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
