package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/midden-gc/midden/bench/peers/internal/chart"
)

// The names of files, without what follows the dot.
const (
	peersFile  = "peers"
	growthFile = "growth"
)

func drawFlags(out *string) *pflag.FlagSet {
	f := newFlags("draw")
	f.StringVar(out, "out", "figures", "the directory with peers.jsonl or growth.jsonl, for what is drawn too")
	return f
}

// drawCommand runs the command draw.
func drawCommand(args []string, stdout io.Writer) error {
	var out string
	if err := parseFlags(drawFlags(&out), args); err != nil {
		return err
	}
	drawn := 0
	for _, draw := range []func(string, io.Writer) error{drawPeers, drawGrowth} {
		err := draw(out, stdout)
		if err == nil {
			drawn++
		} else if !missing(err) {
			return err
		}
	}
	if drawn == 0 {
		return fmt.Errorf("there is no %s.jsonl and no %s.jsonl in %s: measure first", peersFile, growthFile, out)
	}
	return nil
}

// drawPeers makes the table and the plot of the figures in peers.jsonl.
func drawPeers(dir string, stdout io.Writer) error {
	h, runs, err := readJournal[Run](filepath.Join(dir, peersFile+".jsonl"))
	if err != nil {
		return err
	}
	repeated := 0
	for _, r := range runs {
		if same := func(o Run) bool { return o.Workload == r.Workload && o.Peer == r.Peer && o.setting == r.setting }; r.Outcome == fine {
			repeated = max(repeated, count(runs, same))
		}
	}
	results := medians(runs)
	return write(dir, peersFile, stdout, peersTable(h, results, repeated), peersFigure(h, results))
}

// write stores a table and a figure, and shows the table.
func write(dir, name string, stdout io.Writer, table string, figure chart.Figure) error {
	if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte(table), 0o666); err != nil {
		return err
	}
	var svg strings.Builder
	if err := figure.WriteSVG(&svg); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(svg.String()), 0o666); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s\nIn %s: %s.md, %s.svg, %s.jsonl\n", table, dir, name, name, name)
	return err
}

// peersTable is what was measured, as markdown.
func peersTable(h heading, results []Run, repeated int) string {
	var b strings.Builder
	about(&b, "Midden and its peers", peersFile, h)
	if repeated > 1 {
		fmt.Fprintf(&b, "Medians of %d runs.\n", repeated)
	}
	for _, w := range workloadsOf(results) {
		of := only(results, w)
		fmt.Fprintf(&b, "\n## %s: %s live at most\n\n", workText(of[0]), bytesText(float64(of[0].Live)))
		b.WriteString("| collector | heap | wall | CPU | peak RSS | longest pause | collections |\n")
		b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
		for _, p := range peersOf(of) {
			label := labelOf(p)
			for _, r := range sorted(of) {
				if r.Peer != p {
					continue
				}
				name, heap := label, r.setting.String()
				if r.GOGC != 0 {
					name = "Go"
				}
				if r.Heap != 0 {
					heap += ", " + bytesText(float64(r.Heap))
				}
				if r.Outcome != fine {
					fmt.Fprintf(&b, "| %s | %s | %s | | | | |\n", name, heap, r.Outcome)
					continue
				}
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %d |\n", name, heap,
					timeText(r.Wall), timeText(r.CPU), bytesText(float64(r.PeakRSS)), timeText(r.PauseMax), r.Collections)
			}
		}
	}
	compare(&b, results)
	return b.String()
}

// about begins a page: what it shows, and where the figures come from.
func about(b *strings.Builder, title, name string, h heading) {
	fmt.Fprintf(b, "# %s\n\n![%s](%s.svg)\n\n", title, title, name)
	fmt.Fprintf(b, "Measured on %s, with %s, by `%s`.\n", h.Machine, strings.Join(h.Versions, "; "), h.Command)
	b.WriteString("What is compared, and how, says [bench/peers](https://github.com/midden-gc/midden/tree/main/bench/peers).\n")
	for _, why := range h.LeftOut {
		fmt.Fprintf(b, "Left out: %s.\n", why)
	}
}

// compare adds a table of the wall times of all peers that have a heap size,
// divided by that of midden.
func compare(b *strings.Builder, results []Run) {
	var columns []string
	for _, p := range peersOf(results) {
		if p != "midden" && slices.ContainsFunc(results, func(r Run) bool { return r.Peer == p && r.Factor != 0 }) {
			columns = append(columns, p)
		}
	}
	if len(columns) == 0 || !slices.ContainsFunc(results, func(r Run) bool { return r.Peer == "midden" }) {
		return
	}
	b.WriteString("\n## Wall time, as a multiple of midden's in the same heap size\n\n| workload | heap |")
	for _, p := range columns {
		fmt.Fprintf(b, " %s |", labelOf(p))
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" ---: |", len(columns)) + "\n")
	for _, ours := range results {
		if ours.Peer != "midden" {
			continue
		}
		fmt.Fprintf(b, "| %s | %v |", ours.Workload, ours.setting)
		for _, p := range columns {
			text := "–"
			for _, r := range results {
				if r.Peer == p && r.Workload == ours.Workload && r.setting == ours.setting {
					text = r.Outcome
					if r.Outcome == fine && ours.Outcome == fine {
						text = fmt.Sprintf("%.2g", r.Wall/ours.Wall)
					}
				}
			}
			fmt.Fprintf(b, " %s |", text)
		}
		b.WriteString("\n")
	}
}

// peersFigure draws for each workload time, CPU time and the longest pause over
// the memory that was spent.
func peersFigure(h heading, results []Run) chart.Figure {
	f := chart.Figure{Title: "What collectors make of memory: each line runs through rising heap sizes", Caption: h.Machine, Columns: 3}
	for _, w := range workloadsOf(results) {
		of := only(results, w)
		for _, what := range []struct {
			name   string
			figure func(Run) float64
		}{
			{"wall time", func(r Run) float64 { return r.Wall }},
			{"CPU time", func(r Run) float64 { return r.CPU }},
			{"longest pause", func(r Run) float64 { return r.PauseMax }},
		} {
			panel := chart.Panel{
				Title: w + ": " + what.name,
				X:     chart.Axis{Label: "peak RSS", Format: bytesText, Binary: true},
				Y:     chart.Axis{Format: timeText},
			}
			for _, p := range peersOf(results) {
				s := chart.Series{Name: labelOf(p)}
				for _, r := range sorted(of) {
					if r.Peer == p && r.Outcome == fine {
						s.Points = append(s.Points, chart.Point{X: float64(r.PeakRSS), Y: what.figure(r), Note: fmt.Sprintf("%v: %s, %s",
							r.setting, timeText(what.figure(r)), bytesText(float64(r.PeakRSS)))})
					}
				}
				panel.Series = append(panel.Series, s)
			}
			f.Panels = append(f.Panels, panel)
		}
	}
	return f
}

// workText says what was done, by how many.
func workText(r Run) string {
	if r.Mutators == 1 {
		return fmt.Sprintf("%s, size %d", r.Workload, r.Size)
	}
	return fmt.Sprintf("%s, size %d, %d mutators", r.Workload, r.Size, r.Mutators)
}

func workloadsOf(runs []Run) []string {
	return distinct(runs, func(r Run) string { return r.Workload })
}

// peersOf returns the names of the peers, in the order of the list of all.
func peersOf(runs []Run) []string {
	names := distinct(runs, func(r Run) string { return r.Peer })
	rank := func(name string) int {
		return slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return names
}

func only(runs []Run, workload string) []Run {
	return slices.DeleteFunc(slices.Clone(runs), func(r Run) bool { return r.Workload != workload })
}

// sorted returns runs by rising heap size.
func sorted(runs []Run) []Run {
	return slices.SortedStableFunc(slices.Values(runs), func(a, b Run) int {
		switch {
		case a.Factor+float64(a.GOGC) < b.Factor+float64(b.GOGC):
			return -1
		case a.Factor+float64(a.GOGC) > b.Factor+float64(b.GOGC):
			return 1
		}
		return 0
	})
}

// distinct returns the values of a figure, each once, in the order of appearance.
func distinct[T any, F comparable](all []T, figure func(T) F) []F {
	var values []F
	for _, t := range all {
		if v := figure(t); !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

func count[T any](all []T, holds func(T) bool) int {
	n := 0
	for _, t := range all {
		if holds(t) {
			n++
		}
	}
	return n
}

// timeText shows seconds in three digits and a unit that suits them.
func timeText(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.3g s", seconds)
	case seconds >= 1e-3:
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	default:
		return fmt.Sprintf("%.3g µs", seconds*1e6)
	}
}

// bytesText shows a number of bytes in three digits and a unit that suits it.
func bytesText(bytes float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if bytes >= u.size {
			return fmt.Sprintf("%.3g %s", bytes/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g B", bytes)
}
