package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
)

// How a run ended.
const (
	fine       = "ok"
	notFitting = "does not fit"
	tooSlow    = "too slow"
)

// A Run is one run of one peer, a line of peers.jsonl.
type Run struct {
	Workload string `json:"workload"`
	Size     int    `json:"size"`
	Mutators int    `json:"mutators"`
	Live     int64  `json:"live_bytes"` // at the fullest moment, on Go's heap

	Peer string `json:"peer"`
	setting
	Heap int64 `json:"heap_bytes,omitempty"` // factor times live; midden's peak RSS for go-footprint

	Outcome string `json:"outcome"`

	Wall        float64 `json:"wall_s"`
	CPU         float64 `json:"cpu_s"`
	PeakRSS     int64   `json:"peak_rss_bytes"`
	PauseMax    float64 `json:"pause_max_s"`
	Collections uint64  `json:"collections"`
	Check       string  `json:"check"`
}

// A setting says how large a heap is: a multiple of what lives, or GOGC.
type setting struct {
	Factor float64 `json:"factor,omitempty"`
	GOGC   int     `json:"gogc,omitempty"`
}

func (s setting) String() string {
	if s.GOGC != 0 {
		return fmt.Sprintf("GOGC=%d", s.GOGC)
	}
	return strconv.FormatFloat(s.Factor, 'g', -1, 64) + "×"
}

// A heading is the first line of a file of figures: where they come from.
type heading struct {
	Command  string   `json:"command"`
	Machine  string   `json:"machine"`
	Versions []string `json:"versions"`
	LeftOut  []string `json:"left_out,omitempty"`
}

// A journal is a file that gets one line of JSON for each figure, at once, so that
// an interrupted measurement is not lost.
type journal struct {
	file *os.File
	json *json.Encoder
}

func newJournal(name string, h heading) (*journal, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	j := &journal{f, json.NewEncoder(f)}
	j.json.SetEscapeHTML(false)
	return j, j.json.Encode(h)
}

func (j *journal) add(line any) error { return j.json.Encode(line) }

func (j *journal) close() error { return j.file.Close() }

// readJournal reads what a journal of lines of type T holds.
func readJournal[T any](name string) (h heading, lines []T, err error) {
	f, err := os.Open(name)
	if err != nil {
		return h, nil, err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReader(f))
	if err := d.Decode(&h); err != nil {
		return h, nil, fmt.Errorf("%s: %w", name, err)
	}
	for {
		var line T
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return h, lines, nil
		}
		if err != nil {
			return h, nil, fmt.Errorf("%s: line %d: %w", name, len(lines)+2, err)
		}
		lines = append(lines, line)
	}
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// medians returns one Run for each workload, peer and setting, in the order of
// their first appearance: of each figure the median over the runs. A run that did
// not end well makes all of them not well.
func medians(runs []Run) []Run {
	type key struct {
		workload, peer string
		setting        setting
	}
	var order []key
	groups := map[key][]Run{}
	for _, r := range runs {
		k := key{r.Workload, r.Peer, r.setting}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	var result []Run
	for _, k := range order {
		group := groups[k]
		m := group[0]
		if bad := slices.IndexFunc(group, func(r Run) bool { return r.Outcome != fine }); bad >= 0 {
			m = group[bad]
		} else {
			m.Wall = medianOf(group, func(r Run) float64 { return r.Wall })
			m.CPU = medianOf(group, func(r Run) float64 { return r.CPU })
			m.PeakRSS = medianOf(group, func(r Run) int64 { return r.PeakRSS })
			m.PauseMax = medianOf(group, func(r Run) float64 { return r.PauseMax })
			m.Collections = medianOf(group, func(r Run) uint64 { return r.Collections })
		}
		result = append(result, m)
	}
	return result
}

// medianOf returns the lower median of a figure of all.
func medianOf[T any, F cmp.Ordered](all []T, figure func(T) F) F {
	var values []F
	for _, t := range all {
		values = append(values, figure(t))
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
