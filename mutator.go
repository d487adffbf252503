package midden

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
	"github.com/midden-gc/midden/safepoint"
)

// Mutator is one goroutine's licence to use a heap, and where that goroutine
// keeps its roots. It may be handed to another goroutine, never used by two at
// once.
//
// A mutator is active from the start. Active ones keep a collection waiting
// until they reach a safepoint: a call of Safepoint, Collect, Reserve, Lock or
// RLock, or of the functions Safepoint, Safepoint2 and Safepoint3.
// Before its goroutine waits for something else, a mutator should be frozen
// (Freeze, Blocking), so that nobody waits for it.
type Mutator struct {
	// The allocation fast path reads and writes the buffer's first words.
	buf  space.Buffer
	poll *atomic.Uint32 // nonzero: look what is wanted
	heap *Heap
	ctx  *safepoint.Context

	roots   []object.Word // the shadow stack
	scopes  []scope
	serial  uint64 // of the latest scope
	tracers tracers

	remembered *rememberedSet

	// What it held when it last stopped: roots in the lower half, scopes in the
	// upper. Reports read it from other goroutines.
	held atomic.Uint64

	// Up to whole cache lines, so that the next mutator in memory begins on one.
	_ [4*lineSize - 240]byte
}

// lineSize is that of processors' caches. Go lays objects of a small multiple of
// it on lines of their own.
const lineSize = 64

// always is what a mutator polls that must look at every safepoint.
var always = func() *atomic.Uint32 {
	var v atomic.Uint32
	v.Store(1)
	return &v
}()

func (h *Heap) newMutator(c *safepoint.Context) *Mutator {
	m := &Mutator{heap: h, ctx: c, remembered: &rememberedSet{space: h.space, all: &h.remembered}}
	// Not of the few bytes that append begins with: stacks of several mutators
	// would share a cache line.
	m.roots = make([]object.Word, 0, lineSize/unsafe.Sizeof(object.Word(0)))
	m.scopes = make([]scope, 0, lineSize/unsafe.Sizeof(scope{}))
	m.poll = h.pollFlag()
	c.SetData(m)
	return m
}

// pollFlag returns what mutators poll when they have nothing of their own to
// look at.
func (h *Heap) pollFlag() *atomic.Uint32 {
	if h.o.Stress.EverySafepoint {
		return always
	}
	return h.world.Flag()
}

// NewMutator opens another mutator, usually for another goroutine. It never
// waits, so an active mutator can always call it.
func (m *Mutator) NewMutator() *Mutator {
	defer retell()
	m.mustBe(safepoint.Active, "NewMutator")
	return m.heap.newMutator(m.ctx.NewContext())
}

// Close leaves the heap and drops the mutator's scopes and roots. It is legal at
// any time, active or frozen; a frozen mutator waits for a cycle that is in
// progress. It panics if the mutator is closed already.
func (m *Mutator) Close() {
	defer retell()
	m.mustNotBe(safepoint.Closed, "Close")
	cycle := m.heap.space.Cycle()
	m.ctx.Close()
	m.heap.space.GiveBack(&m.buf, cycle)
	// Every safepoint from now on takes the slow way, and finds the state there.
	m.poll = always
	m.roots, m.scopes, m.tracers = nil, nil, tracers{}
}

// Safepoint is where the mutator may be stopped: it is one atomic load when
// nothing is wanted; else the mutator collects, or waits for whoever does. It
// invalidates every Ref, and every pointer from Get, that is not rooted. The
// mutator must be active.
func (m *Mutator) Safepoint() {
	if m.poll.Load() != 0 {
		m.stop()
	}
}

// stop is a safepoint at which something is wanted, or seemed to be.
func (m *Mutator) stop() {
	defer retell()
	m.check()
	m.prepare()
	var err error
	if m.heap.o.Stress.EverySafepoint {
		err = m.ctx.Collect(context.Background(), level(m.heap.stressKind()), m.heap.cycle)
	} else {
		err = m.ctx.Safepoint(m.heap.cycle)
	}
	m.heap.deliver()
	if err != nil {
		// A cycle that was prevented or given up is for its requester to hear of;
		// damage is for all.
		m.heap.check()
	}
}

// Collect is a safepoint that runs a cycle of kind k, or joins one that is at
// least as strong. Inside PreventCollection it fails with ErrPrevented. The
// mutator must be active.
func (m *Mutator) Collect(k Kind) error {
	defer retell()
	if err := m.usable(); err != nil {
		return err
	}
	m.prepare()
	err := m.ctx.Collect(context.Background(), level(k), m.heap.cycle)
	m.heap.deliver()
	return translate(err)
}

// prepare begins every slow safepoint.
func (m *Mutator) prepare() {
	if m.buf.Reserved() != 0 {
		// What was reserved was granted until this safepoint.
		m.heap.space.Unreserve(&m.buf)
	}
	m.poll = m.heap.pollFlag()
	m.held.Store(uint64(len(m.scopes))<<32 | uint64(uint32(len(m.roots))))
	m.heap.stamps.stopping()
}

// Reserve is a safepoint after which so many bytes can be allocated without
// meeting the limit: it collects if it must, and fails with *LimitError if that
// does not help. The grant is the mutator's alone and ends at its next
// safepoint. Bytes count headers and rounding (SizeOf, ArraySize), and may be
// spent on any mix of objects. The mutator must be active. It panics if bytes is
// negative.
func (m *Mutator) Reserve(bytes int64) error {
	if bytes < 0 {
		panic(fmt.Sprintf("midden: Reserve(%d): the size cannot be negative", bytes))
	}
	if err := m.usable(); err != nil {
		return err
	}
	m.Safepoint()
	if m.reserve(bytes) {
		return nil
	}
	err := m.reserveFull(bytes)
	if errors.Is(err, errNoCycle) {
		return m.heap.limitError(bytes, err) // the cycle itself found no memory
	}
	return err
}

func (m *Mutator) reserve(bytes int64) bool {
	if !m.heap.space.Reserve(&m.buf, bytes) {
		return false
	}
	m.poll = always
	return true
}

// Freeze promises that the mutator will not touch the heap until Unfreeze, so
// that nobody waits for it. It never waits. Its roots stay roots; a Ref that is
// not rooted is invalid afterwards. It panics unless the mutator is active.
func (m *Mutator) Freeze() {
	m.mustBe(safepoint.Active, "Freeze")
	m.buf.Hide()
	m.ctx.Freeze()
}

// Unfreeze makes a frozen mutator active again, and waits while a collection is
// in progress. It panics unless the mutator is frozen.
func (m *Mutator) Unfreeze() {
	m.mustBe(safepoint.Frozen, "Unfreeze")
	defer retell()
	m.ctx.Unfreeze()
	m.buf.Show()
}

// Blocking calls f with the mutator frozen: for what may take long or wait, such
// as input, a lock or a channel. The mutator is active again afterwards, also
// when f panics. F must not touch the heap.
func (m *Mutator) Blocking(f func()) {
	m.Freeze()
	defer m.Unfreeze()
	f()
}

// AddRoots makes t's references roots for as long as the mutator is open, or
// until remove is called. The mutator must be active, for remove too.
func (m *Mutator) AddRoots(t Tracer) (remove func()) {
	m.check()
	return m.tracers.add(t)
}

// PreventCollection calls f and sees to it that no cycle runs meanwhile; that
// costs nothing and may nest. Safepoints inside f do not stop, and Collect
// fails with ErrPrevented. The mutator must be active.
func (m *Mutator) PreventCollection(f func()) {
	defer retell()
	m.mustBe(safepoint.Active, "PreventCollection")
	m.ctx.Prevent(f)
}

// SetName sets what logs and reports call the mutator.
func (m *Mutator) SetName(name string) { m.ctx.SetName(name) }

// check panics unless the mutator may use the heap now.
func (m *Mutator) check() {
	if err := m.usable(); err != nil {
		panic(err)
	}
}

// usable returns ErrCollecting if the heap is used from inside its own
// collection, by the mutator that collects. For what cannot be but a mistake in
// the program, or damage, it panics.
func (m *Mutator) usable() error {
	m.heap.check()
	switch m.ctx.State() {
	case safepoint.Active:
		return nil
	case safepoint.AtSafepoint:
		return ErrCollecting
	}
	m.mustBe(safepoint.Active, "use")
	return nil
}

// mustBe panics unless the mutator is in the given state.
func (m *Mutator) mustBe(s safepoint.State, op string) {
	if m.ctx.State() != s {
		m.misuse(op)
	}
}

func (m *Mutator) mustNotBe(s safepoint.State, op string) {
	if m.ctx.State() == s {
		m.misuse(op)
	}
}

// misuse panics with a message about op in the mutator's present state.
func (m *Mutator) misuse(op string) {
	switch m.ctx.State() {
	case safepoint.Closed:
		panic("midden: " + op + " of a Mutator after Close: open another with NewMutator")
	case safepoint.Frozen:
		panic("midden: " + op + " of a Mutator that is frozen: call Unfreeze first")
	case safepoint.AtSafepoint:
		panic(ErrCollecting)
	}
	panic("midden: " + op + " of a Mutator that is not frozen: call Freeze first")
}

// String shows the mutator's state, age, and how many scopes and roots it had
// when it last stopped. Any goroutine may call it.
func (m *Mutator) String() string {
	held := m.held.Load()
	return fmt.Sprintf("mutator{%v scopes=%d roots=%d}", m.ctx, held>>32, uint32(held))
}

// LogValue is what String shows, as attributes.
func (m *Mutator) LogValue() slog.Value {
	held := m.held.Load()
	return slog.GroupValue(slog.Any("context", m.ctx), slog.Uint64("scopes", held>>32), slog.Uint64("roots", held&(1<<32-1)))
}

// depth is what reports of the world call the depth of the shadow stack.
func depth(data any) int {
	m, ok := data.(*Mutator)
	if !ok {
		return 0
	}
	return int(uint32(m.held.Load()))
}
