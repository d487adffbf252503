package middentest_test

import (
	"flag"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/middentest"
)

var stressFor = flag.Duration("stressfor", time.Second, "how long to stress each collector, plain and again with midden.Stress")

func TestStress(t *testing.T) {
	lasts := *stressFor
	if testing.Short() {
		lasts = min(lasts, 300*time.Millisecond)
	}
	withEach(t, func(t *testing.T, newCollector func() collector.Collector) {
		t.Run("plain", func(t *testing.T) {
			middentest.Stress(t, newCollector, midden.Options{}, lasts)
		})
		t.Run("stressed", func(t *testing.T) {
			all := midden.Stress{EverySafepoint: true, Verify: true, Poison: true, Move: true}
			middentest.Stress(t, newCollector, midden.Options{Stress: all}, lasts)
		})
	})
}
