package midden

import (
	"testing"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
)

type tnode struct {
	left, right Field[tnode]
}

var tnodeType = TypeFor[tnode]()

func build(m *Mutator, d int) Ref[tnode] {
	if d == 0 {
		return tnodeType.New(m)
	}
	l := build(m, d-1)
	r := build(m, d-1)
	return tnodeType.Alloc(m, tnode{FieldOf(l), FieldOf(r)})
}

func count(n *tnode) int {
	if n == nil {
		return 0
	}
	return 1 + count(n.left.Get()) + count(n.right.Get())
}

func TestSmoke(t *testing.T) {
	for _, c := range []collector.Collector{epsilon.New(nil), immix.New(nil), semispace.New(nil)} {
		t.Run(c.Name(), func(t *testing.T) {
			h, err := NewHeap(&Options{Collector: c, Stress: Stress{Verify: true}})
			if err != nil {
				t.Fatal(err)
			}
			m := h.NewMutator()
			s := m.Scope()
			long := NewLocal(m, build(m, 12))
			for range 200 {
				n := count(build(m, 10).Get())
				if n != 1<<11-1 {
					t.Fatal(n)
				}
				m.Safepoint()
			}
			if err := m.Collect(KindFull); err != nil {
				t.Fatal(err)
			}
			if n := count(long.Ptr()); n != 1<<13-1 {
				t.Fatal(n)
			}
			t.Logf("%+v", h.Stats())
			s.Close()
			m.Close()
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
