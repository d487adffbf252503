package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/midden-gc/midden/bench"
)

// A runConfig is what the command line of run asks for.
type runConfig struct {
	workloads, peers []string
	heaps            []float64
	size             int
	mutators, runs   int
	quick, full      bool
	warmup, install  bool
	timeout          time.Duration
	out              string
}

func (c *runConfig) flags() *pflag.FlagSet {
	f := newFlags("run")
	f.StringSliceVar(&c.workloads, "workload", nil, "only these workloads, separated by commas")
	f.StringSliceVar(&c.peers, "peers", nil, "only these peers, separated by commas")
	f.Float64SliceVar(&c.heaps, "heaps", []float64{1.5, 2, 3, 6}, "heap sizes, as multiples of what lives at the fullest moment")
	f.Lookup("heaps").DefValue = "[1.5,2,3,6]"
	f.IntVar(&c.runs, "runs", 3, "measure so many times, peers in turn, and give the medians (5 with --full, 1 with --quick)")
	f.IntVar(&c.mutators, "mutators", 1, "how many threads or goroutines work at once")
	f.IntVar(&c.size, "size", 0, "how much work there is, for a single --workload (default: see above)")
	f.BoolVar(&c.quick, "quick", false, "small sizes and one run: to see that everything works")
	f.BoolVar(&c.full, "full", false, "large sizes")
	f.BoolVar(&c.warmup, "warmup", true, "let Java do a tenth of the work before it is measured")
	f.DurationVar(&c.timeout, "timeout", 30*time.Second, "give a run up as too slow after this (5m with --full)")
	f.BoolVar(&c.install, "install", false, "install what peers need with apt-get first")
	f.StringVar(&c.out, "out", "figures", "the directory for peers.jsonl, peers.md and peers.svg")
	return f
}

// A plan is what is to be measured, with all that it needs settled.
type plan struct {
	config   runConfig
	programs []program
	peers    []peer
}

func (c *runConfig) parse(args []string) (plan, error) {
	f := c.flags()
	if err := parseFlags(f, args); err != nil {
		return plan{}, err
	}
	switch {
	case c.quick && c.full:
		return plan{}, usageError{fmt.Errorf("--quick and --full exclude each other")}
	case c.quick && !f.Changed("runs"):
		c.runs = 1
	case c.full && !f.Changed("runs"):
		c.runs = 5
	}
	if c.full && !f.Changed("timeout") {
		c.timeout = 5 * time.Minute
	}
	for name, n := range map[string]int{"runs": c.runs, "mutators": c.mutators} {
		if n < 1 {
			return plan{}, usageError{fmt.Errorf("--%s %d: it must be at least 1", name, n)}
		}
	}
	if c.timeout <= 0 {
		return plan{}, usageError{fmt.Errorf("--timeout %v: it must be above 0", c.timeout)}
	}
	for _, h := range c.heaps {
		if !(h >= 1 && h <= 1000) {
			return plan{}, usageError{fmt.Errorf("--heaps %v: a heap is at least as large as what lives, and at most 1000 times", h)}
		}
	}
	if f.Changed("size") && len(c.workloads) != 1 {
		return plan{}, usageError{fmt.Errorf("--size needs a single --workload: sizes count different things")}
	}
	var err error
	p := plan{config: *c}
	if p.programs, err = choose("workload", programs, programName, c.workloads); err != nil {
		return plan{}, err
	}
	if p.peers, err = choose("peer", peers, peerName, c.peers); err != nil {
		return plan{}, err
	}
	for _, prog := range p.programs {
		if _, err := p.params(prog); err != nil {
			return plan{}, usageError{err}
		}
	}
	return p, nil
}

// params says how much work a program does.
func (p plan) params(prog program) (bench.Params, error) {
	size := prog.usual
	switch {
	case p.config.size != 0:
		size = p.config.size
	case p.config.quick:
		size = prog.quick
	case p.config.full:
		size = prog.full
	}
	w, err := bench.Find(prog.name)
	if err != nil {
		return bench.Params{}, err
	}
	return w.Prepare(bench.Params{Size: size, Mutators: p.config.mutators})
}

// settings are the heap sizes in which a peer is measured.
func (p plan) settings(of peer) []setting {
	var all []setting
	if of.gogc {
		for _, percent := range []int{100, 200, 400} {
			all = append(all, setting{GOGC: percent})
		}
		return all
	}
	for _, factor := range p.config.heaps {
		all = append(all, setting{Factor: factor})
	}
	return all
}

// runCommand runs the command run.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c runConfig
	p, err := c.parse(args)
	if err != nil {
		return err
	}
	if c.install {
		if err := install(ctx, p.peers, stderr); err != nil {
			return err
		}
	}
	t, err := newToolbox()
	if err != nil {
		return err
	}
	defer t.close()
	ready, leftOut, err := t.prepare(ctx, p.peers, len(c.peers) > 0)
	if err != nil {
		return err
	}
	for _, why := range leftOut {
		fmt.Fprintf(stderr, "peers: left out: %s (--install installs it)\n", why)
	}
	p.peers = ready

	if err := os.MkdirAll(c.out, 0o777); err != nil {
		return err
	}
	log, err := newJournal(filepath.Join(c.out, peersFile+".jsonl"), t.heading("run", args, leftOut))
	if err != nil {
		return err
	}
	err = p.measure(ctx, t, log, stderr)
	if err := log.close(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	return drawPeers(c.out, stdout)
}

func (t *toolbox) heading(command string, args, leftOut []string) heading {
	return heading{
		Command:  strings.Join(append([]string{"peers", command}, args...), " "),
		Machine:  machine(),
		Versions: append([]string{runtime.Version()}, t.versions...),
		LeftOut:  leftOut,
	}
}

// measure runs everything in turn: one round after the other, in each all
// programs, heap sizes and peers.
func (p plan) measure(ctx context.Context, t *toolbox, log *journal, stderr io.Writer) error {
	type cell struct {
		program, peer string
		setting       setting
	}
	type footprint struct {
		program string
		factor  float64
	}
	hopeless := map[cell]bool{}         // what did not fit or was too slow once
	footprints := map[footprint]int64{} // of midden, in the latest round
	firsts := map[string]Run{}          // the first result of each program
	status := newProgress(stderr, p.config.runs*len(p.programs)*len(p.turns()))
	defer status.clear()
	for range p.config.runs {
		for _, prog := range p.programs {
			params, err := p.params(prog)
			if err != nil {
				return err
			}
			live := prog.live(params.Size)
			for _, turn := range p.turns() {
				this := cell{prog.name, turn.peer.name, turn.setting}
				what := fmt.Sprintf("%s on %s, %v", prog.name, turn.peer.name, turn.setting)
				status.next(what)
				if hopeless[this] {
					continue
				}
				j := job{Workload: prog.name, Params: params, GOGC: turn.setting.GOGC}
				if turn.setting.Factor > 0 {
					// Whole pages, which every collector takes as they are.
					j.Bytes = int64(float64(live)*turn.setting.Factor) &^ 0xffff
					if turn.peer.footprint {
						// Midden's turn came before. Without it, or if it did not fit, there is
						// nothing to equal but the heap size.
						j.Bytes = cmp.Or(footprints[footprint{prog.name, turn.setting.Factor}], j.Bytes)
					}
				}
				if p.config.warmup {
					j.Warmup = prog.warmup(params.Size)
				}
				r, err := turn.peer.measure(ctx, t, j, p.config.timeout)
				if err != nil {
					return fmt.Errorf("%s: %w", what, err)
				}
				r.Workload, r.Size, r.Mutators, r.Live = prog.name, params.Size, params.Mutators, live
				r.Peer, r.setting, r.Heap = turn.peer.name, turn.setting, j.Bytes
				if err := log.add(r); err != nil {
					return err
				}
				if r.Outcome != fine {
					hopeless[this] = true
					continue
				}
				if turn.peer.name == "midden" {
					footprints[footprint{prog.name, turn.setting.Factor}] = r.PeakRSS
				}
				first, ok := firsts[prog.name]
				if !ok {
					firsts[prog.name] = r
				} else if r.Check != first.Check {
					return fmt.Errorf("%s: the results differ: %s on %s, %s on %s",
						prog.name, first.Check, first.Peer, r.Check, r.Peer)
				}
			}
		}
	}
	return nil
}

// A turn is one peer in one heap size.
type turn struct {
	peer    peer
	setting setting
}

// turns are all peers in all their settings, the first setting of each peer first.
func (p plan) turns() []turn {
	var all []turn
	for i := range max(len(p.config.heaps), 3) {
		for _, of := range p.peers {
			if settings := p.settings(of); i < len(settings) {
				all = append(all, turn{of, settings[i]})
			}
		}
	}
	return all
}

// labelOf returns how a peer is called in tables and plots.
func labelOf(name string) string {
	if i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name }); i >= 0 {
		return peers[i].label
	}
	return name
}
