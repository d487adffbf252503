package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/midden-gc/midden/bench/peers/internal/chart"
)

func TestExponent(t *testing.T) {
	for _, want := range []float64{0, 1, 1.5, -1} {
		var points []chart.Point
		for _, x := range []float64{10, 30, 100, 1000} {
			points = append(points, chart.Point{X: x, Y: 3 * math.Pow(x, want)})
		}
		if got := exponent(points); math.Abs(got-want) > 1e-9 {
			t.Errorf("exponent %v, want %v", got, want)
		}
	}
}

func TestSteps(t *testing.T) {
	c := growthConfig{maxObjects: 30_000_000, maxMutators: 64}
	if got, want := c.objects(), []int{10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000}; !slices.Equal(got, want) {
		t.Errorf("objects %v, want %v", got, want)
	}
	if got, want := c.mutators(), []int{1, 2, 4, 8, 16, 32, 64}; !slices.Equal(got, want) {
		t.Errorf("mutators %v, want %v", got, want)
	}
}

func TestGrowthTable(t *testing.T) {
	var points []Point
	for _, n := range []int{10_000, 1_000_000, 3_000_000} {
		seconds := float64(n) / 1e8
		points = append(points,
			Point{Heap: "midden", Objects: n, Full: []float64{9, seconds, 0}, Minor: []float64{0.00002}},
			Point{Heap: "go", Objects: n, Full: []float64{10 * seconds}})
	}
	for _, wall := range []float64{0.5, 0.25, 0.1} {
		points = append(points, Point{Heap: "midden", Workload: "lru", Mutators: 1, Wall: wall})
	}
	points = append(points, Point{Heap: "go", Workload: "lru", Mutators: 1, Wall: 1}, Point{Heap: "midden", Workload: "lru", Mutators: 2, Wall: 0.125})
	got := growthTable(heading{Command: "peers growth", Machine: "a machine", Versions: []string{"go1"}}, points)
	want := "# How cost grows\n\n![How cost grows](growth.svg)\n\nMeasured on a machine, with go1, by `peers growth`.\n" +
		"What is compared, and how, says [bench/peers](https://github.com/midden-gc/midden/tree/main/bench/peers).\n" + `
## Time of a collection while so many objects live, medians

| live objects | midden, full | midden, minor | Go, full |
| ---: | ---: | ---: | ---: |
| 10 k | 100 µs | 20 µs | 1 ms |
| 1 M | 10 ms | 20 µs | 100 ms |
| 3 M | 30 ms | 20 µs | 300 ms |
| growth exponent | 1.00 | 0.00 | 1.00 |
| the same, from 1 million on | 1.00 | 0.00 | 1.00 |

## Passes of a workload a second with so many mutators, medians

| mutators | lru on midden | lru on go |
| ---: | ---: | ---: |
| 1 | 4 | 1 |
| 2 | 8 | – |
`
	if got != want {
		t.Errorf("table is\n%s\nwant\n%s", got, want)
	}
}

func TestCyclesAreThoseAskedFor(t *testing.T) {
	p, err := cyclesOnMidden(20_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	// A node takes 32 bytes with its header, a place in the array 4.
	if len(p.Full) != 2 || len(p.Minor) != 2 || p.Live < 20_000*36 || p.Live > 20_000*36+1<<16 {
		t.Errorf("%+v", p)
	}
	if slices.Min(slices.Concat(p.Full, p.Minor)) <= 0 {
		t.Errorf("a cycle took no time: %+v", p)
	}
	g := cyclesOnGo(20_000, 2)
	if len(g.Full) != 2 || g.Minor != nil || g.Live < 20_000*40 {
		t.Errorf("%+v", g)
	}
}

func TestGrowth(t *testing.T) {
	out := t.TempDir()
	status, stdout, stderr := runPeers(t, "growth", "--quick", "--max-objects", "30000", "--max-mutators", "2", "--out", out)
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	_, points, err := readJournal[Point](filepath.Join(out, "growth.jsonl"))
	if err != nil || len(points) != 2*2+2*2*2 {
		t.Errorf("%d points, %v", len(points), err)
	}
	for _, want := range []string{"| growth exponent |", "| 30 k |", "| 2 |", "lru on go", "growth.svg"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	svg, err := os.ReadFile(filepath.Join(out, "growth.svg"))
	if err != nil || !strings.Contains(string(svg), "midden, minor") {
		t.Errorf("figure %.100s, %v", svg, err)
	}
}
