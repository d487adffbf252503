package bench

import (
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// GCBench, by John Ellis and Pete Kovac, changed by Hans Boehm and others: trees
// again, but of larger nodes, and half of them built from the top down, by
// storing new children into parents that exist already: every such store goes
// through the write barrier. Beside them live a tree and a long array of
// numbers, which a collector should neither copy nor scan more than it must.
//
// The original never looks at the trees that it drops. Here a path of each is
// followed to its end, so that there is something to check; that costs little.
var gcBench = Workload{
	Name:        "gcbench",
	About:       "Boehm's: trees built top down and bottom up, beside a tree and an array that live",
	SizeIs:      "the depth of the first tree",
	DefaultSize: 18,
	MaxSize:     28,
	onGo:        gcBenchOnGo,
	onMidden:    gcBenchOnMidden,
}

// longLivedDepth is the depth of the tree that lives, and of the deepest ones
// that are dropped.
func longLivedDepth(p Params) int { return max(p.Size-2, minDepth) }

// arrayLength is 500,000 numbers at the usual size, and in proportion else.
func arrayLength(p Params) int { return max(500_000<<p.Size>>18, 2) }

// rounds is how many trees of a depth are built each way: twice as many nodes,
// together, as the first tree has.
func rounds(p Params, depth int) int {
	size := func(depth int) int { return 1<<(depth+1) - 1 }
	return max(2*size(p.Size)/size(depth), 1)
}

type cell struct {
	left, right midden.Field[cell]
	_           [2]int32 // the numbers i and j of the original, which nobody reads
}

var cellType = midden.TypeFor[cell]()

// bottomUp builds a tree whose nodes are complete when they are made.
func bottomUp(m *midden.Mutator, depth int) midden.Ref[cell] {
	if depth == 0 {
		return cellType.New(m)
	}
	left := bottomUp(m, depth-1)
	right := bottomUp(m, depth-1)
	return cellType.Alloc(m, cell{left: midden.FieldOf(left), right: midden.FieldOf(right)})
}

// topDown hangs trees of depth-1 under c.
func (c *cell) topDown(m *midden.Mutator, depth int) {
	if depth == 0 {
		return
	}
	c.left.Store(m, cellType.New(m))
	c.right.Store(m, cellType.New(m))
	c.left.Get().topDown(m, depth-1)
	c.right.Get().topDown(m, depth-1)
}

// path follows the turns that the bits of way say, and returns how far it came.
func (c *cell) path(way int) int {
	for steps := 0; ; steps++ {
		next := &c.left
		if way>>steps&1 == 1 {
			next = &c.right
		}
		if c = next.Get(); c == nil {
			return steps
		}
	}
}

func (c *cell) count() int {
	left := c.left.Get()
	if left == nil {
		return 1
	}
	return 1 + left.count() + c.right.Get().count()
}

func gcBenchOnMidden(m *midden.Mutator, p Params) (string, error) {
	stretch := bottomUp(m, p.Size).Get().count()
	m.Safepoint()

	top := cellType.New(m)
	top.Get().topDown(m, longLivedDepth(p))
	longLived := midden.NewHandle(m, top)
	defer longLived.Release()

	numbers := midden.NewHandle(m, midden.NewArray[float64](m, arrayLength(p)))
	defer numbers.Release()
	fill(numbers.Get(m).Get().Slice())
	m.Safepoint()

	var steps atomic.Int64
	err := withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		sum := 0
		for depth := minDepth; depth <= longLivedDepth(p); depth += 2 {
			lo, hi := share(rounds(p, depth), i, p.Mutators)
			for way := lo; way < hi; way++ {
				top := cellType.New(m)
				top.Get().topDown(m, depth)
				sum += top.Get().path(way)
				m.Safepoint()
			}
			for way := lo; way < hi; way++ {
				sum += bottomUp(m, depth).Get().path(way)
				m.Safepoint()
			}
		}
		steps.Add(int64(sum))
		return nil
	})
	total := total(numbers.Get(m).Get().Slice())
	return gcBenchCheck(stretch, steps.Load(), longLived.Get(m).Get().count(), total), err
}
