package explore

import (
	"fmt"
	"iter"
	"runtime/debug"
	"unsafe"
)

// maxThreads bounds the threads of a program.
const maxThreads = 8

// A thread is a coroutine: it runs from one announcement to the next, when told to.
type thread struct {
	id     int
	name   string
	resume func() (struct{}, bool)
	yield  func(struct{}) bool
	op     op // announced, not performed
	branch int
	done   bool
	failed error
	clock  clock
}

// running is the thread whose turn it is; nil while no program is explored, and
// while it is set up and checked.
var running *thread

// verbose makes announcements say where in the code they are.
var verbose bool

func newThread(id int, name string, body func()) *thread {
	t := &thread{id: id, name: name}
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if v := recover(); v != nil {
				t.failed = fmt.Errorf("%s panicked: %v\n%s", name, v, debug.Stack())
			}
		}()
		t.announce(op{what: "begins"})
		body()
	})
	return t
}

// step lets the thread perform what it has announced, and run on to its next
// announcement or its end.
func (t *thread) step() {
	running = t
	_, more := t.resume()
	running = nil
	if !more {
		t.done = true
	}
}

func (t *thread) announce(o op) {
	if verbose {
		o.where = where()
	}
	t.op = o
	// A program that has failed is left where it is: to unwind it would run
	// more of its code, in a state in which that makes no sense.
	t.yield(struct{}{})
}

// An op is an operation that a thread is about to perform.
type op struct {
	what  string
	touch [2]access
	n     int        // of touch
	held  *bool      // Lock: whether somebody has it
	ready func() int // waits: how many ways there are to go on
	where string
}

type access struct {
	object unsafe.Pointer
	kind   kind
}

type kind uint8

const (
	read    kind = iota // commutes with reads
	write               // does not
	lock                // is possible only after the unlock before it, so races with locks
	unlock              // races with nothing, since only the holder can
	waiting             // is possible only after the write that ends it, so races with nothing
)

// Active reports whether the caller is a thread of a program that is explored.
func Active() bool { return running != nil }

// Self returns the number of the thread that calls it.
func Self() int { return running.id }

// Read announces a load of the object.
func Read(object unsafe.Pointer, what string) { touch(object, read, what) }

// Write announces a store, or a read-modify-write, of the object.
func Write(object unsafe.Pointer, what string) { touch(object, write, what) }

func touch(object unsafe.Pointer, k kind, what string) {
	if t := running; t != nil {
		t.announce(op{what: what, touch: [2]access{{object, k}}, n: 1})
	}
}

// Lock announces that the thread wants a lock, and returns when it has it. Held
// is where the lock says whether somebody has it.
func Lock(held *bool) {
	if t := running; t != nil {
		t.announce(op{what: "lock", touch: [2]access{{unsafe.Pointer(held), lock}}, n: 1, held: held})
		*held = true
	}
}

// Unlock announces that the thread gives a lock back, and does so.
func Unlock(held *bool) {
	if t := running; t != nil {
		t.announce(op{what: "unlock", touch: [2]access{{unsafe.Pointer(held), unlock}}, n: 1})
		*held = false
	}
}

// Wait announces that the thread waits for something that happens once, such as
// the end of an object that is closed, and returns when ready.
func Wait(object unsafe.Pointer, ready func() bool, what string) {
	if t := running; t != nil {
		t.announce(op{what: what, touch: [2]access{{object, waiting}}, n: 1, ready: func() int {
			if ready() {
				return 1
			}
			return 0
		}})
	}
}

// Select announces that the thread waits for one of two things, of which first may
// be used up by that. Ready says how many are there. The result tells which of
// those that are there was taken.
func Select(first, second unsafe.Pointer, ready func() int, what string) int {
	t := running
	o := op{what: what, touch: [2]access{{first, write}, {second, read}}, n: 2, ready: ready}
	if second == nil {
		o.n = 1
	}
	t.announce(o)
	return t.branch
}

// ways returns in how many ways the thread can go on.
func (t *thread) ways() int {
	switch {
	case t.done:
		return 0
	case t.op.held != nil:
		if *t.op.held {
			return 0
		}
	case t.op.ready != nil:
		return t.op.ready()
	}
	return 1
}

// commute reports whether the order of two operations does not matter.
func commute(a, b *op) bool {
	for _, x := range a.touch[:a.n] {
		for _, y := range b.touch[:b.n] {
			if x.object == y.object && (x.kind != read || y.kind != read) {
				return false
			}
		}
	}
	return true
}
