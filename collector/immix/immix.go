// Package immix is the default collector: mark-region, after Blackburn and
// McKinley, "Immix: a mark-region garbage collector with space efficiency, fast
// collection, and mutator performance" (PLDI 2008).
//
// A cycle traces from the roots with several workers, marks each object in its
// header and each line of 128 bytes that a living object touches. Sweeping reads
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
	epoch uint8
}

// Collect marks what can be reached and frees the lines and pages of the rest.
func (i *instance) Collect(c *collector.Cycle) (collector.Result, error) {
	i.nextEpoch()
	i.space.ClearLines()
	i.mark(c)
	return collector.Result{Kind: max(c.Kind, collector.Full), Live: i.sweep(), Epoch: i.epoch, Lines: true}, nil
}

// nextEpoch chooses a mark that no object has. After 255 comes 1: what lives
// has the mark of the last cycle, and 0 is for the new-born.
func (i *instance) nextEpoch() {
	i.epoch++
	if i.epoch == 0 {
		i.epoch = 1
	}
}

func (i *instance) mark(c *collector.Cycle) {
	t := trace.New(trace.Config{
		Base:    cage.Base,
		Lines:   cage.Lines,
		Scans:   object.Scans(),
		Epoch:   i.epoch,
		Line:    space.LiveLine,
		Small:   space.MaxSmall,
		Workers: c.Workers,
	})
	c.Roots(func(w *object.Word) { t.Push(*w) })
	t.Run()
}

func (i *instance) sweep() int64 {
	return i.space.Sweep(func(at uintptr) bool {
		// A large object begins with its header.
		return (*object.Header)(cage.At(at)).Mark() == i.epoch
	})
}
