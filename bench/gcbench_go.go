package bench

import (
	"math"
	"sync/atomic"
)

type goCell struct {
	left, right *goCell
	_           [2]int32
}

func goBottomUp(depth int) *goCell {
	if depth == 0 {
		return &goCell{}
	}
	return &goCell{left: goBottomUp(depth - 1), right: goBottomUp(depth - 1)}
}

func (c *goCell) topDown(depth int) {
	if depth == 0 {
		return
	}
	c.left = &goCell{}
	c.right = &goCell{}
	c.left.topDown(depth - 1)
	c.right.topDown(depth - 1)
}

func (c *goCell) path(way int) int {
	for steps := 0; ; steps++ {
		next := c.left
		if way>>steps&1 == 1 {
			next = c.right
		}
		if c = next; c == nil {
			return steps
		}
	}
}

func (c *goCell) count() int {
	if c.left == nil {
		return 1
	}
	return 1 + c.left.count() + c.right.count()
}

func gcBenchOnGo(p Params) (string, error) {
	stretch := goBottomUp(p.Size).count()

	longLived := &goCell{}
	longLived.topDown(longLivedDepth(p))

	numbers := make([]float64, arrayLength(p))
	fill(numbers)

	var steps atomic.Int64
	err := together(p.Mutators, func(i int) error {
		sum := 0
		for depth := minDepth; depth <= longLivedDepth(p); depth += 2 {
			lo, hi := share(rounds(p, depth), i, p.Mutators)
			for way := lo; way < hi; way++ {
				top := &goCell{}
				top.topDown(depth)
				sum += top.path(way)
			}
			for way := lo; way < hi; way++ {
				sum += goBottomUp(depth).path(way)
			}
		}
		steps.Add(int64(sum))
		return nil
	})
	return gcBenchCheck(stretch, steps.Load(), longLived.count(), total(numbers)), err
}

// fill sets the first half, as GCBench does.
func fill(numbers []float64) {
	for i := 1; i <= len(numbers)/2; i++ {
		numbers[i] = 1 / float64(i)
	}
}

func total(numbers []float64) float64 {
	sum := 0.0
	for _, x := range numbers {
		sum += x
	}
	return sum
}

// gcBenchCheck digests what was seen of the trees and the array.
func gcBenchCheck(stretch int, steps int64, longLived int, total float64) string {
	return digest(0).with(uint64(stretch), uint64(steps), uint64(longLived), math.Float64bits(total)).String()
}
