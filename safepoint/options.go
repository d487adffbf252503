package safepoint

import (
	"log/slog"
	"time"
)

// LevelTrace is the level of the records that follow every step of the
// protocol. It lies below [slog.LevelDebug].
const LevelTrace = slog.LevelDebug - 4

const defaultStragglerTimeout = time.Second

// Options configure a [World]. The zero value, like a nil *Options, is a
// world for any number of contexts that logs nothing.
type Options struct {
	// Single declares that the world has at most one context and that all
	// calls into it, String and LogValue included, are synchronised by the
	// caller. Poll, Freeze and Unfreeze then use neither locks nor atomic
	// read-modify-writes. Nothing waits in such a world: a call that would
	// have to fails with ErrCollecting or ErrActive.
	Single bool

	// StragglerTimeout is how long a pause waits for a context before it is
	// reported, and again each time it has waited twice as long. 0 means one
	// second, a negative value never. At these times, after one second if
	// never, Go's collector is run, which finds lost contexts.
	StragglerTimeout time.Duration

	// Logger receives straggler and lost-context reports as warnings, and
	// every step at LevelTrace. Whether it wants those is asked once, by
	// NewWorld. nil: silent.
	Logger *slog.Logger

	// Listener is told about what needs a person's attention. nil: nobody.
	Listener *Listener

	// Depth tells the depth of a shadow stack from a context's data, for
	// logs and reports. It is called at slow steps by the goroutine that
	// uses the context, never while another one uses it. nil: not shown.
	Depth func(data any) int

	// Within lists prefixes of function names that belong to the embedder,
	// such as "example.com/vm.". The place where a context was created is
	// the innermost caller outside this package and outside these. nil: the
	// package midden, whose functions begin with
	// "github.com/midden-gc/midden.".
	Within []string

	// Noun is what logs and errors call a context, such as "interpreter".
	// "": "context".
	Noun string
}

// A Listener is told of events. Its functions run on the goroutine that
// noticed the event, while the world is not stopped and with no lock held;
// a nil function is skipped. A listener that calls into the world gets
// ErrCollecting where it would wait for itself.
type Listener struct {
	// Straggler is told of contexts that keep a pause waiting.
	Straggler func(StragglerReport)

	// Lost is told of a context that became unreachable without Close.
	Lost func(LostReport)
}
