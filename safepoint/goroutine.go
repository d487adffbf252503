package safepoint

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
)

// readGoroutineID returns the id of the calling goroutine, the number that
// stack traces show. It costs microseconds, more on a deep stack.
func readGoroutineID() uint64 {
	var buf [40]byte
	g, _ := parseGoroutine(string(buf[:runtime.Stack(buf[:], false)]))
	return g.id
}

// trace is one goroutine as runtime.Stack prints it.
type trace struct {
	id    uint64
	state string // "running", "chan receive"
	text  string
}

func parseGoroutine(text string) (t trace, ok bool) {
	rest, ok := strings.CutPrefix(text, "goroutine ")
	if !ok {
		return t, false
	}
	id, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return t, false
	}
	t.id, _ = strconv.ParseUint(id, 10, 64)
	if s, ok := strings.CutPrefix(rest, "["); ok {
		if end := strings.IndexAny(s, ",]"); end >= 0 {
			t.state = s[:end]
		}
	}
	t.text = text
	return t, t.id != 0
}

const (
	tracesFrom = 64 << 10
	tracesEach = 1 << 10 // what a goroutine's stack takes, in most programs less
	tracesCap  = 1 << 20 // enough for what is done without being asked
	reportCap  = 16 << 20
)

// traces returns the stacks of all goroutines. It stops the program for a
// moment: about 25 ms with 10,000 of them, however much of that fits. complete is
// false if there was more than limit, in bytes.
func traces(limit int) (list []trace, complete bool) {
	var buf []byte
	for size := max(tracesFrom, runtime.NumGoroutine()*tracesEach); ; size *= 4 {
		buf = make([]byte, min(size, limit))
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf, complete = buf[:n], true
			break
		}
		if len(buf) == limit {
			break
		}
	}
	for part := range bytes.SplitSeq(buf, []byte("\n\n")) {
		if t, ok := parseGoroutine(string(part)); ok {
			list = append(list, t)
		}
	}
	return list, complete
}

// calls yields the functions on the stack, the innermost first.
func (t *trace) calls(yield func(name string) bool) {
	first := true
	for line := range strings.SplitSeq(t.text, "\n") {
		if first {
			first = false
			continue
		}
		if strings.HasPrefix(line, "\t") {
			continue
		}
		if strings.HasPrefix(line, "created by ") || !yield(line) {
			return
		}
	}
}

// has reports whether one of the functions is on the stack.
func (t *trace) has(functions ...string) bool {
	for name := range t.calls {
		for _, f := range functions {
			if strings.HasPrefix(name, f+"(") {
				return true
			}
		}
	}
	return false
}
