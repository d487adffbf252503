package bench

import (
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// Binary trees: the program by which allocators have been compared since
// Boehm's GCBench, in the form of the benchmarks game. A first tree stretches
// the heap and is dropped. A second one lives to the end. Then trees of every
// second depth are built, counted and dropped by the million.
//
// On midden the program uses all that coordination has to offer: the long-lived
// tree is kept by a Handle, which belongs to no mutator; the main mutator is
// frozen while the workers work; every worker has a mutator of its own and stops
// for collections after each tree, when it holds no reference to anything.
var binaryTrees = Workload{
	Name:        "binarytrees",
	About:       "trees of many depths, counted and dropped, beside one that lives",
	SizeIs:      "the greatest depth",
	DefaultSize: 18,
	MaxSize:     30,
	onGo:        binaryTreesOnGo,
	onMidden:    binaryTreesOnMidden,
}

const minDepth = 4

// maxDepth is the depth that the size asks for, with room for at least two
// kinds of trees.
func maxDepth(p Params) int { return max(minDepth+2, p.Size) }

// trees returns how many trees of a depth are built: the shallower, the more,
// so that the nodes of every depth are about as many.
func trees(depth, deepest int) int { return 1 << (deepest - depth + minDepth) }

type tree struct {
	left, right midden.Field[tree]
}

var treeType = midden.TypeFor[tree]()

// newTree builds a tree from the bottom up. It needs no roots on its way:
// nothing is collected before the next safepoint, and there is none in here.
func newTree(m *midden.Mutator, depth int) midden.Ref[tree] {
	if depth == 0 {
		return treeType.New(m)
	}
	left := newTree(m, depth-1)
	right := newTree(m, depth-1)
	return treeType.Alloc(m, tree{midden.FieldOf(left), midden.FieldOf(right)})
}

func (t *tree) count() int {
	left := t.left.Get()
	if left == nil {
		return 1
	}
	return 1 + left.count() + t.right.Get().count()
}

func binaryTreesOnMidden(m *midden.Mutator, p Params) (string, error) {
	deepest := maxDepth(p)
	stretch := newTree(m, deepest+1).Get().count()
	m.Safepoint()

	longLived := midden.NewHandle(m, newTree(m, deepest))
	defer longLived.Release()

	counts := make([]atomic.Int64, deepest+1)
	err := withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		for depth := minDepth; depth <= deepest; depth += 2 {
			nodes := 0
			lo, hi := share(trees(depth, deepest), i, p.Mutators)
			for range hi - lo {
				nodes += newTree(m, depth).Get().count()
				m.Safepoint()
			}
			counts[depth].Add(int64(nodes))
		}
		return nil
	})
	return treesCheck(stretch, counts, longLived.Get(m).Get().count()), err
}

// treesCheck digests how many nodes were counted.
func treesCheck(stretch int, counts []atomic.Int64, longLived int) string {
	d := digest(0).with(uint64(stretch), uint64(longLived))
	for depth := range counts {
		d = d.with(uint64(counts[depth].Load()))
	}
	return d.String()
}
