package safepoint

import (
	"fmt"
	"log/slog"
	"runtime"
	"time"
	"weak"
)

// A StragglerReport tells whom a pause has been waiting for.
type StragglerReport struct {
	Level      Level         // asked for, 0 for Stop and for a request's
	Waited     time.Duration // since the pause was wanted
	Number     int           // 1 for the first report of this pause
	Missing    uint64        // shares that are still held: active contexts and outsiders that prevent
	Stragglers []Straggler   // the active contexts
	Preventers []Preventer   // the goroutines inside World.Prevent
}

// A Straggler is an active context that keeps a pause waiting. The program
// goes on while it is described, so that it may have stopped since. The
// report does not keep the context from being found lost.
type Straggler struct {
	ID      uint64
	Name    string
	Context weak.Pointer[Context]
	Created runtime.Frame // where it was created
	Age     time.Duration // since its creation
	Waited  time.Duration // for how long it has kept the pause waiting
	Depth   int           // of the shadow stack when last seen; -1: unknown

	// Seen is how long ago it last left a trace: was created, went on from
	// a pause, or was unfrozen after waiting for one. Polls and freezes that
	// nothing stood in the way of leave none; Unfrozen counts those since.
	Seen     time.Duration
	Unfrozen uint64

	Preventions int // of Context.Prevent that are running

	// Goroutine is the one that uses the context: the one that left that
	// trace, unless another one is more likely. Guessed says that it may be
	// another one again, since the context has been frozen, or was made by
	// the owner of another one. Stack is where it is now.
	Goroutine uint64
	Guessed   bool
	Stack     string

	// Gone says that the goroutine has ended, and left the context open for
	// nobody that could be found. The Stack is empty then, and also if the
	// program has more goroutines than fit in 16 MiB.
	Gone bool

	// Waits says that this goroutine is inside a call of the World's that
	// is for goroutines without an active context. If it still is the one
	// that uses the context, it waits for itself.
	Waits bool
}

// A Preventer is a goroutine inside World.Prevent.
type Preventer struct {
	Goroutine uint64
	Stack     string // where it is now; may be empty
}

// watch is what a pause that waits does when its vigil ticks. An error means
// that it waits for its own goroutine.
func (w *World) watch(v *vigil, p *Pause) error {
	if p.by == nil {
		if err := w.accuse(v, p); err != nil {
			return err
		}
	}
	w.mu.Lock()
	if p.phase.Load() != phaseWaiting {
		w.mu.Unlock()
		v.again(longestLook)
		return nil
	}
	w.drain()
	waited := since(p.since)
	if v.due == 0 {
		v.due = w.straggler
		if w.straggler < 0 {
			v.due = defaultStragglerTimeout
		}
	}
	late := waited >= v.due
	w.mu.Unlock()
	w.tellLost()

	if late {
		// A context that nobody refers to any more is found by Go's
		// collector, which in a program that waits runs every two minutes.
		// Once is not enough: it may be lost later, or somebody may just
		// be looking at it.
		runtime.GC()
		v.step = 0
		v.due = 2 * waited
		if w.straggler > 0 {
			v.reports++
			w.report(p, v.reports)
		}
	}
	v.again(v.due - waited)
	return nil
}

// report tells who keeps p waiting.
func (w *World) report(p *Pause, number int) {
	w.mu.Lock()
	if p.phase.Load() != phaseWaiting {
		w.mu.Unlock()
		return
	}
	r := StragglerReport{
		Level:   p.level,
		Waited:  since(p.since),
		Number:  number,
		Missing: w.gate.held(w.single),
	}
	for _, id := range w.preventers {
		r.Preventers = append(r.Preventers, Preventer{Goroutine: id})
	}
	var members []*member
	for _, m := range w.registry.holders() {
		if m.context.Value() != nil {
			members = append(members, m)
			r.Stragglers = append(r.Stragglers, m.straggler(r.Waited))
		}
	}
	owners := w.registry.owners()
	w.stats.Stragglers += uint64(len(r.Stragglers))
	w.mu.Unlock()
	if len(r.Stragglers)+len(r.Preventers) == 0 {
		return
	}
	r.addStacks(members, owners)
	w.logReport(&r)
	if w.listener != nil && w.listener.Straggler != nil {
		w.listener.Straggler(r)
	}
}

func (m *member) straggler(waited time.Duration) Straggler {
	age := since(m.created)
	s := m.load()
	return Straggler{
		ID:          m.id,
		Name:        m.nameString(),
		Context:     m.context,
		Created:     m.place(),
		Age:         age,
		Waited:      min(waited, age),
		Depth:       int(m.depth.Load()),
		Seen:        age - time.Duration(m.seen.Load()),
		Unfrozen:    (s.changes() - m.changes.Load()) / 2,
		Preventions: int(s.preventions()),
		Goroutine:   m.goroutine.Load(),
	}
}

// The functions for goroutines without an active context that may wait.
var waits = []string{
	inside + "(*World).NewContext",
	inside + "(*World).Prevent",
	inside + "(*World).Stop",
	inside + "(*World).Collect",
}

// addStacks looks up where the goroutines are. The members are those of the
// stragglers.
func (r *StragglerReport) addStacks(members []*member, owners map[uint64]bool) {
	found := map[uint64]trace{}
	all, complete := traces(reportCap)
	for _, t := range all {
		found[t.id] = t
	}
	for i, m := range members {
		s := &r.Stragglers[i]
		t, guessed := m.owner(all, owners)
		if t == nil {
			s.Gone = complete
			continue
		}
		s.Goroutine, s.Guessed, s.Stack = t.id, guessed, t.text
		s.Waits = t.has(waits...)
	}
	for i := range r.Preventers {
		p := &r.Preventers[i]
		p.Stack = found[p.Goroutine].text
	}
}

func (w *World) logReport(r *StragglerReport) {
	if w.log == nil {
		return
	}
	for _, s := range r.Stragglers {
		w.log.LogAttrs(background, slog.LevelWarn, "safepoint: a pause waits for a "+w.noun+" that does not stop",
			slog.Duration("waited", s.Waited), slog.Int("report", r.Number),
			slog.Uint64("id", s.ID), slog.String("name", s.Name), slog.String("created", place(s.Created)),
			slog.Duration("age", s.Age), slog.Duration("seen", s.Seen), slog.Uint64("unfrozen", s.Unfrozen),
			slog.Int("preventions", s.Preventions), slog.Int("depth", s.Depth),
			slog.Bool("waits", s.Waits), slog.Uint64("goroutine", s.Goroutine),
			slog.Bool("guessed", s.Guessed), slog.Bool("gone", s.Gone), slog.String("stack", s.Stack))
	}
	for _, p := range r.Preventers {
		w.log.LogAttrs(background, slog.LevelWarn, "safepoint: a pause waits for a function that prevents it",
			slog.Duration("waited", r.Waited), slog.Int("report", r.Number),
			slog.Uint64("goroutine", p.Goroutine), slog.String("stack", p.Stack))
	}
}

func place(f runtime.Frame) string {
	return fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line)
}
