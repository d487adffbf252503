package verify

import (
	"reflect"
	"strings"
	"testing"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

// weakHeap is a sound heap with weak things.
type weakHeap struct {
	*testHeap
	holder, ephemeron, chained, dead object.Word
	key                              object.Word // kept by a root
}

type holder struct {
	W object.WeakSlot
	X object.ExternalSlot
}

// In weakHeap the ephemeron leads from key to a value that is the key of chained,
// whose value is first. The chained one comes first among the roots.
func newWeakHeap(t *testing.T) *weakHeap {
	h := &weakHeap{testHeap: newHeap(t)}
	holders := describe(t, reflect.TypeFor[holder](), false)
	pairs := describe(t, reflect.TypeFor[pair](), false)
	type ephemeron struct {
		_ object.InlineMark
		object.Pair
	}
	e, err := object.DescribeEphemeron(reflect.TypeFor[ephemeron]())
	if err != nil {
		t.Fatal(err)
	}
	add := func(header object.Header) object.Word {
		w := h.put(h.next, header)
		h.next += h.size(w) / 8
		return w
	}
	h.holder = add(holders.Header)
	h.ephemeron, h.chained = add(e.Header), add(e.Header)
	h.key = add(pairs.Header)
	value := add(pairs.Header)
	h.dead = add(pairs.Header)
	h.link(h.holder, 0, value)
	h.link(h.holder, 4, 3) // an external
	*h.pair(h.ephemeron) = object.Pair{Key: h.key, Value: value}
	*h.pair(h.chained) = object.Pair{Key: value, Value: h.first}
	h.roots = []object.Word{h.holder, h.chained, h.ephemeron, h.key, h.array, h.big, h.leaf}
	h.conf.External = func(id uint32) bool { return id == 3 }
	h.conf.Full = true
	h.conf.Exact = false
	return h
}

func (h *weakHeap) pair(w object.Word) *object.Pair { return object.PairAt(cage.At(uintptr(w))) }

func TestSoundWeakThings(t *testing.T) {
	h := newWeakHeap(t)
	if err := Heap(h.conf); err != nil {
		t.Errorf("a sound heap: %v", err)
	}
	*h.pair(h.ephemeron) = object.Pair{}
	*h.pair(h.chained) = object.Pair{}
	h.link(h.holder, 0, 0)
	if err := Heap(h.conf); err != nil {
		t.Errorf("a heap where all weak things are cleared: %v", err)
	}
	// A minor cycle may leave weak references to old objects that are dead.
	h.conf.Full = false
	h.link(h.holder, 0, h.dead)
	*h.pair(h.ephemeron) = object.Pair{Key: h.dead, Value: h.dead}
	if err := Heap(h.conf); err != nil {
		t.Errorf("after a minor cycle: %v", err)
	}
}

func TestWeakDefects(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(h *weakHeap)
		want  string
	}{
		{"weak slot to a dead object", func(h *weakHeap) { h.link(h.holder, 0, h.dead) }, "was not cleared"},
		{"weak slot to a freed object", func(h *weakHeap) {
			h.conf.Full = false
			h.link(h.holder, 0, h.dead)
			*h.header(h.dead) = 0
		}, "freed or overwritten"},
		{"weak slot that was not updated", func(h *weakHeap) {
			h.conf.Full = false
			h.link(h.holder, 0, h.dead)
			*h.header(h.dead) = object.Forward(h.first)
		}, "not updated"},
		{"ephemeron with a dead key", func(h *weakHeap) { h.pair(h.ephemeron).Key = h.dead }, "key"},
		{"value that is kept by nothing", func(h *weakHeap) { *h.pair(h.chained) = object.Pair{Key: h.dead} }, "was not cleared"},
		{"value without a key", func(h *weakHeap) { h.pair(h.ephemeron).Key = 0 }, "no key"},
		{"value that was freed", func(h *weakHeap) {
			h.pair(h.ephemeron).Value = h.dead
			*h.header(h.dead) = 0
		}, "freed or overwritten"},
		{"flag of a key", func(h *weakHeap) { *h.header(h.key) |= object.Key }, "flagged as the key"},
		{"external that was dropped", func(h *weakHeap) { h.link(h.holder, 4, 4) }, "external 4, which was dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newWeakHeap(t)
			c.plant(h)
			if err := Heap(h.conf); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not say %q", err, c.want)
			}
		})
	}
}
