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

func Values(m *midden.Mutator, a, b midden.Value, f *midden.ValueField) midden.Value {
	switch {
	case a.IsInt() && b.IsInt():
		return midden.IntValue(a.Int() + b.Int())
	case a.IsFloat() && b.IsFloat():
		return midden.FloatValue(a.Float() + b.Float())
	case a.IsNil() || a.IsBool():
		f.Store(m, midden.BoolValue(!a.IsBool() || !a.Bool()))
	}
	if n, ok := a.Number(); ok {
		return midden.FloatValue(n)
	}
	if a.IsRef() && a.TypeID() == 7 {
		return a.Any().Value()
	}
	if a.Kind() == midden.TagKind && a.IsTag(3) {
		return midden.IntValue(int32(a.Bits()) + int32(a.Tag()))
	}
	return f.Load()
}

func Records(r midden.Record, t *midden.Type[node], a midden.AnyRef) (*midden.ValueField, *midden.AnyField, bool) {
	x, ok := t.Cast(a)
	return r.Value(1), r.Ref(2), ok && a.TypeID() == t.ID() && !x.IsNil()
}

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
		{"IntValue", `probe.go:.* inlining call to midden\.IntValue$`},
		{"FloatValue", `probe.go:.* inlining call to midden\.FloatValue$`},
		{"BoolValue", `probe.go:.* inlining call to midden\.BoolValue$`},
		{"Value.IsNil", `probe.go:.* inlining call to midden\.Value\.IsNil$`},
		{"Value.IsInt", `probe.go:.* inlining call to midden\.Value\.IsInt$`},
		{"Value.IsFloat", `probe.go:.* inlining call to midden\.Value\.IsFloat$`},
		{"Value.IsBool", `probe.go:.* inlining call to midden\.Value\.IsBool$`},
		{"Value.IsTag", `probe.go:.* inlining call to midden\.Value\.IsTag$`},
		{"Value.IsRef", `probe.go:.* inlining call to midden\.Value\.IsRef$`},
		{"Value.Kind", `probe.go:.* inlining call to midden\.Value\.Kind$`},
		{"Value.Int", `probe.go:.* inlining call to midden\.Value\.Int$`},
		{"Value.Float", `probe.go:.* inlining call to midden\.Value\.Float$`},
		{"Value.Bool", `probe.go:.* inlining call to midden\.Value\.Bool$`},
		{"Value.Bits", `probe.go:.* inlining call to midden\.Value\.Bits$`},
		{"Value.Number", `probe.go:.* inlining call to midden\.Value\.Number$`},
		{"Value.Any", `probe.go:.* inlining call to midden\.Value\.Any$`},
		{"Value.TypeID", `probe.go:.* inlining call to midden\.Value\.TypeID$`},
		{"ValueField.Load", `probe.go:.* inlining call to midden\.\(\*ValueField\)\.Load$`},
		{"ValueField.Store", `probe.go:.* inlining call to midden\.\(\*ValueField\)\.Store$`},
		{"AnyRef.TypeID", `probe.go:.* inlining call to midden\.AnyRef\.TypeID$`},
		{"Type.Cast", `probe.go:.* inlining call to midden\.\(\*Type\[.*\]\)\.Cast$`},
		{"Record.Value", `probe.go:.* inlining call to midden\.Record\.Value$`},
		{"Record.Ref", `probe.go:.* inlining call to midden\.Record\.Ref$`},
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
