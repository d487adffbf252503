package middentest

import (
	"context"
	"fmt"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
)

// Model runs a program on a heap with the collector and on a model of it in Go's own memory, and fails
// the test if they come to differ: in the contents of objects, in what refers to what, or in what is
// still there after a full collection: for weak slots, ephemerons and guardians, exactly that.
//
// Any bytes are a program. The bits of the first byte choose the options of the heap:
//
//	0 Stress.EverySafepoint   3 Stress.Move          6 three programs at once, beside each other
//	1 Stress.Verify           4 a limit of 8 MiB
//	2 Stress.Poison           5 one worker
//
// Each of the others chooses an operation, or, where an operation needs it, an object, a slot, a size.
// A program by itself is deterministic: it has several mutators, and one goroutine that thaws them in
// turn. Three programs have a goroutine each, objects of their own, and some that all can read.
func Model(t testing.TB, newCollector func() collector.Collector, bytes []byte) {
	t.Helper()
	p := program{bytes}
	options := p.next()
	bit := func(i int) bool { return options>>i&1 == 1 }
	o := midden.Options{
		Collector: newCollector(),
		Stress:    midden.Stress{EverySafepoint: bit(0), Verify: bit(1), Poison: bit(2), Move: bit(3)},
	}
	if bit(4) {
		o.Limit = 8 * mib
	}
	if bit(5) {
		o.Workers = 1
	}
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatalf("NewHeap: %v", err)
	}
	pieces := [][]byte{p.bytes}
	if bit(6) {
		n := len(p.bytes) / 3
		pieces = [][]byte{p.bytes[:n], p.bytes[n : 2*n], p.bytes[2*n:]}
	}
	frees := o.Collector.Constraints().Frees
	if err := failure(func() error { return runPrograms(t, h, pieces, frees) }); err != nil || t.Failed() {
		t.Fatalf("%+v, %d bytes: %v", o.Stress, len(bytes), err)
	}
	if err := h.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// runPrograms runs each program in a machine of its own, and compares all of them in the end.
func runPrograms(t testing.TB, h *midden.Heap, programs [][]byte, frees bool) error {
	first := newMachine(h, nil)
	shared := first.share()
	first.now.m.Freeze()
	machines := make([]*machine, len(programs))
	wg := crew{t: t}
	for i, bytes := range programs {
		wg.Go(func() {
			mc := newMachine(h, bytes)
			machines[i] = mc
			mc.weak.exact = frees
			// Also after a panic, or the others would wait for this machine.
			defer func() { recovered(mc.now.m.Freeze) }()
			mc.now.scopes[0].locals = append(mc.now.scopes[0].locals, localOf[pairs](mc.now.m, shared.get(mc.now.m), shared.shadow))
			mc.run()
			mc.check(newMatcher())
			mc.collectWeak()
			mc.weak.endGuardian()
		})
	}
	if len(programs) > 1 {
		for _, k := range kinds {
			if err := h.Collect(context.Background(), k); err != nil {
				return err
			}
		}
	}
	wg.Wait()
	if t.Failed() {
		return nil
	}
	if err := h.Collect(context.Background(), midden.KindFull); err != nil {
		return err
	}
	stats := h.Stats()
	all := newMatcher()
	for _, mc := range append(machines, first) {
		mc.checkAll(all)
	}
	// An object may cost as much again as it has, and a piece of a line and a page.
	cost, count := all.cost(), int64(len(all.object))
	if frees && (stats.Live < cost || stats.Live > 2*cost+256*count+64<<10) {
		return fmt.Errorf("%d bytes live, %d are reachable in %d objects", stats.Live, cost, count)
	}
	for _, mc := range append(machines, first) {
		mc.close()
	}
	return nil
}

// share makes what all machines read: an array of pairs, each with a text, that refer to the next.
func (mc *machine) share() root {
	const n = 20
	s := &shadow{shape: pairsShape, shared: true, slots: make([]*shadow, n)}
	array := midden.NewArray[midden.Field[pair]](mc.now.m, n)
	var next midden.Ref[pair]
	var nextShadow *shadow
	for i := range n {
		text := &shadow{shape: textShape, shared: true, bytes: fmt.Sprint("shared ", i)}
		next = midden.Alloc(mc.now.m, pair{
			ID: int64(i), A: midden.FieldOf(next), X: midden.AnyFieldOf(midden.NewString(mc.now.m, text.bytes).Any()),
		})
		nextShadow = &shadow{shape: pairShape, shared: true, id: int64(i), slots: []*shadow{nextShadow, nil, text}}
		array.Get().At(i).Store(mc.now.m, next)
		s.slots[i] = nextShadow
	}
	shared := handleOf[pairs](mc.now.m, array.Any(), s)
	mc.handles = append(mc.handles, shared)
	return shared
}
