package explore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// A machine is what random programs run on, and what their threads have seen.
type machine struct {
	vars   [3]int
	locks  [2]bool
	closed [2]bool
	tokens [2]int
	seen   [3][]int
}

// A command is one operation of a random program.
type command struct{ do, on int }

const (
	doRead = iota
	doWrite
	doSwap
	doLocked // lock, read and write a variable, unlock
	doClose
	doWait
	doSend
	doReceive
	doSelect // receive, or wait
	commands
)

func (m *machine) run(t int, c command) {
	see := func(v int) { m.seen[t] = append(m.seen[t], v) }
	i := c.on % 2
	switch c.do {
	case doRead:
		Read(unsafe.Pointer(&m.vars[c.on]), "read")
		see(m.vars[c.on])
	case doWrite:
		Write(unsafe.Pointer(&m.vars[c.on]), "write")
		m.vars[c.on] = 10*t + len(m.seen[t]) + 1
	case doSwap:
		Write(unsafe.Pointer(&m.vars[c.on]), "swap")
		see(m.vars[c.on])
		m.vars[c.on] = 10*t + len(m.seen[t])
	case doLocked:
		Lock(&m.locks[i])
		Read(unsafe.Pointer(&m.vars[c.on]), "read")
		v := m.vars[c.on]
		Write(unsafe.Pointer(&m.vars[c.on]), "write")
		m.vars[c.on] = v + 1
		see(v)
		Unlock(&m.locks[i])
	case doClose:
		Write(unsafe.Pointer(&m.closed[i]), "close")
		m.closed[i] = true
	case doWait:
		Wait(unsafe.Pointer(&m.closed[i]), func() bool { return m.closed[i] }, "wait")
	case doSend:
		Write(unsafe.Pointer(&m.tokens[i]), "send")
		m.tokens[i] = 1
	case doReceive:
		m.choose(t, i, nil)
	case doSelect:
		m.choose(t, i, &m.closed[i])
	}
}

// choose takes a token, or sees that something is closed, whatever there is.
func (m *machine) choose(t, i int, closed *bool) {
	ready := func() int {
		n := m.tokens[i]
		if closed != nil && *closed {
			n++
		}
		return n
	}
	way := Select(unsafe.Pointer(&m.tokens[i]), unsafe.Pointer(closed), ready, "select")
	if way == 0 && m.tokens[i] > 0 {
		m.tokens[i] = 0
		m.seen[t] = append(m.seen[t], 100)
	} else {
		m.seen[t] = append(m.seen[t], 200)
	}
}

func (m *machine) outcome() string { return fmt.Sprint(m.vars, m.tokens, m.seen) }

// class is the same for equivalent executions only: what happens before what.
func (x *explorer) class() string {
	var lines []string
	for i := range x.events {
		e := &x.events[i]
		lines = append(lines, fmt.Sprint(e.thread, e.seq, x.path[i].branch, e.clock))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// What the reduced exploration sees is what all orders together show, and it runs
// no two that are equivalent.
func TestNothingIsMissed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	checked, stuck := 0, 0
	for checked < 150 {
		threads := make([][]command, 2+r.IntN(2))
		var closes [2]bool
		for i := range threads {
			for range 1 + r.IntN(6/len(threads)) {
				c := command{r.IntN(commands), r.IntN(3)}
				if c.do == doClose { // once, as Wait demands
					if closes[c.on%2] {
						continue
					}
					closes[c.on%2] = true
				}
				threads[i] = append(threads[i], c)
			}
		}
		explore := func(o Options) (outcomes, classes map[string]int, res Result) {
			outcomes, classes = map[string]int{}, map[string]int{}
			var m *machine
			o.seen = func(x *explorer) { classes[x.class()]++ }
			res = Explore(o, func() Program {
				m = &machine{}
				p := Program{End: func() error { outcomes[m.outcome()]++; return nil }}
				for i, cs := range threads {
					p.Threads = append(p.Threads, Thread{Name: fmt.Sprint("thread ", i), Body: func() {
						for _, c := range cs {
							m.run(i, c)
						}
					}})
				}
				return p
			})
			return outcomes, classes, res
		}
		all, allClasses, ref := explore(Options{Preemptions: -1, everything: true, Schedules: 200_000})
		if ref.Failure == nil && !ref.Complete {
			continue
		}
		checked++
		some, classes, res := explore(Options{Preemptions: -1})
		bounded, _, many := explore(Options{Preemptions: 50})
		if ref.Failure != nil {
			stuck++
			if res.Failure == nil || many.Failure == nil {
				t.Fatalf("%v can get stuck, which is not found: %v, %v\n%v", threads, res.Failure, many.Failure, ref.Failure)
			}
			continue
		}
		for o := range all {
			if some[o] == 0 || bounded[o] == 0 {
				t.Fatalf("%v: outcome %s is missed; %d of %d are found, %d with a bound", threads, o, len(some), len(all), len(bounded))
			}
		}
		if len(classes) != len(allClasses) {
			t.Fatalf("%v: %d classes of %d", threads, len(classes), len(allClasses))
		}
		for c, n := range classes {
			if n > 1 {
				t.Fatalf("%v: %d executions of one class:\n%s", threads, n, c)
			}
		}
		if got := res.Schedules - res.Redundant; got != len(classes) {
			t.Fatalf("%v: %d executions of %d classes", threads, got, len(classes))
		}
	}
	if stuck < 10 || stuck > checked-30 {
		t.Errorf("of %d programs %d get stuck: too few of one sort to prove anything", checked, stuck)
	}
}

// A counter that is read and written in two steps loses an update.
func lossy() Program {
	var n int
	add := func() {
		Read(unsafe.Pointer(&n), "read n")
		v := n
		Write(unsafe.Pointer(&n), "write n")
		n = v + 1
	}
	return Program{
		Threads: []Thread{{"first", add}, {"second", add}},
		State:   func() string { return fmt.Sprint("n=", n) },
		End: func() error {
			if n != 2 {
				return errLost
			}
			return nil
		},
	}
}

var errLost = errors.New("an update is lost")

func TestFailureIsToldAndReplayed(t *testing.T) {
	res := Explore(Options{Preemptions: -1}, lossy)
	f := res.Failure
	if f == nil || !errors.Is(f, errLost) {
		t.Fatalf("a lost update is not found: %+v", res)
	}
	for _, part := range []string{"read n", "write n", "n=1", "first", "second", "lossy.func1:"} {
		if !strings.Contains(f.Story, part) {
			t.Errorf("the story lacks %q:\n%s", part, f.Story)
		}
	}
	story, err := Replay(f.Seed, lossy)
	if !errors.Is(err, errLost) || story != f.Story {
		t.Errorf("seed %s replays to %v:\n%s", f.Seed, err, story)
	}
}

// One preemption is needed to lose an update, and none is not enough.
func TestPreemptionsAreBounded(t *testing.T) {
	if res := Explore(Options{Preemptions: 0}, lossy); res.Failure != nil || !res.Complete {
		t.Errorf("without preemptions: %+v", res)
	}
	if res := Explore(Options{Preemptions: 1}, lossy); res.Failure == nil {
		t.Errorf("with one preemption: %+v", res)
	}
}

func TestSeeds(t *testing.T) {
	for _, seed := range []string{"a", "a3b2", "ab.1a10c", "b2.1a"} {
		path, err := parseSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		x := explorer{path: path}
		again, err := parseSeed(x.seed())
		if err != nil || len(again) != len(path) {
			t.Fatalf("%s becomes %s: %v", seed, x.seed(), err)
		}
		for i := range path {
			if path[i].choice != again[i].choice || path[i].branch != again[i].branch {
				t.Errorf("%s becomes %s", seed, x.seed())
			}
		}
	}
	for _, seed := range []string{"A", "a0", "3", "a99999999", "a-1", "z"} {
		if _, err := parseSeed(seed); err == nil {
			t.Errorf("%q is taken for a seed", seed)
		}
	}
	if _, err := Replay("c5", lossy); err == nil {
		t.Error("a seed that does not fit is replayed")
	}
}

// What waits for ever is found, and named.
func TestStuck(t *testing.T) {
	res := Explore(Options{Preemptions: -1}, func() Program {
		var a, b bool
		both := func(x, y *bool) func() {
			return func() { Lock(x); Lock(y); Unlock(y); Unlock(x) }
		}
		return Program{Threads: []Thread{{"one", both(&a, &b)}, {"two", both(&b, &a)}}}
	})
	if res.Failure == nil || !strings.Contains(res.Failure.Err.Error(), "stuck") || !strings.Contains(res.Failure.Err.Error(), "two") {
		t.Errorf("%+v", res.Failure)
	}
}

func TestPanicAndEndlessLoop(t *testing.T) {
	one := func(f func()) func() Program {
		return func() Program { return Program{Threads: []Thread{{"it", f}}} }
	}
	if res := Explore(Options{}, one(func() { panic("ouch") })); res.Failure == nil || !strings.Contains(res.Failure.Err.Error(), "ouch") {
		t.Errorf("%+v", res)
	}
	var x int
	loop := func() {
		for {
			Read(unsafe.Pointer(&x), "read")
		}
	}
	if res := Explore(Options{}, one(loop)); res.Failure == nil || !strings.Contains(res.Failure.Err.Error(), "does not end") {
		t.Errorf("%+v", res)
	}
}

func TestCheckSeesEveryState(t *testing.T) {
	var n int
	res := Explore(Options{Preemptions: -1}, func() Program {
		p := lossy()
		p.End = nil
		p.Check = func(func(int) bool) error { n++; return nil }
		return p
	})
	if res.Failure != nil || n < res.Steps-res.Schedules || n == 0 {
		t.Errorf("%d checks, %+v", n, res)
	}
}
