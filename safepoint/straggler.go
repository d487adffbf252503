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
	Depth   int           // of the shadow stack when last seen; -1: unknown

	// Seen is how long ago it last left a trace: was created, went on from
	// a pause, or was unfrozen after waiting for one. Polls and freezes that
	// nothing stood in the way of leave none; Unfrozen counts those since.
	Seen     time.Duration
	Unfrozen uint64

	Preventions int // of Context.Prevent that are running

	// Goroutine is the one that left that trace, and Stack where it is now;
	// empty if it is gone, or the program has too many goroutines to tell.
	Goroutine uint64
	Stack     string

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
	for _, m := range w.registry.holders() {
		if m.context.Value() != nil {
			r.Stragglers = append(r.Stragglers, m.straggler())
		}
	}
	w.stats.Stragglers += uint64(len(r.Stragglers))
	w.mu.Unlock()
	if len(r.Stragglers)+len(r.Preventers) == 0 {
		return
	}
	r.addStacks()
	w.logReport(&r)
	if w.listener != nil && w.listener.Straggler != nil {
		w.listener.Straggler(r)
	}
}

func (m *member) straggler() Straggler {
	age := since(m.created)
	s := m.load()
	return Straggler{
		ID:          m.id,
		Name:        m.nameString(),
		Context:     m.context,
		Created:     m.place(),
		Age:         age,
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

// addStacks looks up where the goroutines are.
func (r *StragglerReport) addStacks() {
	found := map[uint64]trace{}
	all, _ := traces()
	for _, t := range all {
		found[t.id] = t
	}
	for i := range r.Stragglers {
		s := &r.Stragglers[i]
		t := found[s.Goroutine]
		s.Stack = t.text
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
		w.log.LogAttrs(background, slog.LevelWarn, "safepoint: a pause waits for a context that does not stop",
			slog.Duration("waited", r.Waited), slog.Int("report", r.Number),
			slog.Uint64("id", s.ID), slog.String("name", s.Name), slog.String("created", place(s.Created)),
			slog.Duration("age", s.Age), slog.Duration("seen", s.Seen), slog.Uint64("unfrozen", s.Unfrozen),
			slog.Int("preventions", s.Preventions), slog.Int("depth", s.Depth),
			slog.Uint64("goroutine", s.Goroutine), slog.Bool("waits", s.Waits), slog.String("stack", s.Stack))
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
