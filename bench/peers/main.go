// Peers measures midden against other collectors: those of OpenJDK, Boehm's for C,
// and Go's own. All do the same work in the same heap sizes.
//
// Usage:
//
//	peers run [flags]      measure what each collector takes at several heap sizes
//	peers growth [flags]   measure how midden's cost grows
//	peers draw [flags]     write tables and plots again, from the figures kept
//	peers help
//
// See peers help for the flags, and README.md for what is compared and how. The
// exit status is 0 when all went well, 1 when a measurement failed or results
// differed, 2 when the command line made no sense, and 130 after an interrupt.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/midden-gc/midden"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// A usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// doesNotFit is the exit status of a child whose heap was too small for the work. The
// JVM ends with it too.
const doesNotFit = 3

// run executes the command line args and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "peers:", err)
	switch {
	case ctx.Err() != nil:
		return 130
	case errors.As(err, new(usageError)):
		return 2
	case errors.Is(err, midden.ErrLimit):
		return doesNotFit
	}
	return 1
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return help(stdout)
	}
	var err error
	switch name, args := args[0], args[1:]; name {
	case "run":
		err = runCommand(ctx, args, stdout, stderr)
	case "growth":
		err = growthCommand(ctx, args, stdout, stderr)
	case "draw":
		err = drawCommand(args, stdout)
	case "help", "--help", "-h":
		return help(stdout)
	case childCommand:
		return childMain(args, stdout)
	default:
		err = usageError{fmt.Errorf("unknown command %q; commands are run, growth, draw, help", name)}
	}
	if errors.Is(err, pflag.ErrHelp) {
		return help(stdout)
	}
	return err
}

// newFlags returns a set of flags that leaves the reporting of errors to run.
func newFlags(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SortFlags = false
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	return f
}

// parseFlags parses args, of which none may be left, and makes errors helpful.
func parseFlags(f *pflag.FlagSet, args []string) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, new(*pflag.NotExistError)):
		var names []string
		f.VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return usageError{fmt.Errorf("%w; flags are %s", err, strings.Join(names, ", "))}
	case err != nil:
		return usageError{err}
	case f.NArg() > 0:
		return usageError{fmt.Errorf("%s takes flags only, not %q", f.Name(), f.Arg(0))}
	}
	return nil
}

// choose returns those of all that are named, in the order of all, or all when none
// is named.
func choose[T any](what string, all []T, name func(T) string, named []string) ([]T, error) {
	if len(named) == 0 {
		return all, nil
	}
	var names []string
	for _, t := range all {
		names = append(names, name(t))
	}
	for _, n := range named {
		if !slices.Contains(names, n) {
			return nil, usageError{fmt.Errorf("unknown %s %q; there are %s", what, n, strings.Join(names, ", "))}
		}
	}
	var chosen []T
	for _, t := range all {
		if slices.Contains(named, name(t)) {
			chosen = append(chosen, t)
		}
	}
	return chosen, nil
}

func help(w io.Writer) error {
	var list, works strings.Builder
	for _, p := range peers {
		fmt.Fprintf(&list, "  %-14s %s\n", p.name, p.about)
	}
	for _, p := range programs {
		fmt.Fprintf(&works, "  %-14s size %d; %d with --quick, %d with --full\n", p.name, p.usual, p.quick, p.full)
	}
	_, err := fmt.Fprintf(w, `Peers measures midden against other collectors.

Usage:

  peers run [flags]      measure what each collector takes at several heap sizes
  peers growth [flags]   measure how midden's cost grows with live objects and mutators
  peers draw [flags]     write tables and plots again, from the figures kept
  peers help             show this

Peers, all of them when none is named:

%s
Workloads, all of them when none is named; they are those of midden bench:

%s
Flags of run:

%s
Flags of growth:

%s
Flags of draw:

%s
`, &list, &works, new(runConfig).flags().FlagUsages(), new(growthConfig).flags().FlagUsages(), drawFlags(new(string)).FlagUsages())
	return err
}
