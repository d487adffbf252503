package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const want = `2 and
1 broken
2 goes
2 is
1 midden
1 new
1 old
2 on
1 table
2 the
2 what
live bytes: 0
`

func TestTour(t *testing.T) {
	var out strings.Builder
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

// The README shows this program, and must show it as it is.
func TestReadmeShowsTour(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	// Git may have given both files other line ends.
	unix := func(b []byte) string { return strings.ReplaceAll(string(b), "\r\n", "\n") }
	if !strings.Contains(unix(readme), "```go\n"+unix(program)+"```\n") {
		t.Error("README.md does not show examples/tour/main.go as it is")
	}
}
