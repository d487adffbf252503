package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// A progress says on a terminal what is being measured; elsewhere it is silent.
type progress struct {
	w           io.Writer
	done, total int
	start       time.Time
}

func newProgress(w io.Writer, total int) *progress {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		w = io.Discard
	}
	return &progress{w: w, total: total, start: time.Now()}
}

// next shows what is done now, in place of what was shown before.
func (p *progress) next(what string) {
	p.done++
	p.clear()
	fmt.Fprintf(p.w, "[%d/%d, %v] %s…", p.done, p.total, time.Since(p.start).Round(time.Second), what)
}

// clear takes away what is shown.
func (p *progress) clear() {
	fmt.Fprint(p.w, "\r\x1b[K")
}
