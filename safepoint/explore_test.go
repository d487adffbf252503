//go:build explore

package safepoint

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/midden-gc/midden/internal/explore"
)

var (
	exploreFull    = flag.Bool("explore", false, "explore every program of three actors, too, completely")
	exploreProgram = flag.String("explore.program", "", "explore the program of these acts only, such as \"stop+freeze\"")
	exploreReplay  = flag.String("explore.replay", "", "with -explore.program: run the schedule with this seed, and tell the story")
	exploreShard   = flag.String("explore.shard", "", "I/N: of the programs, explore every Nth, from the Ith on, counting from 0")
)

// A stage is a world in which some actors, each a thread, do one act each.
type stage struct {
	w      *World
	actors []*actor
	heap   int // stands for what the world protects

	collectors int // that run now
	pauses     []*pauseSeen
	requests   int
	broken     bool
	closing    bool // Close has been called
	shut       bool // and has succeeded
	gaveUp     bool // somebody with a deadline has returned
	fault      error

	on    *Pause // at the last check
	ended int    // pauses that were on and are over
}

// pauseSeen is a pause as the one in charge of it saw it.
type pauseSeen struct {
	outcome error
	began   int // when
}

// An actor does one act. What is said here is what its program knows for certain:
// while it is inside a call, something between least and most.
type actor struct {
	s           *stage
	c           *Context
	thread      int
	least, most int    // shares that it holds
	call        string // it is inside this; "": its program runs
	deadline    *deadline
	waited      bool // in the present call
	blocked     int  // how many pauses had ended when it was seen waiting; -1: it does not wait
}

// An act is what one actor does. Before runs while the world is set up.
type act struct {
	name   string
	before func(a *actor)
	do     func(a *actor)
	clock  bool // needs a deadline that can pass at any moment
}

var errBoom = errors.New("boom")

var acts = []act{
	{name: "safepoint", before: (*actor).active, do: func(a *actor) { a.safepoint() }},
	{name: "requested", before: func(a *actor) { a.active(); a.s.request() }, do: func(a *actor) { a.safepoint() }},
	{name: "request", do: func(a *actor) { a.calls("Request", 0, 0, a.s.request) }},
	{name: "collect", before: (*actor).active, do: func(a *actor) { a.collect(background, nil) }},
	{name: "collect-deadline", clock: true, before: (*actor).active, do: func(a *actor) { a.collect(a.deadline, nil) }},
	{name: "collect-panic", before: (*actor).active, do: func(a *actor) { a.collect(background, errBoom) }},
	{name: "collect-twice", before: (*actor).active, do: func(a *actor) { a.collect(background, nil); a.collect(background, nil) }},
	{name: "freeze", before: (*actor).active, do: func(a *actor) { a.freeze(); a.use() }},
	{name: "freeze-unfreeze", before: (*actor).active, do: func(a *actor) { a.freeze(); a.unfreeze() }},
	{name: "unfreeze", before: (*actor).frozen, do: func(a *actor) { a.unfreeze() }},
	{name: "try-unfreeze", before: (*actor).frozen, do: func(a *actor) { a.tryUnfreeze() }},
	{name: "create", do: func(a *actor) { a.create() }},
	{name: "create-from", before: (*actor).active, do: func(a *actor) { a.createFrom() }},
	{name: "close", before: (*actor).active, do: func(a *actor) { a.use(); a.close() }},
	{name: "close-frozen", before: (*actor).frozen, do: func(a *actor) { a.close() }},
	{name: "prevent", do: func(a *actor) { a.prevent() }},
	{name: "prevent-active", before: (*actor).active, do: func(a *actor) { a.preventActive() }},
	{name: "stop", do: func(a *actor) { a.stop(background) }},
	{name: "stop-deadline", clock: true, do: func(a *actor) { a.stop(a.deadline) }},
	{name: "collect-outside", do: func(a *actor) { a.collectOutside(background, nil) }},
	{name: "outside-panic", do: func(a *actor) { a.collectOutside(background, errBoom) }},
	{name: "lose", before: (*actor).active, do: func(a *actor) { a.lose() }},
	{name: "close-world", do: func(a *actor) { a.closeWorld() }},
}

// stubborn stays active, and does not poll, until a deadline has made somebody give
// up: nothing else may be needed for that.
var stubborn = act{name: "stubborn", before: (*actor).active, do: func(a *actor) {
	s := a.s
	explore.Wait(unsafe.Pointer(&s.gaveUp), func() bool { return s.gaveUp }, "until somebody gives up")
}}

func actNamed(name string) (act, bool) {
	if name == stubborn.name {
		return stubborn, true
	}
	i := slices.IndexFunc(acts, func(a act) bool { return a.name == name })
	if i < 0 {
		return act{}, false
	}
	return acts[i], true
}

// program returns what sets up a world and actors that do the given acts.
func program(cast []act) func() explore.Program {
	return func() explore.Program {
		s := &stage{w: NewWorld(&Options{StragglerTimeout: -1})}
		ticking = s.ticks
		p := explore.Program{Check: s.check, End: s.end, State: s.state}
		for i, act := range cast {
			a := &actor{s: s, thread: i, blocked: -1}
			s.actors = append(s.actors, a)
			if act.before != nil {
				act.before(a)
			}
			p.Threads = append(p.Threads, explore.Thread{Name: act.name, Body: func() {
				a.use()
				act.do(a)
				a.use()
				if act.clock {
					explore.Write(unsafe.Pointer(&s.gaveUp), "returns")
					s.gaveUp = true
				}
				if a.least > 0 {
					// Who stays active and never polls keeps everybody waiting.
					a.freeze()
				}
			}})
		}
		for i, act := range cast {
			if act.clock {
				d := newDeadline()
				s.actors[i].deadline = d
				p.Threads = append(p.Threads, explore.Thread{Name: "clock of " + act.name, Body: d.pass})
			}
		}
		return p
	}
}

// ticks says that time passes only where it is needed: a context that was lost is
// found when the pause that is on looks around.
func (s *stage) ticks(a <-chan struct{}) bool {
	p := s.w.cur
	return s.w.lost.v.Load() != nil && p != nil && p.wake == a && p.phase.v.Load() == phaseWaiting
}

// now returns a point of time: each pause that begins makes one.
func (s *stage) now() int { return len(s.pauses) }

func (s *stage) complain(format string, args ...any) {
	if s.fault == nil {
		s.fault = fmt.Errorf(format, args...)
	}
}

func (s *stage) request() {
	s.requests++
	s.w.Request(1)
}

// active gives the actor an active context.
func (a *actor) active() {
	a.c = a.s.w.NewContext()
	a.least, a.most = 1, 1
}

// frozen gives it a frozen one.
func (a *actor) frozen() {
	a.c = a.s.w.NewContext()
	a.c.Freeze()
}

// use is what only those may do whom a pause waits for.
func (a *actor) use() {
	if a.least == 0 {
		return
	}
	explore.Read(unsafe.Pointer(&a.s.heap), "use")
	if a.s.collectors > 0 {
		a.s.complain("I1: %s runs while the world is stopped", a.name())
	}
}

func (a *actor) name() string { return fmt.Sprintf("actor %d", a.thread) }

// calls runs a call into the world, during which the actor holds between least and
// most shares.
func (a *actor) calls(name string, least, most int, f func()) {
	a.call, a.least, a.most = name, least, most
	defer func() { a.call = "" }()
	f()
}

// rights is what the actor holds from now on.
func (a *actor) rights(n int) { a.least, a.most = n, n }

// expect calls f, which may panic with an error that wraps one of those that are
// possible now, and reports whether it did not.
func (a *actor) expect(f func(), possible ...error) (ok bool) {
	damaged := a.s.w.damage != nil
	a.waited = false
	defer func() {
		if v := recover(); v != nil {
			err, _ := v.(error)
			if !slices.ContainsFunc(possible, func(p error) bool { return errors.Is(err, p) }) {
				panic(v)
			}
			a.s.plausible(err)
		}
	}()
	f()
	// Who waited did so for a pause, and no other one has begun since.
	if (damaged || a.waited && a.s.w.damage != nil) && slices.Contains(possible, ErrDamaged) {
		a.s.complain("I11: %s is let into a world that is damaged", a.name())
	}
	return true
}

// plausible complains unless what an error says is so.
func (s *stage) plausible(err error) {
	switch {
	case errors.Is(err, ErrDamaged) && !s.broken:
		s.complain("I11: %v, though no collector has failed", err)
	case errors.Is(err, ErrClosed) && !s.closing:
		s.complain("%v, though it is not", err)
	}
}

// gets checks what a call that began at a point of time came back with: the
// outcome of a pause that it can have stopped for.
func (a *actor) gets(err error, since int, itself bool) {
	switch {
	case err == nil, errors.Is(err, ErrDamaged), errors.Is(err, ErrClosed), errors.Is(err, context.DeadlineExceeded):
		a.s.plausible(err)
		return
	}
	for i, p := range a.s.pauses {
		if p.outcome == err {
			if itself && i < since {
				a.s.complain("I5: a collection that was over when it was wanted counts for %s", a.name())
			}
			if !itself && i < since-1 {
				a.s.complain("I11: %s gets the outcome of a pause that was over when it stopped", a.name())
			}
			return
		}
	}
	a.s.complain("I11: %s gets %v, which is nobody's outcome", a.name(), err)
}

// collector returns the function that a pause runs.
func (a *actor) collector(boom error, requested bool) func(*Pause) error {
	return func(p *Pause) error {
		s := a.s
		seen := s.inCharge(a, p)
		if requested {
			if s.requests--; s.requests < 0 {
				s.complain("I5: %s collects, and nobody has asked for it", a.name())
			}
		}
		if p.Level() == 0 {
			s.complain("I5: %s collects at level 0", a.name())
		}
		s.exclusive(p)
		if boom != nil {
			s.broken = true
			panic(boom)
		}
		return seen.outcome
	}
}

// inCharge notes that a pause runs.
func (s *stage) inCharge(a *actor, p *Pause) *pauseSeen {
	if s.w.mu.held && s.w.mu.holder == a.thread {
		s.complain("I12: a collector runs with the lock held")
	}
	if s.broken {
		s.complain("I11: a pause runs in a damaged world")
	}
	seen := &pauseSeen{outcome: fmt.Errorf("outcome of pause %d", len(s.pauses)), began: s.now()}
	s.pauses = append(s.pauses, seen)
	return seen
}

// exclusive is what a pause does with the world stopped.
func (s *stage) exclusive(p *Pause) {
	explore.Write(unsafe.Pointer(&s.heap), "collect")
	s.collectors++
	s.stillness()
	before := members(p)
	explore.Write(unsafe.Pointer(&s.heap), "collected")
	s.stillness()
	if !slices.Equal(before, members(p)) {
		s.complain("I8: somebody joined or left while the world was stopped")
	}
	s.collectors--
}

func members(p *Pause) (ids []uint64) {
	for c := range p.Contexts() {
		ids = append(ids, c.ID())
	}
	return ids
}

// stillness complains if anybody runs.
func (s *stage) stillness() {
	if s.collectors != 1 {
		s.complain("I1: %d collectors run", s.collectors)
	}
	for _, a := range s.actors {
		if a.least > 0 && !strings.HasPrefix(a.call, "in charge") {
			s.complain("I1: %s is active while the world is stopped", a.name())
		}
	}
}

func (a *actor) safepoint() {
	since, before := a.s.now(), a.c.m.status.v.Load()
	var err error
	a.calls("Safepoint", 0, 1, func() { err = a.c.Safepoint(a.collector(nil, true)) })
	a.rights(1)
	if err == nil && a.c.m.status.v.Load() != before && a.s.w.stats.GivenUp == 0 {
		a.s.complain("I11: %s has stopped, and is not told how the pause ended", a.name())
	}
	a.gets(err, since, false)
}

func (a *actor) collect(ctx context.Context, boom error) {
	since := a.s.now()
	var err error
	a.expect(func() {
		a.calls("Collect", 0, 1, func() { err = a.c.Collect(ctx, 1, a.collector(boom, false)) })
		if err == nil {
			a.s.complain("Collect has no outcome")
		}
	}, errBoom)
	a.rights(1)
	if err != nil {
		a.gets(err, since, true)
	}
}

func (a *actor) freeze() {
	a.calls("Freeze", 0, 1, a.c.Freeze)
	a.rights(0)
}

func (a *actor) unfreeze() {
	ok := a.expect(func() { a.calls("Unfreeze", 0, 1, a.c.Unfreeze) }, ErrDamaged)
	if ok {
		a.rights(1)
		if a.c.State() != Active {
			a.s.complain("unfrozen, but %v", a.c.State())
		}
		return
	}
	a.rights(0)
	if a.c.State() != Frozen {
		a.s.complain("not unfrozen, but %v", a.c.State())
	}
}

func (a *actor) tryUnfreeze() {
	ok := false
	a.calls("TryUnfreeze", 0, 1, func() { ok = a.c.TryUnfreeze() })
	a.rights(0)
	if ok {
		a.rights(1)
	}
	if want := map[bool]State{true: Active, false: Frozen}[ok]; a.c.State() != want {
		a.s.complain("TryUnfreeze says %v, and the context is %v", ok, a.c.State())
	}
}

func (a *actor) create() {
	ok := a.expect(func() { a.calls("NewContext", 0, 1, func() { a.c = a.s.w.NewContext() }) }, ErrDamaged, ErrClosed)
	a.rights(0)
	if ok {
		a.rights(1)
	}
}

func (a *actor) createFrom() {
	var c *Context
	ok := a.expect(func() { a.calls("Context.NewContext", 1, 2, func() { c = a.c.NewContext() }) }, ErrDamaged)
	if !ok {
		a.rights(1)
		return
	}
	a.rights(2)
	a.use()
	a.calls("Close", 1, 2, c.Close)
	a.rights(1)
}

func (a *actor) close() {
	a.calls("Close", 0, 1, a.c.Close)
	a.rights(0)
	if a.c.State() != Closed {
		a.s.complain("closed, but %v", a.c.State())
	}
}

func (a *actor) prevent() {
	a.expect(func() {
		a.calls("World.Prevent", 0, 1, func() {
			a.s.w.Prevent(func() {
				a.call = "preventing"
				a.rights(1)
				a.use()
				a.calls("World.Prevent", 0, 1, func() {})
				a.call = "World.Prevent"
			})
		})
	}, ErrDamaged, ErrClosed)
	a.rights(0)
}

func (a *actor) preventActive() {
	a.c.Prevent(func() {
		a.calls("Safepoint", 1, 1, func() {
			if err := a.c.Safepoint(a.collector(nil, true)); err != nil {
				a.s.complain("I10: a safepoint inside Prevent says %v", err)
			}
		})
		a.use()
		a.calls("Collect", 1, 1, func() {
			if err := a.c.Collect(background, 1, a.collector(nil, false)); !errors.Is(err, ErrPrevented) {
				a.s.complain("I10: Collect inside Prevent says %v", err)
			}
		})
		a.calls("Freeze", 1, 1, a.c.Freeze)
		a.use()
		a.calls("Unfreeze", 1, 1, a.c.Unfreeze)
		a.use()
		a.calls("Prevent", 1, 1, func() { a.c.Prevent(func() {}) })
		a.use()
	})
}

func (a *actor) stop(ctx context.Context) {
	var p *Pause
	var err error
	a.calls("Stop", 0, 0, func() { p, err = a.s.w.Stop(ctx) })
	if err != nil {
		a.gets(err, 0, false)
		return
	}
	seen := a.s.inCharge(a, p)
	a.s.exclusive(p)
	a.calls("Start", 0, 0, func() { p.Start(seen.outcome) })
}

func (a *actor) collectOutside(ctx context.Context, boom error) {
	since := a.s.now()
	var err error
	a.expect(func() {
		a.calls("World.Collect", 0, 0, func() { err = a.s.w.Collect(ctx, 1, a.collector(boom, false)) })
		if err == nil {
			a.s.complain("World.Collect has no outcome")
		}
	}, errBoom)
	if err != nil {
		a.gets(err, since, true)
	}
}

// lose drops the context, as if Go's collector had found it unreachable. The share
// goes with it, but only when somebody looks for it.
func (a *actor) lose() {
	a.use()
	a.calls("lost", 0, 1, a.c.m.isLost)
	a.call = "lost"
	a.least, a.most = 0, 1
}

func (a *actor) closeWorld() {
	var err error
	a.s.closing = true
	a.calls("World.Close", 0, 0, func() { err = a.s.w.Close() })
	switch {
	case err == nil:
		a.s.shut = true
	case !errors.Is(err, ErrContexts) && !errors.Is(err, ErrCollecting):
		a.s.complain("Close says %v", err)
	}
}

// check is what must hold in every state.
func (s *stage) check(waits func(int) bool) error {
	if s.fault != nil {
		return s.fault
	}
	v := s.w.gate.word.v.Load()
	held := int(v & shares)
	least, most := 0, 0
	for _, a := range s.actors {
		least += a.least
		most += a.most
		if (a.call == "Freeze" || a.call == "TryUnfreeze") && waits(a.thread) {
			return fmt.Errorf("I7: %s waits in %s", a.name(), a.call)
		}
	}
	if held < least || held > most {
		return fmt.Errorf("I2: %d shares are held, which should be %d to %d", held, least, most)
	}
	if s.w.mu.held {
		return nil
	}
	return s.checkUnlocked(v, most, waits)
}

// checkUnlocked is what must hold whenever nobody has the lock.
func (s *stage) checkUnlocked(v uint64, most int, waits func(int) bool) error {
	held := int(v & shares)
	if s.on != nil && s.on != s.w.cur {
		s.ended++
	}
	s.on = s.w.cur
	for _, a := range s.actors {
		if !waits(a.thread) {
			a.blocked = -1
			continue
		}
		a.waited = true
		// Who waits holds nothing for that.
		if most -= a.most - a.least; held > most {
			return fmt.Errorf("I9: %d shares are held, and without those who wait there are %d at most", held, most)
		}
		switch a.call {
		case "Safepoint", "Unfreeze", "NewContext", "World.Prevent", "Close":
			if a.blocked >= 0 && s.ended > a.blocked {
				return fmt.Errorf("I13: %s still waits, though a pause has ended since", a.name())
			}
			a.blocked = s.ended
		}
	}
	switch cur := s.w.cur; {
	case (cur != nil) != (v&shut != 0):
		return fmt.Errorf("I2: the gate is shut: %v; a pause is on: %v", v&shut != 0, cur != nil)
	case cur == nil && s.w.queue.first != nil:
		return errors.New("I6: a pause is queued behind none")
	case cur != nil && cur.phase.v.Load() == phaseRunning && held > 0:
		return fmt.Errorf("I1: a pause runs, and %d shares are held", held)
	case s.w.want > 0 && cur == nil && s.w.gate.flag.v.Load() == 0:
		return errors.New("I5: a request is lost: nobody is told of it")
	case cur != nil && s.w.gate.flag.v.Load() == 0:
		return errors.New("I5: a pause is on, and polls do not see it")
	}
	return nil
}

// end is what must hold when all have done what they had to do.
func (s *stage) end() error {
	if s.fault != nil {
		return s.fault
	}
	w := s.w
	w.drain()
	if n := w.gate.held(false); n != 0 {
		return fmt.Errorf("I2: %d shares are left", n)
	}
	if u := w.Unusual(); u != "" {
		return errors.New(u)
	}
	if err := w.Damaged(); (err != nil) != s.broken {
		return fmt.Errorf("I11: a collector has failed: %v; the world says: %v", s.broken, err)
	}
	if n := w.Stats().Pauses; n != uint64(len(s.pauses)) {
		return fmt.Errorf("%d pauses ran, and %d are counted", len(s.pauses), n)
	}
	open := 0
	for _, a := range s.actors {
		if a.c != nil && a.c.State() != Closed {
			open++
		}
	}
	if n := w.registry.len(); n != open {
		return fmt.Errorf("I8: %d contexts are open, and %d are known", open, n)
	}
	if s.broken || s.shut {
		return nil
	}
	if !w.tryEnter() {
		return errors.New("nobody can enter any more")
	}
	w.leave()
	return nil
}

func (s *stage) state() string {
	v := s.w.gate.word.v.Load()
	text := fmt.Sprintf("held %d", v&shares)
	if v&shut != 0 {
		text += ", shut"
	}
	if s.w.gate.flag.v.Load() != 0 {
		text += ", flag"
	}
	if p := s.w.cur; p != nil {
		text += fmt.Sprintf(", pause %s, %d queued for its end", []string{"queued", "waiting", "running", "served", "ended"}[p.phase.v.Load()], p.queued)
	}
	if s.w.want > 0 {
		text += ", want"
	}
	return text
}

// A deadline is a context.Context that ends at any moment.
type deadline struct {
	context.Context
	done chan struct{}
	over bool
}

func newDeadline() *deadline {
	return &deadline{Context: background, done: make(chan struct{})}
}

func (d *deadline) pass() {
	explore.Write(unsafe.Pointer(&d.over), "the deadline passes")
	d.over = true
	release(d.done)
}

func (d *deadline) Done() <-chan struct{} { return d.done }

func (d *deadline) Err() error {
	explore.Read(unsafe.Pointer(&d.over), "is it over?")
	if d.over {
		return context.DeadlineExceeded
	}
	return nil
}

// casts returns every choice of n acts, in which order does not matter.
func casts(n int) (list [][]act) {
	var choose func(from int, cast []act)
	choose = func(from int, cast []act) {
		if len(cast) == n {
			list = append(list, slices.Clone(cast))
			return
		}
		for i := from; i < len(acts); i++ {
			choose(i, append(cast, acts[i]))
		}
	}
	choose(0, nil)
	return list
}

func title(cast []act) string {
	var names []string
	for _, a := range cast {
		names = append(names, a.name)
	}
	return strings.Join(names, "+")
}

// special returns programs in which somebody stays active until a deadline has
// passed, alone and with every other act.
func special() (list [][]act) {
	for _, name := range []string{"stop-deadline", "collect-deadline"} {
		late, _ := actNamed(name)
		list = append(list, []act{late, stubborn})
		for _, third := range acts {
			list = append(list, []act{late, stubborn, third})
		}
	}
	return list
}

// TestExplore runs every program of one and of two actors in all orders that
// matter, and every program of three in those where a thread runs until it waits;
// with -explore those, too, in all orders, or in as many as can be borne.
func TestExplore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // coroutines switch faster
	exploring.Store(true)
	defer func() { ticking = nil; exploring.Store(false) }()
	if *exploreProgram != "" {
		exploreOne(t, *exploreProgram)
		return
	}
	all := explore.Options{Preemptions: -1}
	exploreAll(t, "one actor", all, casts(1))
	exploreAll(t, "two actors", all, casts(2))
	exploreAll(t, "one who does not stop", explore.Options{Preemptions: 1}, special())
	if *exploreFull {
		// A few of these have many millions of orders. They are named.
		all.Schedules = 300_000
		exploreAll(t, "three actors", all, shard(t, casts(3)))
	} else {
		exploreAll(t, "three actors, no preemption", explore.Options{Preemptions: 0}, shard(t, casts(3)))
	}
}

// shard returns the part of the programs that -explore.shard names.
func shard(t *testing.T, list [][]act) (part [][]act) {
	if *exploreShard == "" {
		return list
	}
	var i, n int
	if _, err := fmt.Sscanf(*exploreShard, "%d/%d", &i, &n); err != nil || i < 0 || i >= n {
		t.Fatalf("-explore.shard=%s: want I/N with I below N, such as 0/2", *exploreShard)
	}
	for ; i < len(list); i += n {
		part = append(part, list[i])
	}
	return part
}

func exploreAll(t *testing.T, what string, o explore.Options, list [][]act) {
	start := time.Now()
	var total explore.Result
	var cut []string
	for i, cast := range list {
		if *exploreFull {
			fmt.Fprintf(os.Stderr, "\r%s: %d of %d programs, %d schedules, %v \x1b[K", what, i, len(list), total.Schedules, time.Since(start).Round(time.Second))
		}
		r := explore.Explore(o, program(cast))
		if r.Failure != nil {
			t.Fatalf("the program %s fails: %v", title(cast), r.Failure)
		}
		if !r.Complete {
			if o.Schedules == 0 {
				t.Errorf("%s: not all has been tried", title(cast))
			}
			cut = append(cut, title(cast))
		}
		total.Schedules += r.Schedules
		total.Redundant += r.Redundant
		total.Steps += r.Steps
	}
	line := fmt.Sprintf("%s: %d programs, %d schedules (%d of them cut short), %d steps, %v",
		what, len(list), total.Schedules, total.Redundant, total.Steps, time.Since(start).Round(time.Millisecond))
	if *exploreFull {
		fmt.Fprintf(os.Stderr, "\r%s\x1b[K\n", line)
	}
	t.Log(line)
	if len(cut) > 0 {
		t.Logf("of these, %d were given up after %d schedules each: %s", len(cut), o.Schedules, strings.Join(cut, ", "))
	}
}

// exploreOne explores one program, or replays one schedule of it.
func exploreOne(t *testing.T, name string) {
	var cast []act
	for n := range strings.SplitSeq(name, "+") {
		a, ok := actNamed(n)
		if !ok {
			t.Fatalf("-explore.program=%s: %q is no act", name, n)
		}
		cast = append(cast, a)
	}
	if *exploreReplay != "" {
		story, err := explore.Replay(*exploreReplay, program(cast))
		t.Logf("the story:\n%s", story)
		if err != nil {
			t.Error(err)
		}
		return
	}
	exploreAll(t, name, explore.Options{Preemptions: -1}, [][]act{cast})
}

// I17: what a step costs is counted in operations on shared memory. A freeze is one
// read-modify-write of the gate, and a load and a store of the context's own line;
// an unfreeze looks at the gate first. A stop costs nothing for those who are
// frozen.
func TestCosts(t *testing.T) {
	exploring.Store(true)
	defer exploring.Store(false)
	steps := func(frozen int, f func(w *World, c *Context)) int {
		r := explore.Explore(explore.Options{Preemptions: -1}, func() explore.Program {
			w := NewWorld(&Options{StragglerTimeout: -1})
			for range frozen {
				w.NewContext().Freeze()
			}
			c := w.NewContext()
			return explore.Program{Threads: []explore.Thread{{Name: "it", Body: func() { f(w, c) }}}}
		})
		if r.Failure != nil {
			t.Fatal(r.Failure)
		}
		return r.Steps
	}
	nothing := steps(0, func(*World, *Context) {})
	for _, x := range []struct {
		what string
		f    func(*World, *Context)
		want int
	}{
		{"Poll", func(_ *World, c *Context) { c.Poll() }, 1},
		{"Safepoint", func(_ *World, c *Context) { c.Safepoint(nil) }, 1},
		{"Freeze and Unfreeze", func(_ *World, c *Context) { c.Freeze(); c.Unfreeze() }, 3 + 4},
	} {
		if got := steps(0, x.f) - nothing; got != x.want {
			t.Errorf("%s takes %d operations, want %d", x.what, got, x.want)
		}
	}
	stop := func(w *World, c *Context) {
		c.Freeze()
		p, err := w.Stop(background)
		if err != nil {
			t.Fatal(err)
		}
		p.Start(nil)
	}
	if few, many := steps(0, stop), steps(100, stop); few != many {
		t.Errorf("a stop takes %d operations, and %d with 100 frozen contexts", few-nothing, many-nothing)
	}
}
