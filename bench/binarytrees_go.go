package bench

import "sync/atomic"

type goTree struct {
	left, right *goTree
}

func newGoTree(depth int) *goTree {
	if depth == 0 {
		return &goTree{}
	}
	return &goTree{newGoTree(depth - 1), newGoTree(depth - 1)}
}

func (t *goTree) count() int {
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func binaryTreesOnGo(p Params) (string, error) {
	deepest := maxDepth(p)
	stretch := newGoTree(deepest + 1).count()
	longLived := newGoTree(deepest)

	counts := make([]atomic.Int64, deepest+1)
	err := together(p.Mutators, func(i int) error {
		for depth := minDepth; depth <= deepest; depth += 2 {
			nodes := 0
			lo, hi := share(trees(depth, deepest), i, p.Mutators)
			for range hi - lo {
				nodes += newGoTree(depth).count()
			}
			counts[depth].Add(int64(nodes))
		}
		return nil
	})
	return treesCheck(stretch, counts, longLived.count()), err
}
