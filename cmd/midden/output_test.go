package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/midden-gc/midden/bench"
)

func TestJSON(t *testing.T) {
	dir := t.TempDir()
	status, stdout, stderr := runMidden(t, "bench", "--json", "--mutators=2", "binarytrees", "--size", "6", "gcbench", "--dir", dir)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	var seen []string
	for _, line := range lines {
		keys := regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(line, -1)
		var names []string
		for _, k := range keys {
			names = append(names, k[1])
		}
		want := []string{"workload", "heap", "collector", "mutators", "size", "wall_s", "cpu_s", "peak_rss_bytes",
			"allocated_bytes", "collections", "pause_max_s", "pause_p99_s", "pause_total_s", "ttsp_max_s", "check"}
		if !slices.Equal(names, want) {
			t.Errorf("fields %q\n  want %q", names, want)
		}
		var r bench.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%s/%s/%s/%d/%d", r.Workload, r.Heap, r.Collector, r.Mutators, r.Size))
		if r.Allocated <= 0 || r.PeakRSS <= 0 || r.Check == "" {
			t.Errorf("%s", line)
		}
	}
	want := []string{
		"binarytrees/go/go/2/6", "binarytrees/midden/immix/2/6",
		"gcbench/go/go/2/6", "gcbench/midden/immix/2/6",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("lines %q\n  want %q", seen, want)
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	table := newTable(&out, benchConfig{collector: "immix", params: bench.Params{Mutators: 2}})
	err := table.print([]bench.Result{
		{Workload: "graph", Heap: "go", Size: 2_000_000, Wall: 2.5, CPU: 3, PeakRSS: 300 << 20, Allocated: 3 << 30, Collections: 12, PauseMax: 0.0002},
		{Workload: "graph", Heap: "midden", Size: 2_000_000, Wall: 0.5, CPU: 0.75, PeakRSS: 200 << 20, Allocated: 2 << 30, Collections: 0, PauseMax: 0.004},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(out.String(), "\n\n")
	want := `
workload          size  heap              wall         cpu    peak rss   allocated collections   pause max
graph          2000000  go              2.50 s      3.00 s     300 MiB       3 GiB          12      200 µs
                        midden          500 ms      750 ms     200 MiB       2 GiB           0        4 ms
                        go/midden            5           4         1.5         1.5           -        0.05
`
	if want := strings.TrimPrefix(want, "\n"); rows != want {
		t.Errorf("table is\n%s\nwant\n%s", rows, want)
	}
	if !strings.HasPrefix(out.String(), "collector immix, mutators 2, ") {
		t.Errorf("the table begins with %s", out.String())
	}
}

func TestTableOfOneHeapHasNoRatios(t *testing.T) {
	status, stdout, stderr := runMidden(t, "bench", "binarytrees", "--size", "6", "--heap", "go", "--runs", "2")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	if strings.Count(stdout, "\n") != 4 || !strings.Contains(stdout, "binarytrees") {
		t.Errorf("table is\n%s", stdout)
	}
}

func TestMedians(t *testing.T) {
	run := func(walls ...float64) (runs []bench.Result) {
		for _, w := range walls {
			runs = append(runs, bench.Result{Wall: w})
		}
		return runs
	}
	got := medians([][]bench.Result{run(3, 1, 2), run(5, 9, 8, 7)})
	if len(got) != 2 || got[0].Wall != 2 || got[1].Wall != 7 {
		t.Errorf("%+v", got)
	}
}

func TestHeapsMustAgree(t *testing.T) {
	runs := [][]bench.Result{
		{{Workload: "lru", Heap: "go", Check: "a"}, {Workload: "lru", Heap: "go", Check: "a"}},
		{{Workload: "lru", Heap: "midden", Check: "a"}, {Workload: "lru", Heap: "midden", Check: "a"}},
	}
	if err := agree(runs); err != nil {
		t.Error(err)
	}
	runs[1][1].Check = "b"
	want := "lru: the results differ: check a on go, b on midden"
	if err := agree(runs); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"1": 1, "512": 512, "64KiB": 64 << 10, "3MiB": 3 << 20, "2GiB": 2 << 30,
		"": 0, "0": 0, "-1": 0, "MiB": 0, "1.5GiB": 0, "10MB": 0, "9999999999GiB": 0,
	} {
		var b byteSize
		if err := b.Set(text); b != want || (err == nil) != (want != 0) {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
	for b, want := range map[byteSize]string{0: "0", 1023: "1023", 1024: "1 KiB", 42 << 20: "42 MiB", 3 << 29: "1.5 GiB"} {
		if got := b.String(); got != want {
			t.Errorf("%d is shown as %s, want %s", int64(b), got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0 µs", 0.00001234: "12.3 µs", 0.0025: "2.5 ms", 0.999: "999 ms", 1.234: "1.23 s", 123: "123.00 s"} {
		if got := span(seconds); got != want {
			t.Errorf("%v s is shown as %s, want %s", seconds, got, want)
		}
	}
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 2)
	p.next("something")
	p.clear()
	if out.Len() != 0 {
		t.Errorf("wrote %q", &out)
	}
}
