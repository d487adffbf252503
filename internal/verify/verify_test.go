package verify

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

const (
	lineUnits  = cage.LineSize >> cage.UnitShift
	blockUnits = cage.BlockSize >> cage.UnitShift
)

type pair struct {
	A, B object.StrongSlot
	N    int64
}

// testHeap is a small sound heap, made by hand:
//
//	roots: nil, first, array, big, leaf of which all lines but the first are plain
//	first → second → third ⇄ first; array → first, third; big → second
type testHeap struct {
	t     *testing.T
	block cage.Block // of small objects
	large cage.Block // two blocks
	next  uintptr    // where the next small object begins, in units
	roots []object.Word
	conf  Config

	first, second, third, array, big, leaf object.Word
}

func describe(t *testing.T, typ reflect.Type, array bool) *object.Type {
	d, err := object.Describe(typ)
	if array {
		d, err = object.DescribeArray(typ, "array of "+typ.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newHeap(t *testing.T) *testHeap {
	if err := cage.Init(); err != nil {
		t.Fatal(err)
	}
	owner := cage.NewOwner()
	acquire := func(n int) cage.Block {
		b, err := cage.Acquire(n, owner)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cage.Release(b, n) })
		return b
	}
	h := &testHeap{t: t, block: acquire(1), large: acquire(2)}
	h.next = uintptr(h.block) * blockUnits

	pairs := describe(t, reflect.TypeFor[pair](), false)
	slots := describe(t, reflect.TypeFor[object.StrongSlot](), true)
	bytes := describe(t, reflect.TypeFor[byte](), true)
	small := func(header object.Header) object.Word {
		w := h.put(h.next, header)
		h.next += h.size(w) / 8
		return w
	}
	h.first = small(pairs.Header)
	h.second = small(pairs.Header)
	h.array = small(slots.Header | object.MakeHeader(0, 100)) // several lines
	h.third = small(pairs.Header)
	h.big = h.put(uintptr(h.large)*blockUnits, slots.Header|object.Large|object.MakeHeader(0, 5000))
	h.leaf = h.put(uintptr(h.large+1)*blockUnits, bytes.Header|object.Large|object.MakeHeader(0, 10_000))

	h.link(h.first, 0, h.second)
	h.link(h.second, 4, h.third)
	h.link(h.third, 0, h.first)
	h.link(h.third, 4, h.third)
	h.link(h.array, 0, h.first)
	h.link(h.array, 4*99, h.third)
	h.link(h.big, 4*4999, h.second)
	h.roots = []object.Word{0, h.first, h.array, h.big, h.leaf, h.first}
	h.conf = Config{
		Owner: owner,
		Roots: func(visit func(*object.Word)) {
			for i := range h.roots {
				visit(&h.roots[i])
			}
		},
		Lines: true,
		Exact: true,
	}
	lines := 0
	for line := h.block.Line(); line < h.block.Line()+cage.LinesPerBlock; line++ {
		lines += int(*h.line(line))
	}
	// 5000 words and 10,000 bytes with their headers are 5 and 3 pages.
	h.conf.Live = int64(lines)*cage.LineSize + 5*4096 + 3*4096
	return h
}

// put makes an object and marks its lines.
func (h *testHeap) put(at uintptr, header object.Header) object.Word {
	w := object.Word(at + 1)
	*h.header(w) = header
	first, last := h.lines(w)
	if header&object.Large != 0 && !object.ByID(header.Type()).HasSlots() {
		last = first
	}
	for line := first; line <= last; line++ {
		*h.line(line) = 1
	}
	return w
}

func (h *testHeap) header(w object.Word) *object.Header { return object.HeaderOf(cage.At(uintptr(w))) }
func (h *testHeap) line(i uintptr) *uint8               { return (*uint8)(unsafe.Add(cage.Lines, i)) }

func (h *testHeap) size(w object.Word) uintptr { return object.BytesOf(object.Scans(), *h.header(w)) }

// lines returns the first and the last line that an object touches.
func (h *testHeap) lines(w object.Word) (first, last uintptr) {
	at := uintptr(w) - 1
	return at / lineUnits, (at + h.size(w)/8 - 1) / lineUnits
}

func (h *testHeap) link(from object.Word, off uintptr, to object.Word) {
	*(*object.Word)(unsafe.Add(cage.At(uintptr(from)), off)) = to
}

func TestSoundHeaps(t *testing.T) {
	h := newHeap(t)
	if err := Heap(h.conf); err != nil {
		t.Errorf("a sound heap: %v", err)
	}
	// With marks in the headers.
	for _, w := range []object.Word{h.first, h.second, h.third, h.array, h.big, h.leaf} {
		*h.header(w) = h.header(w).WithMark(7)
	}
	h.conf.Epoch = 7
	if err := Heap(h.conf); err != nil {
		t.Errorf("a sound heap with marks: %v", err)
	}
	h.roots = nil
	h.conf.Live = 0
	if err := Heap(h.conf); err != nil {
		t.Errorf("a heap without roots: %v", err)
	}
}

// Each defect is planted in a sound heap, and found.
func TestDefects(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(h *testHeap)
		want  []string
	}{
		{"freed", func(h *testHeap) { *h.header(h.second) = 0 }, []string{"freed or overwritten", "header 0x0"}},
		{"poisoned", func(h *testHeap) { *h.header(h.third) = 0xdbdbdbdbdbdbdbdb }, []string{"freed or overwritten", "0xdbdbdbdbdbdbdbdb"}},
		{"poisoned root", func(h *testHeap) { *h.header(h.array) = 0xdbdbdbdbdbdbdbdb }, []string{"root 2", "freed or overwritten"}},
		{"forwarded", func(h *testHeap) { *h.header(h.third) = object.Forward(h.first) }, []string{"moved", "not updated"}},
		{"wrong owner", func(h *testHeap) { h.conf.Owner = cage.NewOwner() }, []string{"belongs to heap"}},
		{"another heap's", func(h *testHeap) { h.link(h.big, 8, newHeap(h.t).second) }, []string{"belongs to heap", "array of"}},
		{"nobody's block", func(h *testHeap) { h.link(h.first, 4, object.Word(cage.Size/8/2)) }, []string{"belongs to heap 0"}},
		{"block 0", func(h *testHeap) { h.link(h.first, 4, 5) }, []string{"belongs to heap 0"}},
		{"unmarked line", func(h *testHeap) {
			first, _ := h.lines(h.first)
			*h.line(first) = 0
		}, []string{"not marked"}},
		{"unmarked line in the middle", func(h *testHeap) {
			first, _ := h.lines(h.array)
			*h.line(first + 1) = 0
		}, []string{"not marked"}},
		{"unmarked line of a large array", func(h *testHeap) {
			_, last := h.lines(h.big)
			*h.line(last) = 0
		}, []string{"not marked"}},
		{"freed large object, still there", func(h *testHeap) {
			first, _ := h.lines(h.leaf)
			*h.line(first) = 0
		}, []string{"not marked"}},
		{"a marked line too many", func(h *testHeap) { h.conf.Live += cage.LineSize }, []string{"counted", "lines are marked that no living object touches"}},
		{"a page too few", func(h *testHeap) { h.conf.Live -= 4096 }, []string{"counted"}},
		{"too long an array", func(h *testHeap) {
			*h.header(h.array) = *h.header(h.array)&(1<<32-1) | object.MakeHeader(0, cage.BlockSize/4)
		}, []string{"reach past its block"}},
		{"too long a large array", func(h *testHeap) {
			*h.header(h.big) = *h.header(h.big)&(1<<32-1) | object.MakeHeader(0, 1<<32-1)
		}, []string{"not marked"}},
		{"an old mark", func(h *testHeap) {
			for _, w := range []object.Word{h.first, h.second, h.third, h.array, h.big, h.leaf} {
				*h.header(w) = h.header(w).WithMark(7)
			}
			*h.header(h.second) = h.header(h.second).WithMark(6)
			h.conf.Epoch = 7
		}, []string{"mark is 6 instead of 7"}},
		{"a mark where nothing is", func(h *testHeap) {
			*(*uint8)(unsafe.Add(cage.Marks, h.block.Line()+cage.LinesPerBlock-1)) = 0x80
		}, []string{"free, and has the mark"}},
		{"a start", func(h *testHeap) { h.block.Starts()[63] = 1 << 63 }, []string{"word 63 of the table of starts"}},
		{"a type that is none", func(h *testHeap) {
			*h.header(h.second) = object.MakeHeader(1<<20-1, 0)
		}, []string{"no type"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHeap(t)
			c.plant(h)
			err := Heap(h.conf)
			if err == nil {
				t.Fatal("not found")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

// Without line marks, nothing is said of them.
func TestWithoutLines(t *testing.T) {
	h := newHeap(t)
	h.block.ClearMarks(1)
	h.large.ClearMarks(2)
	if Heap(h.conf) == nil {
		t.Error("no line is marked, and nothing is found")
	}
	h.conf.Lines, h.conf.Exact = false, false
	if err := Heap(h.conf); err != nil {
		t.Error(err)
	}
}
