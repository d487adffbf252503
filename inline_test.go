package midden_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/midden-gc/midden/internal/invariants"
)

// probe uses the fast paths as programs do, one to a line.
const probe = `package probe

import "github.com/midden-gc/midden"

type node struct {
	N    int64
	Next midden.Field[node]
}

type cells = midden.Array[midden.Field[node]]

func Probe(m *midden.Mutator, r midden.Ref[node], f *midden.Field[node], a *cells) (sum int64) {
	m.Safepoint()
	if r.IsNil() {
		sum += r.Get().N
	}
	r = f.Load()
	sum += f.Get().N
	f.Store(m, r)
	sum += int64(a.Len())
	f = a.At(2)
	r = midden.Safepoint(m, r)
	return sum
}
`

// The fast paths are fast only where the compiler puts them into their callers.
func TestFastPathsAreInlined(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	if invariants.Enabled {
		t.Skip("what checks more is larger")
	}
	out := compile(t)
	for _, c := range []struct {
		name    string
		pattern string // of what the compiler says
	}{
		{"Mutator.Safepoint", `probe.go:.* inlining call to midden\.\(\*Mutator\)\.Safepoint$`},
		{"Ref.IsNil", `probe.go:.* inlining call to midden\.Ref\[.*\]\.IsNil$`},
		{"Ref.Get", `probe.go:.* inlining call to midden\.Ref\[.*\]\.Get$`},
		{"Field.Load", `probe.go:.* inlining call to midden\.\(\*Field\[.*\]\)\.Load$`},
		{"Field.Get", `probe.go:.* inlining call to midden\.\(\*Field\[.*\]\)\.Get$`},
		{"Field.Store", `probe.go:.* inlining call to midden\.\(\*Field\[.*\]\)\.Store$`},
		{"Array.Len", `probe.go:.* inlining call to midden\.\(\*Array\[.*\]\)\.Len$`},
		{"Array.At", `probe.go:.* inlining call to midden\.\(\*Array\[.*\]\)\.At$`},
		{"Safepoint", `probe.go:.* inlining call to midden\.Safepoint\[.*\]$`},
		{"bump", `can inline bump$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if regexp.MustCompile(`(?m)` + c.pattern).MatchString(out) {
				return
			}
			t.Error("not inlined")
		})
	}
}

// compile returns what the compiler says of its decisions about this package and
// about probe, which an overlay puts beside it.
func compile(t *testing.T) string {
	dir := t.TempDir()
	source := filepath.Join(dir, "probe.go")
	if err := os.WriteFile(source, []byte(probe), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "probe", "probe.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, pkg := range []string{".", "./probe"} {
		out, err := exec.Command("go", "build", "-overlay", file, "-gcflags=-m=1", pkg).CombinedOutput()
		if err != nil {
			t.Skipf("cannot run the compiler: %v\n%s", err, out)
		}
		all.Write(out)
	}
	return all.String()
}
