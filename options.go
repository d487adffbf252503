package midden

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/safepoint"
)

// Kind says how much a cycle collects. A cycle of one kind serves whoever
// wanted a lesser one.
type Kind = collector.Kind

const (
	// KindMinor collects what is new, where the collector tells old from new;
	// else everything.
	KindMinor Kind = iota
	// KindFull collects everything.
	KindFull
	// KindCompact collects everything, packs what lives as densely as the
	// collector can, and returns all free memory to the system.
	KindCompact
)

// Options say how a heap is made. The zero value of each field is a good
// default.
type Options struct {
	// Collector is the algorithm; nil means immix.New(nil).
	Collector collector.Collector
	// Limit is a hard limit in bytes on what the heap uses: blocks and pages
	// held, remembered sets, and what AddExternal notes. 0 means none. No
	// allocation passes it. Remembered sets and AddExternal can, and leave less
	// for allocation then; and a copying collector may during a cycle.
	//
	// The nearer the heap comes to it, the earlier it is collected: an eighth of
	// what the last full cycle left is kept back. Where that leaves less than a
	// fiftieth of the limit, or less than what was to be reserved, the cycle was
	// vain, and vain cycles get no more than half of the time: after five in a row,
	// memory is refused with a *LimitError that says Thrashing instead of collecting
	// again, until the heap has run for as long as a full cycle takes. The first
	// refusal is followed by one more cycle in any case, so that a program that drops
	// something and tries again gets its memory. KindFull and KindCompact, asked for
	// by name, always collect, and do not count.
	Limit int64
	// Sizer decides when to collect; nil means GrowBy(2).
	Sizer Sizer
	// ShareMemoryLimit lowers Go's soft memory limit (GOMEMLIMIT, or
	// debug.SetMemoryLimit) by what this heap holds from the system, so that the
	// limit is one for both: Go's collector works harder as the heap grows. It works
	// for the whole process: all heaps that have it set are summed up, and when the
	// last is closed the limit is what it was. Go is left an eighth of the limit in
	// any case, and 16 MiB unless the limit is lower. Without a limit nothing
	// happens. A program may set the limit meanwhile, to the whole again; the heaps
	// see that when they next take or return memory, and the number that
	// debug.SetMemoryLimit returns is the lowered one.
	//
	// It does not bound the heap: Limit does.
	ShareMemoryLimit bool
	// Workers is how many goroutines trace at once; 0 means GOMAXPROCS.
	Workers int
	// SingleMutator promises that at most one mutator is open at a time and that
	// calls into the heap never overlap. Then poll, freeze and unfreeze need no
	// read-modify-write.
	SingleMutator bool
	// StragglerTimeout is how long a mutator may keep a pause waiting before it
	// is reported; 0 means a second, below 0 never.
	StragglerTimeout time.Duration
	// Logger is told of cycles (Debug), stragglers and other trouble (Warn), and
	// of every step of the stop protocol (below Debug, safepoint.LevelTrace);
	// nil means silence.
	Logger *slog.Logger
	// Listener has a function for each event; nil ones are skipped.
	Listener *Listener
	// Stress makes rare things happen all the time, for tests.
	Stress Stress
}

// Stress makes rare things happen all the time. It is slow, and finds
// references that were not rooted.
type Stress struct {
	EverySafepoint bool // collect at every safepoint
	Verify         bool // check the heap with an independent trace after every cycle, and panic if it is not sound
	Poison         bool // overwrite freed memory
	Move           bool // relocate whatever may move, in every cycle but minor ones

	// Refuse plays a system that is short of memory. It is called whenever the
	// heap is about to take so many bytes from the system; an error means that
	// there are none, and becomes the cause of a *LimitError, or of the failure of
	// a cycle that needed them. It is called with locks held and must not call into
	// the heap. Nil refuses nothing.
	Refuse func(bytes int64) error
}

// Listener is told of events. Its functions are called by the goroutine that
// ran the cycle or waited for it, outside the pause and with no lock held; they
// may use the heap. If one panics so does that goroutine's call, and the heap is
// unharmed; a pause that the call was waiting for is given up.
type Listener struct {
	// Cycle is called after each cycle, in order.
	Cycle func(CycleInfo)
	// Pressure is called when a full cycle has found the heap nearer to its limit
	// than the one before, so that a cache can drop what it can do without.
	Pressure func(PressureInfo)
	// Straggler is called when a mutator keeps a pause waiting longer than
	// Options.StragglerTimeout, and again with growing intervals.
	Straggler func(safepoint.StragglerReport)
	// Lost is called when a mutator was dropped without Close.
	Lost func(safepoint.LostReport)
}

// CycleInfo describes a cycle that is over.
type CycleInfo struct {
	Kind      Kind
	Number    uint64        // of cycles so far, this one included
	Live      int64         // bytes that live
	Freed     int64         // bytes that were in use before, by the collector's count, and are not now
	Used      int64         // bytes in use after it
	Committed int64         // bytes held from the system after it
	Stop      time.Duration // from the request until the last mutator stood still
	Pause     time.Duration // the cycle itself, with the world stopped
	Err       error         // the cycle did not happen: the system refused memory that it needed
}

// PressureInfo says how near to its limit a heap is. Its level is 1 when 3/4 of
// the limit live after a full cycle, External included, and one more each time
// that half of the rest is gone: 2 at 7/8, 3 at 15/16, up to 5 at 63/64. The level
// of a heap falls again when half as much again is free as where it began, and
// each rise is told once.
type PressureInfo struct {
	Level    int   // 1 to 5
	Live     int64 // bytes that live
	External int64 // bytes noted with AddExternal
	Used     int64 // bytes in use, as the limit counts them
	Limit    int64 // Options.Limit
}

// complete returns o with defaults in place of zero values, or an error that
// names the field that is wrong.
func (o *Options) complete() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Collector == nil {
		c.Collector = immix.New(nil)
	}
	if c.Sizer == nil {
		c.Sizer = GrowBy(2)
	}
	if c.Limit < 0 {
		return c, fmt.Errorf("midden: Options.Limit is %d bytes: it cannot be negative, and 0 means no limit", c.Limit)
	}
	if c.Workers < 0 {
		return c, fmt.Errorf("midden: Options.Workers is %d: it cannot be negative, and 0 means GOMAXPROCS", c.Workers)
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if v, ok := c.Sizer.(interface{ valid() error }); ok {
		if err := v.valid(); err != nil {
			return c, fmt.Errorf("midden: Options.Sizer: %w", err)
		}
	}
	return c, nil
}

var errFactor = errors.New("the factor must be above 1")
