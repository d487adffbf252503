package main

import "math/bits"

// A program is a workload of package bench that all peers have.
type program struct {
	name               string
	quick, usual, full int // sizes
	// live is how many bytes live at the fullest moment, on Go's heap, by
	// arithmetic: so heap sizes are the same on every machine.
	live func(size int) int64
	// warmup is the size of a pass of about a tenth of the work.
	warmup func(size int) int
}

var programs = []program{
	{"binarytrees", 15, 18, 20, binaryTreesLive, shallower},
	{"gcbench", 16, 19, 21, gcBenchLive, shallower},
	{"graph", 100_000, 1_000_000, 4_000_000, graphLive, tenth},
	{"lru", 20_000, 100_000, 500_000, lruLive, tenth},
}

func programName(p program) string { return p.name }

func shallower(size int) int { return max(size-3, 1) }

func tenth(size int) int { return max(size/10, 1) }

// binaryTreesLive counts the first tree, which is one deeper than all others; later
// there are two of half its size at once. A node is two pointers.
func binaryTreesLive(size int) int64 {
	deepest := max(size, 6)
	return (1<<(deepest+2) - 1) * 16
}

// gcBenchLive counts the first tree: the tree and the array that live, and a
// tree that is dropped, are less together. A node is two pointers and two numbers.
func gcBenchLive(size int) int64 {
	return (1<<(size+1) - 1) * 24
}

// graphLive counts nodes of three pointers and a number, and a pointer to each.
func graphLive(size int) int64 {
	return int64(size) * (32 + 8)
}

// lruLive counts entries, which Go's heap rounds up to 48 bytes, each with 8.5
// fields of 24 bytes on the average, and the buckets.
func lruLive(size int) int64 {
	const shards = 64
	capacity := max(size/shards, 1)
	buckets := 1 << bits.Len(uint(capacity-1))
	return shards * (int64(capacity)*(48+8.5*24) + int64(buckets)*8)
}
