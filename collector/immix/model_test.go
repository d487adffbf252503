package immix_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/midden-gc/midden"
)

const nodeSlots = 5

// twin is a node in Go's own memory.
type twin struct {
	id    int64
	slots [nodeSlots]*twin
}

// writeSlot writes to slot i of a node, in one of several ways.
func writeSlot(m *midden.Mutator, n *node, i int, r nodeRef, way int) {
	if i == 1 {
		switch way {
		case 0:
			n.Any.Store(m, r.Any())
		case 1:
			n.Any.StoreAtomic(m, r.Any())
		case 2:
			n.Any.CompareAndSwap(m, n.Any.Load(), r.Any())
		default:
			v := *n
			v.Any = midden.AnyFieldOf(r.Any())
			midden.Assign(m, n, v)
		}
		return
	}
	f := [nodeSlots]*midden.Field[node]{&n.Next, nil, &n.Pair[0], &n.Pair[1], &n.Inner.Deep}[i]
	switch way {
	case 0:
		f.Store(m, r)
	case 1:
		f.StoreAtomic(m, r)
	case 2:
		f.CompareAndSwap(m, f.Load(), r)
	default:
		midden.Assign(m, f, midden.FieldOf(r))
	}
}

func readSlot(n *node, i int) nodeRef {
	if i == 1 {
		r, _ := midden.Cast[node](n.Any.Load())
		return r
	}
	return [nodeSlots]*midden.Field[node]{&n.Next, nil, &n.Pair[0], &n.Pair[1], &n.Inner.Deep}[i].Load()
}

// program is a random program of stores into old objects, beside its model.
type program struct {
	t     *testing.T
	rand  *rand.Rand
	m     *midden.Mutator
	other *midden.Mutator // active, or nil
	small midden.Local[cells]
	large midden.Local[cells]
	twins [2][]*twin
	id    int64
}

func (p *program) table(i int) *cells { return [2]midden.Local[cells]{p.small, p.large}[i].Ptr() }

// pick goes some steps from a random cell.
func (p *program) pick() (nodeRef, *twin) {
	which := p.rand.IntN(2)
	i := p.rand.IntN(len(p.twins[which]))
	r, tw := p.table(which).At(i).Load(), p.twins[which][i]
	for range p.rand.IntN(5) {
		if tw == nil {
			break
		}
		i := p.rand.IntN(nodeSlots)
		if tw.slots[i] == nil {
			break
		}
		r, tw = readSlot(r.Get(), i), tw.slots[i]
	}
	if r.IsNil() != (tw == nil) || tw != nil && r.Get().ID != tw.id {
		p.t.Fatalf("the heap and the model differ at %v", tw)
	}
	return r, tw
}

// writer is the mutator that does the next thing.
func (p *program) writer() *midden.Mutator {
	if p.other != nil && p.rand.IntN(2) == 0 {
		return p.other
	}
	return p.m
}

func (p *program) step() {
	switch n := p.rand.IntN(100); {
	case n < 45: // something new, into what may be old
		m := p.writer()
		a, ta := p.pick()
		p.id++
		v, tv := node{ID: p.id}, &twin{id: p.id}
		if p.rand.IntN(2) == 0 {
			b, tb := p.pick()
			v.Pair[0], tv.slots[2] = midden.FieldOf(b), tb
		}
		r := midden.Alloc(m, v)
		if ta == nil {
			which := p.rand.IntN(2)
			i := p.rand.IntN(len(p.twins[which]))
			p.table(which).At(i).Store(m, r)
			p.twins[which][i] = tv
			return
		}
		i := p.rand.IntN(nodeSlots)
		writeSlot(m, a.Get(), i, r, p.rand.IntN(4))
		ta.slots[i] = tv
	case n < 65: // from one to another
		a, ta := p.pick()
		b, tb := p.pick()
		if ta != nil {
			i := p.rand.IntN(nodeSlots)
			writeSlot(p.writer(), a.Get(), i, b, p.rand.IntN(4))
			ta.slots[i] = tb
		}
	case n < 75:
		which := p.rand.IntN(2)
		i := p.rand.IntN(len(p.twins[which]))
		p.table(which).At(i).Store(p.writer(), nodeRef{})
		p.twins[which][i] = nil
	case n < 78: // a part of the large table over the small one
		from := p.rand.IntN(len(p.twins[1]) - len(p.twins[0]))
		midden.Copy(p.writer(), p.table(0).Slice(), p.table(1).Slice()[from:])
		copy(p.twins[0], p.twins[1][from:])
	case n < 84:
		litter(p.writer())
	case n < 88:
		if p.other == nil {
			p.other = p.m.NewMutator()
		} else {
			p.other.Close()
			p.other = nil
		}
	case n < 98:
		p.collect(midden.KindMinor)
	default:
		p.collect(midden.KindFull)
	}
}

// collect runs a cycle, the other mutator frozen.
func (p *program) collect(k midden.Kind) {
	if p.other != nil {
		p.other.Freeze()
	}
	collect(p.t, p.m, k)
	if p.other != nil {
		if p.rand.IntN(4) == 0 {
			p.m.Blocking(p.other.Close)
			p.other = nil
		} else {
			p.m.Blocking(p.other.Unfreeze)
		}
	}
	p.check()
}

// check compares all that can be reached.
func (p *program) check() {
	seen := map[nodeRef]*twin{}
	var todo []nodeRef
	add := func(r nodeRef, tw *twin) {
		if r.IsNil() != (tw == nil) {
			p.t.Fatalf("the heap has %v where the model has %v", r, tw)
		}
		if tw == nil {
			return
		}
		if before, ok := seen[r]; ok {
			if before != tw {
				p.t.Fatalf("one object is node %d and node %d", before.id, tw.id)
			}
			return
		}
		seen[r] = tw
		todo = append(todo, r)
	}
	for which := range p.twins {
		for i, tw := range p.twins[which] {
			add(p.table(which).At(i).Load(), tw)
		}
	}
	for len(todo) > 0 {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		tw := seen[r]
		if r.Get().ID != tw.id {
			p.t.Fatalf("node %d in place of node %d", r.Get().ID, tw.id)
		}
		for i := range nodeSlots {
			add(readSlot(r.Get(), i), tw.slots[i])
		}
	}
}

// Random programs that make old objects refer to new ones, with minor and full
// cycles by turns, against a model.
func TestOldToYoungModel(t *testing.T) {
	for seed := range uint64(8 / slowness) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			_, m := open(t, midden.Options{Stress: checked, Workers: 1 + int(seed%3)})
			p := program{
				t:     t,
				rand:  rand.New(rand.NewPCG(seed, 11)),
				m:     m,
				small: midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, 20)),
				large: midden.NewLocal(m, midden.NewArray[midden.Field[node]](m, 3000)),
				twins: [2][]*twin{make([]*twin, 20), make([]*twin, 3000)},
			}
			for range 1200 / slowness {
				p.step()
			}
			if p.other != nil {
				p.other.Close()
				p.other = nil
			}
			p.collect(midden.KindFull)
		})
	}
}
