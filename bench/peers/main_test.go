package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's binary be the child that it measures with.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		main()
	}
	status := m.Run()
	if t, err := toolboxForTests(); err == nil {
		t.close()
	}
	os.Exit(status)
}

// runPeers runs a command line.
func runPeers(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

func TestMistakesAreNamed(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"rum", `unknown command "rum"; commands are run, growth, draw, help`},
		{"run --workloads lru", "unknown flag: --workloads; flags are --workload, --peers, --heaps, --runs,"},
		{"run --workload lru,tree", `unknown workload "tree"; there are binarytrees, gcbench, graph, lru`},
		{"run --peers g1", `unknown peer "g1"; there are midden, go, go-limit, go-footprint, java-serial,`},
		{"run lru", `run takes flags only, not "lru"`},
		{"run --quick --full", "--quick and --full exclude each other"},
		{"run --runs 0", "--runs 0: it must be at least 1"},
		{"run --mutators -1", "--mutators -1: it must be at least 1"},
		{"run --mutators 5000", "mutators 5000: there can be from 1 to 4096"},
		{"run --timeout 0s", "--timeout 0s: it must be above 0"},
		{"run --heaps 0.5", "--heaps 0.5: a heap is at least as large as what lives"},
		{"run --size 10", "--size needs a single --workload"},
		{"run --size 99 --workload gcbench", "size 99: for gcbench it is the depth of the first tree, from 1 to 28"},
		{"growth --max-objects 9", "--max-objects begins at 10000"},
		{"growth --peers go", "unknown flag: --peers; flags are --max-objects,"},
		{"draw --size 3", "unknown flag: --size; flags are --out"},
		{childCommand + " {", "is for peers itself to use"},
	} {
		status, stdout, stderr := runPeers(t, strings.Fields(test.args)...)
		if status != 2 || stdout != "" {
			t.Errorf("peers %s: status %d, stdout %q", test.args, status, stdout)
		}
		if !strings.HasPrefix(stderr, "peers: ") || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("peers %s says %q, want %q in it, in one line", test.args, stderr, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"run", "-h"}, {"growth", "--help"}, {"draw", "--help"}} {
		status, stdout, stderr := runPeers(t, args...)
		if status != 0 || stderr != "" {
			t.Errorf("peers %q: status %d, stderr %q", args, status, stderr)
		}
		for _, want := range []string{"--heaps", "--max-objects", "--install", "java-zgc", "boehm", "binarytrees", "lru"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("peers %q does not mention %s", args, want)
			}
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	status, _, stderr := runPeers(t, "draw", "--out", t.TempDir())
	if status != 1 || !strings.Contains(stderr, "there is no peers.jsonl and no growth.jsonl in") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var out, err bytes.Buffer
	status := run(ctx, []string{"run", "--out", t.TempDir(), "--peers", "go", "--workload", "binarytrees", "--size", "28"}, &out, &err)
	if status != 130 || out.Len() != 0 || err.String() != "peers: interrupted\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, &out, &err)
	}
}
