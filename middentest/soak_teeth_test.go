package middentest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/middentest"
)

// spoiled is a collector that does something to each cycle before or after it collects.
type spoiled struct {
	collector.Collector
	before func(*collector.Cycle)
	after  func(*collector.Result)
}

func (s spoiled) Attach(sp *space.Space) collector.Instance {
	return spoiledInstance{s.Collector.Attach(sp), s}
}

type spoiledInstance struct {
	collector.Instance
	s spoiled
}

func (i spoiledInstance) Collect(c *collector.Cycle) (collector.Result, error) {
	if i.s.before != nil {
		i.s.before(c)
	}
	r, err := i.Instance.Collect(c)
	if i.s.after != nil {
		i.s.after(&r)
	}
	return r, err
}

// A collector that is broken is found out, and a collector that hangs too.
func TestSoakFinds(t *testing.T) {
	if testing.Short() || middentest.RaceEnabled {
		t.Skip("what is broken here breaks memory")
	}
	hung := make(chan struct{}) // for ever: what is left behind must not disturb other tests
	for _, c := range []struct {
		name, says string
		patience   time.Duration
		spoil      func(*spoiled)
	}{
		{"a hang", "at one step", time.Second, func(s *spoiled) {
			s.before = func(c *collector.Cycle) { <-hung }
		}},
		{"a wrong sum", "when all is quiet", 0, func(s *spoiled) {
			s.after = func(r *collector.Result) { r.Live += 10 << 20 }
		}},
		{"a root forgotten", "", 0, func(s *spoiled) {
			s.before = func(c *collector.Cycle) {
				roots := c.Roots
				c.Roots = func(visit func(*object.Word)) {
					n := 0
					roots(func(w *object.Word) {
						if n++; n%16 != 7 {
							visit(w)
						}
					})
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := middentest.Soak(middentest.SoakOptions{
				Collectors: []func() collector.Collector{func() collector.Collector {
					s := spoiled{Collector: semispace.New(nil)}
					c.spoil(&s)
					return s
				}},
				Seed: 1, Lasts: time.Minute, Patience: c.patience, Goroutines: 2,
				// Verify finds a lost root inside the cycle; here the model is on trial.
				Tune: func(o *midden.Options) { o.Stress.Verify = false },
			})
			var failure *middentest.SoakFailure
			if !errors.As(err, &failure) {
				t.Fatalf("nothing was found: %v, %v", err, report)
			}
			if !strings.Contains(failure.Reason, c.says) || failure.Seed != 1 {
				t.Errorf("says %q with seed %d", failure.Reason, failure.Seed)
			}
			for _, part := range []string{"semispace, limit", "goroutine 0: ", "All goroutines:"} {
				if !strings.Contains(failure.Story, part) {
					t.Errorf("the story lacks %q:\n%s", part, failure.Story)
				}
			}
		})
	}
}
