//go:build amd64 || arm64

package trace

import "unsafe"

// Prefetch asks the processor to load the cache line of p. It never faults.
func Prefetch(p unsafe.Pointer) { prefetch(p) }

// prefetch asks the processor to load the cache line of p. It never faults.
//
//go:noescape
func prefetch(p unsafe.Pointer)
