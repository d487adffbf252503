// Package epsilon is the collector that never frees. It is for programs that
// end before their memory does, and for measuring what the other collectors
// cost.
package epsilon

import (
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/internal/space"
)

// Options are reserved for later; there are none yet.
type Options struct{}

// New returns the collector. Nil options are the defaults.
func New(*Options) collector.Collector { return epsilon{} }

type epsilon struct{}

func (epsilon) Name() string                             { return "epsilon" }
func (epsilon) Constraints() collector.Constraints       { return collector.Constraints{} }
func (epsilon) Attach(s *space.Space) collector.Instance { return &instance{s} }

type instance struct{ space *space.Space }

// Collect frees nothing: all that was ever allocated counts as live.
func (i *instance) Collect(*collector.Cycle) (collector.Result, error) {
	return collector.Result{Kind: collector.Full, Live: i.space.Allocated()}, nil
}
