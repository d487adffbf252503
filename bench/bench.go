// Package bench holds programs that are written twice, once for Go's own heap
// and once for a midden heap, and measures them.
//
// Each program, a [Workload], does the same work on both heaps with the same
// data structures and the same number of goroutines, and ends with a digest of
// its result. The digest is equal on both heaps, under every collector and with
// any number of mutators; a heap that gives another one is broken. What differs
// is where the objects lie and who frees them.
//
// The halves for midden are also meant to be read: they show how a program that
// keeps its data in a midden heap roots it, shares it between goroutines, and
// where it stops. Each workload has two files, for example graph.go for midden
// and graph_go.go for Go's heap.
//
// [Run] measures one workload on one heap in the current process. The command
// midden bench does so in a process of its own for every measurement, so that
// peaks and CPU do not mix.
package bench

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/midden-gc/midden"
)

// Params says how much work a workload does, and on how many goroutines.
type Params struct {
	Size     int    // see Workload.SizeIs
	Mutators int    // goroutines that work at once
	Dir      string // index only: the directory whose files are read
}

// A Workload is one program, written for both heaps.
type Workload struct {
	Name        string
	About       string // one line for people who choose
	SizeIs      string // what Params.Size counts
	DefaultSize int    // 0: it depends on the input
	MaxSize     int    // beyond it sizes overflow or do not fit into any memory

	prepare  func(p Params) (Params, error) // nil: there is nothing to prepare
	onGo     func(p Params) (check string, err error)
	onMidden func(m *midden.Mutator, p Params) (check string, err error)
}

// maxMutators keeps a slip of the finger from asking for a billion goroutines.
const maxMutators = 4096

// Workloads returns all workloads, in the order in which they are run.
func Workloads() []Workload {
	return []Workload{binaryTrees, gcBench, graph, lru, index, fragment}
}

// Names returns the names of all workloads.
func Names() []string {
	var names []string
	for _, w := range Workloads() {
		names = append(names, w.Name)
	}
	return names
}

// Find returns the workload of that name, or an error that names the ones
// there are.
func Find(name string) (Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("unknown workload %q; workloads are %s", name, strings.Join(Names(), ", "))
}

// Prepare returns p with the defaults in place of zeros. It errs when p makes no
// sense. For index it also reads every file once: it errs when one cannot be read,
// and the first heap to be measured does not pay for the disk.
func (w Workload) Prepare(p Params) (Params, error) {
	if p.Size < 0 || p.Size > w.MaxSize {
		return p, fmt.Errorf("size %d: for %s it is %s, from 1 to %d", p.Size, w.Name, w.SizeIs, w.MaxSize)
	}
	if p.Mutators < 0 || p.Mutators > maxMutators {
		return p, fmt.Errorf("mutators %d: there can be from 1 to %d", p.Mutators, maxMutators)
	}
	p.Size = cmp.Or(p.Size, w.DefaultSize)
	p.Mutators = cmp.Or(p.Mutators, 1)
	if w.prepare == nil {
		return p, nil
	}
	return w.prepare(p)
}

// OnGo does the work on Go's heap and returns the digest of the result. Params
// are as Prepare returned them.
func (w Workload) OnGo(p Params) (check string, err error) {
	return w.onGo(p)
}

// OnMidden does the work on h and returns the digest of the result. Params are as
// Prepare returned them. It errs with a [midden.LimitError] when the heap is too
// small.
func (w Workload) OnMidden(h *midden.Heap, p Params) (check string, err error) {
	m := h.NewMutator()
	defer m.Close()
	defer catchLimit(&err)
	m.SetName(w.Name)
	return w.onMidden(m, p)
}
