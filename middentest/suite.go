package middentest

import (
	"runtime/debug"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
)

// Run tests that heaps with the collectors that newCollector makes keep the contract of package
// midden. Every test runs twice: as it is, and with everything that midden.Stress can do.
func Run(t *testing.T, newCollector func() collector.Collector) {
	s := suite{newCollector: newCollector}
	constraints := newCollector().Constraints()
	if constraints.Frees {
		s.can |= frees
	}
	if constraints.Moves {
		s.can |= moves
	}
	if constraints.Generations {
		s.can |= generations
	}
	t.Run("plain", s.run)
	s.stress = midden.Stress{EverySafepoint: true, Verify: true, Poison: true, Move: true}
	t.Run("stressed", s.run)
}

// An ability is something that not every collector has. A collector says by its constraints what it
// does, and tests that need more are left out.
type ability int

const (
	// frees: a full collection frees everything that is unreachable, and therefore the collector
	// asks for the roots at all.
	frees ability = 1 << iota
	// moves: objects may move, and under midden.Stress.Move small ones do in every collection.
	moves
	// generations: minor collections rely on the write barrier.
	generations
)

// A suite is what the tests of one run share.
type suite struct {
	newCollector func() collector.Collector
	can          ability
	stress       midden.Stress
}

// A test is one subtest of the suite.
type test struct {
	name  string
	needs ability
	run   func(s *suite, t *testing.T)
}

// allTests lists the groups in the order in which a new collector is likely to pass them.
var allTests = []struct {
	name  string
	tests []test
}{
	{"Objects", objectTests},
	{"Types", typeTests},
	{"Slots", slotTests},
	{"Roots", rootTests},
	{"Barriers", barrierTests},
	{"Values", valueTests},
	{"Dynamic", dynamicTests},
	{"Weak", weakTests},
	{"Guardians", guardianTests},
	{"Externals", externalTests},
	{"Sequences", sequenceTests},
	{"Freeing", freeingTests},
	{"Handles", handleTests},
	{"Limits", limitTests},
	{"Reserve", reserveTests},
	{"Lifecycle", lifecycleTests},
	{"Misuse", misuseTests},
	{"Coordination", coordinationTests},
	{"Locks", lockTests},
	{"Prevention", preventionTests},
	{"Damage", damageTests},
	{"Reports", reportTests},
}

func (s suite) run(t *testing.T) {
	for _, group := range allTests {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				if test.needs&^s.can == 0 {
					t.Run(test.name, func(t *testing.T) {
						defer failOnPanic(t)
						test.run(&s, t)
					})
				}
			}
		})
	}
}

// failOnPanic makes a panic the failure of one test, so that the others run.
func failOnPanic(t testing.TB) {
	if p := recover(); p != nil {
		t.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// heap opens a heap that is closed, which must succeed, when the test ends.
func (s *suite) heap(t *testing.T, o midden.Options) *midden.Heap {
	t.Helper()
	h := s.open(t, o)
	t.Cleanup(func() {
		defer failOnPanic(t)
		if err := h.Close(); err != nil && !t.Failed() {
			t.Errorf("closing the heap at the end of the test: %v", err)
		}
	})
	return h
}

// open opens a heap that the test closes itself.
func (s *suite) open(t *testing.T, o midden.Options) *midden.Heap {
	t.Helper()
	o.Collector = s.newCollector()
	o.Stress = s.stress
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatalf("NewHeap: %v", err)
	}
	return h
}

// mutator opens a mutator that is closed when the test ends.
func (s *suite) mutator(t *testing.T, h *midden.Heap) *midden.Mutator {
	t.Helper()
	m := h.NewMutator()
	t.Cleanup(func() {
		defer failOnPanic(t)
		m.Close()
	})
	return m
}

// alone opens a heap with default options and one mutator, which is all that most tests need.
func (s *suite) alone(t *testing.T) (*midden.Heap, *midden.Mutator) {
	t.Helper()
	h := s.heap(t, midden.Options{})
	return h, s.mutator(t, h)
}

// size is n where a test has time, and less where each step is slow: with -short, under the race
// detector, and when every safepoint collects.
func (s *suite) size(n int) int {
	if testing.Short() {
		n /= 10
	}
	if raceEnabled {
		n /= 8
	}
	if s.stress.EverySafepoint {
		n /= 10
	}
	return max(n, 2)
}
