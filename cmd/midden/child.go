package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/bench"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
)

// childCommand is the command by which this program runs itself to measure one
// thing in a fresh process. It is not for people.
const childCommand = "bench-child"

// A job is one measurement, as the parent hands it to the child.
type job struct {
	Workload  string
	Heap      string
	Collector string
	Limit     int64
	Sizer     sizerFlag
	Params    bench.Params
}

// spawn measures j in a child process, which ends when ctx does.
func spawn(ctx context.Context, j job) (bench.Result, error) {
	exe, err := os.Executable()
	if err != nil {
		return bench.Result{}, err
	}
	arg, err := json.Marshal(j)
	if err != nil {
		return bench.Result{}, err
	}
	var stdout, stderr bytes.Buffer
	child := exec.CommandContext(ctx, exe, childCommand, string(arg))
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Run(); err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = errors.New(strings.TrimPrefix(said, "midden: "))
		}
		return bench.Result{}, err
	}
	var r bench.Result
	return r, json.Unmarshal(stdout.Bytes(), &r)
}

// childMain does the job in args and writes the result to w.
func childMain(args []string, w io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(strings.Join(args, " ")), &j); err != nil {
		return usageError{fmt.Errorf("%s is for midden itself to use: %w", childCommand, err)}
	}
	r, err := j.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(r)
}

func (j job) run() (bench.Result, error) {
	w, err := bench.Find(j.Workload)
	if err != nil {
		return bench.Result{}, err
	}
	if j.Heap == "go" {
		return bench.RunOnGo(w, j.Params)
	}
	c, err := findCollector(j.Collector)
	if err != nil {
		return bench.Result{}, err
	}
	sizer, err := j.Sizer.sizer()
	if err != nil {
		return bench.Result{}, err
	}
	return bench.RunOnMidden(w, j.Params, midden.Options{Collector: c, Limit: j.Limit, Sizer: sizer})
}

// collectors returns all collectors, the default one first.
func collectors() []collector.Collector {
	return []collector.Collector{immix.New(nil), semispace.New(nil), epsilon.New(nil)}
}

func collectorNames() []string {
	var names []string
	for _, c := range collectors() {
		names = append(names, c.Name())
	}
	return names
}

// findCollector returns the collector of that name, or an error that names the
// ones there are.
func findCollector(name string) (collector.Collector, error) {
	for _, c := range collectors() {
		if c.Name() == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("unknown collector %q for --collector; collectors are %s", name, strings.Join(collectorNames(), ", "))
}
