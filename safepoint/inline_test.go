package safepoint_test

import (
	"os/exec"
	"regexp"
	"testing"

	. "github.com/midden-gc/midden/safepoint"
)

// A poll is one load only if it is inlined into the caller's loop.
func TestFastPathsAreInlined(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Skipf("cannot run the compiler: %v\n%s", err, out)
	}
	for _, name := range []string{
		`\(\*Context\)\.Poll`,
		`\(\*Context\)\.Safepoint`,
		`\(\*World\)\.Flag`,
		`\(\*gate\)\.tryEnter`,
		`\(\*gate\)\.leave`,
		`\(\*member\)\.load`,
		`\(\*member\)\.store`,
	} {
		if !regexp.MustCompile(`can inline ` + name + `\n`).Match(out) {
			t.Errorf("%s is not inlined", name)
		}
	}
}

func TestFastPathsDoNotAllocate(t *testing.T) {
	c := NewWorld(nil).NewContext()
	if n := testing.AllocsPerRun(1000, func() {
		c.Poll()
		c.Freeze()
		c.Unfreeze()
		c.Prevent(func() {})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
