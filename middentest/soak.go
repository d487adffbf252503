package middentest

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
)

// SoakOptions say what Soak does. The zero value of each field but Collectors is a good default.
type SoakOptions struct {
	// Collectors make the collectors that take turns, a heap each.
	Collectors []func() collector.Collector
	// Lasts is about how long it goes on; 0: one round for each collector.
	Lasts time.Duration
	// Seed chooses everything that is chosen; 0: the time does.
	Seed uint64
	// FirstRound is the number of the round to begin with: that of a failure is in its message.
	FirstRound int
	// Goroutines is how many work on a heap at once; 0: four for each processor.
	Goroutines int
	// Patience is how long a step of one of them may take before all of them are taken to hang;
	// 0: a minute. No step takes a second on a machine that is not overloaded.
	Patience time.Duration
	// Tune may change the options that were drawn for a heap.
	Tune func(*midden.Options)
	// Progress is told of each round in a line; nil: nobody.
	Progress io.Writer
}

// SoakReport counts what Soak did.
type SoakReport struct {
	Seed       uint64
	Rounds     int    // heaps that were made, and closed again
	Damaged    int    // of them, broken on purpose
	Operations uint64 // steps of the goroutines
	Checked    uint64 // objects compared with the model, or with their checksums
	Cycles     uint64
	GivenUp    uint64 // pauses whose context ended
	Stragglers uint64
	Lost       uint64 // mutators that were dropped without Close, and found
	Refused    uint64 // requests for memory that were refused in the system's name
	Failed     uint64 // cycles that did not happen because of that
	Panics     uint64 // of listeners, tracers, and functions given to the heap
}

// String is the report in a line.
func (r SoakReport) String() string {
	return fmt.Sprintf("seed %d: %d rounds (%d damaged on purpose), %d operations, %d objects checked, %d cycles; "+
		"%d pauses given up, %d stragglers, %d mutators lost, %d refusals of memory, %d cycles without memory, %d panics",
		r.Seed, r.Rounds, r.Damaged, r.Operations, r.Checked, r.Cycles,
		r.GivenUp, r.Stragglers, r.Lost, r.Refused, r.Failed, r.Panics)
}

// SoakFailure is what Soak found.
type SoakFailure struct {
	Seed   uint64
	Round  int    // with Seed, what to begin with to get the same choices again
	Reason string // what is wrong, first
	Story  string // the round's options, what each goroutine did last, the last cycles, records, stacks
}

// Error says what is wrong and how to get there again, and tells the story.
func (f *SoakFailure) Error() string {
	return fmt.Sprintf("soak: seed %d, round %d: %s\n%s", f.Seed, f.Round, f.Reason, f.Story)
}

// Soak lets goroutines do everything at once to one heap after another, for as long as it is told, with
// faults injected and a model in Go's own memory beside it. Its error is a *SoakFailure, and about the
// first thing that went wrong; a heap and goroutines may be left behind then.
//
// A round is a heap with options drawn at random: the collector, its limit and sizer, midden.Stress, and
// the faults that may happen. Some rounds break their heap on purpose. A round has several phases, and
// between two of them all is quiet: then what can be reached is compared with the model, the figures of
// the heap must add up, and what was dropped must be gone. In the end the heap is closed, and must leave
// no memory and no goroutine behind.
//
// In a phase, goroutines run episodes, each on a goroutine of its own: it works on mutators that it
// opened, or took over; closes them, leaves them frozen to others, or is gone without a word.
//
// The choices of an episode depend on the seed, the round, and its place there, and on what the heap
// answers; the schedule is the machine's. So the same seed does the same things in another order: a
// failure that needs a rare schedule may take several runs to come again.
func Soak(o SoakOptions) (SoakReport, error) {
	if len(o.Collectors) == 0 {
		return SoakReport{}, errors.New("middentest: SoakOptions.Collectors is empty: name a collector to soak")
	}
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	o.Goroutines = cmp.Or(o.Goroutines, 4*runtime.GOMAXPROCS(0))
	o.Patience = cmp.Or(o.Patience, time.Minute)
	report := SoakReport{Seed: o.Seed}
	until := time.Now().Add(o.Lasts)
	for n := o.FirstRound; ; n++ {
		if o.Lasts == 0 && report.Rounds == len(o.Collectors) || o.Lasts > 0 && time.Now().After(until) {
			return report, nil
		}
		r := newRound(&o, n)
		if err := r.watched(); err != nil {
			return report, err
		}
		r.addTo(&report)
		if o.Progress != nil {
			fmt.Fprintf(o.Progress, "round %d, %v: %v: %d operations, %d cycles\n",
				n, time.Since(r.begun).Round(time.Millisecond), r.plan, r.operations.Load(), r.cycles.Load())
		}
	}
}

// counters are what the goroutines of a round count.
type counters struct {
	operations, checked, cycles, refused, failed, panics, lost atomic.Uint64
}
