// Package immix is the default collector: mark-region, after Blackburn and
// McKinley, "Immix: a mark-region garbage collector with space efficiency, fast
// collection, and mutator performance" (PLDI 2008).
//
// A cycle traces from the roots with several workers, and marks each living
// object and each line of 128 bytes that one touches. Sweeping reads
// the line marks alone: a block of 32 KiB without a mark is free, and in the
// others every run of unmarked lines is a hole in which mutators allocate again.
// Objects stay where they are.
package immix

import (
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/internal/trace"
)

// Options are reserved for later; there are none yet.
type Options struct{}

// New returns the collector. Nil options are the defaults.
func New(*Options) collector.Collector { return immix{} }

type immix struct{}

func (immix) Name() string                       { return "immix" }
func (immix) Constraints() collector.Constraints { return collector.Constraints{Frees: true} }

func (immix) Attach(s *space.Space) collector.Instance { return &instance{space: s} }

type instance struct {
	space *space.Space
	stack []object.Word // of the last trace, to be used again
}

// Collect marks what can be reached and frees the lines and pages of the rest.
func (i *instance) Collect(c *collector.Cycle) (collector.Result, error) {
	i.space.ClearMarks()
	t := trace.New(trace.Config{
		Base:    cage.Base,
		Lines:   cage.Lines,
		Marks:   cage.Marks,
		Scans:   object.Scans(),
		Line:    space.LiveLine,
		Small:   space.MaxSmall,
		Workers: c.Workers,
	}, i.stack)
	c.Roots(func(w *object.Word) { t.Push(*w) })
	t.Run()
	live := i.space.Sweep(func(at uintptr) bool { return t.Marked(object.Word(at + 1)) })
	i.keep(t.Stack(), live)
	return collector.Result{Kind: max(c.Kind, collector.Full), Live: live, Lines: true}, nil
}

// keep keeps the mark stack for the next cycle, unless that would be a sizeable
// part of the heap.
func (i *instance) keep(stack []object.Word, live int64) {
	i.stack = nil
	if int64(cap(stack))*object.WordSize <= live/32 {
		i.stack = stack
	}
}
