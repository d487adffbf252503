package trace

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
	"github.com/midden-gc/midden/internal/space"
)

type slot = object.StrongSlot

type pair struct {
	A, B slot
	N    int64
}

type record struct {
	N    int64
	S    [40]slot
	_    [100]byte
	Last slot // beyond what a bitmap covers
}

type row struct {
	N uint32
	S slot
	_ uint16
	T slot
}

// dynamic is an object of a dynamic language.
type dynamic struct {
	S slot
	V [3]object.TaggedSlot
	O odd
	T slot
}

// odd has references in the upper half of odd words.
type odd struct {
	_ oddScheme
	W object.SchemeSlot
}

type oddScheme struct{}

func (oddScheme) Ref(w uint64) uint32                 { return uint32(w>>32) * uint32(w&1) }
func (oddScheme) WithRef(w uint64, ref uint32) uint64 { return w&(1<<32-1) | uint64(ref)<<32 }

// describe returns the descriptor of a T, and of arrays of T.
func describe[T any]() (single, array *object.Type) {
	t := reflect.TypeFor[T]()
	single, err := object.Describe(t)
	if err != nil {
		panic(err)
	}
	array, err = object.DescribeArray(t, "array of "+t.String())
	if err != nil {
		panic(err)
	}
	return single, array
}

// graph is memory with objects in it, made by hand.
type graph struct {
	t        testing.TB
	rand     *rand.Rand
	owner    uint32
	runs     [][2]cage.Block // first and end
	next, to uintptr         // units that are free for small objects
	objects  []object.Word
	starts   bool // the last trace noted them
}

func newGraph(t testing.TB, seed uint64) *graph {
	if err := cage.Init(); err != nil {
		t.Fatal(err)
	}
	g := &graph{t: t, rand: rand.New(rand.NewPCG(seed, 9)), owner: cage.NewOwner()}
	t.Cleanup(func() {
		for _, r := range g.runs {
			cage.Release(r[0], int(r[1]-r[0]))
		}
	})
	return g
}

func (g *graph) acquire(n int) cage.Block {
	b, err := cage.Acquire(n, g.owner)
	if err != nil {
		g.t.Fatal(err)
	}
	g.runs = append(g.runs, [2]cage.Block{b, b + cage.Block(n)})
	return b
}

const blockUnits = cage.BlockSize >> cage.UnitShift

// alloc makes an object; an array has n elements.
func (g *graph) alloc(d *object.Type, n int) object.Word {
	h := d.Header
	if d.Array {
		h |= object.MakeHeader(0, uint32(n))
	}
	bytes := object.BytesOf(object.Scans(), h)
	var at uintptr
	if bytes > space.MaxSmall {
		h |= object.Large
		at = uintptr(g.acquire(int((bytes+cage.BlockSize-1)/cage.BlockSize))) * blockUnits
	} else {
		if g.next+bytes/8 > g.to {
			g.next = uintptr(g.acquire(1)) * blockUnits
			g.to = g.next + blockUnits
		}
		at = g.next
		g.next += bytes / 8
		if g.rand.IntN(8) == 0 {
			g.next += uintptr(g.rand.IntN(40)) // holes
		}
	}
	w := object.Word(at + 1)
	*object.HeaderOf(cage.At(uintptr(w))) = h
	g.objects = append(g.objects, w)
	return w
}

// slots returns the slots of an object whose words are all its own.
func slots(w object.Word) (ss []*object.Word) {
	payload := cage.At(uintptr(w))
	object.Each(payload, *object.HeaderOf(payload), func(s *object.Word) { ss = append(ss, s) })
	return ss
}

// populate makes n objects of all kinds, and links them: a slot is nil, or refers
// to any object, now and then to itself.
func (g *graph) populate(n int, nils int) {
	pairs, pairRows := describe[pair]()
	records, _ := describe[record]()
	words, wordRows := describe[slot]()
	_, rows := describe[row]()
	plain, plainRows := describe[[5]uint16]()
	largeSlots, _ := describe[[3000]slot]()
	largePlain, _ := describe[[9000]byte]()
	value, values := describe[object.TaggedSlot]()
	dynamics, dynamicRows := describe[dynamic]()
	_, odds := describe[odd]()
	for range n {
		switch g.rand.IntN(40) {
		case 10:
			g.alloc(values, g.rand.IntN(200))
		case 11:
			g.alloc(dynamicRows, g.rand.IntN(20))
		case 12:
			g.alloc(odds, g.rand.IntN(20))
		case 13, 14:
			g.alloc(dynamics, 0)
		case 15:
			g.alloc(value, 0)
		case 0:
			g.alloc(records, 0)
		case 1:
			g.alloc(wordRows, g.rand.IntN(200))
		case 2:
			g.alloc(rows, g.rand.IntN(100))
		case 3:
			g.alloc(pairRows, g.rand.IntN(20))
		case 4, 5:
			g.alloc(plain, 0)
		case 6, 7:
			g.alloc(plainRows, g.rand.IntN(810))
		case 8:
			g.alloc(words, 0)
		case 9:
			switch g.rand.IntN(20) {
			case 5:
				g.alloc(values, 1100+g.rand.IntN(5000))
			case 6:
				g.alloc(dynamicRows, 300+g.rand.IntN(2000))
			case 7:
				g.alloc(odds, 2000+g.rand.IntN(2000))
			case 0:
				g.alloc(largeSlots, 0)
			case 1:
				g.alloc(largePlain, 0)
			case 2:
				g.alloc(wordRows, 2100+g.rand.IntN(10_000))
			case 3:
				g.alloc(rows, 600+g.rand.IntN(2000))
			case 4:
				g.alloc(plainRows, 1000+g.rand.IntN(5000))
			}
		default:
			g.alloc(pairs, 0)
		}
	}
	for _, w := range g.objects {
		g.fillWords(w, nils)
		payload := cage.At(uintptr(w))
		object.Each(payload, *object.HeaderOf(payload), func(s *object.Word) {
			switch g.rand.IntN(100) {
			case 0:
				*s = w
			default:
				if g.rand.IntN(100) >= nils {
					*s = g.objects[g.rand.IntN(len(g.objects))]
				}
			}
		})
	}
}

// fillWords makes numbers of some of the tagged words of an object, which look
// like references in one half, and references of some of the odd ones.
func (g *graph) fillWords(w object.Word, nils int) {
	payload := cage.At(uintptr(w))
	h := *object.HeaderOf(payload)
	d := object.ByID(h.Type())
	n := uint32(1)
	if d.Array {
		n = h.Upper()
	}
	for i := range n {
		elem := unsafe.Add(payload, uintptr(i)*d.Size)
		for _, off := range d.Tagged {
			if g.rand.IntN(2) == 0 {
				*(*uint64)(unsafe.Add(elem, off)) = 1<<32 | uint64(g.objects[g.rand.IntN(len(g.objects))])
			}
		}
		for _, sw := range d.Schemes {
			word := uint64(g.objects[g.rand.IntN(len(g.objects))])<<32 | 4
			if g.rand.IntN(100) >= nils {
				word |= 1
			}
			*(*uint64)(unsafe.Add(elem, sw.Offset)) = word
		}
	}
}

// reachable is the reference: what can be reached, found with a map.
func reachable(roots []object.Word) map[object.Word]bool {
	seen := map[object.Word]bool{}
	var todo []object.Word
	add := func(w object.Word) {
		if w != 0 && !seen[w] {
			seen[w] = true
			todo = append(todo, w)
		}
	}
	for _, w := range roots {
		add(w)
	}
	for len(todo) > 0 {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		payload := cage.At(uintptr(w))
		object.Each(payload, *object.HeaderOf(payload), func(s *object.Word) { add(*s) })
	}
	return seen
}

const testLine = 0x81

func config(workers int) Config {
	return Config{
		Base: cage.Base, Lines: cage.Lines, Marks: cage.Marks, Scans: object.Scans(),
		Line: testLine, Workers: workers,
	}
}

// check compares both tables with what should be marked.
func (g *graph) check(tr *Tracer, want map[object.Word]bool) {
	g.t.Helper()
	lines := map[uintptr]bool{}
	marks := map[uintptr]uint8{}
	lost := 0
	for w := range want {
		payload := cage.At(uintptr(w))
		h := *object.HeaderOf(payload)
		start := uintptr(w) - 1
		end := start + object.BytesOf(object.Scans(), h)/8
		first, last := start/unitsPerLine, (end-1)/unitsPerLine
		if h&object.Large != 0 && !object.ByID(h.Type()).HasSlots() {
			last = first
		}
		for line := first; line <= last; line++ {
			lines[line] = true
		}
		marks[first] |= 1 << (start % unitsPerLine / 2)
		if !tr.Marked(w) {
			lost++
			// Bits of one byte may get lost when workers race for it, but a large
			// object has a byte of its own, and is freed without the bit.
			if tr.Workers == 1 || h&object.Large != 0 {
				g.t.Fatalf("%#x, a %s, can be reached and has no mark", w, object.ByID(h.Type()).Name)
			}
		}
	}
	if lost > 10+len(want)/10 {
		g.t.Errorf("%d of %d marks were lost", lost, len(want))
	}
	for _, r := range g.runs {
		for line := r[0].Line(); line < r[1].Line(); line++ {
			got := *(*uint8)(unsafe.Add(cage.Lines, line))
			if lines[line] && got != testLine || !lines[line] && got != 0 {
				g.t.Fatalf("line %#x is marked %#x; touched: %v", line, got, lines[line])
			}
			if got := *(*uint8)(unsafe.Add(cage.Marks, line)); got&^marks[line] != 0 {
				g.t.Fatalf("marks of line %#x are %#x, and what can be reached has %#x", line, got, marks[line])
			}
		}
	}
}

// checkStarts compares the table of starts with where small objects begin.
func (g *graph) checkStarts(tr *Tracer, want map[object.Word]bool) {
	g.t.Helper()
	starts := map[uintptr]uint64{}
	for w := range want {
		if at := uintptr(w) - 1; *object.HeaderOf(cage.At(uintptr(w)))&object.Large == 0 && tr.Starts != nil {
			starts[at/64] |= 1 << (at % 64)
		}
	}
	for _, r := range g.runs {
		for b := r[0]; b < r[1]; b++ {
			for i, got := range b.Starts() {
				if word := uintptr(b)*uintptr(len(b.Starts())) + uintptr(i); got != starts[word] {
					g.t.Fatalf("word %d of the starts of block %d is %#x, want %#x", i, b, got, starts[word])
				}
			}
		}
	}
}

func (g *graph) clear() {
	for _, r := range g.runs {
		for b := r[0]; b < r[1]; b++ {
			b.ClearStarts()
		}
		r[0].ClearMarks(int(r[1] - r[0]))
	}
}

// run traces from roots, and checks what is marked.
func (g *graph) run(workers int, roots []object.Word, stack []object.Word) (left []object.Word) {
	g.t.Helper()
	g.clear()
	c := config(workers)
	if g.starts = !g.starts; g.starts {
		c.Starts = cage.Starts
	}
	tr := New(c, stack)
	for _, w := range roots {
		tr.Push(w)
	}
	tr.Run()
	want := reachable(roots)
	g.check(tr, want)
	g.checkStarts(tr, want)
	var bytes int64
	for w := range want {
		bytes += int64(object.BytesOf(object.Scans(), *object.HeaderOf(cage.At(uintptr(w)))))
	}
	if got := tr.Bytes(); got < bytes || workers == 1 && got != bytes || got > 2*bytes {
		g.t.Errorf("%d bytes were visited, and %d can be reached", got, bytes)
	}
	return tr.Stack()
}

var workers = []int{1, 2, 8}

// What a trace marks is what a simple one over object.Each reaches: no less, and
// nothing else.
func TestRandomGraphs(t *testing.T) {
	for seed := range uint64(6) {
		g := newGraph(t, seed)
		// From few references, so that much cannot be reached, to many.
		g.populate([]int{10, 300, 3000}[seed%3], []int{80, 60, 30}[seed/2%3])
		var stack []object.Word
		for round := range 6 {
			var roots []object.Word
			for range 1 + g.rand.IntN(4) {
				roots = append(roots, g.objects[g.rand.IntN(len(g.objects))], 0)
			}
			stack = g.run(workers[round%len(workers)], roots, stack)
		}
		g.run(8, nil, stack)
		g.run(8, g.objects, nil)
	}
}

// Shapes that are hard to share or to queue.
func TestShapes(t *testing.T) {
	pairs, _ := describe[pair]()
	_, wordRows := describe[slot]()
	_, rows := describe[row]()
	shapes := []struct {
		name string
		make func(g *graph) (root object.Word)
	}{
		{"deep list", func(g *graph) object.Word {
			var head object.Word
			for range 20_000 {
				w := g.alloc(pairs, 0)
				*slots(w)[0] = head
				head = w
			}
			return head
		}},
		{"ring", func(g *graph) object.Word {
			first := g.alloc(pairs, 0)
			last := first
			for range 1000 {
				w := g.alloc(pairs, 0)
				*slots(w)[1] = last
				last = w
			}
			*slots(first)[0] = last
			return first
		}},
		{"self", func(g *graph) object.Word {
			w := g.alloc(pairs, 0)
			*slots(w)[0], *slots(w)[1] = w, w
			return w
		}},
		{"wide array of Values", func(g *graph) object.Word {
			_, values := describe[object.TaggedSlot]()
			a := g.alloc(values, 30_000)
			for _, s := range slots(a) {
				*s = g.alloc(pairs, 0)
			}
			return a
		}},
		{"wide array", func(g *graph) object.Word {
			a := g.alloc(wordRows, 30_000)
			for i, s := range slots(a) {
				if i%3 != 0 {
					*s = g.alloc(pairs, 0)
				}
			}
			return a
		}},
		{"wide array of structs", func(g *graph) object.Word {
			a := g.alloc(rows, 10_000)
			for _, s := range slots(a) {
				*s = g.alloc(pairs, 0)
			}
			return a
		}},
		{"array of arrays that end in lists", func(g *graph) object.Word {
			a := g.alloc(wordRows, 3000)
			for i, s := range slots(a) {
				b := g.alloc(wordRows, i%7)
				*s = b
				for _, s := range slots(b) {
					*s = g.alloc(pairs, 0)
					*slots(*s)[1] = a
				}
			}
			return a
		}},
		{"many references to one", func(g *graph) object.Word {
			a, one := g.alloc(wordRows, 50_000), g.alloc(pairs, 0)
			for _, s := range slots(a) {
				*s = one
			}
			return a
		}},
		{"tree", func(g *graph) object.Word {
			row := make([]object.Word, 1<<13)
			for n := len(row); n > 1; n /= 2 {
				for i := range n / 2 {
					w := g.alloc(pairs, 0)
					*slots(w)[0], *slots(w)[1] = row[2*i], row[2*i+1]
					row[i] = w
				}
			}
			return row[0]
		}},
	}
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			g := newGraph(t, 1)
			root := s.make(g)
			g.alloc(pairs, 0) // cannot be reached
			for _, n := range workers {
				g.run(n, []object.Word{root}, nil)
			}
		})
	}
}

// A trace may go on from more roots, and stops at what it has marked.
func TestRunAgain(t *testing.T) {
	for _, n := range workers {
		g := newGraph(t, uint64(n))
		g.populate(1000, 70)
		tr := New(config(n), nil)
		var roots []object.Word
		for range 10 {
			w := g.objects[g.rand.IntN(len(g.objects))]
			roots = append(roots, w)
			tr.Push(w)
			tr.Push(w)
			tr.Run()
			tr.Run()
			g.check(tr, reachable(roots))
		}
	}
}

// A minor cycle leaves the marks of before: the trace does not look behind them.
func TestStopsAtMarks(t *testing.T) {
	pairs, _ := describe[pair]()
	for _, n := range workers {
		g := newGraph(t, 1)
		old, young, behind := g.alloc(pairs, 0), g.alloc(pairs, 0), g.alloc(pairs, 0)
		*slots(old)[0] = behind
		*slots(young)[0] = old
		mark(cage.Marks, old)
		tr := New(config(n), nil)
		tr.Push(old)
		tr.Push(young)
		tr.Run()
		if !tr.Marked(young) || tr.Marked(behind) {
			t.Errorf("young marked: %v, what the old one refers to: %v", tr.Marked(young), tr.Marked(behind))
		}
	}
}

// Thousands of traces of next to nothing: workers start and end in every order.
func TestTinyTraces(t *testing.T) {
	g := newGraph(t, 1)
	g.populate(150, 20)
	var stack []object.Word
	c := config(8)
	want := reachable(g.objects[:1])
	for range 1500 {
		g.clear()
		tr := New(c, stack)
		tr.Push(g.objects[0])
		tr.Run()
		stack = tr.Stack()
		for w := range want {
			line := (uintptr(w) - 1) / unitsPerLine
			if *(*uint8)(unsafe.Add(cage.Lines, line)) != testLine {
				t.Fatalf("%#x was not visited", w)
			}
		}
	}
}

// A worker that panics ends the trace for all: the panic arrives, and nobody
// waits for ever.
func TestPanicArrives(t *testing.T) {
	type broken struct {
		_ [70]uint32
		S slot
	}
	pairs, _ := describe[pair]()
	_, wordRows := describe[slot]()
	bad, _ := describe[broken]()
	for _, n := range workers {
		for _, where := range []string{"root", "deep", "everywhere"} {
			t.Run(fmt.Sprintf("%d/%s", n, where), func(t *testing.T) {
				g := newGraph(t, 1)
				var roots []object.Word
				switch where {
				case "root":
					roots = append(roots, g.alloc(bad, 0))
				case "deep":
					head := g.alloc(bad, 0)
					for range 3000 {
						w := g.alloc(pairs, 0)
						*slots(w)[0] = head
						head = w
					}
					roots = append(roots, head)
				}
				a := g.alloc(wordRows, 20_000)
				for i, s := range slots(a) {
					if where == "everywhere" && i%500 == 499 {
						*s = g.alloc(bad, 0)
					} else {
						*s = g.alloc(pairs, 0)
					}
				}
				roots = append(roots, a)

				c := config(n)
				c.Scans = append([]object.Scan(nil), c.Scans...)
				c.Scans[bad.ID].NumSlot = 0 // to divide by
				tr := New(c, nil)
				for _, w := range roots {
					tr.Push(w)
				}
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					tr.Run()
				}()
				select {
				case r := <-done:
					if err, ok := r.(error); !ok || !strings.Contains(err.Error(), "divide by zero") {
						t.Errorf("Run panicked with %v", r)
					}
				case <-time.After(time.Minute):
					t.Fatal("Run hangs")
				}
			})
		}
	}
}

// Workers note starts in the same words at once, and none gets lost.
func TestStartsOfManyWorkers(t *testing.T) {
	const words, workers = 1 << 14, 4
	for range 20 {
		table := make([]uint64, words)
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for at := w; at < 64*words; at += workers {
					start(unsafe.Pointer(unsafe.SliceData(table)), uintptr(at), false)
				}
			})
		}
		wg.Wait()
		for i, got := range table {
			if got != ^uint64(0) {
				t.Fatalf("word %d is %#x", i, got)
			}
		}
	}
}
