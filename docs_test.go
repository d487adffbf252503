package midden_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the documents show in Go compiles, all of one document together.
func TestDocumentsCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	for _, c := range []struct {
		file    string
		imports []string
	}{
		{"docs/weak.md", []string{"errors", "net", "github.com/midden-gc/midden"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(c.file)
			if err != nil {
				t.Fatal(err)
			}
			var source strings.Builder
			source.WriteString("package probe\n")
			for _, path := range c.imports {
				source.WriteString("import \"" + path + "\"\n")
			}
			blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
			if len(blocks) == 0 {
				t.Fatal("no code")
			}
			for _, block := range blocks {
				source.WriteString(block[1])
			}
			build(t, source.String())
		})
	}
}

// build compiles a package that an overlay puts beside this one.
func build(t *testing.T, source string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "probe.go")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "probe", "probe.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-overlay", list, "./probe").CombinedOutput()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Skipf("cannot run the compiler: %v", err)
	}
	if err != nil {
		t.Errorf("%s\n%s", out, source)
	}
}
