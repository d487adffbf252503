//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// peakRSS is the most memory in bytes that an ended child held at once. On Linux a
// child begins with the peak of its parent: children that know better say so
// themselves.
func peakRSS(s *os.ProcessState) int64 {
	ru, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	peak := int64(ru.Maxrss)
	if runtime.GOOS != "darwin" {
		peak <<= 10
	}
	return peak
}
