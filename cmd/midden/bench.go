package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/midden-gc/midden/bench"
)

// A benchConfig is what the command line of bench asks for.
type benchConfig struct {
	collector string
	heap      string
	params    bench.Params
	limit     byteSize
	sizer     sizerFlag
	runs      int
	json      bool
}

func (c *benchConfig) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	f.SortFlags = false
	f.SetOutput(io.Discard) // errors are reported once, by run
	f.Usage = func() {}
	f.StringVar(&c.heap, "heap", "both", "where the objects lie: "+strings.Join(heapChoices, ", "))
	f.StringVar(&c.collector, "collector", "immix", "who collects the midden heap: "+strings.Join(collectorNames(), ", "))
	f.IntVar(&c.params.Mutators, "mutators", 1, "how many goroutines work at once, on either heap")
	f.IntVar(&c.params.Size, "size", 0, "how much work there is, see above (default: the workload's own)")
	f.StringVar(&c.params.Dir, "dir", "", "the directory that index reads (default: GOROOT/src)")
	f.Var(&c.limit, "limit", "hard limit of the midden heap in bytes, or in KiB, MiB, GiB as in 64MiB (default: none)")
	f.Var(&c.sizer, "sizer", "when the midden heap is collected fully: growby:FACTOR, fixed:BYTES or adaptive:C (default: growby:2)")
	f.IntVar(&c.runs, "runs", 1, "measure so many times, heaps in turn, and give the run whose wall time is the median")
	f.BoolVar(&c.json, "json", false, "print one JSON object a line, per workload and heap, instead of a table")
	return f
}

const bothHeaps = "both"

var (
	heapNames   = []string{"go", "midden"}
	heapChoices = append(slices.Clone(heapNames), bothHeaps)
)

// A task is one workload to measure, with all that it needs settled.
type task struct {
	workload bench.Workload
	params   bench.Params
}

// benchCommand runs the command bench.
func benchCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c benchConfig
	tasks, err := c.parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return help(stdout)
	}
	if err != nil {
		return usageError{err}
	}
	heaps := heapNames
	if c.heap != bothHeaps {
		heaps = []string{c.heap}
	}

	var out printer = jsonLines{json.NewEncoder(stdout)}
	if !c.json {
		out = newTable(stdout, c)
	}
	status := newProgress(stderr, len(tasks)*c.runs*len(heaps))
	var failures []error
	for _, t := range tasks {
		runs, err := c.measure(ctx, t, heaps, status)
		status.clear()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		if err := out.print(medians(runs)); err != nil {
			return err
		}
		failures = append(failures, agree(runs))
	}
	return errors.Join(failures...)
}

// parse reads the command line and returns what is to be measured.
func (c *benchConfig) parse(args []string) ([]task, error) {
	flags := c.flags()
	if err := flags.Parse(args); err != nil {
		if errors.As(err, new(*pflag.NotExistError)) {
			var names []string
			flags.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
			err = fmt.Errorf("%w; flags are %s", err, strings.Join(names, ", "))
		}
		return nil, err
	}
	if !slices.Contains(heapChoices, c.heap) {
		return nil, fmt.Errorf("unknown heap %q for --heap; heaps are %s", c.heap, strings.Join(heapChoices, ", "))
	}
	if _, err := findCollector(c.collector); err != nil {
		return nil, err
	}
	for name, n := range map[string]int{"size": c.params.Size, "mutators": c.params.Mutators, "runs": c.runs} {
		if flags.Changed(name) && n < 1 {
			return nil, fmt.Errorf("--%s %d: it must be at least 1", name, n)
		}
	}
	if c.params.Dir != "" {
		if _, err := os.ReadDir(c.params.Dir); err != nil {
			return nil, fmt.Errorf("--dir: %w", err)
		}
	}

	names := flags.Args()
	if len(names) == 0 {
		names = bench.Names()
	}
	var tasks []task
	for _, name := range names {
		w, err := bench.Find(name)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, task{workload: w})
	}
	for i := range tasks {
		var err error
		if tasks[i].params, err = tasks[i].workload.Prepare(c.params); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// measure runs one task on each heap in turn, and returns the runs of each heap.
func (c *benchConfig) measure(ctx context.Context, t task, heaps []string, status *progress) ([][]bench.Result, error) {
	runs := make([][]bench.Result, len(heaps))
	for range c.runs {
		for i, heap := range heaps {
			status.next(t.workload.Name + " on " + heap)
			r, err := spawn(ctx, job{t.workload.Name, heap, c.collector, int64(c.limit), c.sizer, t.params})
			if err != nil {
				return nil, fmt.Errorf("%s on %s: %w", t.workload.Name, heap, err)
			}
			runs[i] = append(runs[i], r)
		}
	}
	return runs, nil
}

// medians returns for each heap the run whose wall time is the median.
func medians(heaps [][]bench.Result) []bench.Result {
	var chosen []bench.Result
	for _, runs := range heaps {
		runs = slices.SortedFunc(slices.Values(runs), func(a, b bench.Result) int { return cmp.Compare(a.Wall, b.Wall) })
		chosen = append(chosen, runs[(len(runs)-1)/2])
	}
	return chosen
}

// agree errs when not all runs found the same.
func agree(heaps [][]bench.Result) error {
	first := heaps[0][0]
	for _, runs := range heaps {
		for _, r := range runs {
			if r.Check != first.Check {
				return fmt.Errorf("%s: the results differ: check %s on %s, %s on %s",
					r.Workload, first.Check, first.Heap, r.Check, r.Heap)
			}
		}
	}
	return nil
}

func workloadHelp() string {
	var b strings.Builder
	for _, w := range bench.Workloads() {
		size := "all"
		if w.DefaultSize != 0 {
			size = fmt.Sprint(w.DefaultSize)
		}
		fmt.Fprintf(&b, "  %-12s %s\n%15s--size: %s (default: %s)\n", w.Name, w.About, "", w.SizeIs, size)
	}
	return b.String()
}
