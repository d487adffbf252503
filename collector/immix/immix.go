// Package immix is the default collector: mark-region, after Blackburn and
// McKinley, "Immix: a mark-region garbage collector with space efficiency, fast
// collection, and mutator performance" (PLDI 2008).
//
// A cycle traces from the roots with several workers, and marks each living
// object and each line of 128 bytes that one touches. Sweeping reads the line
// marks alone: a block of 32 KiB without a mark is free, and in the others every
// run of unmarked lines is a hole in which mutators allocate again.
//
// Mostly, objects stay where they are. When blocks have come to be nearly empty, a
// full cycle moves what lives in them to others, after the trace; KindCompact does
// so until what lives is packed densely.
//
// Generations come from sticky marks (Demers et al., "Combining generational and
// conservative garbage collection", POPL 1990; Blackburn and McKinley's sticky
// Immix): a minor cycle does not clear the marks. What survived before counts as
// living, and the trace stops at it; it begins at the roots, and at the slots of
// old objects that were made to refer to new ones. Its cost depends on what is
// new. A full cycle clears the marks first.
package immix

import (
	"unsafe"

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
	// NoMove leaves every object where it is, also in compacting cycles. Then a heap
	// may keep blocks in which little lives.
	NoMove bool
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
	return collector.Constraints{Moves: !i.o.NoMove, Frees: true, Generations: !i.o.FullOnly}
}

func (i immix) Attach(s *space.Space) collector.Instance {
	line := uint8(space.LiveLine)
	if !i.o.FullOnly {
		line |= space.OldLine
	}
	return &instance{space: s, o: i.o, line: line}
}

type instance struct {
	space *space.Space
	o     Options
	line  uint8         // the mark of lines
	stack []object.Word // of the last trace, to be used again

	// fragmented says that the last full cycle found it worth moving objects.
	fragmented bool
}

// Collect marks what can be reached and frees the lines and pages of the rest.
// Then it may move objects together.
func (i *instance) Collect(c *collector.Cycle) (collector.Result, error) {
	kind := c.Kind
	if i.o.FullOnly {
		kind = max(kind, collector.Full)
	}
	if kind > collector.Minor {
		i.space.ClearMarks()
	}
	goal := i.goal(kind, c.Move)
	var starts unsafe.Pointer
	if goal != nil {
		starts = cage.Starts
	}
	t := trace.New(trace.Config{
		Base:    cage.Base,
		Lines:   cage.Lines,
		Marks:   cage.Marks,
		Starts:  starts,
		Scans:   object.Scans(),
		Line:    i.line,
		Workers: c.Workers,
	}, i.stack)
	push := func(w *object.Word) { t.Push(*w) }
	c.Roots(push)
	if kind == collector.Minor {
		c.Remembered(push)
	}
	c.Weak.Run(t, kind == collector.Minor)
	live := i.space.Sweep(func(at uintptr) bool { return t.Marked(object.Word(at + 1)) })
	if goal != nil {
		live = i.evacuate(c, *goal, live)
	}
	if kind > collector.Minor {
		i.fragmented = i.sparse(t.Bytes())
	}
	i.keep(t.Stack(), live)
	return collector.Result{Kind: kind, Live: live, Lines: true}, nil
}

// goal says how far to move objects in a cycle, nil for not at all.
func (i *instance) goal(k collector.Kind, move bool) *goal {
	switch {
	case i.o.NoMove || k == collector.Minor:
		return nil
	case move:
		return &shake
	case k == collector.Compact:
		return &compact
	case i.fragmented:
		return &defragment
	}
	return nil
}

// sparse reports whether blocks hold much more than what lives in them, of which
// there is so much together with large objects. A heap that grows to twice what
// lives is half full after each full cycle; that is room to allocate in, and no
// reason to move anything.
func (i *instance) sparse(bytes int64) bool {
	const much = 1 << 20
	held := int64(i.space.Blocks()) * cage.BlockSize
	live := max(0, bytes-i.space.LargeLive())
	return held > 3*live && held-live > much
}

// keep keeps the mark stack for the next cycle, unless that would be a sizeable
// part of the heap.
func (i *instance) keep(stack []object.Word, live int64) {
	i.stack = nil
	if int64(cap(stack))*object.WordSize <= live/32 {
		i.stack = stack
	}
}
