package bench

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// prepareFiles settles which files are indexed, and reads each of them once.
func prepareFiles(p Params) (Params, error) {
	if p.Dir == "" {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return p, fmt.Errorf("found no Go installation whose source could be indexed: %w", err)
		}
		p.Dir = filepath.Join(strings.TrimSpace(string(root)), "src")
	}
	files, err := findFiles(p)
	if err != nil {
		return p, err
	}
	p.Size = len(files)
	var text []byte
	for _, file := range files {
		if text, err = readFile(file, text); err != nil {
			return p, err
		}
	}
	return p, nil
}

// findFiles lists the regular files under p.Dir, the first p.Size of them or all,
// in the same order every time.
func findFiles(p Params) ([]string, error) {
	var files []string
	err := filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("no files in " + p.Dir)
	}
	if p.Size > 0 && p.Size < len(files) {
		files = files[:p.Size]
	}
	return files, err
}

// readFile returns the contents of a file, in text if they fit.
func readFile(name string, text []byte) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := int(info.Size())
	if cap(text) < size {
		text = make([]byte, size)
	}
	text = text[:size]
	if _, err = io.ReadFull(f, text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// nextWord returns the first word of text and what follows it; no word at the end.
func nextWord(text []byte) (word, rest []byte) {
	from := 0
	for from < len(text) && !isLetter[text[from]] {
		from++
	}
	to := from
	for to < len(text) && isLetter[text[to]] {
		to++
	}
	return text[from:to], text[to:]
}

// isLetter holds for the bytes of which words consist: letters, digits, the
// underscore, and whatever is not ASCII.
var isLetter = func() (is [256]bool) {
	for c := range is {
		is[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
	}
	return is
}()
