package midden_test

import (
	"errors"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
)

// Whatever needs memory that the system refuses fails with a *LimitError that has the system's error as its
// cause, nothing is lost, and it works again when there is memory.
func TestRefusedMemory(t *testing.T) {
	for name, c := range map[string]collector.Collector{"immix": immix.New(nil), "semispace": semispace.New(nil)} {
		t.Run(name, func(t *testing.T) {
			cause := errors.New("no memory today")
			var refuse bool
			var asked int64
			h := must(midden.NewHeap(&midden.Options{
				Collector: c, Limit: 4 << 20,
				Stress: midden.Stress{Verify: true, Refuse: func(bytes int64) error {
					asked += bytes
					if refuse {
						return cause
					}
					return nil
				}},
			}))
			m := h.NewMutator()
			l := midden.NewLocal(m, midden.NewString(m, "kept"))
			refuse = true
			before := h.Stats()
			check := func(what string, err error) {
				t.Helper()
				var limit *midden.LimitError
				if !errors.As(err, &limit) || !errors.Is(err, cause) {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := midden.TryNewArray[byte](m, 100_000)
			check("a large object", err)
			for err = nil; err == nil; {
				_, err = midden.TryNew[[100]byte](m)
			}
			check("a small object", err)
			if after := h.Stats(); after.Used != before.Used || after.Committed != before.Committed {
				t.Errorf("what was refused is counted: %+v after %+v", after, before)
			}
			if name == "semispace" {
				// The cycle itself finds no memory.
				if err := m.Collect(midden.KindFull); !errors.Is(err, cause) {
					t.Errorf("Collect: %v", err)
				}
				check("Reserve", m.Reserve(3_095_000)) // all but what is in use
			}
			if got := l.Ptr().String(); got != "kept" {
				t.Errorf("%q is kept", got)
			}
			refuse = false
			if err := m.Collect(midden.KindFull); err != nil {
				t.Error(err)
			}
			if _, err := midden.TryNewArray[byte](m, 100_000); err != nil {
				t.Error(err)
			}
			if asked == 0 || l.Ptr().String() != "kept" {
				t.Errorf("%d bytes were asked for, %q is kept", asked, l.Ptr().String())
			}
			m.Close()
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
