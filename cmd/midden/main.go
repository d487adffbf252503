// Midden measures midden heaps against Go's own.
//
// Usage:
//
//	midden bench [WORKLOAD…] [flags]
//	midden version
//	midden help
//
// See midden help for the workloads and flags. The exit status is 0 when all went
// well, 1 when a measurement failed or heaps disagreed on a result, 2 when the
// command line made no sense, and 130 after an interrupt.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
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

// run executes the command line args and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err == nil {
		return 0
	}
	// Errors of the library begin like this too.
	fmt.Fprintln(stderr, "midden:", strings.TrimPrefix(err.Error(), "midden: "))
	switch {
	case ctx.Err() != nil:
		return 130
	case errors.As(err, new(usageError)):
		return 2
	}
	return 1
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return help(stdout)
	}
	switch name, args := args[0], args[1:]; name {
	case "bench":
		return benchCommand(ctx, args, stdout, stderr)
	case "version", "--version":
		_, err := fmt.Fprintln(stdout, version())
		return err
	case "help", "--help", "-h":
		return help(stdout)
	case childCommand:
		return childMain(args, stdout)
	default:
		return usageError{fmt.Errorf("unknown command %q; commands are bench, version, help", name)}
	}
}

func help(w io.Writer) error {
	_, err := fmt.Fprintf(w, `Midden measures midden heaps against Go's own.

Usage:

  midden bench [WORKLOAD…] [flags]   run workloads on both heaps and compare
  midden version                     say what was built, and with what
  midden help                        show this

Workloads, all of them when none is named:

%s
Flags of bench:

%s
Go's collector obeys GOGC and GOMEMLIMIT from the environment, as always.
`, workloadHelp(), new(benchConfig).flags().FlagUsages())
	return err
}

// version says which version this is, and what it was built with and for.
func version() string {
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		v = info.Main.Version
	}
	return fmt.Sprintf("midden %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
