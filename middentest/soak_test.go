package middentest_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/middentest"
)

var (
	soakFor        = flag.Duration("soak", 4*time.Second, "how long to soak")
	soakSeed       = flag.Uint64("soak-seed", 0, "the seed of TestSoak; 0: another one each time")
	soakRound      = flag.Int("soak-round", 0, "the round to begin with, to repeat a failure")
	soakGoroutines = flag.Int("soak-goroutines", 0, "how many work at once; 0: four for each processor")
	soakPatience   = flag.Duration("soak-patience", 0, "how long a step may take before everything is taken to hang; 0: a minute")
	soakOnly       = flag.String("soak-collector", "", "one collector instead of all")
)

// TestSoak does everything at random, with faults. It is short unless it is told otherwise, and finds the
// more the longer it runs:
//
//	go test ./middentest -run TestSoak -soak 30m -timeout 0 -v
func TestSoak(t *testing.T) {
	o := middentest.SoakOptions{
		Lasts: *soakFor, Seed: *soakSeed, FirstRound: *soakRound, Goroutines: *soakGoroutines, Patience: *soakPatience,
	}
	if testing.Short() {
		o.Lasts = min(o.Lasts, time.Second)
	}
	if testing.Verbose() {
		o.Progress = os.Stdout
	}
	for _, c := range collectors {
		if *soakOnly == "" || *soakOnly == c.name {
			o.Collectors = append(o.Collectors, c.new)
		}
	}
	before := held()
	report, err := middentest.Soak(o)
	if err != nil {
		t.Fatalf("%v\n\nto repeat: go test ./middentest -run TestSoak -soak-seed %d -soak-round %d", err,
			report.Seed, report.Rounds+*soakRound)
	}
	t.Log(report)
	if got := held(); got != before {
		t.Errorf("%d blocks are held by heaps that are closed", got-before)
	}
	if report.Rounds == 0 || report.Operations == 0 || report.Checked == 0 || report.Cycles == 0 {
		t.Error("nothing was done")
	}
}

// held counts the blocks that belong to any heap of the process.
func held() (n int) {
	for b := range cage.Block(cage.Size / cage.BlockSize) {
		if cage.Owner(b) != 0 {
			n++
		}
	}
	return n
}
