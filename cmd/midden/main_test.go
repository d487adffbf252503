package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/midden-gc/midden/bench"
)

// TestMain lets the test's binary be the child that it measures with.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		main()
	}
	os.Exit(m.Run())
}

// runMidden runs a command line.
func runMidden(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

func TestMistakesAreNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		args string
		want string
	}{
		{"brench", `unknown command "brench"; commands are bench, version, help`},
		{"bench trees", `unknown workload "trees"; workloads are binarytrees, gcbench, graph, lru, index, fragment`},
		{"bench --colector immix", "unknown flag: --colector; flags are --heap, --collector, --mutators, --size, --dir, --limit, --sizer, --runs, --json"},
		{"bench -x", "unknown shorthand flag: 'x' in -x; flags are --heap"},
		{"bench --collector g1", `unknown collector "g1" for --collector; collectors are immix, semispace, epsilon`},
		{"bench --heap c", `unknown heap "c" for --heap; heaps are go, midden, both`},
		{"bench --size -1", "--size -1: it must be at least 1"},
		{"bench --size many", `invalid argument "many" for "--size" flag`},
		{"bench --size", "flag needs an argument: --size"},
		{"bench binarytrees --size 31", "size 31: for binarytrees it is the greatest depth, from 1 to 30"},
		{"bench --mutators 0", "--mutators 0: it must be at least 1"},
		{"bench --mutators 5000 graph", "mutators 5000: there can be from 1 to 4096"},
		{"bench --runs 0", "--runs 0: it must be at least 1"},
		{"bench --sizer growby", `invalid argument "growby" for "--sizer" flag: a sizer is growby:FACTOR, fixed:BYTES or adaptive:C`},
		{"bench --sizer fixed:much", `invalid argument "fixed:much" for "--sizer" flag: a sizer is`},
		{"bench --sizer shrinkby:2", `invalid argument "shrinkby:2" for "--sizer" flag: a sizer is`},
		{"bench --sizer growby:1", `invalid argument "growby:1" for "--sizer" flag: midden: Options.Sizer: GrowBy(1): the factor must be above 1`},
		{"bench --limit 1TB", `invalid argument "1TB" for "--limit" flag: a size is a positive number of bytes`},
		{"bench index --dir " + missing, "--dir: open " + missing},
		{childCommand + " {", "is for midden itself to use"},
	} {
		status, stdout, stderr := runMidden(t, strings.Fields(test.args)...)
		if status != 2 || stdout != "" {
			t.Errorf("midden %s: status %d, stdout %q", test.args, status, stdout)
		}
		if !strings.HasPrefix(stderr, "midden: ") || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("midden %s says %q, want %q in it, in one line", test.args, stderr, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"-h"}, {"bench", "--help"}, {"bench", "-h"}} {
		status, stdout, stderr := runMidden(t, args...)
		if status != 0 || stderr != "" {
			t.Errorf("midden %q: status %d, stderr %q", args, status, stderr)
		}
		for _, want := range append(bench.Names(), "--collector", "--json", "immix, semispace, epsilon", "go, midden, both") {
			if !strings.Contains(stdout, want) {
				t.Errorf("midden %q does not mention %s", args, want)
			}
		}
	}
}

func TestVersion(t *testing.T) {
	status, stdout, _ := runMidden(t, "version")
	if status != 0 || !regexp.MustCompile(`^midden \S+ go\S+ \w+/\w+\n$`).MatchString(stdout) {
		t.Errorf("status %d, stdout %q", status, stdout)
	}
}

func TestSizer(t *testing.T) {
	collections := func(sizer string) uint64 {
		status, stdout, stderr := runMidden(t, "bench", "gcbench", "--json", "--heap", "midden",
			"--collector", "semispace", "--size", "15", "--sizer", sizer)
		var r bench.Result
		if err := json.Unmarshal([]byte(stdout), &r); status != 0 || err != nil {
			t.Fatalf("--sizer %s: status %d, %v, stderr %q", sizer, status, err, stderr)
		}
		return r.Collections
	}
	if n := collections("fixed:1GiB"); n != 0 {
		t.Errorf("--sizer fixed:1GiB: %d collections", n)
	}
	few, many := collections("growby:8"), collections("growby:1.1")
	if few == 0 || few >= many {
		t.Errorf("%d collections with --sizer growby:8, %d with growby:1.1", few, many)
	}
	collections("adaptive:1")
}

func TestFailureOfAChild(t *testing.T) {
	status, stdout, stderr := runMidden(t, strings.Fields(
		"bench gcbench binarytrees --json --heap midden --collector epsilon --size 10 --limit 64KiB")...)
	if status != 1 || stdout != "" {
		t.Errorf("status %d, stdout %q", status, stdout)
	}
	for _, want := range []string{"midden: gcbench on midden: ", "binarytrees on midden: no room", "limit of 65536"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr is %q, want %q in it", stderr, want)
		}
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out, err bytes.Buffer
	status := run(ctx, []string{"bench", "binarytrees", "--size", "28", "--json"}, &out, &err)
	if status != 130 || out.Len() != 0 || err.String() != "midden: interrupted\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, &out, &err)
	}
}
