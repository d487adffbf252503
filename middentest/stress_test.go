package middentest_test

import (
	"flag"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/middentest"
)

var stressFor = flag.Duration("stressfor", 1500*time.Millisecond, "how long to stress each collector, plain and again with midden.Stress")

func TestStress(t *testing.T) {
	lasts := *stressFor
	if testing.Short() {
		lasts = min(lasts, 300*time.Millisecond)
	}
	for _, c := range collectors {
		t.Run(c.name, func(t *testing.T) {
			t.Run("plain", func(t *testing.T) {
				middentest.Stress(t, c.new, midden.Options{}, lasts)
			})
			t.Run("stressed", func(t *testing.T) {
				all := midden.Stress{EverySafepoint: true, Verify: true, Poison: true, Move: true}
				middentest.Stress(t, c.new, midden.Options{Stress: all}, lasts)
			})
		})
	}
}
