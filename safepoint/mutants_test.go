//go:build explore

package safepoint

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var exploreMutants = flag.String("explore.mutants", "", "break the code in each of the ways whose names contain this (\"all\": in each), and demand that the exploration finds it")

// A mutant is one way to break the protocol: in a file, a text is replaced by
// another. Why names what it breaks: an invariant (I), or a defect that protocols of
// this kind have had (D); both are listed in docs/protocol.md.
type mutant struct{ name, why, file, old, new string }

var mutants = []mutant{
	// Waking and looking again.
	{"nobody is released", "D1, I4", "stop.go", "		release(p.done)\n", "		_ = p.done\n"},
	{"the last out wakes nobody", "D4, I4", "enter.go", "	if w.gate.leave() {\n		w.lastOut()\n	}\n", "	w.gate.leave()\n"},
	{"the last out wakes without the lock", "D3, I3", "stop.go", "	w.mu.Lock()\n	if w.cur != nil {\n		w.cur.look()\n	}\n	w.mu.Unlock()\n", "	if p := w.cur; p != nil {\n		p.look()\n	}\n"},
	{"the one who parks last wakes nobody", "D1, I4", "safepoint.go", "	if w.gate.leave() {\n		p.look()\n	}\n", "	w.gate.leave()\n"},
	{"the one who queues last wakes nobody", "I4", "stop.go", "	if own > 0 && w.gate.leave() {\n		w.cur.look()\n	}\n", "	if own > 0 {\n		w.gate.leave()\n	}\n"},
	{"the next pause is not woken", "I4", "stop.go", "		next.look()\n", ""},
	{"a served pause is not woken", "I4", "stop.go", "	q.phase.Store(phaseEnded)\n	q.look()\n", "	q.phase.Store(phaseEnded)\n"},
	{"a place to be woken is made too late", "D3, I3", "stop.go", "		if p.wake == nil {\n			writes(&p.wake)\n			p.wake = make(chan struct{}, 1)\n		}\n		w.mu.Unlock()\n", "		w.mu.Unlock()\n		if p.wake == nil {\n			w.mu.Lock()\n			p.wake = make(chan struct{}, 1)\n			w.mu.Unlock()\n		}\n"},
	{"a wake-up that finds a token waits", "I6", "layer_explored.go", "	select {\n	case c <- struct{}{}:\n	default:\n	}\n", "	explore.Wait(address(c), func() bool { return len(c) == 0 }, \"wait for room\")\n	c <- struct{}{}\n"},
	{"woken, it does not look again", "I3", "stop.go", "		case phase == phaseWaiting && w.gate.held(w.single) == 0:\n", "		case phase == phaseWaiting && (wanted || w.gate.held(w.single) == 0):\n"},
	{"who finds the gate shut does not look again", "I5", "enter.go", "	if p == nil {\n", "	if p == nil && w.epoch.Load() > 1<<40 {\n"},

	// The gate.
	{"to enter does not look at the gate", "D4, I1", "gate.go", "		if v&(shut|barred) != 0 {\n			return false\n		}\n		if g.word", "		if v&barred != 0 {\n			return false\n		}\n		if g.word"},
	{"to enter is two steps", "I2", "gate.go", "		if g.word.CompareAndSwap(v, v+1) {\n			return true\n		}\n	}\n}\n\n// tryEnterLone", "		g.word.Add(1)\n		return true\n	}\n}\n\n// tryEnterLone"},
	{"to leave takes two shares", "I2", "gate.go", "return g.word.Add(^uint64(0)) == shut }", "return g.word.Add(^uint64(1)) == shut }"},
	{"the gate is shut before the own share is back", "I2", "gate.go", "func (g *gate) close(n uint64, single bool) { g.add(shut-n, single) }", "func (g *gate) close(n uint64, single bool) { g.add(shut, single) }"},
	{"the gate is not shut", "I1", "gate.go", "func (g *gate) close(n uint64, single bool) { g.add(shut-n, single) }", "func (g *gate) close(n uint64, single bool) { g.add(-n, single) }"},
	{"the gate opens before it admits", "I13", "gate.go", "func (g *gate) open(n uint64, single bool) { g.add(n-shut, single) }", "func (g *gate) open(n uint64, single bool) { g.add(shut, single); g.add(n, single) }"},
	{"who bars the world does not look again", "I2", "gate.go", "		if g.word.CompareAndSwap(v, v|barred) {\n			return true\n		}\n", "		g.word.Store(v | barred)\n		return true\n"},

	// The phases of a pause.
	{"a pause begins with shares held", "I1", "stop.go", "		case phase == phaseWaiting && w.gate.held(w.single) == 0:\n", "		case phase == phaseWaiting && w.gate.held(w.single) <= 1:\n"},
	{"a pause begins out of turn", "I1", "stop.go", "		case phase == phaseWaiting && w.gate.held(w.single) == 0:\n", "		case phase <= phaseWaiting && w.gate.held(w.single) == 0:\n"},
	{"the collector runs with the lock held", "D10, I12", "stop.go", "		err = f(p)\n", "		w.mu.Lock()\n		err = f(p)\n		w.mu.Unlock()\n"},
	{"a pause that runs is given up", "I6", "stop.go", "	case phaseWaiting:\n		return w.gate.held(w.single) > 0\n	}\n	return false\n", "	case phaseWaiting:\n		return w.gate.held(w.single) > 0\n	}\n	return true\n"},
	{"a pause that could begin is given up as it stands", "I14", "stop.go", "		w.finish(p, nil)\n		return\n	}\n	w.queue.take", "		w.cur = nil\n		p.phase.Store(phaseEnded)\n		w.mu.Unlock()\n		return\n	}\n	w.queue.take"},
	{"a queued pause that is given up stays queued", "I14", "stop.go", "	w.queue.take(func(q *Pause) bool { return q == p })\n", ""},
	{"giving up does not give the share back", "I14", "stop.go", "		w.gate.add(1, w.single)\n	default:\n		cur.queued++\n", "	default:\n		cur.queued++\n"},
	{"giving up takes a share from a pause that runs", "I1", "stop.go", "	case cur.phase.Load() == phaseWaiting && w.gate.held(w.single) > 0:\n", "	case cur.phase.Load() <= phaseRunning:\n"},
	{"a deadline is not looked at", "D15, I14", "stop.go", "				giveUp = fmt.Errorf(", "				_ = fmt.Errorf("},
	{"what was given up stays wanted", "I14", "stop.go", "		w.stats.GivenUp++\n	}\n	p.phase.Store(phaseEnded)\n", "		w.stats.GivenUp++\n		w.want = 1\n	}\n	p.phase.Store(phaseEnded)\n"},

	// The end of a pause.
	{"who queued is not admitted", "D13, I13", "stop.go", "	admitted := p.queued\n", "	admitted := p.queued &^ p.queued\n"},
	{"who collected is not admitted", "I11", "stop.go", "	if p.by != nil {\n		admitted++\n	}\n	p.outcome", "	p.outcome"},
	{"an outsider who collected is admitted", "I2", "stop.go", "	if p.by != nil {\n		admitted++\n	}\n	p.outcome", "	admitted++\n	p.outcome"},
	{"whom a pause served is not admitted", "I11", "stop.go", "		admitted += w.settle(q, outcome)\n	}\n	if w.damage", "		w.settle(q, outcome)\n	}\n	if w.damage"},
	{"the gate opens though another pause waits", "D13, I13", "stop.go", "		w.gate.add(admitted, w.single)\n		next.look()\n", "		w.gate.open(admitted, w.single)\n		next.look()\n"},
	{"those who queued are let in by the next pause's end", "D13, I13", "stop.go", "		w.gate.add(admitted, w.single)\n		next.look()\n", "		next.queued += admitted\n		if p.done != nil {\n			next.done, p.done = p.done, nil\n		}\n		next.look()\n"},
	{"who is queued next is forgotten", "I6", "stop.go", "	next := w.queue.pop()\n", "	next := w.queue.pop()\n	next = nil\n"},
	{"a request made in the pause is lost", "I5", "stop.go", "		w.gate.flag.Store(flagFor(w.want))\n", "		w.gate.flag.Store(0)\n"},
	{"the flag stays", "I5", "stop.go", "		w.gate.flag.Store(flagFor(w.want))\n", "		_ = flagFor\n"},
	{"the outcome is kept back", "I11", "stop.go", "	p.outcome = outcome\n	for", "	for"},
	{"whom a pause served gets no outcome", "I11", "stop.go", "	q.outcome = outcome\n", ""},
	{"the next pause raises no flag", "I5", "stop.go", "		next.since = now()\n		w.gate.flag.Store(1)\n", "		next.since = now()\n		w.gate.flag.Store(0)\n"},
	{"the pause raises no flag", "I5", "stop.go", "		w.gate.close(own, w.single)\n		w.gate.flag.Store(1)\n", "		w.gate.close(own, w.single)\n"},

	// Failure.
	{"a panic ends no pause", "D9, I11", "stop.go", "		w.mu.Lock()\n		w.damage = d\n		w.finish(p, d)\n", "		w.mu.Lock()\n		w.damage = d\n		w.mu.Unlock()\n"},
	{"a panic is pretended away", "I11", "stop.go", "		w.damage = d\n		w.finish(p, d)\n", "		w.finish(p, d)\n"},
	{"a damaged world lets in", "I11", "stop.go", "		w.gate.open(admitted+barred, w.single)\n", "		w.gate.open(admitted, w.single)\n"},
	{"a damaged world forgets who queued", "I11", "stop.go", "			admitted += w.settle(q, w.damage)\n", "			_ = q\n"},
	{"who waited does not hear of the damage", "I11", "enter.go", "	if err := w.Damaged(); err != nil {\n		w.leave()\n		return err\n	}\n	return nil\n}\n\n// borrow", "	return nil\n}\n\n// borrow"},
	{"who hears of the damage keeps the share", "I2", "enter.go", "	if err := w.Damaged(); err != nil {\n		w.leave()\n		return err\n", "	if err := w.Damaged(); err != nil {\n		return err\n"},

	// Safepoints and requests.
	{"a stale poll collects", "D14, I5", "safepoint.go", "	case w.want == 0:\n		w.gate.flag.Store(0)\n		w.mu.Unlock()\n		c.traceStep(\"safepoint, nothing wanted\")\n		return nil\n", ""},
	{"a safepoint does not join", "D2, I6", "safepoint.go", "	case w.cur != nil:\n		return c.park()\n	case w.want == 0:", "	case w.want == 0:"},
	{"who parks keeps the share", "D1, I9", "safepoint.go", "	if w.gate.leave() {\n		p.look()\n	}\n	w.mu.Unlock()\n	c.traceStep(\"park\")\n", "	w.mu.Unlock()\n	c.traceStep(\"park\")\n"},
	{"who parks does not queue", "I9", "safepoint.go", "	p.queued++\n	done := p.ended()\n	if w.gate", "	done := p.ended()\n	if w.gate"},
	{"who parks does not wait", "I1", "safepoint.go", "	wait(done)\n	c.goOn()\n", "	_ = done\n	c.goOn()\n"},
	{"a safepoint inside Prevent stops", "D8, I10", "safepoint.go", "	if s.preventions() > 0 {\n		return nil\n	}\n	self", "	self"},
	{"Collect inside Prevent collects", "I10", "safepoint.go", "	if s.preventions() > 0 {\n		return ErrPrevented\n	}\n	if err", "	if err"},
	{"a request raises no flag", "I5", "world.go", "		w.want = max(w.want, l)\n		w.gate.flag.Store(1)\n", "		w.want = max(w.want, l)\n"},
	{"a request is not taken over", "I5", "stop.go", "		w.want = 0\n		p.served", "		p.served"},
	{"a pause of Stop takes requests over", "I5", "stop.go", "	if p.level > 0 || p.by != nil {\n		p.epoch++\n", "	if w.want = 0; p.level > 0 || p.by != nil {\n		p.epoch++\n"},

	// Contexts.
	{"to freeze keeps the share", "D4, I7", "context.go", "	m.store(s.to(Frozen))\n	w.leave()\n", "	m.store(s.to(Frozen))\n"},
	{"to unfreeze takes none", "I1", "context.go", "	if !w.tryEnter() {\n		c.unfreezeSlow(s)\n		return\n	}\n", ""},
	{"unfrozen in a damaged world", "I11", "context.go", "	if err := w.enterSlow(\"unfreeze it after the pause\"); err != nil {\n		panic(err)\n	}\n", "	_ = w.enterSlow(\"unfreeze it after the pause\")\n"},
	{"a new context of an active one waits at the gate", "D6", "context.go", "	w.gate.add(1, w.single)\n	n := w.join(true)\n", "	if err := w.enter(\"\"); err != nil {\n		panic(err)\n	}\n	n := w.join(true)\n"},
	{"a new context of an active one has no share", "I2", "context.go", "	w.gate.add(1, w.single)\n	n := w.join(true)\n", "	n := w.join(true)\n"},
	{"to close a frozen context takes no share", "D5, I8", "context.go", "		switch err := w.borrow(); {\n		case err == nil:\n		case w.Damaged() != nil:\n			borrowed = false // no pause will ever look at the registry\n		default:\n			panic(err)\n		}\n", "		borrowed = false\n"},
	{"to close a frozen context borrows for good", "I8", "context.go", "	if borrowed || s.plain(Active) {\n", "	if s.plain(Active) {\n"},
	{"to close keeps the share", "I8", "context.go", "	if borrowed || s.plain(Active) {\n		w.leave()\n	}\n", "	if borrowed {\n		w.leave()\n	}\n"},
	{"to close leaves before it is off the list", "D11, I8", "context.go", "	w.registry.remove(m)\n	m.store(s.to(Closed))\n	if borrowed || s.plain(Active) {\n		w.leave()\n	}\n", "	if borrowed || s.plain(Active) {\n		w.leave()\n	}\n	w.registry.remove(m)\n	m.store(s.to(Closed))\n"},
	{"borrowed while a pause runs", "I8", "enter.go", "p.phase.Load() == phaseWaiting && w.damage == nil {", "p.phase.Load() <= phaseRunning && w.damage == nil {"},
	{"a new context is listed before it has a share", "I8", "context.go", "	if err := w.enter(\"use Context.NewContext, from the active context\"); err != nil {\n		panic(err)\n	}\n	return w.join(false)\n", "	c := w.join(false)\n	if err := w.enter(\"use Context.NewContext, from the active context\"); err != nil {\n		panic(err)\n	}\n	return c\n"},

	// Prevention.
	{"to prevent takes no share", "I1", "prevent.go", "	if err := w.enter(\"use Context.Prevent, from the context\"); err != nil {\n		panic(err)\n	}\n", ""},
	{"who prevented keeps the share", "I2", "prevent.go", "		w.mu.Unlock()\n		w.leave()\n		w.tracePrevent(\"prevent end\", self)\n", "		w.mu.Unlock()\n		w.tracePrevent(\"prevent end\", self)\n"},
	{"Context.Prevent asks for the gate", "D7, I10", "prevent.go", "	m.store(s + prevention)\n", "	if s.preventions() > 0 {\n		if err := m.w.enter(\"\"); err != nil {\n			panic(err)\n		}\n		defer m.w.leave()\n	}\n	m.store(s + prevention)\n"},
	{"to freeze inside Prevent lets go", "I10", "context.go", "	c.m.store(s.to(Frozen))\n}\n\n// Unfreeze", "	c.m.store(s.to(Frozen))\n	c.m.w.leave()\n}\n\n// Unfreeze"},

	// Lost contexts and the end of the world.
	{"a lost context keeps its share", "I11", "lost.go", "			} else if w.gate.leave() {\n				w.cur.look()\n			}\n", "			}\n"},
	{"a lost context that was the last wakes nobody", "I4", "lost.go", "			} else if w.gate.leave() {\n				w.cur.look()\n			}\n", "			} else {\n				w.gate.leave()\n			}\n"},
	{"lost contexts are forgotten", "I8", "lost.go", "		w.registry.remove(m)\n		m.store(s.to(Closed))\n", "		m.store(s.to(Closed))\n"},
	{"one lost context hides another", "I8", "lost.go", "		if w.lost.CompareAndSwap(m.lost, m) {\n			return\n		}\n", "		w.lost.Store(m)\n		return\n"},
	{"the world closes with contexts in it", "I8", "world.go", "	if n := w.registry.len(); n > 0 {\n		return fmt.Errorf(\"%w: %d\", ErrContexts, n)\n	}\n	if !w.gate.bar(w.single) {\n", "	if !w.gate.bar(w.single) {\n"},
	{"the world closes before it is empty", "I2", "world.go", "	if !w.gate.bar(w.single) {\n		return", "	if w.gate.add(barred, w.single); w.gate.held(w.single) > 0 {\n		return"},
}

// The exploration finds whatever is broken.
func TestMutants(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), m.old); n != 1 {
			t.Errorf("%q: what is to be replaced is found %d times in %s", m.name, n, m.file)
		}
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
	}
	if *exploreMutants == "" {
		t.Skip("to break the code takes long: say -explore.mutants all")
	}
	killed := 0
	for _, m := range mutants {
		if *exploreMutants != "all" && !strings.Contains(m.name, *exploreMutants) {
			continue
		}
		start := time.Now()
		how, err := m.explored(t.TempDir())
		if err != nil {
			t.Errorf("%-55s %-9s %v", m.name, m.why, err)
			continue
		}
		killed++
		fmt.Fprintf(os.Stderr, "%-55s %-9s %s (%.1f s)\n", m.name, m.why, how, time.Since(start).Seconds())
	}
	fmt.Fprintf(os.Stderr, "%d mutants killed\n", killed)
}

// explored returns how the exploration of the mutant fails.
func (m mutant) explored(dir string) (how string, err error) {
	file, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	changed, binary, list := filepath.Join(dir, "changed.go"), filepath.Join(dir, "mutant"), filepath.Join(dir, "overlay.json")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: changed}})
	if err != nil {
		return "", err
	}
	err = errors.Join(
		os.WriteFile(changed, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600),
		os.WriteFile(list, overlay, 0o600))
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-tags", "explore", "-overlay", list, "-o", binary).CombinedOutput(); err != nil {
		return "", fmt.Errorf("does not compile: %s", out)
	}
	out, err := exec.Command(binary, "-test.run", "^TestExplore$", "-test.timeout", "20m").CombinedOutput()
	if err == nil {
		return "", errors.New("lives")
	}
	for line := range strings.Lines(string(out)) {
		if _, what, ok := strings.Cut(line, "the program "); ok {
			return strings.TrimSpace(what), nil
		}
	}
	return "", fmt.Errorf("dies in a way that is not understood: %s", out)
}
