package hangs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/midden-gc/midden"
)

// forever is longer than anything here takes that does not hang.
const forever = 30 * time.Second

// page returns the blocks of docs/hangs.md that are marked with this word.
func page(t *testing.T, mark string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "hangs.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```"+mark+"\n(.*?)^```$").FindAllStringSubmatch(unix(b), -1) {
		blocks = append(blocks, m[1])
	}
	return blocks
}

// unix undoes what git may have done to the ends of lines.
func unix(b []byte) string { return strings.ReplaceAll(string(b), "\r\n", "\n") }

// Every piece of code on the page is one of this package, as it is, and all of them are there.
func TestPageShowsTheCode(t *testing.T) {
	b, err := os.ReadFile("hangs.go")
	if err != nil {
		t.Fatal(err)
	}
	code, shown := unix(b), strings.Join(page(t, "go"), "")
	for _, block := range page(t, "go") {
		if !strings.Contains(code, "\n"+block) {
			t.Errorf("not as in hangs.go:\n%s", block)
		}
	}
	for _, f := range regexp.MustCompile(`(?m)^func .*$`).FindAllString(code, -1) {
		if !strings.Contains(shown, f) {
			t.Errorf("docs/hangs.md does not show %s", f)
		}
	}
}

// normal is a message without what differs from run to run. Of a stack it keeps what the goroutine
// waits for and the first function of this package.
func normal(message string) string {
	for _, r := range []struct{ old, new string }{
		{`\s+`, " "},
		{`\b(waited|age|seen)=\S+`, "$1=T"},
		{`\b(report|goroutine|id|unfrozen|depth)=-?\d+`, "$1=N"},
		{`\bgoroutine \d+( gp=\S+)?( m=\S+)?( mp=\S+)?`, "goroutine N"},
		{`\bmutator \d+`, "mutator N"},
		{`stack="([^]]*\]:).*?((\(\*index\)\.)?\b(serve|prevent|preventFrozen|fill|add))[.(](?s:.*)"`, `stack="$1 $2"`},
		{`created="[^"]*"`, "created=F"},
		{`created by \S+ \S+`, "created by F"},
		{`\btime=\S+ `, ""},
	} {
		message = regexp.MustCompile(r.old).ReplaceAllString(message, r.new)
	}
	return strings.TrimSpace(message)
}

// shows fails the test unless the page shows one of the messages, wrapped or not.
func shows(t *testing.T, n int, messages ...string) bool {
	t.Helper()
	want := page(t, "text")
	if len(want) != 6 {
		t.Fatalf("docs/hangs.md shows %d messages, of 6", len(want))
	}
	for _, m := range messages {
		if normal(m) == normal(want[n]) {
			return true
		}
	}
	return false
}

// The messages in the order of the page.
const (
	messageServe = iota
	messageTidy
	messagePrevent
	messageNest
	messageInside
	messageFill
)

// A log keeps the lines that were written.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(bytes.TrimSpace(b)))
	return len(b), nil
}

func (l *log) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func open(t *testing.T) (*midden.Heap, *log) {
	t.Helper()
	l := &log{}
	h, err := midden.NewHeap(&midden.Options{
		StragglerTimeout: 20 * time.Millisecond,
		Logger:           slog.New(slog.NewTextHandler(l, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return h, l
}

// until waits for something to come true.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(forever); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %v", what, forever)
		}
	}
}

// A scene is a heap that is used by goroutines with mutators.
type scene struct {
	*testing.T
	h   *midden.Heap
	log *log
	wg  sync.WaitGroup
}

// acts opens a mutator for a goroutine that calls f.
func (s *scene) acts(name string, f func(m *midden.Mutator)) {
	ready := make(chan struct{})
	s.wg.Go(func() {
		m := s.h.NewMutator()
		defer m.Close()
		m.SetName(name)
		close(ready)
		f(m)
	})
	<-ready
}

// collecting begins a collection. To give it up ends a hang.
func (s *scene) collecting() (giveUp func(), done <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan error, 1)
	go func() { c <- s.h.Collect(ctx, midden.KindFull) }()
	return cancel, c
}

// hangs checks that a collection waits, with the words of the page.
func (s *scene) hangs(n int, texts ...string) {
	s.Helper()
	giveUp, done := s.collecting()
	s.reported(n, texts...)
	giveUp()
	if err := <-done; !errors.Is(err, context.Canceled) {
		s.Errorf("a collection that hangs: %v", err)
	}
}

// reported checks that a report comes as the page has it, or with these texts if n is negative.
func (s *scene) reported(n int, texts ...string) {
	s.Helper()
	defer func() {
		if s.Failed() {
			for _, l := range s.log.all() {
				s.Logf("logged: %s\nnormal: %s", l, normal(l))
			}
		}
	}()
	for end := time.Now().Add(forever / 6); ; time.Sleep(5 * time.Millisecond) {
		lines := s.log.all()
		if n >= 0 && shows(s.T, n, lines...) {
			return
		}
		for _, l := range lines {
			if n < 0 && containsAll(normal(l), texts) {
				return
			}
		}
		if time.Now().After(end) {
			s.Errorf("message %d of docs/hangs.md, or %q, is not reported", n, texts)
			return
		}
	}
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// goesOn checks that a collection waits for nobody.
func (s *scene) goesOn() {
	s.Helper()
	giveUp, done := s.collecting()
	defer giveUp()
	select {
	case err := <-done:
		if err != nil {
			s.Error(err)
		}
	case <-time.After(forever):
		s.Error("a collection hangs")
	}
}

// play runs f with a heap of its own, and waits for everybody.
func play(t *testing.T, name string, f func(s *scene)) {
	t.Run(name, func(t *testing.T) {
		s := &scene{T: t}
		s.h, s.log = open(t)
		f(s)
		s.wg.Wait()
	})
}

// said is what f returned or panicked with.
func said(f func() error) (message string) {
	defer func() {
		if p := recover(); p != nil {
			message = fmt.Sprint("panic: ", p)
		}
	}()
	return fmt.Sprint(f())
}

func TestBlockingWhileActive(t *testing.T) {
	play(t, "serve", func(s *scene) {
		c := make(chan request)
		s.acts("server", func(m *midden.Mutator) { serve(m, c) })
		s.hangs(messageServe)
		close(c)
	})
	play(t, "serveFrozen", func(s *scene) {
		c := make(chan request)
		s.acts("server", func(m *midden.Mutator) { serveFrozen(m, c) })
		s.goesOn()
		c <- request{1}
		s.goesOn()
		close(c)
	})
	play(t, "tidy", func(s *scene) {
		ctx, cancel := context.WithTimeout(context.Background(), forever)
		defer cancel()
		m := s.h.NewMutator()
		defer m.Close()
		err := tidy(ctx, s.h)
		if !errors.Is(err, midden.ErrActive) || !shows(t, messageTidy, err.Error()) {
			s.Errorf("docs/hangs.md does not say %q", normal(fmt.Sprint(err)))
		}
		if err := tidyMutator(m); err != nil {
			s.Error(err)
		}
	})
}

func TestPreventing(t *testing.T) {
	play(t, "prevent", func(s *scene) {
		c := make(chan request)
		in := make(chan struct{})
		s.wg.Go(func() { close(in); prevent(s.h, c, func(request) {}) })
		<-in
		// Nobody tells when it is inside, except that collections wait.
		until(s.T, "the collection waits", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
			defer cancel()
			return s.h.Collect(ctx, midden.KindFull) != nil
		})
		s.hangs(messagePrevent)
		c <- request{1}
	})
	play(t, "preventLate", func(s *scene) {
		c := make(chan request)
		s.wg.Go(func() { preventLate(s.h, c, func(request) {}) })
		s.goesOn()
		c <- request{1}
	})
	play(t, "preventFrozen", func(s *scene) {
		c := make(chan request)
		s.acts("looker", func(m *midden.Mutator) { preventFrozen(m, c, func(request) {}) })
		s.hangs(-1, "does not stop", "name=looker", "preventions=1", "preventFrozen")
		c <- request{1}
	})
	play(t, "freezeFirst", func(s *scene) {
		c := make(chan request)
		s.acts("looker", func(m *midden.Mutator) { freezeFirst(m, c, func(request) {}) })
		s.goesOn()
		c <- request{1}
	})
	play(t, "nest", func(s *scene) {
		m := s.h.NewMutator()
		defer m.Close()
		called := 0
		got := ""
		m.Blocking(func() { got = said(func() error { nest(s.h, func() { called++ }); return nil }) })
		if called != 0 || !shows(t, messageNest, got) {
			s.Errorf("docs/hangs.md does not say %q", normal(got))
		}
		nestMutator(m, func() { called++ })
		if called != 1 {
			s.Error("not called")
		}
	})
	play(t, "collectInside", func(s *scene) {
		m := s.h.NewMutator()
		defer m.Close()
		err := collectInside(m, func() {})
		if !errors.Is(err, midden.ErrPrevented) || !shows(t, messageInside, err.Error()) {
			s.Errorf("docs/hangs.md does not say %q", normal(fmt.Sprint(err)))
		}
		if err := collectAfter(m, func() {}); err != nil {
			s.Error(err)
		}
	})
}

func TestLocksAcrossSafepoints(t *testing.T) {
	// The first has the lock, and comes to safepoints; the second waits for it.
	two := func(s *scene, x *index, fill func(*midden.Mutator)) {
		x.left.Store(1 << 60)
		s.acts("first", fill)
		until(s.T, "the first one locks", func() bool {
			if x.mu.TryLock() {
				x.mu.Unlock()
				return false
			}
			return true
		})
		s.acts("second", fill)
	}
	play(t, "fill", func(s *scene) {
		var x index
		two(s, &x, x.fill)
		s.hangs(messageFill)
		x.left.Store(0)
	})
	play(t, "fillLocked", func(s *scene) {
		var x index
		two(s, &x, x.fillLocked)
		s.goesOn()
		x.left.Store(0)
	})
	// One waits for the lock when a collection comes, and gets it then. Another one, which the
	// collection waits for, wants it next.
	next := func(s *scene, x *index, clear func(*midden.Mutator)) (giveUp func(), done <-chan error) {
		x.mu.Lock()
		s.acts("clears", clear)
		until(s.T, "freezes", func() bool { return s.h.Stats().Frozen == 1 })
		turn := make(chan struct{})
		s.acts("adds", func(m *midden.Mutator) { <-turn; x.add() })
		giveUp, done = s.collecting()
		until(s.T, "a pause", s.h.Collecting)
		x.mu.Unlock()
		time.Sleep(50 * time.Millisecond) // for the first to get it
		close(turn)
		return giveUp, done
	}
	play(t, "clear", func(s *scene) {
		var x index
		giveUp, done := next(s, &x, x.clear)
		s.reported(-1, "does not stop", "name=adds", "[sync.Mutex.Lock", "(*index).add")
		giveUp()
		<-done
	})
	play(t, "clearLocked", func(s *scene) {
		var x index
		giveUp, done := next(s, &x, x.clearLocked)
		defer giveUp()
		select {
		case err := <-done:
			if err != nil {
				s.Error(err)
			}
		case <-time.After(forever):
			s.Error("the collection hangs")
		}
	})
}
