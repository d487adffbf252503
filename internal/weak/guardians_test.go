package weak

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/midden-gc/midden/internal/object"
)

// simple is a Tracer of objects that refer to nothing: those in dead are not
// found, and every object moves up by shift.
type simple struct {
	dead  map[object.Word]bool
	kept  map[object.Word]bool
	shift object.Word
}

func (s *simple) Trace(*Pending)          {}
func (s *simple) Live(w object.Word) bool { return !s.dead[w] || s.kept[w] }
func (s *simple) Found() []object.Word    { return nil }
func (s *simple) Holders() []object.Word  { return nil }
func (s *simple) Current(w object.Word) object.Word {
	if w == 0 {
		return 0
	}
	return w + s.shift
}

func (s *simple) Keep(w object.Word) object.Word {
	if w != 0 {
		s.kept[w] = true
	}
	return s.Current(w)
}

func cycle(p *Phases, minor bool, shift object.Word, dead ...object.Word) *simple {
	s := &simple{map[object.Word]bool{}, map[object.Word]bool{}, shift}
	for _, w := range dead {
		s.dead[w] = true
	}
	p.Run(s, minor)
	return s
}

func phases() *Phases {
	return &Phases{
		Guardians:  new(Guardians),
		Externals:  new(Externals),
		Slots:      func(func(*object.Word)) {},
		Ephemerons: func(func(object.Word)) {},
	}
}

func take(g *Guardian) (ws []object.Word) {
	for {
		w, ok := g.Next()
		if !ok {
			return ws
		}
		ws = append(ws, w)
	}
}

func expect(t *testing.T, what string, got []object.Word, want ...object.Word) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestGuardianMovesWithItsObjects(t *testing.T) {
	p := phases()
	g := p.Guardians.New()
	for w := range object.Word(5) {
		g.Register(100 + w)
	}
	cycle(p, false, 1000, 101, 103)
	cycle(p, false, 1000, 2000+100-1000) // 100 has moved to 1100 and dies there
	expect(t, "delivered", take(g), 2103, 2101, 2100)
	cycle(p, false, 0, 2102, 2104)
	expect(t, "the rest", take(g), 2104, 2102)
	if g.Len() != 0 {
		t.Errorf("%d are registered", g.Len())
	}
}

// A minor cycle looks only at what was registered since the last cycle, and at
// what has become ready since then by DeliverAll.
func TestMinorCyclesLeaveOldRegistrationsAlone(t *testing.T) {
	p := phases()
	g, idle := p.Guardians.New(), p.Guardians.New()
	g.Register(1)
	g.Register(2)
	idle.Register(10)
	cycle(p, true, 0)
	g.Register(3)
	g.Register(4)
	// 1 would be dead, and is old: a minor cycle does not look at it.
	s := cycle(p, true, 0, 1, 3, 10)
	expect(t, "delivered by a minor cycle", take(g), 3)
	expect(t, "of a guardian without news", take(idle))
	if len(s.kept) != 1 {
		t.Errorf("kept %v", s.kept)
	}
	cycle(p, false, 0, 1, 10)
	// 1 is ready since the last cycle; 5 is new and made ready.
	g.Register(5)
	g.DeliverAll()
	s = cycle(p, true, 0, 5)
	if !s.kept[5] || s.kept[1] {
		t.Errorf("kept %v, want what is ready and new", s.kept)
	}
	s = cycle(p, false, 0)
	if !s.kept[5] || !s.kept[1] || !s.kept[10] {
		t.Errorf("a full cycle kept %v, want what is ready", s.kept)
	}
	expect(t, "all", take(g), 5, 4, 2, 1)
	expect(t, "of the idle one", take(idle), 10)
}

func TestReleasedGuardiansAreForgotten(t *testing.T) {
	p := phases()
	for _, minor := range []bool{true, false} {
		g := p.Guardians.New()
		g.Register(1)
		g.Release()
		if s := cycle(p, minor, 0, 1); s.kept[1] {
			t.Errorf("a released guardian keeps its objects, minor %v", minor)
		}
	}
	cycle(p, false, 0)
	if len(p.Guardians.all) != 0 || len(p.Guardians.touched) != 0 {
		t.Errorf("%d guardians are known", len(p.Guardians.all))
	}
}

// Any sequence of registrations, deaths and deliveries comes out as a plain list
// says.
func TestGuardianAgainstList(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := phases()
		g := p.Guardians.New()
		type item struct {
			w            object.Word
			fresh, ready bool
		}
		var list []item
		next := object.Word(1)
		for range random.IntN(60) {
			switch random.IntN(5) {
			case 0, 1:
				for range random.IntN(8) {
					g.Register(next)
					list = append(list, item{w: next, fresh: true})
					next++
				}
			case 2, 3:
				minor := random.IntN(2) == 0
				var dead []object.Word
				for i := range list {
					it := &list[i]
					if !it.ready && random.IntN(3) == 0 && (it.fresh || !minor) {
						dead = append(dead, it.w)
						it.ready = true
					}
					it.fresh = false
				}
				cycle(p, minor, 0, dead...)
			case 4:
				for range random.IntN(4) {
					w, ok := g.Next()
					i := len(list) - 1
					for i >= 0 && !list[i].ready {
						i--
					}
					if i < 0 != !ok || ok && w != list[i].w {
						t.Fatalf("Next returns %d, %v; the list has %v", w, ok, list)
					}
					if ok {
						list = slices.Delete(list, i, i+1)
					}
				}
			}
		}
	}
}
