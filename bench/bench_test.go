package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/collector/epsilon"
	"github.com/midden-gc/midden/collector/immix"
	"github.com/midden-gc/midden/collector/semispace"
)

// small returns params with which w is done in no time, even when every
// safepoint collects.
func small(t *testing.T, w Workload) Params {
	t.Helper()
	sizes := map[string]int{"binarytrees": 8, "gcbench": 9, "graph": 1200, "lru": 640, "fragment": 700}
	p := Params{Size: sizes[w.Name]}
	if w.Name == "index" {
		p.Dir = texts(t)
	}
	p, err := w.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// texts returns a directory with files in it whose words are so many that the
// index has to grow, and so frequent that they fill several chunks.
func texts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 20 {
		var text strings.Builder
		for range 200 {
			fmt.Fprintf(&text, "w%d ", random.IntN(random.IntN(110)+1))
		}
		write(t, filepath.Join(dir, fmt.Sprint("file", i)), text.String())
	}
	return dir
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHeapsAgree(t *testing.T) {
	heaps := []struct {
		name    string
		options midden.Options
	}{
		{"epsilon", midden.Options{Collector: epsilon.New(nil)}},
		{"immix", midden.Options{Collector: immix.New(nil)}},
		{"immix/stress", midden.Options{Collector: immix.New(nil), Stress: stress}},
		{"semispace", midden.Options{Collector: semispace.New(nil)}},
		{"semispace/stress", midden.Options{Collector: semispace.New(nil), Stress: stress}},
	}
	for _, w := range Workloads() {
		t.Run(w.Name, func(t *testing.T) {
			p := small(t, w)
			want, err := w.OnGo(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, p.Mutators = range []int{1, 2, 4} {
				t.Run(fmt.Sprintf("go/%d", p.Mutators), func(t *testing.T) {
					if got, err := w.OnGo(p); got != want || err != nil {
						t.Errorf("check %s, %v; with one mutator %s", got, err, want)
					}
				})
				for _, heap := range heaps {
					t.Run(fmt.Sprintf("%s/%d", heap.name, p.Mutators), func(t *testing.T) {
						h := newHeap(t, heap.options)
						if got, err := w.OnMidden(h, p); got != want || err != nil {
							t.Errorf("check %s, %v; on Go's heap %s", got, err, want)
						}
					})
				}
			}
		})
	}
}

var stress = midden.Stress{EverySafepoint: true, Move: true, Poison: true}

func newHeap(t *testing.T, o midden.Options) *midden.Heap {
	t.Helper()
	h, err := midden.NewHeap(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestLimitIsAnError(t *testing.T) {
	for _, w := range Workloads() {
		p := small(t, w)
		limit := int64(32 << 10)
		if w.Name == "index" {
			limit = 1 // so few words fit in nearly nothing
		}
		for _, p.Mutators = range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", w.Name, p.Mutators), func(t *testing.T) {
				h := newHeap(t, midden.Options{Collector: epsilon.New(nil), Limit: limit})
				if _, err := w.OnMidden(h, p); !errors.Is(err, midden.ErrLimit) {
					t.Errorf("error %v, want ErrLimit", err)
				}
			})
		}
	}
}

func TestRunSaysWhatItMeasured(t *testing.T) {
	collectors := []collector.Collector{immix.New(nil), semispace.New(nil), epsilon.New(nil)}
	for _, w := range Workloads() {
		p := small(t, w)
		onGo, err := RunOnGo(w, p)
		if err != nil {
			t.Fatal(err)
		}
		results := []Result{onGo}
		for _, c := range collectors {
			r, err := RunOnMidden(w, p, midden.Options{Collector: c})
			if err != nil {
				t.Fatal(err)
			}
			if r.Heap != "midden" || r.Collector != c.Name() {
				t.Errorf("%s: heap %s, collector %s", w.Name, r.Heap, r.Collector)
			}
			results = append(results, r)
		}
		for _, r := range results {
			if r.Workload != w.Name || r.Size != p.Size || r.Mutators != 1 || r.Check != onGo.Check {
				t.Errorf("%s: %+v", w.Name, r)
			}
			if r.Allocated <= 0 || r.PeakRSS <= 0 || r.PauseP99 > r.PauseMax {
				t.Errorf("%s: %+v", w.Name, r)
			}
		}
	}
}

func TestPrepare(t *testing.T) {
	empty := t.TempDir()
	for _, test := range []struct {
		workload string
		params   Params
		err      string
	}{
		{"binarytrees", Params{Size: -1}, "size -1: for binarytrees it is the greatest depth, from 1 to 30"},
		{"gcbench", Params{Size: 29}, "size 29: for gcbench"},
		{"graph", Params{Mutators: -1}, "mutators -1"},
		{"graph", Params{Mutators: maxMutators + 1}, "from 1 to 4096"},
		{"index", Params{Dir: empty}, "no files in " + empty},
		{"index", Params{Dir: filepath.Join(empty, "none")}, filepath.Join(empty, "none")},
	} {
		w, err := Find(test.workload)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Prepare(test.params); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s with %+v: error %v, want %q in it", test.workload, test.params, err, test.err)
		}
	}
	p, err := binaryTrees.Prepare(Params{})
	if want := (Params{Size: 18, Mutators: 1}); p != want || err != nil {
		t.Errorf("defaults are %+v, %v; want %+v", p, err, want)
	}
	p, err = index.Prepare(Params{Dir: texts(t), Size: 100})
	if p.Size != 20 || err != nil {
		t.Errorf("100 of 20 files: %+v, %v", p, err)
	}
}

func TestFindNamesTheChoices(t *testing.T) {
	_, err := Find("trees")
	want := `unknown workload "trees"; workloads are binarytrees, gcbench, graph, lru, index, fragment`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCatchLimitLetsOtherPanicsPass(t *testing.T) {
	defer func() {
		if p := recover(); p != "other" {
			t.Errorf("recovered %v", p)
		}
	}()
	var err error
	defer catchLimit(&err)
	panic("other")
}

func TestShareLeavesNothingOut(t *testing.T) {
	for _, n := range []int{0, 1, 7, 64} {
		for _, crew := range []int{1, 2, 3, 10} {
			next := 0
			for i := range crew {
				lo, hi := share(n, i, crew)
				if lo != next || hi < lo {
					t.Errorf("share(%d, %d, %d) = %d, %d", n, i, crew, lo, hi)
				}
				next = hi
			}
			if next != n {
				t.Errorf("%d things for %d: %d given out", n, crew, next)
			}
		}
	}
}
