//go:build !race

package immix_test

// slowness is how much less of a long test is done.
const slowness = 1
