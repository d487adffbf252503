package middentest

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/safepoint"
)

var reportTests = []test{
	{"Stats", 0, (*suite).stats},
	{"StatsConcurrent", 0, (*suite).statsConcurrent},
	{"Cycles", frees, (*suite).cycleEvents},
	{"ListenerUsesHeap", frees, (*suite).listenerUsesHeap},
	{"Straggler", 0, (*suite).straggler},
	{"Logger", 0, (*suite).logger},
	{"MutatorString", 0, (*suite).mutatorString},
}

// consistent fails the test if numbers contradict each other or go back.
func consistent(t *testing.T, before, now midden.Stats) {
	t.Helper()
	problem := ""
	switch {
	case now.Live < 0, now.Used < 0, now.Committed < 0, now.External < 0, now.Allocated < 0:
		problem = "negative"
	case now.Committed > now.PeakCommitted:
		problem = "more committed than the peak"
	case now.Used-now.External > now.Committed:
		problem = "more used than committed"
	case now.Frozen > now.Mutators, now.Frozen < 0:
		problem = "more frozen than there are"
	case now.PauseMax > now.PauseTotal, now.PauseMax < 0, now.StopMax < 0:
		problem = "one pause longer than all"
	case now.PauseMax != now.PauseTimes.Max(), now.PauseTotal != now.PauseTimes.Sum(), now.StopMax != now.StopTimes.Max(),
		now.StopTimes.Count() < now.PauseTimes.Count():
		problem = "the histograms tell another story"
	case now.Allocated < before.Allocated, now.Minor < before.Minor, now.Full < before.Full,
		now.PeakCommitted < before.PeakCommitted, now.PauseTotal < before.PauseTotal,
		now.PauseMax < before.PauseMax, now.StopMax < before.StopMax:
		problem = "went back"
	}
	if problem != "" {
		t.Errorf("%s: %+v, before it %+v", problem, now, before)
	}
}

func (s *suite) stats(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, midden.NewArray[nodeField](m, 10_000))
	last := h.Stats()
	consistent(t, midden.Stats{}, last)
	for round := range 12 {
		var sum int64
		for i := range 3000 {
			l.Ptr().At(i*round%10_000).Store(m, newNode(m, 1))
			midden.NewArray[byte](m, i%300)
			sum += midden.SizeOf[node]() + midden.ArraySize[byte](i%300)
		}
		consistent(t, last, h.Stats())
		k := kinds[round%len(kinds)]
		collect(t, m, k)
		now := h.Stats()
		consistent(t, last, now)
		if got := now.Allocated - last.Allocated; got < sum || got > 2*sum+mib {
			t.Errorf("Allocated grew by %d, allocated were %d", got, sum)
		}
		if s.can&frees != 0 {
			if now.Minor+now.Full == last.Minor+last.Full {
				t.Errorf("Collect(%v) and no more cycles: %+v", k, now)
			}
			if k != midden.KindMinor && now.Full == last.Full {
				t.Errorf("Collect(%v) and no more full cycles: %+v", k, now)
			}
			if now.PauseTimes.Count() != last.PauseTimes.Count()+1 || now.StopTimes.Count() != last.StopTimes.Count()+1 {
				t.Errorf("Collect(%v): pauses %v, and %v before it", k, now.PauseTimes, last.PauseTimes)
			}
			if now.PauseTotal <= last.PauseTotal {
				t.Errorf("Collect(%v) and no more pause: %+v", k, now)
			}
			if now.Live == 0 || now.Live > now.Used {
				t.Errorf("%d bytes live and %d used after Collect(%v)", now.Live, now.Used, k)
			}
		}
		last = now
	}
}

// statsConcurrent asks for numbers from outside while everything changes.
func (s *suite) statsConcurrent(t *testing.T) {
	h, m := s.alone(t)
	ended := make(chan struct{})
	wg := crew{t: t}
	wg.Go(func() {
		last := h.Stats()
		for {
			select {
			case <-ended:
				return
			default:
			}
			now := h.Stats()
			// Used and Committed cannot be read at one instant beside an active mutator.
			now.Committed = max(now.Committed, now.Used)
			now.PeakCommitted = max(now.PeakCommitted, now.Committed)
			last.PeakCommitted = min(last.PeakCommitted, now.PeakCommitted)
			consistent(t, last, now)
			if t.Failed() {
				return
			}
			last = now
		}
	})
	for i := range s.size(300) {
		litter(m, 200)
		midden.NewArray[byte](m, 50_000)
		collect(t, m, kinds[i%len(kinds)])
	}
	close(ended)
	m.Blocking(wg.Wait)
}

// cycleEvents checks that the Listener hears of every cycle, in order and with its numbers.
func (s *suite) cycleEvents(t *testing.T) {
	var events []midden.CycleInfo
	var mu sync.Mutex
	h := s.heap(t, midden.Options{Listener: &midden.Listener{Cycle: func(c midden.CycleInfo) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, c)
	}}})
	m := s.mutator(t, h)
	defer m.Scope().Close()
	midden.NewLocal(m, newList(m, 1000))
	for range 3 {
		for _, k := range kinds {
			midden.NewArray[byte](m, 3*mib)
			collect(t, m, k)
		}
	}
	outside(t, h, midden.KindFull, m.Safepoint)
	mu.Lock()
	defer mu.Unlock()
	stats := h.Stats()
	equal(t, "number of events", uint64(len(events)), stats.Minor+stats.Full)
	var pauses time.Duration
	var freed int64
	for i, c := range events {
		if c.Number != uint64(i+1) {
			t.Errorf("event %d has number %d", i+1, c.Number)
		}
		if c.Err != nil || c.Live <= 0 || c.Used < c.Live || c.Committed < c.Used || c.Freed < 0 || c.Pause <= 0 || c.Stop < 0 {
			t.Errorf("event %+v", c)
		}
		if c.Pause > stats.PauseMax {
			t.Errorf("a pause of %v, PauseMax is %v", c.Pause, stats.PauseMax)
		}
		pauses += c.Pause
		freed += c.Freed
	}
	if pauses > stats.PauseTotal {
		t.Errorf("pauses of %v together, PauseTotal is %v", pauses, stats.PauseTotal)
	}
	if freed < 9*3*mib {
		t.Errorf("%d bytes freed, 9 times 3 MiB were", freed)
	}
}

// listenerUsesHeap checks that a Listener, which is called outside the pause, may use the heap.
func (s *suite) listenerUsesHeap(t *testing.T) {
	var h *midden.Heap
	called := 0
	h = s.heap(t, midden.Options{Listener: &midden.Listener{Cycle: func(midden.CycleInfo) {
		called++
		h.Stats()
		h.AddExternal(1)
		if h.Collecting() {
			t.Error("a Listener is called during a collection")
		}
	}}})
	m := s.mutator(t, h)
	for _, k := range kinds {
		collect(t, m, k)
	}
	if called < len(kinds) {
		t.Errorf("the Listener was called %d times", called)
	}
}

// straggler checks that who keeps a collection waiting is named.
func (s *suite) straggler(t *testing.T) {
	reports := make(chan safepoint.StragglerReport, 1)
	var records recorder
	h := s.heap(t, midden.Options{
		StragglerTimeout: time.Millisecond,
		Logger:           slog.New(&records),
		Listener: &midden.Listener{Straggler: func(r safepoint.StragglerReport) {
			select {
			case reports <- r:
			default:
			}
		}},
	})
	m := s.mutator(t, h)
	m.SetName("the late one")
	frozen := m.NewMutator()
	frozen.SetName("the frozen one")
	frozen.Freeze()
	done := make(chan error, 1)
	go func() { done <- h.Collect(context.Background(), midden.KindFull) }()
	text := fmt.Sprintf("%+v", <-reports)
	if !strings.Contains(text, "the late one") || strings.Contains(text, "the frozen one") {
		t.Errorf("the report is %s", text)
	}
	m.Freeze()
	if err := <-done; err != nil {
		t.Errorf("Collect: %v", err)
	}
	m.Unfreeze()
	frozen.Close()
	if !records.has(func(r slog.Record) bool {
		return r.Level >= slog.LevelWarn && strings.Contains(textOf(r), "the late one")
	}) {
		t.Error("no warning in the log names the straggler")
	}
}

// A recorder is a slog.Handler that keeps every record.
type recorder struct {
	mu      sync.Mutex
	records []slog.Record
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }
func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record)
	return nil
}

func (r *recorder) has(is func(slog.Record) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range r.records {
		if is(record) {
			return true
		}
	}
	return false
}

// textOf is a record's message and everything about it.
func textOf(r slog.Record) string {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.Key + "=" + fmt.Sprint(a.Value.Resolve())
		return true
	})
	return text
}

// logger checks that the steps of coordination are logged below Debug, all of them with something to
// read.
func (s *suite) logger(t *testing.T) {
	var records recorder
	h := s.heap(t, midden.Options{Logger: slog.New(&records)})
	m := s.mutator(t, h)
	m.SetName("logged")
	m.Freeze()
	m.Unfreeze()
	other := m.NewMutator()
	other.Close()
	for _, k := range kinds {
		collect(t, m, k)
	}
	m.PreventCollection(func() {})
	if !records.has(func(r slog.Record) bool { return r.Level < slog.LevelDebug }) {
		t.Error("nothing was logged below Debug")
	}
	if records.has(func(r slog.Record) bool { return r.Message == "" || r.Level >= slog.LevelWarn }) {
		t.Error("an empty message, or a warning of nothing")
	}
	messages := map[string]bool{}
	records.has(func(r slog.Record) bool { messages[r.Message] = true; return false })
	if len(messages) < 5 {
		t.Errorf("the messages, of all steps, are %v", messages)
	}
}

// mutatorString checks that a mutator can be printed and logged, and tells its name and state.
func (s *suite) mutatorString(t *testing.T) {
	_, m := s.alone(t)
	m.SetName("printed")
	m.Scope()
	m.Scope()
	midden.NewLocal(m, newNode(m, 1))
	show := func(state string) {
		t.Helper()
		for _, text := range []string{m.String(), fmt.Sprint(m), fmt.Sprint(m.LogValue()), fmt.Sprint(slog.AnyValue(m).Resolve())} {
			if !strings.Contains(text, "printed") || !strings.Contains(strings.ToLower(text), state) {
				t.Errorf("a mutator called %q, %s, shows as %q", "printed", state, text)
			}
		}
	}
	show("active")
	m.Freeze()
	show("frozen")
	m.Unfreeze()
	show("active")
	other := m.NewMutator()
	other.Close()
	if text := other.String(); text == "" {
		t.Error("a closed mutator shows as nothing")
	}
}
