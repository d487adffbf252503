package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/bench"
	"github.com/midden-gc/midden/collector/immix"
)

// childCommand is the command by which this program runs itself to measure one
// thing in a fresh process. It is not for people.
const childCommand = "child"

// A childJob is one measurement on a heap in Go, as the parent hands it to the
// child.
type childJob struct {
	Heap string // "go" or "midden"
	job

	Objects int // growth only: how many live
	Repeat  int // growth only: how often each thing is measured
}

// childMain does the job in args and writes the result to w.
func childMain(args []string, w io.Writer) error {
	var j childJob
	if err := json.Unmarshal([]byte(strings.Join(args, " ")), &j); err != nil {
		return usageError{fmt.Errorf("%s is for peers itself to use: %w", childCommand, err)}
	}
	result, err := j.do()
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(result)
}

func (j childJob) do() (any, error) {
	if j.Objects > 0 {
		if j.Heap == "go" {
			return cyclesOnGo(j.Objects, j.Repeat), nil
		}
		return cyclesOnMidden(j.Objects, j.Repeat)
	}
	w, err := bench.Find(j.Workload)
	if err != nil {
		return nil, err
	}
	if j.Heap == "go" {
		return bench.RunOnGo(w, j.Params)
	}
	o := midden.Options{Collector: immix.New(nil)}
	if j.Bytes > 0 {
		o.Sizer, o.Limit = midden.Fixed(j.Bytes), j.Bytes
	}
	return bench.RunOnMidden(w, j.Params, o)
}
