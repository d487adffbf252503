package explore

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// seed encodes the choices of the path: a letter a thread, with how many steps in a
// row it makes, and behind a step that had several ways to go on, which it took.
func (x *explorer) seed() string {
	var b strings.Builder
	for i := 0; i < len(x.path); {
		n := &x.path[i]
		run := 1
		for n.branch == 0 && i+run < len(x.path) && x.path[i+run].choice == n.choice && x.path[i+run].branch == 0 {
			run++
		}
		b.WriteByte(byte('a' + n.choice))
		if run > 1 {
			b.WriteString(strconv.Itoa(run))
		}
		if n.branch > 0 {
			b.WriteByte('.')
			b.WriteString(strconv.Itoa(n.branch))
		}
		i += run
	}
	return b.String()
}

// parseSeed returns the path that a seed stands for.
func parseSeed(seed string) ([]node, error) {
	var path []node
	number := func(i int) (int, int) {
		j := i
		for j < len(seed) && seed[j] >= '0' && seed[j] <= '9' {
			j++
		}
		n, _ := strconv.Atoi(seed[i:j])
		return n, j
	}
	for i := 0; i < len(seed); {
		c := seed[i]
		if c < 'a' || c >= 'a'+maxThreads {
			return nil, fmt.Errorf("explore: %q is not a seed: %q at %d is no thread", seed, c, i)
		}
		i++
		run, j := number(i)
		if j == i {
			run = 1
		}
		if run < 1 || run > maxSteps {
			return nil, fmt.Errorf("explore: %q is not a seed: %d steps at %d", seed, run, i)
		}
		i = j
		n := node{choice: int(c - 'a')}
		if i < len(seed) && seed[i] == '.' {
			n.branch, j = number(i + 1)
			i = j
		}
		for range run {
			path = append(path, n)
		}
	}
	return path, nil
}

// Replay runs the program once more as a seed says, and then on to its end. It
// returns what went wrong, nil if nothing did, and the story.
func Replay(seed string, setUp func() Program) (story string, err error) {
	path, err := parseSeed(seed)
	if err != nil {
		return "", err
	}
	x := &explorer{setUp: setUp, path: path}
	return x.story()
}

// tell makes the failure of the last execution known.
func (x *explorer) tell(err error) *Failure {
	f := &Failure{Err: err, Seed: x.seed()}
	again := &explorer{setUp: x.setUp, path: x.path}
	story, err := again.story()
	f.Story = story
	if err == nil {
		f.Story += "(told again, it does not fail)\n"
	}
	return f
}

// story runs the path, and on to the end, and writes down each step.
func (x *explorer) story() (string, error) {
	verbose = true
	defer func() { verbose = false }()
	x.begin()
	var b strings.Builder
	for i := 0; ; i++ {
		enabled, err := x.enabled()
		switch {
		case err != nil:
			return b.String(), err
		case enabled == 0:
			return b.String(), x.end()
		case i == maxSteps:
			return b.String(), fmt.Errorf("it does not end: %d steps have been made", maxSteps)
		}
		t := x.threads[enabled.first()]
		t.branch = 0
		if i < len(x.path) {
			n := &x.path[i]
			if n.choice >= len(x.threads) || !enabled.has(n.choice) {
				return b.String(), fmt.Errorf("explore: the seed does not fit the program: at step %d, thread %c cannot go on", i+1, 'a'+n.choice)
			}
			t = x.threads[n.choice]
			t.branch = min(n.branch, t.ways()-1)
		}
		what, at := t.op.what, t.op.where
		t.step()
		fmt.Fprintf(&b, "%4d  %-12s %-22s %s", i+1, t.name, what, at)
		if x.program.State != nil {
			fmt.Fprintf(&b, "  [%s]", x.program.State())
		}
		b.WriteByte('\n')
		if err := x.check(t); err != nil {
			return b.String(), err
		}
	}
}

// where returns the place in the program that announces an operation: the caller
// of the layer through which it does.
func where() string {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	f, more := frames.Next()
	for more && (strings.HasSuffix(f.File, "/explore/thread.go") || strings.HasSuffix(f.File, "/layer_explored.go")) {
		f, more = frames.Next()
	}
	name := f.Function[strings.LastIndex(f.Function, "/")+1:]
	if i := strings.Index(name, "."); i >= 0 {
		name = name[i+1:]
	}
	return fmt.Sprintf("%s:%d", name, f.Line)
}
