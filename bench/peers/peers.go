package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/midden-gc/midden/bench"
)

// A peer is one collector in one language.
type peer struct {
	name, label, about string
	needs              *tool // what must be installed besides Go; nil: nothing
	gogc               bool  // its heap is sized by GOGC, and not in bytes
	footprint          bool  // its heap is midden's peak RSS in that heap size

	// command makes the child that does j.
	command func(t *toolbox, j job) *exec.Cmd
	// afterwards adds to r what the child did not say itself; nil: nothing.
	afterwards func(t *toolbox, r *Run) error
}

// A job is one run of one peer.
type job struct {
	Workload string
	Params   bench.Params
	Warmup   int   // size of a first pass that is not measured, where a JIT needs one
	Bytes    int64 // of heap; 0: as the heap likes
	GOGC     int
}

// peers are all peers, midden first: the heap of go-footprint follows from it.
var peers = []peer{
	{name: "midden", label: "midden", about: "midden, immix", command: middenCommand},
	{name: "go", label: "Go, GOGC 100 to 400", about: "Go's heap with GOGC=100, 200 and 400", gogc: true, command: goCommand},
	{name: "go-limit", label: "Go, GOMEMLIMIT", about: "Go's heap with GOGC=off and GOMEMLIMIT=the heap size", command: goLimitCommand},
	{name: "go-footprint", label: "Go, midden's footprint", about: "Go's heap with GOGC=off and GOMEMLIMIT=midden's peak RSS in that heap size", footprint: true, command: goLimitCommand},
	javaPeer("java-serial", "Serial", "-XX:+UseSerialGC"),
	javaPeer("java-parallel", "Parallel", "-XX:+UseParallelGC"),
	javaPeer("java-g1", "G1", "-XX:+UseG1GC"),
	javaPeer("java-zgc", "ZGC", "-XX:+UseZGC"),
	{name: "boehm", label: "C, Boehm", about: "C with Boehm's conservative collector", needs: boehmTool, command: boehmCommand},
}

func peerName(p peer) string { return p.name }

func middenCommand(t *toolbox, j job) *exec.Cmd { return t.child(childJob{Heap: "midden", job: j}) }

func goCommand(t *toolbox, j job) *exec.Cmd {
	c := t.child(childJob{Heap: "go", job: j})
	c.Env = append(c.Env, "GOGC="+strconv.Itoa(j.GOGC))
	return c
}

func goLimitCommand(t *toolbox, j job) *exec.Cmd {
	c := t.child(childJob{Heap: "go", job: j})
	c.Env = append(c.Env, "GOGC=off", "GOMEMLIMIT="+strconv.FormatInt(j.Bytes, 10))
	return c
}

func javaPeer(name, collector, flag string) peer {
	return peer{
		name:  name,
		label: "Java, " + collector,
		about: "OpenJDK with " + flag,
		needs: &tool{name: name, packages: []string{"default-jdk-headless"}, prepare: func(ctx context.Context, t *toolbox) error {
			return prepareJava(ctx, t, flag)
		}},
		command: func(t *toolbox, j job) *exec.Cmd {
			heap := strconv.FormatInt(j.Bytes>>10, 10) + "k"
			return exec.Command("java", flag, "-Xms"+heap, "-Xmx"+heap, "-XX:+ExitOnOutOfMemoryError",
				"-Xlog:disable", "-Xlog:safepoint=info,gc=info:file="+t.javaLog()+":uptime,tags",
				"-cp", t.classes(), "Main", j.Workload,
				strconv.Itoa(j.Params.Size), strconv.Itoa(j.Params.Mutators), strconv.Itoa(j.Warmup))
		},
		afterwards: func(t *toolbox, r *Run) error {
			f, err := os.Open(t.javaLog())
			if err != nil {
				return err
			}
			defer f.Close()
			log, err := readJavaLog(f)
			r.PauseMax, r.Collections = log.longest.Seconds(), log.collections
			return err
		},
	}
}

func boehmCommand(t *toolbox, j job) *exec.Cmd {
	c := exec.Command(t.boehm(), j.Workload, strconv.Itoa(j.Params.Size), strconv.Itoa(j.Params.Mutators))
	heap := strconv.FormatInt(j.Bytes, 10)
	c.Env = append(os.Environ(), "GC_INITIAL_HEAP_SIZE="+heap, "GC_MAXIMUM_HEAP_SIZE="+heap)
	return c
}

// measure does j in a child process. It does not err when the heap is too small or
// the work takes longer than timeout: then the outcome of the run says so.
func (p peer) measure(ctx context.Context, t *toolbox, j job, timeout time.Duration) (Run, error) {
	var r Run
	stdout, err := output(ctx, p.command(t, j), timeout)
	var exit *childError
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case errors.Is(err, errTooSlow):
		r.Outcome = tooSlow
		return r, nil
	case errors.As(err, &exit) && exit.tooSmall():
		r.Outcome = notFitting
		return r, nil
	case err != nil:
		return r, err
	}
	if err := json.Unmarshal(stdout.line, &r); err != nil {
		return r, fmt.Errorf("a result was expected, not %q: %w", stdout.line, err)
	}
	r.Outcome = fine
	r.PeakRSS = cmp.Or(r.PeakRSS, stdout.peak)
	if p.afterwards != nil {
		err = p.afterwards(t, &r)
	}
	return r, err
}

var errTooSlow = errors.New("too slow")

// A childError says how a child failed, and what it wrote about that.
type childError struct {
	status int
	said   string
	cause  error
}

func (e *childError) Error() string {
	if e.said == "" {
		return e.cause.Error()
	}
	return e.cause.Error() + ": " + e.said
}

func (e *childError) Unwrap() error { return e.cause }

// tooSmall reports whether the heap was. The JVM says so in its own words when it
// does not even begin.
func (e *childError) tooSmall() bool {
	return e.status == doesNotFit || e.status == 1 && strings.Contains(e.said, "Too small") ||
		strings.Contains(e.said, "OutOfMemoryError")
}

type childOutput struct {
	line []byte // what it wrote
	peak int64  // the most memory it held, as the system says when it is over; 0: unknown
}

// output runs c to its end.
func output(ctx context.Context, c *exec.Cmd, timeout time.Duration) (childOutput, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// Only a command made with a context ends with it.
	bound := exec.CommandContext(limited, c.Path, c.Args[1:]...)
	bound.Env, bound.Err = c.Env, c.Err
	var stderr strings.Builder
	bound.Stderr = &stderr
	out, err := bound.Output()
	if err != nil {
		if limited.Err() != nil {
			return childOutput{}, errTooSlow
		}
		e := &childError{cause: err, said: strings.TrimSpace(stderr.String() + " " + string(out))}
		if bound.ProcessState != nil {
			e.status = bound.ProcessState.ExitCode()
		}
		return childOutput{}, e
	}
	return childOutput{out, peakRSS(bound.ProcessState)}, nil
}
