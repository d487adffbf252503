//go:build !amd64 && !arm64

package trace

import "unsafe"

// Prefetch does nothing where we know no instruction for it.
func Prefetch(unsafe.Pointer) {}

// prefetch does nothing where we know no instruction for it.
func prefetch(unsafe.Pointer) {}
