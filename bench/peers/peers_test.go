package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/midden-gc/midden/bench"
)

// toolboxForTests is shared, since to compile takes longer than all else.
var toolboxForTests = sync.OnceValues(newToolbox)

// ready returns a toolbox, and p in it, or skips the test.
func ready(t *testing.T, p peer) *toolbox {
	t.Helper()
	box, err := toolboxForTests()
	if err != nil {
		t.Fatal(err)
	}
	if p.needs == nil {
		return box
	}
	if err := p.needs.prepare(t.Context(), box); err != nil {
		for _, program := range []string{"java", "javac", "gcc"} {
			if _, missing := exec.LookPath(program); missing != nil {
				t.Skipf("%s: %v; it needs %s", p.name, err, strings.Join(p.needs.packages, ", "))
			}
		}
		if strings.HasPrefix(p.name, "java-") || strings.Contains(err.Error(), "gc.h") {
			t.Skipf("%s: %v; it needs %s", p.name, err, strings.Join(p.needs.packages, ", "))
		}
		t.Fatal(err)
	}
	return box
}

func find(t *testing.T, name string) bench.Workload {
	t.Helper()
	w, err := bench.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// All peers do the same work, whatever the size and the number of mutators.
func TestPeersAgree(t *testing.T) {
	sizes := map[string][]int{"binarytrees": {1, 10}, "gcbench": {1, 11}, "graph": {1, 3_000}, "lru": {1, 3_000}}
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			box := ready(t, p)
			for name, sizes := range sizes {
				for i, size := range sizes {
					if i == 0 && strings.HasPrefix(p.name, "java-") && p.name != "java-serial" {
						continue // the program is the same
					}
					w := find(t, name)
					params, err := w.Prepare(bench.Params{Size: size, Mutators: 1 + 2*i})
					if err != nil {
						t.Fatal(err)
					}
					want, err := w.OnGo(params)
					if err != nil {
						t.Fatal(err)
					}
					r, err := p.measure(t.Context(), box, job{Workload: name, Params: params, Warmup: 2 * i, Bytes: 32 << 20, GOGC: 100}, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					if r.Outcome != fine || r.Check != want {
						t.Errorf("%s of size %d: %s, check %s, want %s", name, size, r.Outcome, r.Check, want)
					}
					if r.Wall <= 0 || runtime.GOOS == "linux" && r.PeakRSS < 1<<20 {
						t.Errorf("%s of size %d: %+v", name, size, r)
					}
				}
			}
		})
	}
}

func TestCollectionsAndPausesAreSeen(t *testing.T) {
	for _, p := range peers {
		t.Run(p.name, func(t *testing.T) {
			box := ready(t, p)
			params, err := find(t, "binarytrees").Prepare(bench.Params{Size: 14})
			if err != nil {
				t.Fatal(err)
			}
			r, err := p.measure(t.Context(), box, job{Workload: "binarytrees", Params: params, Bytes: 16 << 20, GOGC: 100}, time.Minute)
			if err != nil || r.Outcome != fine || r.Collections == 0 || r.PauseMax <= 0 || r.PauseMax >= r.Wall {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestWhatDoesNotFitIsNoError(t *testing.T) {
	for _, p := range peers {
		// Go's limit is soft, and its runtime goes on above it.
		if strings.HasPrefix(p.name, "go") {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			box := ready(t, p)
			for _, heap := range []int64{64 << 10, 8 << 20} {
				r, err := p.measure(t.Context(), box, job{
					Workload: "graph", Params: bench.Params{Size: 400_000, Mutators: 1}, Bytes: heap,
				}, time.Minute)
				if r.Outcome != notFitting || err != nil {
					t.Errorf("a heap of %d bytes for 16 MB: %q, %v", heap, r.Outcome, err)
				}
			}
		})
	}
}

func TestTooSlowIsNoError(t *testing.T) {
	box := ready(t, peers[0])
	r, err := peers[0].measure(t.Context(), box, job{Workload: "binarytrees", Params: bench.Params{Size: 26, Mutators: 1}}, 100*time.Millisecond)
	if r.Outcome != tooSlow || err != nil {
		t.Errorf("%q, %v", r.Outcome, err)
	}
}

func TestFailureOfAChildIsTold(t *testing.T) {
	box := ready(t, peers[0])
	_, err := peers[0].measure(t.Context(), box, job{Workload: "none", Params: bench.Params{Size: 1}}, time.Minute)
	if err == nil || !strings.Contains(err.Error(), `unknown workload "none"`) {
		t.Errorf("error %v", err)
	}
}

// What Go is told by the environment of a child.
func TestGoIsSized(t *testing.T) {
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "1GiB")
	box := ready(t, peers[0])
	for name, want := range map[string]string{
		"midden": "", "go": "GOGC=300", "go-limit": "GOGC=off GOMEMLIMIT=100", "go-footprint": "GOGC=off GOMEMLIMIT=100",
	} {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		c := peers[i].command(box, job{Bytes: 100, GOGC: 300})
		var got []string
		for _, v := range c.Env {
			if strings.HasPrefix(v, "GOGC=") || strings.HasPrefix(v, "GOMEMLIMIT=") {
				got = append(got, v)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Without Java and gcc, what can be measured is; who asks for the rest is told.
func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	box, err := newToolbox()
	if err != nil {
		t.Fatal(err)
	}
	defer box.close()
	some, leftOut, err := box.prepare(t.Context(), peers, false)
	if err != nil || len(some) != 4 || len(leftOut) != 5 || leftOut[0] != "java-serial: javac is not installed" || leftOut[4] != "boehm: gcc is not installed" {
		t.Errorf("%d peers, left out %q, %v", len(some), leftOut, err)
	}
	status, _, stderr := runPeers(t, "run", "--out", t.TempDir(), "--peers", "boehm")
	want := "peers: boehm: gcc is not installed; it needs the packages gcc, libc6-dev, libgc-dev, which --install installs\n"
	if status != 1 || stderr != want {
		t.Errorf("status %d, %q, want %q", status, stderr, want)
	}
}

func TestInstallWithoutAptSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	status, _, stderr := runPeers(t, "run", "--out", t.TempDir(), "--install")
	if status != 1 || !strings.Contains(stderr, "install default-jdk-headless, gcc, libc6-dev, libgc-dev by other means") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

// The whole way, with what is there without Java and C.
func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "figures")
	status, stdout, stderr := runPeers(t, "run", "--out", out, "--peers", "midden,go,go-limit,go-footprint",
		"--workload", "graph", "--size", "30000", "--runs", "2", "--heaps", "2,3")
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	h, runs, err := readJournal[Run](filepath.Join(out, "peers.jsonl"))
	if err != nil || !strings.HasPrefix(h.Command, "peers run --out") || h.Machine == "" || len(h.Versions) != 1 {
		t.Errorf("heading %+v, %v", h, err)
	}
	var order []string
	for _, r := range runs {
		order = append(order, r.Peer+" "+r.setting.String())
		if r.Outcome != fine || r.Size != 30_000 || r.Mutators != 1 || r.Live != 1_200_000 || r.Check != runs[0].Check || r.Wall <= 0 {
			t.Errorf("%+v", r)
		}
	}
	for i, r := range runs {
		switch want := runs[max(i-3, 0)].PeakRSS; {
		case r.Peer == "go-footprint" && r.Heap != want:
			t.Errorf("run %d: the heap is %d, and midden's footprint was %d", i, r.Heap, want)
		case r.Peer == "midden" && r.Heap != int64(1_200_000*r.Factor)&^0xffff:
			t.Errorf("run %d: the heap is %d", i, r.Heap)
		}
	}
	turns := []string{
		"midden 2×", "go GOGC=100", "go-limit 2×", "go-footprint 2×",
		"midden 3×", "go GOGC=200", "go-limit 3×", "go-footprint 3×", "go GOGC=400",
	}
	if want := slices.Concat(turns, turns); !slices.Equal(order, want) {
		t.Errorf("turns %q\nwant  %q", order, want)
	}
	table, err := os.ReadFile(filepath.Join(out, "peers.md"))
	if err != nil || !strings.HasPrefix(stdout, string(table)) || !strings.Contains(string(table), "Medians of 2 runs.") {
		t.Errorf("table %s, %v\nstdout %s", table, err, stdout)
	}
	before, err := os.ReadFile(filepath.Join(out, "peers.svg"))
	if err != nil || !strings.Contains(string(before), "<polyline") {
		t.Errorf("figure %.100s, %v", before, err)
	}

	if err := os.Remove(filepath.Join(out, "peers.svg")); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := runPeers(t, "draw", "--out", out); status != 0 {
		t.Errorf("draw: status %d, %s", status, stderr)
	}
	after, err := os.ReadFile(filepath.Join(out, "peers.svg"))
	if err != nil || string(after) != string(before) {
		t.Errorf("drawn again, the figure is another, %v", err)
	}
}

// A peer that finds another result is named, and nothing is drawn.
func TestDifferentResultsAreAnError(t *testing.T) {
	wrong := peers[0]
	wrong.name = "wrong"
	wrong.afterwards = func(_ *toolbox, r *Run) error { r.Check = "bad"; return nil }
	box := ready(t, peers[0])
	p := plan{
		config:   runConfig{heaps: []float64{6}, runs: 1, mutators: 1, size: 1000, timeout: time.Minute},
		programs: []program{programs[2]}, peers: []peer{peers[0], wrong},
	}
	log, err := newJournal(filepath.Join(t.TempDir(), "x"), heading{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	err = p.measure(t.Context(), box, log, new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "graph: the results differ: ") || !strings.HasSuffix(err.Error(), "bad on wrong") {
		t.Errorf("error %v", err)
	}
}

// What failed once is not tried again.
func TestHopelessRunsAreNotRepeated(t *testing.T) {
	failing := peers[0]
	calls := 0
	failing.afterwards = func(_ *toolbox, r *Run) error { calls++; r.Outcome = notFitting; return nil }
	box := ready(t, peers[0])
	p := plan{
		config:   runConfig{heaps: []float64{6}, runs: 3, mutators: 1, size: 1000, timeout: time.Minute},
		programs: []program{programs[2]}, peers: []peer{failing},
	}
	log, err := newJournal(filepath.Join(t.TempDir(), "x"), heading{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	if err := p.measure(t.Context(), box, log, new(strings.Builder)); err != nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// The arithmetic of what lives agrees with what Go's runtime finds. It finds too
// much while it works beside the program: so it is told to stop it.
func TestLive(t *testing.T) {
	const stopping = "gcstoptheworld=1"
	if os.Getenv("GODEBUG") != stopping {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLive$")
		c.Env = append(os.Environ(), "GODEBUG="+stopping)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	for _, p := range programs {
		var size int
		var most int64
		// The first trees live too shortly to be seen, so others like them do.
		switch p.name {
		case "binarytrees":
			size = 12
			most = bytesOf(func() any { return newSmallTree(size + 1) })
		case "gcbench":
			size = 12
			most = bytesOf(func() any { return newLargeTree(size) })
		case "graph":
			size = 50_000
			most = mostLive(t, find(t, p.name), size)
		case "lru":
			size = 20_000
			most = mostLive(t, find(t, p.name), size)
		}
		if want := p.live(size); most < want*8/10 || most > want*11/10 {
			t.Errorf("%s: %d bytes lived, by arithmetic %d", p.name, most, want)
		}
	}
}

type smallTree struct{ left, right *smallTree }

func newSmallTree(depth int) *smallTree {
	if depth == 0 {
		return &smallTree{}
	}
	return &smallTree{newSmallTree(depth - 1), newSmallTree(depth - 1)}
}

type largeTree struct {
	left, right *largeTree
	_           [2]int32
}

func newLargeTree(depth int) *largeTree {
	if depth == 0 {
		return &largeTree{}
	}
	return &largeTree{left: newLargeTree(depth - 1), right: newLargeTree(depth - 1)}
}

// bytesOf returns how much what is made takes on Go's heap.
func bytesOf(make func() any) int64 {
	runtime.GC()
	before := liveNow()
	made := make()
	runtime.GC()
	after := liveNow()
	runtime.KeepAlive(made)
	return after - before
}

// mostLive returns the most that was seen to live on Go's heap while w ran.
func mostLive(t *testing.T, w bench.Workload, size int) int64 {
	t.Helper()
	params, err := w.Prepare(bench.Params{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	base := liveNow()
	done := make(chan error)
	go func() {
		_, err := w.OnGo(params)
		done <- err
	}()
	most := int64(0)
	for {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			return most
		case <-time.After(50 * time.Microsecond):
			most = max(most, liveNow()-base)
		}
	}
}

func liveNow() int64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

func TestTooSmall(t *testing.T) {
	for _, test := range []struct {
		e    childError
		want bool
	}{
		{childError{status: 3}, true},
		{childError{status: 1, said: "Error occurred during initialization of VM\nToo small maximum heap"}, true},
		{childError{status: 1, said: "java.lang.OutOfMemoryError: Java heap space"}, true},
		{childError{status: 1, said: "Too many arguments"}, false},
		{childError{status: 2}, false},
	} {
		test.e.cause = errors.New("exit status")
		if got := test.e.tooSmall(); got != test.want {
			t.Errorf("%+v: %v", test.e, got)
		}
	}
}
