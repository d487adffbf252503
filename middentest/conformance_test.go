package middentest_test

import (
	"testing"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/middentest"
)

// collectors is every collector of this module, and every variant that collects in another way.
var collectors = []struct {
	name string
	new  func() collector.Collector
}{
	{"immix", func() collector.Collector { return immix.New(nil) }},
	{"immix-full", func() collector.Collector { return immix.New(&immix.Options{FullOnly: true, NoMove: true}) }},
	{"semispace", func() collector.Collector { return semispace.New(nil) }},
	{"epsilon", func() collector.Collector { return epsilon.New(nil) }},
}

// withEach runs f for every collector.
func withEach(t *testing.T, f func(t *testing.T, newCollector func() collector.Collector)) {
	for _, c := range collectors {
		if c.name == "immix-full" && (testing.Short() || middentest.RaceEnabled) {
			continue // it has no code of its own that the others have not
		}
		t.Run(c.name, func(t *testing.T) { f(t, c.new) })
	}
}

func TestConformance(t *testing.T) {
	withEach(t, middentest.Run)
}
