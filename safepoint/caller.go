package safepoint

import (
	"runtime"
	"strings"
)

// inside is the import path of this package, as function names begin.
const inside = "github.com/midden-gc/midden/safepoint."

// caller returns the innermost of the callers that is outside this package
// and outside Options.Within, or the outermost of all.
func (w *World) caller(from []uintptr) runtime.Frame {
	n := 0
	for n < len(from) && from[n] != 0 {
		n++
	}
	frames := runtime.CallersFrames(from[:n])
	for {
		f, more := frames.Next()
		if !more || !w.embedded(f) {
			return f
		}
	}
}

func (w *World) embedded(f runtime.Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	if strings.HasPrefix(f.Function, inside) {
		return true
	}
	for _, prefix := range w.within {
		if strings.HasPrefix(f.Function, prefix) {
			return true
		}
	}
	return false
}
