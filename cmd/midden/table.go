package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/midden-gc/midden/bench"
)

// A printer prints the results of one workload, one per heap.
type printer interface {
	print(results []bench.Result) error
}

// jsonLines prints for programs.
type jsonLines struct{ *json.Encoder }

func (j jsonLines) print(results []bench.Result) error {
	for _, r := range results {
		if err := j.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// A table prints for people. Its columns have fixed widths, so that a row can be
// shown as soon as it is known.
type table struct {
	w   io.Writer
	err error
}

func newTable(w io.Writer, c benchConfig) *table {
	t := &table{w: w}
	t.printf("collector %s, mutators %d, processors %d, %s %s/%s\n\n",
		c.collector, c.params.Mutators, runtime.GOMAXPROCS(0), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	t.row("workload", "size", "heap", "wall", "cpu", "peak rss", "allocated", "collections", "pause max")
	return t
}

func (t *table) print(results []bench.Result) error {
	for i, r := range results {
		name, size := r.Workload, strconv.Itoa(r.Size)
		if i > 0 {
			name, size = "", ""
		}
		t.row(name, size, r.Heap, span(r.Wall), span(r.CPU), byteSize(r.PeakRSS).String(),
			byteSize(r.Allocated).String(), strconv.FormatUint(r.Collections, 10), span(r.PauseMax))
	}
	if len(results) == 2 {
		a, b := results[0], results[1]
		t.row("", "", a.Heap+"/"+b.Heap, ratio(a.Wall, b.Wall), ratio(a.CPU, b.CPU), ratio(a.PeakRSS, b.PeakRSS),
			ratio(a.Allocated, b.Allocated), ratio(a.Collections, b.Collections), ratio(a.PauseMax, b.PauseMax))
	}
	return t.err
}

func (t *table) row(name, size, heap string, cells ...any) {
	t.printf("%-12s %9s  %-10s", name, size, heap)
	for _, cell := range cells {
		t.printf(" %11s", cell)
	}
	t.printf("\n")
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

// span shows seconds in three digits and a unit that suits them.
func span(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.2f s", seconds)
	case seconds >= time.Millisecond.Seconds():
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	default:
		return fmt.Sprintf("%.3g µs", seconds*1e6)
	}
}

func ratio[N int64 | uint64 | float64](a, b N) string {
	if a == 0 || b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g", float64(a)/float64(b))
}
