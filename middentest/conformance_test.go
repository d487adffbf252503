package middentest_test

import (
	"testing"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/middentest"
)

// collectors is every collector of this module.
var collectors = []struct {
	name string
	new  func() collector.Collector
}{
	{"immix", func() collector.Collector { return immix.New(nil) }},
	{"semispace", func() collector.Collector { return semispace.New(nil) }},
	{"epsilon", func() collector.Collector { return epsilon.New(nil) }},
}

func TestConformance(t *testing.T) {
	for _, c := range collectors {
		t.Run(c.name, func(t *testing.T) { middentest.Run(t, c.new) })
	}
}
