package weak

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/midden-gc/midden/internal/object"
)

// of returns the ephemerons of a key, ascending.
func (p *Pending) of(key object.Word) (es []object.Word) {
	for i := p.First(key); i != 0; i = p.Next(i) {
		es = append(es, p.Ephemeron(i))
	}
	slices.Sort(es)
	return es
}

func TestPending(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		key  func(i int) object.Word
	}{
		{"side by side", func(i int) object.Word { return object.Word(2*i + 1) }},
		{"at random", func(int) object.Word { return object.Word(random.Uint32() | 1) }},
		{"few", func(i int) object.Word { return object.Word(i%7*2 + 1) }},
		{"one", func(int) object.Word { return 1 << 31 }},
		{"at regular distances", func(i int) object.Word { return object.Word(i << 16) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Pending
			want := map[object.Word][]object.Word{}
			if got := p.of(1); got != nil {
				t.Fatalf("an empty table has %v", got)
			}
			for i := range 3000 {
				key, e := c.key(i), object.Word(i+1)
				p.add(key, e)
				want[key] = append(want[key], e)
				if i%100 == 0 && !slices.Equal(p.of(key), want[key]) {
					t.Fatalf("key %#x has %v, want %v", key, p.of(key), want[key])
				}
			}
			for key, es := range want {
				if got := p.of(key); !slices.Equal(got, es) {
					t.Fatalf("key %#x has %v, want %v", key, got, es)
				}
				if _, ok := want[key+1]; !ok && p.of(key+1) != nil {
					t.Fatalf("key %#x, which is none, has ephemerons", key+1)
				}
			}
			if len(p.all()) != 3000 {
				t.Errorf("%d entries", len(p.all()))
			}
		})
	}
}

// Chains stay short, also when keys lie side by side in several places, or are
// multiples of large powers of two.
func TestPendingChainsAreShort(t *testing.T) {
	for _, c := range []struct {
		name string
		key  func(i int) object.Word
	}{
		{"side by side", func(i int) object.Word { return object.Word(2 * i) }},
		{"far apart", func(i int) object.Word { return object.Word(i << 15) }},
		{"in stretches", func(i int) object.Word { return object.Word(i/1000<<18 + i%1000*2) }},
		{"in two rows", func(i int) object.Word { return object.Word(i%2<<30 + i/2*2) }},
	} {
		var p Pending
		const n = 100_000
		for i := range n {
			p.add(c.key(i), 1)
		}
		longest := 0
		for _, i := range p.heads {
			length := 0
			for ; i != 0; i = p.entries[i].next {
				length++
			}
			longest = max(longest, length)
		}
		if longest > 40 {
			t.Errorf("%s: a chain of %d", c.name, longest)
		}
	}
}
