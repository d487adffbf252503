// Package archtest holds the rule of who may import whom, as a test.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/midden-gc/midden"

// public stands for every package that a user can import too.
const public = "public"

// allowed says which packages of the module each folder may import, by the
// longest prefix of its path. Nothing else of ours may be imported.
var allowed = map[string][]string{
	"internal/cage":       {},
	"internal/object":     {},
	"internal/pacer":      {},
	"internal/golimit":    {},
	"internal/invariants": {},
	"internal/archtest":   {},
	"internal/explore":    {},
	"safepoint":           {"internal/explore"}, // with the tag explore only
	"internal/space":      {"internal/cage"},
	"internal/weak":       {"internal/cage", "internal/object"},
	"internal/trace":      {"internal/object", "internal/weak"},
	"internal/verify":     {"internal/cage", "internal/object"},
	"collector":           {"internal/object", "internal/space", "internal/weak"},
	"collector/epsilon":   {"collector", "internal/space"},
	"collector/semispace": {"collector", "internal/cage", "internal/object", "internal/space", "internal/trace", "internal/weak"},
	"collector/immix":     {"collector", "internal/cage", "internal/object", "internal/space", "internal/trace"},
	".": {
		"collector", "collector/immix", "safepoint",
		"internal/cage", "internal/golimit", "internal/invariants", "internal/object", "internal/pacer",
		"internal/space", "internal/trace", "internal/verify", "internal/weak",
	},
	"container":  {public},
	"middentest": {public},
	"cmd":        {public},
	"bench":      {public},
	"examples":   {public},
	"tools":      {public},
}

// testOnly says what tests of a folder may import besides.
var testOnly = map[string][]string{
	".":              {public},
	"internal/trace": {"internal/cage", "internal/space"},
	"collector":      {public},
	"middentest":     {"internal/cage", "internal/object", "internal/space"},
	"safepoint":      {"safepoint"},
}

func TestImports(t *testing.T) {
	root := moduleRoot(t)
	checked := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		checked++
		check(t, root, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 20 {
		t.Fatalf("only %d files were found below %s", checked, root)
	}
}

func check(t *testing.T, root, file string) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	dir := path.Dir(file)
	rules, ok := lookUp(allowed, dir)
	if !ok {
		t.Errorf("%s: no rule says what this folder may import: add one", file)
		return
	}
	if strings.HasSuffix(file, "_test.go") {
		more, _ := lookUp(testOnly, dir)
		rules = append(slices.Clone(rules), more...)
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		if name != module && !strings.HasPrefix(name, module+"/") {
			continue
		}
		pkg := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
		if pkg == "" {
			pkg = "."
		}
		if !permits(rules, dir, pkg) {
			t.Errorf("%s imports %s, which package %s may not", file, name, dir)
		}
	}
}

// lookUp finds the rules of a folder, or of the nearest one above it. The root's
// are for the root alone.
func lookUp(table map[string][]string, dir string) ([]string, bool) {
	for d := dir; ; d = path.Dir(d) {
		if rules, ok := table[d]; ok && (d != "." || dir == ".") {
			return rules, true
		}
		if d == "." {
			return nil, false
		}
	}
}

func permits(rules []string, dir, pkg string) bool {
	if slices.Contains(rules, pkg) || strings.HasPrefix(pkg, dir+"/") {
		return true
	}
	return slices.Contains(rules, public) && !strings.HasPrefix(pkg, "internal/")
}

func moduleRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// The rules themselves must be able to fail.
func TestRulesRefuse(t *testing.T) {
	for _, c := range []struct {
		dir, pkg string
		want     bool
	}{
		{"safepoint", "internal/object", false},
		{"internal/space", "internal/object", false},
		{"internal/trace", "internal/cage", false},
		{"internal/cage", "internal/space", false},
		{"collector/immix", "collector/semispace", false},
		{"bench", "internal/space", false},
		{"bench", ".", true},
		{"cmd/midden", "bench", true},
		{".", "safepoint", true},
		{".", "bench", false},
	} {
		rules, ok := lookUp(allowed, c.dir)
		if !ok {
			t.Errorf("no rules for %s", c.dir)
		}
		if got := permits(rules, c.dir, c.pkg); got != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.dir, c.pkg, got, c.want)
		}
	}
}
