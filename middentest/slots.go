package middentest

import (
	"testing"

	"github.com/midden-gc/midden"
)

var slotTests = []test{
	{"EverySlot", 0, (*suite).everySlot},
	{"EverySlotAmongNumbers", 0, (*suite).everyMixedSlot},
	{"FarApart", 0, (*suite).farApart},
	{"Nested", 0, (*suite).nestedSlots},
}

// slotArray is every number of slots up to some words of a bitmap.
type slotArray interface {
	[1]nodeField | [2]nodeField | [3]nodeField | [4]nodeField | [5]nodeField |
		[6]nodeField | [7]nodeField | [8]nodeField | [9]nodeField | [10]nodeField |
		[11]nodeField | [12]nodeField | [13]nodeField | [14]nodeField | [15]nodeField |
		[16]nodeField | [17]nodeField | [18]nodeField | [19]nodeField | [20]nodeField |
		[21]nodeField | [22]nodeField | [23]nodeField | [24]nodeField | [25]nodeField |
		[26]nodeField | [27]nodeField | [28]nodeField | [29]nodeField | [30]nodeField |
		[31]nodeField | [32]nodeField | [33]nodeField | [34]nodeField | [35]nodeField |
		[36]nodeField | [37]nodeField | [38]nodeField | [39]nodeField | [40]nodeField |
		[41]nodeField | [42]nodeField | [43]nodeField | [44]nodeField | [45]nodeField |
		[46]nodeField | [47]nodeField | [48]nodeField | [49]nodeField | [50]nodeField |
		[51]nodeField | [52]nodeField | [53]nodeField | [54]nodeField | [55]nodeField |
		[56]nodeField | [57]nodeField | [58]nodeField | [59]nodeField | [60]nodeField |
		[61]nodeField | [62]nodeField | [63]nodeField | [64]nodeField | [65]nodeField |
		[66]nodeField | [67]nodeField | [68]nodeField | [69]nodeField | [70]nodeField
}

var everySlotArray = []func(*testing.T, *midden.Mutator){
	slots[[1]nodeField], slots[[2]nodeField], slots[[3]nodeField], slots[[4]nodeField],
	slots[[5]nodeField], slots[[6]nodeField], slots[[7]nodeField], slots[[8]nodeField],
	slots[[9]nodeField], slots[[10]nodeField], slots[[11]nodeField], slots[[12]nodeField],
	slots[[13]nodeField], slots[[14]nodeField], slots[[15]nodeField], slots[[16]nodeField],
	slots[[17]nodeField], slots[[18]nodeField], slots[[19]nodeField], slots[[20]nodeField],
	slots[[21]nodeField], slots[[22]nodeField], slots[[23]nodeField], slots[[24]nodeField],
	slots[[25]nodeField], slots[[26]nodeField], slots[[27]nodeField], slots[[28]nodeField],
	slots[[29]nodeField], slots[[30]nodeField], slots[[31]nodeField], slots[[32]nodeField],
	slots[[33]nodeField], slots[[34]nodeField], slots[[35]nodeField], slots[[36]nodeField],
	slots[[37]nodeField], slots[[38]nodeField], slots[[39]nodeField], slots[[40]nodeField],
	slots[[41]nodeField], slots[[42]nodeField], slots[[43]nodeField], slots[[44]nodeField],
	slots[[45]nodeField], slots[[46]nodeField], slots[[47]nodeField], slots[[48]nodeField],
	slots[[49]nodeField], slots[[50]nodeField], slots[[51]nodeField], slots[[52]nodeField],
	slots[[53]nodeField], slots[[54]nodeField], slots[[55]nodeField], slots[[56]nodeField],
	slots[[57]nodeField], slots[[58]nodeField], slots[[59]nodeField], slots[[60]nodeField],
	slots[[61]nodeField], slots[[62]nodeField], slots[[63]nodeField], slots[[64]nodeField],
	slots[[65]nodeField], slots[[66]nodeField], slots[[67]nodeField], slots[[68]nodeField],
	slots[[69]nodeField], slots[[70]nodeField],
}

var everyMixedArray = []func(*testing.T, *midden.Mutator){
	mixed[[1]nodeField], mixed[[2]nodeField], mixed[[3]nodeField], mixed[[4]nodeField],
	mixed[[5]nodeField], mixed[[6]nodeField], mixed[[7]nodeField], mixed[[8]nodeField],
	mixed[[9]nodeField], mixed[[10]nodeField], mixed[[11]nodeField], mixed[[12]nodeField],
	mixed[[13]nodeField], mixed[[14]nodeField], mixed[[15]nodeField], mixed[[16]nodeField],
	mixed[[17]nodeField], mixed[[18]nodeField], mixed[[19]nodeField], mixed[[20]nodeField],
	mixed[[21]nodeField], mixed[[22]nodeField], mixed[[23]nodeField], mixed[[24]nodeField],
	mixed[[25]nodeField], mixed[[26]nodeField], mixed[[27]nodeField], mixed[[28]nodeField],
	mixed[[29]nodeField], mixed[[30]nodeField], mixed[[31]nodeField], mixed[[32]nodeField],
	mixed[[33]nodeField], mixed[[34]nodeField], mixed[[35]nodeField], mixed[[36]nodeField],
	mixed[[37]nodeField], mixed[[38]nodeField], mixed[[39]nodeField], mixed[[40]nodeField],
	mixed[[41]nodeField], mixed[[42]nodeField], mixed[[43]nodeField], mixed[[44]nodeField],
	mixed[[45]nodeField], mixed[[46]nodeField], mixed[[47]nodeField], mixed[[48]nodeField],
	mixed[[49]nodeField], mixed[[50]nodeField], mixed[[51]nodeField], mixed[[52]nodeField],
	mixed[[53]nodeField], mixed[[54]nodeField], mixed[[55]nodeField], mixed[[56]nodeField],
	mixed[[57]nodeField], mixed[[58]nodeField], mixed[[59]nodeField], mixed[[60]nodeField],
	mixed[[61]nodeField], mixed[[62]nodeField], mixed[[63]nodeField], mixed[[64]nodeField],
	mixed[[65]nodeField], mixed[[66]nodeField], mixed[[67]nodeField], mixed[[68]nodeField],
	mixed[[69]nodeField], mixed[[70]nodeField],
}

func (s *suite) everySlot(t *testing.T) {
	_, m := s.alone(t)
	for _, f := range everySlotArray {
		f(t, m)
	}
}

func (s *suite) everyMixedSlot(t *testing.T) {
	_, m := s.alone(t)
	for _, f := range everyMixedArray {
		f(t, m)
	}
}

// slots allocates, for each slot of A, an object of which only that slot is set.
func slots[A slotArray](t *testing.T, m *midden.Mutator) {
	oneEach(t, m, len(*new(A)), func(p *A, i int) *nodeField { return &(*p)[i] })
}

// mixed does the same for slots with numbers about them; the numbers look like references.
func mixed[A slotArray](t *testing.T, m *midden.Mutator) {
	type object struct {
		Before uint16
		Slots  A
		After  uint32
		Last   nodeField
	}
	n := len(*new(A))
	oneEach(t, m, n+1, func(p *object, i int) *nodeField {
		p.Before, p.After = 0xffff, 0xffffffff
		if i == n {
			return &p.Last
		}
		return &p.Slots[i]
	})
}

// oneEach allocates an object T for each of its n slots and sets that slot only. After collections
// the slot must hold what it held and the others nothing.
func oneEach[T any](t *testing.T, m *midden.Mutator, n int, slot func(p *T, i int) *nodeField) {
	t.Helper()
	scope := m.Scope()
	defer scope.Close()
	objects := midden.NewLocal(m, midden.NewArray[midden.Field[T]](m, n))
	for i := range n {
		r := midden.New[T](m)
		slot(r.Get(), i).Store(m, newNode(m, int64(i)))
		objects.Ptr().At(i).Store(m, r)
	}
	for _, k := range kinds {
		collect(t, m, k)
		for i := range n {
			p := objects.Ptr().At(i).Get()
			for j := range n {
				switch r := slot(p, j).Load(); {
				case j != i && !r.IsNil():
					t.Fatalf("%T: slot %d, never set, is not nil", *p, j)
				case j == i && (r.IsNil() || r.Get().ID != int64(i)):
					t.Fatalf("%T: slot %d lost its object", *p, j)
				}
			}
		}
	}
}

// farApart has slots before and after gaps that no bitmap of a word, or of a page, bridges.
func (s *suite) farApart(t *testing.T) {
	_, m := s.alone(t)
	type object struct {
		A nodeField
		_ [509]byte
		B nodeField
		_ [5001]byte
		C nodeField
		_ [70000]byte
		D nodeField
		_ [1 << 20]byte
		E nodeField
	}
	get := func(p *object, i int) *nodeField {
		return [...]*nodeField{&p.A, &p.B, &p.C, &p.D, &p.E}[i]
	}
	oneEach(t, m, 5, get)
	type small struct {
		_ [63 * 4]byte
		A nodeField
		_ [64 * 4]byte
		B nodeField
		_ [63 * 8]byte
		C nodeField
	}
	oneEach(t, m, 3, func(p *small, i int) *nodeField { return [...]*nodeField{&p.A, &p.B, &p.C}[i] })
}

// A cell is a struct in which slots lie at every depth.
type cell struct {
	Tag   uint8
	F     nodeField
	Inner struct {
		N   int16
		Any midden.AnyField
		Row [3]struct {
			B bool
			F nodeField
		}
	}
	Text midden.Field[midden.String]
	Big  [2][2]struct {
		N int64
		F nodeField
	}
}

// cellSlots is the number of slots of a cell.
const cellSlots = 10

// setCell sets slot i of the cell. Its contents can be told from those of any other slot.
func setCell(m *midden.Mutator, c *cell, id int64, i int) {
	r := newNode(m, id*cellSlots+int64(i))
	switch {
	case i == 0:
		c.F.Store(m, r)
	case i == 1:
		c.Inner.Any.Store(m, r.Any())
	case i < 5:
		c.Inner.Row[i-2].F.Store(m, r)
	case i == 5:
		c.Text.Store(m, midden.NewString(m, string(rune('a'+id%26))))
	default:
		c.Big[(i-6)/2][(i-6)%2].F.Store(m, r)
	}
}

// checkCell fails the test unless every slot of the cell is as setCell set it.
func checkCell(t *testing.T, c *cell, id int64) {
	t.Helper()
	for i := range cellSlots {
		var r nodeRef
		switch {
		case i == 0:
			r = c.F.Load()
		case i == 1:
			r, _ = midden.Cast[node](c.Inner.Any.Load())
		case i < 5:
			r = c.Inner.Row[i-2].F.Load()
		case i == 5:
			equal(t, "the string of a cell", c.Text.Get().View(), string(rune('a'+id%26)))
			continue
		default:
			r = c.Big[(i-6)/2][(i-6)%2].F.Load()
		}
		checkNode(t, "slot of a cell", r, id*cellSlots+int64(i))
	}
}

// nestedSlots checks slots in arrays of structs in arrays of structs, in arrays of all lengths up to
// those of large objects.
func (s *suite) nestedSlots(t *testing.T) {
	_, m := s.alone(t)
	for _, n := range []int{1, 2, 50, s.size(2000)} {
		scope := m.Scope()
		l := midden.NewLocal(m, midden.NewArray[cell](m, n))
		for id := range n {
			for i := range cellSlots {
				setCell(m, l.Ptr().At(id), int64(id), i)
			}
		}
		for _, k := range kinds {
			collect(t, m, k)
			litter(m, 100)
			for id := range n {
				checkCell(t, l.Ptr().At(id), int64(id))
			}
		}
		scope.Close()
	}
}
