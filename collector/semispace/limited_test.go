//go:build linux && !race

package semispace_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
	"github.com/midden-gc/midden/internal/cage"
)

const childVar = "MIDDEN_COLLECTOR_CHILD"

type node struct {
	ID   int64
	Next midden.Field[node]
}

// With little address space, heaps work, say so, and refuse what does not fit.
// The race detector itself needs more than there is here.
func TestLimitedAddressSpace(t *testing.T) {
	if os.Getenv(childVar) == "" {
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Skip(err)
		}
		cmd := exec.Command(sh, "-c", `ulimit -v 2000000 && exec "$0" -test.run '^TestLimitedAddressSpace$' -test.v`, os.Args[0])
		cmd.Env = append(os.Environ(), childVar+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("with 2,000,000 KiB of address space: %v\n%s", err, out)
		}
		return
	}
	for name, c := range map[string]collector.Collector{
		"immix":     immix.New(nil),
		"semispace": semispace.New(nil),
		"epsilon":   epsilon.New(nil),
	} {
		t.Run(name, func(t *testing.T) { limited(t, c) })
	}
	t.Run("exhausted", exhausted)
}

func limited(t *testing.T, c collector.Collector) {
	var log bytes.Buffer
	h, err := midden.NewHeap(&midden.Options{
		Collector: c,
		Logger:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Stress:    midden.Stress{Verify: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "less address space") {
		t.Errorf("the log says %q", log.String())
	}
	m := h.NewMutator()
	l := midden.NewLocal(m, midden.New[node](m))
	for range 3 {
		for i := range int64(10_000) {
			l.Ptr().Next.Store(m, midden.Alloc(m, node{ID: i}))
		}
		if err := m.Collect(midden.KindFull); err != nil {
			t.Fatal(err)
		}
	}
	if id := l.Ptr().Next.Get().ID; id != 9999 {
		t.Errorf("node %d is left", id)
	}
	// More than there is, and all of what there is, bit by bit.
	for _, n := range []int{1 << 40, int(cage.Size), int(cage.Size) - cage.BlockSize} {
		var limit *midden.LimitError
		if _, err := midden.TryNewArray[byte](m, n); !errors.As(err, &limit) || !errors.Is(err, midden.ErrLimit) {
			t.Errorf("an array of %d bytes: %v", n, err)
		}
	}
	m.Close()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// When the range is used up, a copying cycle does not begin, and nothing is lost:
// however often that happens, the next one that can begin is sound.
func exhausted(t *testing.T) {
	h, err := midden.NewHeap(&midden.Options{Collector: semispace.New(nil), Stress: midden.Stress{Verify: true, Poison: true}})
	if err != nil {
		t.Fatal(err)
	}
	m := h.NewMutator()
	type list = midden.Array[midden.Field[node]]
	l := midden.NewLocal[list](m, midden.NewArray[midden.Field[node]](m, 1000))
	for i := range 1000 {
		l.Ptr().At(i).Store(m, midden.Alloc(m, node{ID: int64(i)}))
	}
	if err := m.Collect(midden.KindCompact); err != nil {
		t.Fatal(err)
	}
	// 255 marks there are, so one of these numbers of failures makes the present
	// mark the next one.
	for _, failures := range []int{1, 253, 254, 255} {
		owner := cage.NewOwner()
		var taken []cage.Block
		for {
			b, err := cage.Acquire(1, owner)
			if err != nil {
				break
			}
			taken = append(taken, b)
		}
		for range failures {
			if err := m.Collect(midden.KindFull); !errors.Is(err, cage.ErrExhausted) {
				t.Fatalf("a copying cycle with nowhere to copy to: %v", err)
			}
		}
		for i := range 1000 {
			if id := l.Ptr().At(i).Get().ID; id != int64(i) {
				t.Fatalf("after cycles that did not happen, node %d is in place of %d", id, i)
			}
		}
		for _, b := range taken {
			cage.Release(b, 1)
		}
		if err := m.Collect(midden.KindCompact); err != nil {
			t.Fatal(err)
		}
		for range 5000 {
			midden.Alloc(m, node{ID: -1})
		}
		for i := range 1000 {
			if id := l.Ptr().At(i).Get().ID; id != int64(i) {
				t.Fatalf("after %d cycles that did not happen and one that did, node %d is in place of %d", failures, id, i)
			}
		}
	}
	m.Close()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
