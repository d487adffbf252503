package weak

import (
	"math/rand/v2"
	"testing"
)

// Any sequence of operations leaves the entries that a map says.
func TestExternalsAgainstMap(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		var xs Externals
		type item struct {
			value int
			young bool
		}
		want := map[uint32]item{}
		value := 0
		for range random.IntN(40) {
			switch random.IntN(4) {
			case 0, 1:
				for range random.IntN(500) {
					value++
					old := random.IntN(4) == 0
					id := xs.Add(value, old)
					if _, ok := want[id]; ok || id == 0 {
						t.Fatalf("Add returns %d, which is in use or 0", id)
					}
					want[id] = item{value, !old}
				}
			case 2:
				for id, x := range want {
					switch random.IntN(10) {
					case 0:
						value++
						xs.Set(id, value)
						want[id] = item{value, x.young}
					case 1:
						xs.Copied(id)
						want[id] = item{x.value, false}
					}
				}
			case 3:
				minor := random.IntN(2) == 0
				chance := random.IntN(4)
				for id, x := range want {
					if random.IntN(4) < chance {
						xs.see(id, minor)
						x.young = false
						want[id] = x
					} else if !minor || x.young {
						delete(want, id)
					}
				}
				xs.sweep(minor)
			}
			if xs.Len() != len(want) {
				t.Fatalf("%d entries, want %d", xs.Len(), len(want))
			}
			for id, x := range want {
				if !xs.Has(id) || xs.Get(id) != x.value {
					t.Fatalf("entry %d has %v, want %d", id, xs.Get(id), x.value)
				}
			}
		}
		xs.Close()
		if xs.Len() != 0 || xs.Has(1) {
			t.Fatal("there are entries after Close")
		}
	}
}

// What was dropped is not held by the table any more, and a table that was large
// gives its memory back.
func TestExternalsLetGo(t *testing.T) {
	var xs Externals
	var last uint32
	for i := range 100 * chunkSize {
		last = xs.Add(i, i%2 == 0)
	}
	kept := uint32(7)
	xs.see(kept, false)
	xs.sweep(false)
	if xs.Has(last) || !xs.Has(kept) || xs.Get(kept) == nil {
		t.Fatal("the wrong entries are left")
	}
	if n := len(*xs.chunks.Load()); n > 3 {
		t.Errorf("%d chunks for one entry", n)
	}
	seen := map[uint32]bool{kept: true}
	for i := range 10 * chunkSize {
		id := xs.Add(i, false)
		if seen[id] {
			t.Fatalf("entry %d was given twice", id)
		}
		seen[id] = true
	}
	for _, c := range *xs.chunks.Load() {
		for i := range c {
			if c[i].state == unused && c[i].value != nil {
				t.Fatal("an unused entry has a value")
			}
		}
	}
}
