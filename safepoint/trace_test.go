package safepoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/midden-gc/midden/safepoint"
)

// Every step is in the trace log, with ids, states, epochs and depth.
func TestTrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var log bytes.Buffer
		w := NewWorld(&Options{
			Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: LevelTrace})),
			Depth: func(data any) int {
				n, _ := data.(int)
				return n
			},
		})
		c := w.NewContext()
		c.SetData(5)
		c.SetName("main")
		c.Freeze()
		p, err := w.Stop(background)
		ok(t, err)
		thaw := start(c.Unfreeze)
		thaw.waits(t)
		p.Start(nil)
		thaw.now(t)
		w.Request(2)
		d := c.NewContext()
		collect := start(func() { ok(t, c.Safepoint(nothing)) })
		collect.waits(t)
		ok(t, d.Safepoint(nothing))
		collect.now(t)
		c.Prevent(func() {})
		ctx, cancel := context.WithTimeout(background, 1500*time.Millisecond)
		defer cancel()
		is(t, c.Collect(ctx, 1, nothing), context.DeadlineExceeded)
		w.Flag().Store(1)
		ok(t, c.Safepoint(nothing))
		d.Close()
		c.Close()
		w.Prevent(func() {})
		ok(t, w.Close())

		// What different goroutines log at the same time has no order, so each
		// context, and the outsider, is looked at alone.
		steps := map[int]string{}
		for line := range strings.Lines(log.String()) {
			var r struct {
				Msg     string
				Context struct {
					ID    int
					Depth int
				}
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			id := r.Context.ID
			msg := strings.TrimPrefix(r.Msg, "safepoint: ")
			steps[id] += msg + "; "
			if id == 1 && msg != "create" && r.Context.Depth != 5 {
				t.Errorf("depth %d in %s", r.Context.Depth, line)
			}
		}
		want := map[int]string{
			0: "stop wanted; all stopped; finish; request; " +
				"a pause waits for a context that does not stop; " +
				"prevent; prevent end; close world; ",
			1: "create; freeze; unfreeze; " +
				"stop wanted; all stopped; collect begin; collect end; finish; go on; " +
				"prevent; prevent end; " +
				"stop wanted; give up; go on; " +
				"safepoint, nothing wanted; close; ",
			2: "create; park; go on; close; ",
		}
		for id := range want {
			if steps[id] != want[id] {
				t.Errorf("context %d:\ngot  %s\nwant %s", id, steps[id], want[id])
			}
		}
		if !strings.Contains(log.String(), "DEBUG-4") {
			t.Error("not at LevelTrace")
		}
	})
}

// String and LogValue may be called by anyone at any time.
func TestDescriptions(t *testing.T) {
	w := NewWorld(nil)
	c := w.NewContext()
	c.ShowDepth(4)
	var stop atomic.Bool
	look := start(func() {
		log := slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))
		for !stop.Load() {
			_ = c.String()
			log.Info("x", "context", c)
			_, _, _ = c.State(), c.Name(), c.ID()
			runtime.Gosched()
		}
	})
	for i := range 200 {
		c.SetName(fmt.Sprint("n", i))
		c.Freeze()
		c.Unfreeze()
		ok(t, c.Collect(background, 1, nothing))
	}
	stop.Store(true)
	look.returns(t)
	if s := c.String(); !regexp.MustCompile(`^context 1 "n199" active, .* old, depth 4$`).MatchString(s) {
		t.Error(s)
	}
	if s := c.LogValue().String(); !strings.Contains(s, "name=n199") || !strings.Contains(s, "state=active") {
		t.Error(s)
	}
	c.Close()
}
