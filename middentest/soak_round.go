package middentest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/midden-gc/midden"
)

// A plan is what was drawn for a round.
type plan struct {
	options midden.Options
	name    string // of the collector

	// Faults.
	refusals uint64 // one request for memory of so many is refused; 0: none
	panics   bool   // of listeners
	lose     bool   // mutators
	cancel   bool   // contexts of collections; where none ends, no lost wake-up is hidden
	damage   bool   // a tracer panics

	trace                   bool // keep the records of the stop protocol
	phases, episodes, bytes int  // phases of a round, episodes of a goroutine in one, bytes of a program
	goroutines              int
}

func (p plan) String() string {
	o := &p.options
	s := fmt.Sprintf("%s, limit %d MiB, sizer %T(%v), workers %d, stragglers after %v", p.name, o.Limit/mib, o.Sizer, o.Sizer, o.Workers, o.StragglerTimeout)
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{o.SingleMutator, "single mutator"},
		{o.Stress.EverySafepoint, "every safepoint"}, {o.Stress.Verify, "verify"}, {o.Stress.Poison, "poison"}, {o.Stress.Move, "move"},
		{p.refusals > 0, fmt.Sprintf("memory refused once in %d", p.refusals)}, {p.panics, "listeners panic"}, {p.lose, "lost mutators"},
		{p.cancel, "contexts end"}, {p.damage, "damaged"}, {p.trace, "traced"},
	} {
		if flag.set {
			s += ", " + flag.name
		}
	}
	return s
}

// drawn is one of the choices.
func drawn[T any](random *rand.Rand, choices ...T) T { return choices[random.IntN(len(choices))] }

// newPlan draws the plan of round n. Collectors take turns.
func newPlan(o *SoakOptions, n int, random *rand.Rand) plan {
	c := o.Collectors[n%len(o.Collectors)]()
	one := func(in int) bool { return random.IntN(in) == 0 }
	p := plan{
		name:     c.Name(),
		refusals: drawn[uint64](random, 0, 0, 5, 50),
		panics:   one(3), lose: one(3), cancel: one(2), damage: one(5) && c.Constraints().Frees, trace: one(3),
		phases: 1 + random.IntN(3), episodes: 3 + random.IntN(6), bytes: 700,
		goroutines: o.Goroutines,
	}
	p.options = midden.Options{
		Collector:        c,
		Limit:            drawn[int64](random, 2, 4, 8, 16, 64, 0) * mib,
		Sizer:            drawn(random, nil, midden.GrowBy(1.1), midden.GrowBy(4), midden.Fixed(mib)),
		Workers:          drawn(random, 0, 1, 2, 5),
		StragglerTimeout: drawn(random, -1, time.Millisecond, 10*time.Millisecond),
		SingleMutator:    one(8),
		Stress:           midden.Stress{EverySafepoint: one(6), Verify: one(2), Poison: one(2), Move: one(2)},
	}
	if p.options.Limit == 0 && !c.Constraints().Frees {
		p.options.Limit = 64 * mib
	}
	if raceEnabled {
		p.bytes /= 4
	}
	if o.Tune != nil {
		o.Tune(&p.options)
	}
	if p.options.Stress.EverySafepoint {
		p.bytes /= 4
	}
	if p.options.SingleMutator {
		p.goroutines, p.lose = 1, false
	}
	if p.damage {
		p.phases, p.lose = 1, false
	}
	return p
}

// A round is one heap and what happens to it.
type round struct {
	o      *SoakOptions
	number int
	seed   uint64
	plan   plan
	begun  time.Time
	heap   *midden.Heap
	frees  bool
	counters

	slots []*slot
	last  records

	faulty  atomic.Bool   // faults may happen
	asked   atomic.Uint64 // how often whether one does
	armed   atomic.Bool   // the tracer panics
	damaged atomic.Bool   // and somebody has seen it

	broken  atomic.Bool // something is wrong
	failure chan struct{}
	verdict *SoakFailure

	gauge  gauge
	first  *machine // what all machines read; nil with a single mutator
	shared root
	lists  *midden.Handle[midden.Array[midden.Field[link]]]
	passed chan *midden.Handle[link]

	mu     sync.Mutex
	parked []*machine // frozen, for anybody to take over
}

func newRound(o *SoakOptions, n int) *round {
	r := &round{
		o: o, number: n, begun: time.Now(), seed: mix(uint64(n), o.Seed, 0), failure: make(chan struct{}),
		passed: make(chan *midden.Handle[link], 8),
	}
	r.plan = newPlan(o, n, rand.New(rand.NewPCG(r.seed, 0)))
	options := &r.plan.options
	options.Listener = r.listener()
	options.Stress.Refuse = r.refuse
	if r.plan.trace {
		options.Logger = slog.New(&r.last)
	}
	r.frees = options.Collector.Constraints().Frees
	r.slots = append(r.slots, &slot{name: "the round itself", begun: r.begun})
	for i := range r.plan.goroutines {
		r.slots = append(r.slots, &slot{name: fmt.Sprint("goroutine ", i), begun: r.begun})
	}
	var err error
	if r.heap, err = midden.NewHeap(options); err != nil {
		panic(fmt.Sprintf("middentest: NewHeap: %v", err))
	}
	return r
}

func (r *round) addTo(report *SoakReport) {
	s := r.heap.Stats()
	report.Rounds++
	if r.plan.damage {
		report.Damaged++
	}
	report.Operations += r.operations.Load()
	report.Checked += r.checked.Load()
	report.Cycles += s.Minor + s.Full
	report.GivenUp += s.GivenUp
	report.Stragglers += s.Stragglers
	report.Lost += s.Lost
	report.Refused += r.refused.Load()
	report.Failed += r.failed.Load()
	report.Panics += r.panics.Load()
}

// run is the whole round.
func (r *round) run() {
	goroutines := runtime.NumGoroutine()
	r.slots[0].busy.Store(true)
	r.slots[0].note(actOpen)
	r.open()
	for phase := range r.plan.phases {
		r.faulty.Store(true)
		r.slots[0].busy.Store(false)
		r.work(phase)
		r.slots[0].busy.Store(true)
		r.slots[0].note(actQuiet)
		r.faulty.Store(false)
		if r.plan.damage {
			r.armed.Store(true)
			r.checkDamaged()
		} else if !r.broken.Load() {
			r.quiet()
		}
	}
	r.slots[0].note(actClose)
	if !r.broken.Load() {
		r.close(goroutines)
	}
}

// open makes what goroutines share.
func (r *round) open() {
	r.heap.AddRoots(&r.gauge)
	r.heap.AddRoots(midden.TracerFunc(r.bomb))
	if r.plan.options.SingleMutator {
		return
	}
	r.first = newMachine(r.heap, nil)
	m := r.first.now.m
	r.shared = r.first.share()
	r.lists = midden.NewHandle(m, midden.NewArray[midden.Field[link]](m, 16))
	m.Freeze()
}

// work is one phase.
func (r *round) work(phase int) {
	var wg sync.WaitGroup
	for i, s := range r.slots[1:] {
		wg.Go(func() {
			s.busy.Store(true)
			defer s.busy.Store(false)
			for n := range r.plan.episodes {
				if r.broken.Load() || r.damaged.Load() {
					return
				}
				if i == 0 && r.plan.damage && n == r.plan.episodes/2 {
					r.armed.Store(true)
				}
				e := &episode{
					r: r, slot: s,
					random: rand.New(rand.NewPCG(r.seed, uint64(phase)<<40|uint64(i+1)<<20|uint64(n+1))),
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended) // also when the goroutine exits in the middle
					e.run()
				}()
				<-ended
			}
		})
	}
	wg.Wait()
}

// park leaves a machine to others, and reports whether there was room for it. All its mutators are frozen.
func (r *round) park(mc *machine) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.parked) >= 8 {
		return false
	}
	r.parked = append(r.parked, mc)
	return true
}

// unpark takes over a machine, or returns nil.
func (r *round) unpark(random *rand.Rand) *machine {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.parked)
	if n == 0 {
		return nil
	}
	i := random.IntN(n)
	mc := r.parked[i]
	r.parked[i], r.parked[n-1] = r.parked[n-1], nil
	r.parked = r.parked[:n-1]
	return mc
}

func (r *round) collectOutside() error {
	return failure(func() error { return r.heap.Collect(context.Background(), midden.KindFull) })
}

// quiet compares everything, when nobody works.
func (r *round) quiet() {
	machines := r.parked
	var cost int64
	if r.first != nil {
		r.emptyShared()
		machines = append(machines[:len(machines):len(machines)], r.first)
		cost = midden.ArraySize[midden.Field[link]](16)
	}
	all := newMatcher()
	mutators, external := 0, int64(0)
	for _, mc := range machines {
		mc.settle() // which may collect
	}
	for _, mc := range machines {
		mc.checkAll(all)
		mutators += len(mc.actors)
		external += mc.external
	}
	r.checked.Add(uint64(len(all.object)))
	cost += all.cost()
	// An object may cost as much again as it has, and a piece of a line and a page.
	atMost := 2*cost + 256*int64(len(all.object)) + 64<<10

	// What was dropped without a word is found some time after a collection of Go's.
	var s midden.Stats
	settled := false
	for n := 0; n < 300 && !settled; n++ {
		runtime.GC()
		if err := r.collectOutside(); err != nil {
			r.fail(fmt.Sprintf("a collection when all is quiet: %v", err))
			return
		}
		s = r.heap.Stats()
		if r.frees && s.Live < cost {
			break
		}
		settled = s.Lost == r.lost.Load() && s.Mutators == mutators && (!r.frees || s.Live <= atMost)
	}
	limit := r.plan.options.Limit
	switch {
	case !settled:
		r.fail(fmt.Sprintf("when all is quiet, %d mutators are open and %d were lost, and %d to %d bytes can live, but the heap says:\n%+v",
			mutators, r.lost.Load(), cost, atMost, s))
	case s.Frozen != s.Mutators || s.External != external || s.Minor+s.Full != r.cycles.Load() ||
		s.PauseMax > s.PauseTotal || s.PeakCommitted < s.Committed || limit > 0 && s.Used > limit+external ||
		s.Used < external || s.Used > s.Committed+external:
		r.fail(fmt.Sprintf("when all is quiet, %d cycles were told of and %d bytes are external, but the heap says:\n%+v",
			r.cycles.Load(), external, s))
	case r.gauge.wrong.Load() != 0 || r.gauge.inside.Load() != 0:
		r.fail(fmt.Sprintf("a collection ran beside an active or preventing mutator %d times", r.gauge.wrong.Load()))
	case r.first != nil && limit > 0 && r.frees:
		// What others reserved is over, so that all of the room is there for one, less a quarter for
		// what lies badly.
		m := r.first.now.m
		m.Unfreeze()
		if room := limit - s.Used; room > mib {
			if err := m.Reserve(room/4*3 - 128<<10); err != nil {
				r.fail(fmt.Sprintf("when all is quiet, %d bytes are left, and three quarters of them cannot be had: %v", room, err))
			}
			m.Safepoint()
		}
		m.Freeze()
	}
}

// emptyShared checks and drops what goroutines share with each other and change.
func (r *round) emptyShared() {
	m := r.first.now.m
	m.Unfreeze()
	defer m.Freeze()
	e := &episode{r: r, slot: r.slots[0]}
	heads := r.lists.Get(m).Get()
	for i := range heads.Len() {
		e.checkLinks(heads.At(i).Get())
		heads.At(i).Store(m, midden.Nil[link]())
	}
	for {
		select {
		case h := <-r.passed:
			e.checkLinks(h.Get(m).Get())
			h.Release()
		default:
			return
		}
	}
}

// close closes everything, after which nothing must be left.
func (r *round) close(goroutines int) {
	for _, mc := range r.parked {
		r.leave(mc)
	}
	if r.first != nil {
		if err := r.heap.Close(); !errors.Is(err, midden.ErrMutators) {
			r.fail(fmt.Sprintf("Close with an open mutator: %v, want ErrMutators", err))
		}
		r.leave(r.first)
	}
	if err := r.heap.Close(); err != nil {
		r.fail(fmt.Sprintf("Close: %v", err))
		return
	}
	if s := r.heap.Stats(); s.Mutators != 0 || s.Frozen != 0 || s.Used != 0 || s.Committed != 0 || s.External != 0 {
		r.fail(fmt.Sprintf("after Close: %+v", s))
	}
	for n := 0; runtime.NumGoroutine() > goroutines; n++ {
		if n == 1000 {
			r.fail(fmt.Sprintf("%d goroutines are left, of %d before", runtime.NumGoroutine(), goroutines))
			return
		}
		runtime.GC() // takes a while, and runs what cleans up
	}
}

// leave closes a machine.
func (r *round) leave(mc *machine) {
	mc.leave()
	if !r.plan.damage {
		r.heap.AddExternal(-mc.external)
	}
}
