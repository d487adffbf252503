// Package immix is the default collector: mark-region, after Blackburn and
// McKinley, "Immix: a mark-region garbage collector with space efficiency, fast
// collection, and mutator performance" (PLDI 2008).
//
// A cycle traces from the roots with several workers, and marks each living
// object and each line of 128 bytes that one touches. Sweeping reads the line
// marks alone: a block of 32 KiB without a mark is free, and in the others every
// run of unmarked lines is a hole in which mutators allocate again. Objects stay
// where they are.
//
// Generations come from sticky marks (Demers et al., "Combining generational and
// conservative garbage collection", POPL 1990; Blackburn and McKinley's sticky
// Immix): a minor cycle does not clear the marks. What survived before counts as
// living, and the trace stops at it; it begins at the roots, and at the slots of
// old objects that were made to refer to new ones. Its cost depends on what is
// new. A full cycle clears the marks first.
package immix

import (
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/internal/trace"
)

// Options choose a variant.
type Options struct {
	// FullOnly makes every cycle trace everything, and stores cost less.
	FullOnly bool
}

// New returns the collector. Nil options are the defaults.
func New(o *Options) collector.Collector {
	if o == nil {
		return immix{}
	}
	return immix{*o}
}

type immix struct{ o Options }

func (immix) Name() string { return "immix" }

func (i immix) Constraints() collector.Constraints {
	return collector.Constraints{Frees: true, Generations: !i.o.FullOnly}
}

func (i immix) Attach(s *space.Space) collector.Instance {
	line := uint8(space.LiveLine)
	if !i.o.FullOnly {
		line |= space.OldLine
	}
	return &instance{space: s, line: line, fullOnly: i.o.FullOnly}
}

type instance struct {
	space    *space.Space
	line     uint8 // the mark of lines
	fullOnly bool
	stack    []object.Word // of the last trace, to be used again
}

// Collect marks what can be reached and frees the lines and pages of the rest.
func (i *instance) Collect(c *collector.Cycle) (collector.Result, error) {
	kind := c.Kind
	if i.fullOnly {
		kind = max(kind, collector.Full)
	}
	if kind > collector.Minor {
		i.space.ClearMarks()
	}
	t := trace.New(trace.Config{
		Base:    cage.Base,
		Lines:   cage.Lines,
		Marks:   cage.Marks,
		Scans:   object.Scans(),
		Line:    i.line,
		Small:   space.MaxSmall,
		Workers: c.Workers,
	}, i.stack)
	push := func(w *object.Word) { t.Push(*w) }
	c.Roots(push)
	if kind == collector.Minor {
		c.Remembered(push)
	}
	t.Run()
	live := i.space.Sweep(func(at uintptr) bool { return t.Marked(object.Word(at + 1)) })
	i.keep(t.Stack(), live)
	return collector.Result{Kind: kind, Live: live, Lines: true}, nil
}

// keep keeps the mark stack for the next cycle, unless that would be a sizeable
// part of the heap.
func (i *instance) keep(stack []object.Word, live int64) {
	i.stack = nil
	if int64(cap(stack))*object.WordSize <= live/32 {
		i.stack = stack
	}
}
