package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

// After the great dying, a compacted heap holds at most 1.3 times what lives, and
// the process has that much less memory. It is measured in a process of its own.
func TestFragmentedHeapShrinks(t *testing.T) {
	if os.Getenv("MIDDEN_FRAGMENT") == "" {
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "-test.run", "^TestFragmentedHeapShrinks$", "-test.v")
		cmd.Env = append(os.Environ(), "MIDDEN_FRAGMENT=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	p := Params{Size: 60_000, Mutators: 2}
	h := newHeap(t, midden.Options{})
	m := h.NewMutator()
	defer m.Close()
	all := midden.NewHandle(m, midden.NewArray[midden.Field[document]](m, p.Size))
	defer all.Release()
	before := resident(t)
	err := withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		for wave := range waves - 1 {
			fragmentWave(m, all, lo, hi, wave)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	live := midden.ArraySize[midden.Field[document]](p.Size)
	for i := range p.Size {
		if d := all.Get(m).Get().At(i).Get(); d != nil {
			live += midden.SizeOf[document]() + midden.ArraySize[uint64](d.text.Get().Len())
		}
	}
	collect := func(k midden.Kind) (midden.Stats, int64) {
		if err := m.Collect(k); err != nil {
			t.Fatal(err)
		}
		debug.FreeOSMemory() // of Go's heap, so that it does not matter
		return h.Stats(), resident(t) - before
	}
	full, fullRSS := collect(midden.KindFull)
	compact, compactRSS := collect(midden.KindCompact)
	t.Logf("%.1f MiB live; committed %.1f MiB after a full cycle (RSS %.1f), %.1f after a compacting one (RSS %.1f); peak %.1f",
		mib(live), mib(full.Committed), mib(fullRSS), mib(compact.Committed), mib(compactRSS), mib(compact.PeakCommitted))
	if compact.Committed > live*13/10 {
		t.Errorf("%d bytes are committed, %.2f times the %d that live", compact.Committed, float64(compact.Committed)/float64(live), live)
	}
	if full.Committed < 2*live {
		t.Errorf("%d bytes were committed after a full cycle, and %d live: this proves nothing", full.Committed, live)
	}
	if resident(t) == 0 {
		return
	}
	if compactRSS > live*13/10+16<<20 { // Go's own, and checks
		t.Errorf("the process has %d bytes more than at the beginning, and %d live", compactRSS, live)
	}
	if fell, want := fullRSS-compactRSS, full.Committed-compact.Committed; fell < want*8/10 {
		t.Errorf("the process has %d bytes less, and %d should be", fell, want)
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// resident returns the memory that the process has, where the system tells; else 0.
func resident(t *testing.T) int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(fmt.Errorf("statm: %w", err))
	}
	return pages * int64(os.Getpagesize())
}
