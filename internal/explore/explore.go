package explore

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// A Program is set up anew for every execution. All executions must behave alike,
// but for the order of their steps.
type Program struct {
	Threads []Thread
	// Check is called in every state that is visited, and may ask which threads
	// wait; nil: there is nothing to check.
	Check func(waits func(thread int) bool) error
	// End is called when all threads have ended.
	End func() error
	// State describes the state for a story, in a few words.
	State func() string
}

// A Thread of a program.
type Thread struct {
	Name string
	Body func()
}

// Options bound an exploration.
type Options struct {
	// Preemptions is how often a thread that could go on is interrupted, at
	// most. A negative number means: as often as it matters.
	Preemptions int
	// Schedules is after how many executions to stop; 0: never.
	Schedules int

	everything bool // try all that is possible; the reference in tests
	seen       func(*explorer)
}

// Result says what an exploration has seen.
type Result struct {
	Schedules int  // executions
	Redundant int  // of these, found on the way to be equivalent to another one
	Steps     int  // of all executions together
	Complete  bool // nothing is left to try within the bound of preemptions
	Failure   *Failure
}

// A Failure is an execution that went wrong.
type Failure struct {
	Err   error
	Seed  string // runs it again
	Story string // step by step
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v\nthe story:\n%s\nits seed: %s", f.Err, f.Story, f.Seed)
}

// Unwrap returns what went wrong.
func (f *Failure) Unwrap() error { return f.Err }

// maxSteps is after how many steps an execution is taken to be without end.
const maxSteps = 10_000

// set is a set of threads.
type set uint32

func (s set) has(t int) bool { return s>>t&1 != 0 }
func (s set) first() int     { return bits.TrailingZeros32(uint32(s)) }

// A node is a state on the way of the present execution, and what has been tried
// from there.
type node struct {
	enabled set
	try     set // must be tried
	tried   set
	asleep  set // lead only to what has been seen
	choice  int
	branch  int // of those in which the chosen thread can go on
	ways    int
	spent   int // preemptions before this state
	pending [maxThreads]op
}

// explorer holds one exploration. Nodes [0, len(path)) are those whose choices
// the next execution repeats.
type explorer struct {
	o       Options
	setUp   func() Program
	program Program
	threads []*thread
	path    []node
	events  []event
	objects map[*byte]*object
	result  Result
}

// Explore runs the program that setUp makes in all orders that matter, or until
// one fails. One exploration at a time can run in a process.
func Explore(o Options, setUp func() Program) Result {
	x := &explorer{o: o, setUp: setUp}
	for {
		err := x.execute()
		x.result.Schedules++
		if err != nil {
			x.result.Failure = x.tell(err)
			return x.result
		}
		if !x.next() {
			x.result.Complete = true
			return x.result
		}
		if o.Schedules > 0 && x.result.Schedules >= o.Schedules {
			return x.result
		}
	}
}

// begin sets the program up.
func (x *explorer) begin() {
	x.program = x.setUp()
	if len(x.program.Threads) > maxThreads {
		panic(fmt.Sprintf("explore: a program of %d threads, and at most %d are possible", len(x.program.Threads), maxThreads))
	}
	x.threads = x.threads[:0]
	for i, t := range x.program.Threads {
		n := newThread(i, t.Name, t.Body)
		n.step()
		x.threads = append(x.threads, n)
	}
	x.events = x.events[:0]
	x.objects = map[*byte]*object{}
}

// execute runs the program once: along the path, and then on.
func (x *explorer) execute() error {
	x.begin()
	repeat := len(x.path)
	last := -1
	for depth := 0; ; depth++ {
		x.result.Steps++
		enabled, err := x.enabled()
		switch {
		case err != nil:
			return err
		case enabled == 0:
			if x.o.seen != nil {
				x.o.seen(x)
			}
			return x.end()
		case depth == maxSteps:
			return fmt.Errorf("it does not end: %d steps have been made", maxSteps)
		}
		if depth >= repeat && !x.extend(enabled, last) {
			x.result.Redundant++
			return x.finish(enabled)
		}
		n := &x.path[depth]
		if n.enabled != enabled {
			return errors.New("the program does not repeat itself: its behaviour depends on more than the order of its steps")
		}
		t := x.threads[n.choice]
		n.ways = t.ways()
		n.tried |= 1 << n.choice
		t.branch = n.branch
		// What was tried on an earlier execution has been analysed on it, too.
		x.record(t, depth, depth >= repeat-1)
		t.step()
		if err := x.check(t); err != nil {
			return err
		}
		last = n.choice
	}
}

// enabled returns the threads that can go on. None can when all have ended; it is
// an error if none can and some have not.
func (x *explorer) enabled() (s set, err error) {
	left := false
	for i, t := range x.threads {
		if t.ways() > 0 {
			s |= 1 << i
		}
		left = left || !t.done
	}
	if s == 0 && left {
		var b strings.Builder
		b.WriteString("it is stuck:")
		for _, t := range x.threads {
			if !t.done {
				fmt.Fprintf(&b, " %s waits at %q;", t.name, t.op.what)
			}
		}
		return 0, errors.New(strings.TrimSuffix(b.String(), ";"))
	}
	return s, nil
}

// extend adds the present state to the path, and chooses: preferably the thread
// that ran last. It fails if all that is possible has been seen.
func (x *explorer) extend(enabled set, last int) bool {
	n := node{enabled: enabled}
	for i, t := range x.threads {
		n.pending[i] = t.op
	}
	if depth := len(x.path); depth > 0 {
		prev := &x.path[depth-1]
		n.spent = prev.spent
		if depth > 1 && prev.preempts(x.path[depth-2].choice) {
			n.spent++
		}
		if x.o.Preemptions < 0 && !x.o.everything {
			// Who sleeps goes on sleeping until something happens that does
			// not commute with what it wants to do.
			for s := (prev.asleep | prev.tried) &^ (1 << prev.choice); s != 0; s &= s - 1 {
				if q := s.first(); commute(&prev.pending[q], &prev.pending[prev.choice]) {
					n.asleep |= 1 << q
				}
			}
		}
	}
	awake := enabled &^ n.asleep
	switch {
	case awake == 0:
		return false
	case last >= 0 && awake.has(last):
		n.choice = last
	default:
		n.choice = awake.first()
	}
	n.try = 1 << n.choice
	if x.o.everything {
		n.try = enabled
	}
	x.path = append(x.path, n)
	return true
}

// preempts reports whether the choice interrupts the thread that ran last, though
// that could go on.
func (n *node) preempts(last int) bool { return n.choice != last && n.enabled.has(last) }

// finish runs the program to its end in any order.
func (x *explorer) finish(enabled set) error {
	for steps := 0; enabled != 0; steps++ {
		if steps == maxSteps {
			return fmt.Errorf("it does not end: %d steps have been made", maxSteps)
		}
		t := x.threads[enabled.first()]
		t.branch = 0
		x.path = append(x.path, node{enabled: enabled, choice: t.id}) // for the story
		t.step()
		if err := x.check(t); err != nil {
			return err
		}
		var err error
		if enabled, err = x.enabled(); err != nil {
			return err
		}
	}
	return x.end()
}

func (x *explorer) check(t *thread) error {
	if t.failed != nil {
		return t.failed
	}
	if x.program.Check != nil {
		return x.program.Check(x.waits)
	}
	return nil
}

// waits reports whether a thread waits for something other than a lock, which is
// not there.
func (x *explorer) waits(thread int) bool {
	t := x.threads[thread]
	return !t.done && t.op.ready != nil && t.op.ready() == 0
}

func (x *explorer) end() error {
	if x.program.End != nil {
		return x.program.End()
	}
	return nil
}

// next makes the path that of an execution that must still be tried, the nearest
// to the last one, and reports whether there is one.
func (x *explorer) next() bool {
	for len(x.path) > 0 {
		depth := len(x.path) - 1
		n := &x.path[depth]
		if n.branch+1 < n.ways {
			n.branch++
			return true
		}
		for s := n.try &^ n.tried &^ n.asleep; s != 0; s &= s - 1 {
			n.choice, n.branch, n.ways = s.first(), 0, 0
			if x.affordable(depth) {
				return true
			}
			n.tried |= 1 << n.choice
		}
		x.path = x.path[:depth]
	}
	return false
}

// affordable reports whether the choice at the end of the path stays within the
// bound of preemptions.
func (x *explorer) affordable(depth int) bool {
	if x.o.Preemptions < 0 || depth == 0 {
		return true
	}
	n := &x.path[depth]
	return n.spent < x.o.Preemptions || !n.preempts(x.path[depth-1].choice)
}
