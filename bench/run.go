package bench

import (
	"errors"
	"time"

	"github.com/midden-gc/midden"
)

// A Result is one measurement: one workload, once, on one heap. Pauses are times
// during which no goroutine of the workload could go on: on Go's heap from the
// decision to stop them, on midden from the moment at which the last one stood
// still. Times are in seconds.
type Result struct {
	Workload  string `json:"workload"`
	Heap      string `json:"heap"`      // "go" or "midden"
	Collector string `json:"collector"` // the algorithm; "go" on Go's heap
	Mutators  int    `json:"mutators"`
	Size      int    `json:"size"`

	Wall float64 `json:"wall_s"` // of the workload, without the start of the process
	CPU  float64 `json:"cpu_s"`  // user and system, of all threads, collection included

	// PeakRSS is the most memory that the process held at once, since its start.
	PeakRSS int64 `json:"peak_rss_bytes"`

	// Allocated is what was allocated in the heap, with headers and rounding. On
	// Go's heap it includes what the runtime allocates there; on midden it does not
	// include what the program keeps on Go's heap beside it.
	Allocated int64 `json:"allocated_bytes"`

	// Collections are the heap's cycles, minor and full.
	Collections uint64 `json:"collections"`

	// PauseMax and PauseP99 are the longest pause, and the one below which 99 in a
	// hundred stayed. Both heaps keep pauses in classes, of the same width: these are
	// the upper ends of the classes, up to a quarter above the true values, except for
	// midden's PauseMax, which is exact. A collection of Go's has two short pauses,
	// and works beside the program between them.
	PauseMax float64 `json:"pause_max_s"`
	PauseP99 float64 `json:"pause_p99_s"`

	// PauseTotal is the sum of all pauses.
	PauseTotal float64 `json:"pause_total_s"`

	// StopMax is the longest time to safepoint: from a request until the last
	// goroutine stood still. For Go it is the upper end of a class, as above.
	StopMax float64 `json:"ttsp_max_s"`

	// Check is the digest of the workload's result, equal on all heaps.
	Check string `json:"check"`
}

// RunOnGo measures w on Go's heap, in this process. Params are as Prepare
// returned them.
func RunOnGo(w Workload, p Params) (Result, error) {
	r := Result{Workload: w.Name, Heap: "go", Collector: "go", Mutators: p.Mutators, Size: p.Size}
	before := readGoHeap()
	err := r.measure(func() (string, error) { return w.OnGo(p) })
	if err != nil {
		return Result{}, err
	}
	after := readGoHeap()

	pauses := after.pauses.since(before.pauses)
	r.Allocated = int64(after.TotalAlloc - before.TotalAlloc)
	r.Collections = uint64(after.NumGC - before.NumGC)
	r.PauseMax = pauses.quantile(1)
	r.PauseP99 = pauses.quantile(0.99)
	r.PauseTotal = time.Duration(after.PauseTotalNs - before.PauseTotalNs).Seconds()
	r.StopMax = after.stops.since(before.stops).quantile(1)
	return r, nil
}

// RunOnMidden measures w on a heap made with o, in this process, except for
// making and closing the heap. Params are as Prepare returned them.
func RunOnMidden(w Workload, p Params, o midden.Options) (Result, error) {
	r := Result{Workload: w.Name, Heap: "midden", Collector: o.Collector.Name(), Mutators: p.Mutators, Size: p.Size}
	h, err := midden.NewHeap(&o)
	if err != nil {
		return Result{}, err
	}
	err = r.measure(func() (string, error) { return w.OnMidden(h, p) })
	stats := h.Stats()
	if err := errors.Join(err, h.Close()); err != nil {
		return Result{}, err
	}

	r.Allocated = stats.Allocated
	r.Collections = stats.Minor + stats.Full
	r.PauseMax = stats.PauseMax.Seconds()
	r.PauseP99 = stats.PauseTimes.Quantile(0.99).Seconds()
	r.PauseTotal = stats.PauseTotal.Seconds()
	r.StopMax = stats.StopMax.Seconds()
	return r, nil
}

// measure sets what is measured alike on all heaps.
func (r *Result) measure(work func() (check string, err error)) error {
	start, cpu := time.Now(), cpuTime()
	check, err := work()
	r.Wall = time.Since(start).Seconds()
	r.CPU = (cpuTime() - cpu).Seconds()
	r.PeakRSS = peakRSS()
	r.Check = check
	return err
}
