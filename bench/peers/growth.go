package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/midden-gc/midden/bench"
	"github.com/midden-gc/midden/bench/peers/internal/chart"
)

// A growthConfig is what the command line of growth asks for.
type growthConfig struct {
	maxObjects, maxMutators, runs int
	quick                         bool
	timeout                       time.Duration
	out                           string
}

func (c *growthConfig) flags() *pflag.FlagSet {
	f := newFlags("growth")
	f.IntVar(&c.maxObjects, "max-objects", 30_000_000, "measure collections with 10,000 live objects and up to so many; each takes 50 bytes")
	f.IntVar(&c.maxMutators, "max-mutators", 64, "measure throughput with 1 mutator and up to so many")
	f.IntVar(&c.runs, "runs", 3, "measure so many times, and give the medians (1 with --quick)")
	f.BoolVar(&c.quick, "quick", false, "few objects and mutators: to see that everything works")
	f.DurationVar(&c.timeout, "timeout", 5*time.Minute, "give up when one measurement takes longer than this")
	f.StringVar(&c.out, "out", "figures", "the directory for growth.jsonl, growth.md and growth.svg")
	return f
}

// A Point is one measurement, a line of growth.jsonl. It is of collections if
// Objects is not 0, else of throughput.
type Point struct {
	Heap string `json:"heap"` // "midden" or "go"

	// Time of collections in seconds, each measured several times, while so many
	// objects live. A minor one, where there are such, is of a nursery of which
	// little survives; Go has full ones only, which run beside the program.
	Objects int       `json:"objects,omitempty"`
	Live    int64     `json:"live_bytes,omitempty"`
	Full    []float64 `json:"full_s,omitempty"`
	Minor   []float64 `json:"minor_s,omitempty"`

	// Wall and CPU time of a workload with so many mutators.
	Workload string  `json:"workload,omitempty"`
	Size     int     `json:"size,omitempty"`
	Mutators int     `json:"mutators,omitempty"`
	Wall     float64 `json:"wall_s,omitempty"`
	CPU      float64 `json:"cpu_s,omitempty"`
	Check    string  `json:"check,omitempty"`
}

// growthCommand runs the command growth.
func growthCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c growthConfig
	f := c.flags()
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if c.quick {
		for name, set := range map[string]func(){
			"max-objects":  func() { c.maxObjects = 100_000 },
			"max-mutators": func() { c.maxMutators = 4 },
			"runs":         func() { c.runs = 1 },
		} {
			if !f.Changed(name) {
				set()
			}
		}
	}
	if c.maxObjects < leastObjects || c.maxMutators < 1 || c.runs < 1 {
		return usageError{fmt.Errorf("--max-objects begins at %d, --max-mutators and --runs at 1", leastObjects)}
	}
	t, err := newToolbox()
	if err != nil {
		return err
	}
	defer t.close()
	if err := os.MkdirAll(c.out, 0o777); err != nil {
		return err
	}
	log, err := newJournal(filepath.Join(c.out, growthFile+".jsonl"), t.heading("growth", args, nil))
	if err != nil {
		return err
	}
	err = c.measure(ctx, t, log, stderr)
	if err := log.close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return drawGrowth(c.out, stdout)
}

const leastObjects = 10_000

// objects are 10,000, 30,000, 100,000 and so on.
func (c growthConfig) objects() []int {
	var all []int
	for n := leastObjects; n <= c.maxObjects; n *= 10 {
		all = append(all, n)
		if 3*n <= c.maxObjects {
			all = append(all, 3*n)
		}
	}
	return all
}

// mutators are the powers of two.
func (c growthConfig) mutators() []int {
	var all []int
	for n := 1; n <= c.maxMutators; n *= 2 {
		all = append(all, n)
	}
	return all
}

var heaps = []string{"midden", "go"}

// throughputs are the workloads whose throughput is measured: one whose mutators
// share nothing, and one whose mutators share everything.
func (c growthConfig) throughputs() []job {
	if c.quick {
		return []job{
			{Workload: "binarytrees", Params: bench.Params{Size: 12}},
			{Workload: "lru", Params: bench.Params{Size: 5_000}},
		}
	}
	return []job{
		{Workload: "binarytrees", Params: bench.Params{Size: 17}},
		{Workload: "lru", Params: bench.Params{Size: 100_000}},
	}
}

// measure runs everything in turn.
func (c growthConfig) measure(ctx context.Context, t *toolbox, log *journal, stderr io.Writer) error {
	status := newProgress(stderr, len(heaps)*(len(c.objects())+c.runs*len(c.throughputs())*len(c.mutators())))
	defer status.clear()
	one := func(what string, j childJob) error {
		status.next(what + " on " + j.Heap)
		out, err := output(ctx, t.child(j), c.timeout)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s on %s: %w", what, j.Heap, err)
		}
		p := Point{}
		if err := json.Unmarshal(out.line, &p); err != nil {
			return fmt.Errorf("%s on %s: %w", what, j.Heap, err)
		}
		return log.add(p)
	}
	for _, n := range c.objects() {
		for _, heap := range heaps {
			if err := one(fmt.Sprintf("%d objects", n), childJob{Heap: heap, Objects: n, Repeat: 2*c.runs + 1}); err != nil {
				return err
			}
		}
	}
	for range c.runs {
		for _, j := range c.throughputs() {
			for _, n := range c.mutators() {
				w, err := bench.Find(j.Workload)
				if err != nil {
					return err
				}
				if j.Params, err = w.Prepare(bench.Params{Size: j.Params.Size, Mutators: n}); err != nil {
					return err
				}
				for _, heap := range heaps {
					if err := one(fmt.Sprintf("%s with %d mutators", j.Workload, n), childJob{Heap: heap, job: j}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// drawGrowth makes the tables and the plot of the figures in growth.jsonl.
func drawGrowth(dir string, stdout io.Writer) error {
	h, points, err := readJournal[Point](filepath.Join(dir, growthFile+".jsonl"))
	if err != nil {
		return err
	}
	return write(dir, growthFile, stdout, growthTable(h, points), growthFigure(h, points))
}

// A curve is how one time of collections grows.
type curve struct {
	name   string
	heap   string
	values func(Point) []float64
}

var curves = []curve{
	{"midden, full", "midden", func(p Point) []float64 { return p.Full }},
	{"midden, minor", "midden", func(p Point) []float64 { return p.Minor }},
	{"Go, full", "go", func(p Point) []float64 { return p.Full }},
}

// points returns the medians, by the number of objects.
func (c curve) points(all []Point) []chart.Point {
	var points []chart.Point
	for _, p := range all {
		if p.Objects > 0 && p.Heap == c.heap && len(c.values(p)) > 0 {
			y := medianOf(c.values(p), func(v float64) float64 { return v })
			points = append(points, chart.Point{X: float64(p.Objects), Y: y, Note: fmt.Sprintf("%s objects: %s", countText(float64(p.Objects)), timeText(y))})
		}
	}
	return points
}

// exponent is the slope of the line through points in a plot with logarithmic
// axes, by least squares: 1 is linear growth, 0 none.
func exponent(points []chart.Point) float64 {
	n := float64(len(points))
	var x, y, xx, xy float64
	for _, p := range points {
		lx, ly := math.Log(p.X), math.Log(p.Y)
		x, y, xx, xy = x+lx, y+ly, xx+lx*lx, xy+lx*ly
	}
	slope := (n*xy - x*y) / (n*xx - x*x)
	if math.Abs(slope) < 1e-9 {
		return 0 // and not what rounding makes of it, which may be -0.00
	}
	return slope
}

// beyondCaches is how many objects are more than any cache holds: below that, a
// collection of more objects costs more for each of them.
const beyondCaches = 1_000_000

// throughput returns the medians of passes a second, by the number of mutators.
func throughput(all []Point, workload, heap string) []chart.Point {
	groups := map[int][]Point{}
	for _, p := range all {
		if p.Workload == workload && p.Heap == heap {
			groups[p.Mutators] = append(groups[p.Mutators], p)
		}
	}
	var points []chart.Point
	for n, group := range groups {
		y := 1 / medianOf(group, func(p Point) float64 { return p.Wall })
		points = append(points, chart.Point{X: float64(n), Y: y, Note: fmt.Sprintf("%d mutators: %.3g passes a second", n, y)})
	}
	slices.SortFunc(points, func(a, b chart.Point) int { return int(a.X - b.X) })
	return points
}

func growthTable(h heading, all []Point) string {
	var b strings.Builder
	about(&b, "How cost grows", growthFile, h)

	b.WriteString("\n## Time of a collection while so many objects live, medians\n\n| live objects |")
	for _, c := range curves {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n| ---: |" + strings.Repeat(" ---: |", len(curves)) + "\n")
	for _, n := range distinct(all, func(p Point) int { return p.Objects }) {
		if n == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s |", countText(float64(n)))
		for _, c := range curves {
			fmt.Fprintf(&b, " %s |", pointText(c.points(all), n, timeText))
		}
		b.WriteString("\n")
	}
	for _, row := range []struct {
		name string
		from float64
	}{{"growth exponent", 0}, {"the same, from 1 million on", beyondCaches}} {
		fmt.Fprintf(&b, "| %s |", row.name)
		for _, c := range curves {
			points := slices.DeleteFunc(c.points(all), func(p chart.Point) bool { return p.X < row.from })
			if len(points) < 2 {
				b.WriteString(" – |")
			} else {
				fmt.Fprintf(&b, " %.2f |", exponent(points))
			}
		}
		b.WriteString("\n")
	}

	names := workloadsOfPoints(all)
	if len(names) == 0 {
		return b.String()
	}
	b.WriteString("\n## Passes of a workload a second with so many mutators, medians\n\n| mutators |")
	for _, w := range names {
		for _, heap := range heaps {
			fmt.Fprintf(&b, " %s on %s |", w, heap)
		}
	}
	b.WriteString("\n| ---: |" + strings.Repeat(" ---: |", len(names)*len(heaps)) + "\n")
	for _, n := range distinct(all, func(p Point) int { return p.Mutators }) {
		if n == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %d |", n)
		for _, w := range names {
			for _, heap := range heaps {
				fmt.Fprintf(&b, " %s |", pointText(throughput(all, w, heap), n, func(v float64) string { return fmt.Sprintf("%.3g", v) }))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// pointText shows the point at x, if there is one.
func pointText(points []chart.Point, x int, show func(float64) string) string {
	for _, p := range points {
		if p.X == float64(x) {
			return show(p.Y)
		}
	}
	return "–"
}

func growthFigure(h heading, all []Point) chart.Figure {
	f := chart.Figure{Title: "How cost grows", Caption: h.Machine, Columns: 3}
	cycles := chart.Panel{
		Title: "Time of a collection",
		X:     chart.Axis{Label: "live objects", Format: countText},
		Y:     chart.Axis{Format: timeText},
	}
	for _, c := range curves {
		cycles.Series = append(cycles.Series, chart.Series{Name: c.name, Points: c.points(all)})
	}
	f.Panels = append(f.Panels, cycles)
	for _, w := range workloadsOfPoints(all) {
		panel := chart.Panel{
			Title: "Throughput of " + w,
			X:     chart.Axis{Label: "mutators", Format: countText, Binary: true},
			Y:     chart.Axis{Label: "passes a second"},
		}
		for _, heap := range heaps {
			panel.Series = append(panel.Series, chart.Series{Name: "on " + heap, Points: throughput(all, w, heap)})
		}
		f.Panels = append(f.Panels, panel)
	}
	return f
}

func workloadsOfPoints(all []Point) []string {
	return slices.DeleteFunc(distinct(all, func(p Point) string { return p.Workload }), func(w string) bool { return w == "" })
}

// countText shows a number of things in short.
func countText(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%g M", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%g k", n/1e3)
	}
	return fmt.Sprintf("%g", n)
}
