package safepoint

import (
	"log/slog"
	"runtime"
	"time"
	"weak"
)

// member is what the registry knows of a context. It refers to the Context
// weakly, so that one that the program has lost can be found.
type member struct {
	// Written by the owner at every freeze and unfreeze, hence on a line of
	// its own: what follows is rarely written.
	status atomicUint64
	lone   status // stands for status in a world for a single context
	w      *World
	_      [lineSize - 24]byte

	context    weak.Pointer[Context]
	prev, next *member // guarded by registry.mu
	lost       *member // the next one in World.lost
	id         uint64
	name       atomicPointer[string]
	created    time.Time
	from       [8]uintptr // callers of the constructor
	child      bool       // made by the owner of another context, most likely for somebody else

	// What the owner leaves behind at its slow steps, for reports.
	depth     atomicInt64  // of the shadow stack; -1: unknown
	seen      atomicInt64  // when: nanoseconds after created
	changes   atomicUint64 // status.changes at that time
	goroutine atomicUint64 // the id of the owner's goroutine
	dataAt    atomicUint64 // the address of the context's data, if that is a pointer
	stamped   atomicInt64  // when goroutine was taken; 0: at creation
}

// restamp is how long a goroutine id is taken to be good: taking one walks
// the whole stack.
const restamp = 100 * time.Millisecond

func (m *member) load() status {
	if m.w.single {
		return m.lone
	}
	return status(m.status.Load())
}

func (m *member) store(s status) {
	if m.w.single {
		m.lone = s
		return
	}
	m.status.Store(uint64(s))
}

// become changes the state. Only the owner calls it.
func (m *member) become(t State) { m.store(m.load().to(t)) }

// stamp records that the owner was here. Only the owner calls it.
func (m *member) stamp() {
	age := int64(since(m.created))
	if m.goroutine.Load() == 0 {
		m.goroutine.Store(goroutineID())
	} else if last := m.stamped.Load(); last == 0 || age-last > int64(restamp) {
		m.goroutine.Store(goroutineID())
		m.stamped.Store(max(age, 1))
	}
	m.seen.Store(age)
	m.changes.Store(m.load().changes())
}

// firm reports whether the goroutine that was stamped last still is the best
// guess at the owner: the context has not been frozen since.
func (m *member) firm() bool { return m.load().changes() == m.changes.Load() }

// place returns where the context was created.
func (m *member) place() runtime.Frame { return m.w.caller(m.from[:]) }

func (m *member) nameString() string {
	if p := m.name.Load(); p != nil {
		return *p
	}
	return ""
}

// LogValue describes the member as a group.
func (m *member) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 5)
	attrs = append(attrs, slog.Uint64("id", m.id))
	if name := m.nameString(); name != "" {
		attrs = append(attrs, slog.String("name", name))
	}
	attrs = append(attrs,
		slog.String("state", m.load().state().String()),
		slog.Duration("age", since(m.created)))
	if d := m.depth.Load(); d >= 0 {
		attrs = append(attrs, slog.Int64("depth", d))
	}
	return slog.GroupValue(attrs...)
}
