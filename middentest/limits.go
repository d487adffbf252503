package middentest

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/midden-gc/midden"
)

var limitTests = []test{
	{"EveryWay", 0, (*suite).limitEveryWay},
	{"Mixed", 0, (*suite).limitMixed},
	{"TooLarge", 0, (*suite).limitTooLarge},
	{"Usable", frees, (*suite).limitUsable},
	{"Racing", 0, (*suite).limitRacing},
	{"RacingChurn", frees, (*suite).limitRacingChurn},
	{"External", 0, (*suite).external},
	{"ExternalCollects", frees, (*suite).externalCollects},
	{"Sizers", frees, (*suite).sizers},
}

// aWay is a way to allocate, with what one allocation costs.
type aWay struct {
	name     string
	cost     int64
	allocate func(m *midden.Mutator)
}

func arrayOf(n int) aWay {
	return aWay{"NewArray", midden.ArraySize[byte](n), func(m *midden.Mutator) { midden.NewArray[byte](m, n) }}
}

func stringOf(n int) aWay {
	text := strings.Repeat("s", n)
	return aWay{"NewString", midden.ArraySize[byte](n), func(m *midden.Mutator) { midden.NewString(m, text) }}
}

func objectOf[T any]() []aWay {
	resolved, cost := midden.TypeFor[T](), midden.SizeOf[T]()
	return []aWay{
		{"New", cost, func(m *midden.Mutator) { midden.New[T](m) }},
		{"Alloc", cost, func(m *midden.Mutator) { midden.Alloc(m, *new(T)) }},
		{"Type.New", cost, func(m *midden.Mutator) { resolved.New(m) }},
		{"Type.Alloc", cost, func(m *midden.Mutator) { resolved.Alloc(m, *new(T)) }},
		{"TryNew", cost, func(m *midden.Mutator) {
			if _, err := midden.TryNew[T](m); err != nil {
				panic(err)
			}
		}},
	}
}

// everyWay is every function that allocates, with sizes that are served in every way.
func everyWay() []aWay {
	ways := []aWay{
		arrayOf(0), arrayOf(100), arrayOf(5000), arrayOf(8192), arrayOf(20000), arrayOf(40000), arrayOf(300_000),
		stringOf(0), stringOf(30), stringOf(6000), stringOf(100_000),
	}
	ways = append(ways, objectOf[node]()...)
	ways = append(ways, objectOf[[1000]int64]()...)
	ways = append(ways, objectOf[[10000]int64]()...)
	return ways
}

// checkLimit checks what a *LimitError says.
func checkLimit(t *testing.T, what string, err *midden.LimitError, limit, wanted int64) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: no *LimitError", what)
	}
	if !errors.Is(err, midden.ErrLimit) {
		t.Errorf("%s: %v is not ErrLimit", what, err)
	}
	if err.Limit != limit {
		t.Errorf("%s: Limit is %d, want %d", what, err.Limit, limit)
	}
	if err.Wanted < wanted {
		t.Errorf("%s: Wanted is %d, want %d at least", what, err.Wanted, wanted)
	}
	if err.Live < 0 || err.Live > limit {
		t.Errorf("%s: Live is %d with a limit of %d", what, err.Live, limit)
	}
	if err.Error() == "" || strings.Contains(err.Error(), "%!") {
		t.Errorf("%s: message %q", what, err.Error())
	}
}

// withinLimit fails the test if h uses more than its limit.
func withinLimit(t *testing.T, what string, h *midden.Heap, limit int64) {
	t.Helper()
	if used := h.Stats().Used; used > limit {
		t.Errorf("%s: %d bytes used with a limit of %d", what, used, limit)
	}
}

// limitEveryWay allocates in one way until the limit ends it, which must be neither late nor early.
func (s *suite) limitEveryWay(t *testing.T) {
	const limit = 2 * mib
	for _, way := range everyWay() {
		h := s.heap(t, midden.Options{Limit: limit})
		m := s.mutator(t, h)
		var got int64
		var refused *midden.LimitError
		for i := 0; refused == nil; i++ {
			if got += way.cost; got > 2*limit {
				t.Fatalf("%s of %d bytes: %d bytes were allocated with a limit of %d", way.name, way.cost, got, limit)
			}
			refused = refusal(func() { way.allocate(m) })
			if i%100 == 0 {
				withinLimit(t, way.name, h, limit)
			}
		}
		got -= way.cost
		checkLimit(t, way.name, refused, limit, way.cost)
		withinLimit(t, way.name, h, limit)
		if got > limit || got < limit/2 {
			t.Errorf("%s of %d bytes: refused after %d bytes, with a limit of %d", way.name, way.cost, got, limit)
		}
		// Refused once is refused again, and harms nothing.
		for range 100 {
			if refusal(func() { way.allocate(m) }) == nil {
				t.Errorf("%s of %d bytes: refused, and granted with nothing freed", way.name, way.cost)
				break
			}
		}
		collect(t, m, midden.KindFull)
		withinLimit(t, way.name, h, limit)
	}
}

// limitMixed fills a heap with objects of all sizes in turn, the small ones last, so that what one
// kind of memory leaves over the others take.
func (s *suite) limitMixed(t *testing.T) {
	const limit = 4 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	var got int64
	ways := everyWay()
	for len(ways) > 0 && got <= limit {
		kept := ways[:0]
		for _, way := range ways {
			if refusal(func() { way.allocate(m) }) == nil {
				got += way.cost
				kept = append(kept, way)
			}
			withinLimit(t, way.name, h, limit)
		}
		ways = kept
	}
	if got > limit || got < limit/2 {
		t.Errorf("refused everything after %d bytes, with a limit of %d", got, limit)
	}
}

// limitTooLarge asks for more than there can ever be.
func (s *suite) limitTooLarge(t *testing.T) {
	const limit = mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	for _, n := range []int{limit, limit + 1, 2 * limit, 1 << 31, 1<<32 - 1} {
		checkLimit(t, "NewArray", refusal(func() { midden.NewArray[byte](m, n) }), limit, int64(n))
	}
	for _, n := range []int{1 << 28, 1<<32 - 1, 1 << 32, 1 << 60, math.MaxInt} {
		checkLimit(t, "NewArray", refusal(func() { midden.NewArray[node](m, n) }), limit, limit)
	}
	checkLimit(t, "New", refusal(func() { midden.New[[8 * mib]byte](m) }), limit, 8*mib)
	_, err := midden.TryNew[[8 * mib]byte](m)
	var limitError *midden.LimitError
	if !errors.As(err, &limitError) {
		t.Fatalf("TryNew: %v, want a *LimitError", err)
	}
	checkLimit(t, "TryNew", limitError, limit, 8*mib)
	checkLimit(t, "NewString", refusal(func() { midden.NewString(m, strings.Repeat("s", limit)) }), limit, limit)
	checkNode(t, "after all that", newNode(m, 1), 1)
	withinLimit(t, "after all that", h, limit)
}

// limitUsable runs into the limit, drops what is in the way and goes on, many times.
func (s *suite) limitUsable(t *testing.T) {
	const limit = 2 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	outer := m.Scope()
	defer outer.Close()
	kept := midden.NewLocal(m, newList(m, 100))
	for round := range s.size(50) {
		scope := m.Scope()
		head := midden.NewLocal(m, midden.Nil[node]())
		if refusal(func() {
			for {
				head.Set(midden.Alloc(m, node{Next: midden.FieldOf(head.Get())}))
				if round%2 == 0 {
					midden.NewArray[byte](m, 10_000)
				}
			}
		}) == nil {
			t.Fatal("no limit")
		}
		withinLimit(t, "at the limit", h, limit)
		checkList(t, "what is kept, at the limit", kept.Get(), 100)
		// A write to an old object needs memory too, and must not fail.
		kept.Ptr().Other.Store(m, head.Get())
		kept.Ptr().Other.Store(m, nodeRef{})
		collect(t, m, midden.KindMinor)
		withinLimit(t, "at the limit, after a minor cycle", h, limit)
		checkList(t, "what is kept, at the limit", kept.Get(), 100)
		scope.Close()
		if err := m.Reserve(limit / 4); err != nil {
			t.Fatalf("Reserve after everything was dropped: %v", err)
		}
		newList(m, limit/8/int(midden.SizeOf[node]()))
		withinLimit(t, "after everything was dropped", h, limit)
		checkList(t, "what is kept", kept.Get(), 100)
	}
}

// limitRacing has many mutators reach the limit together: what they get together is no more.
func (s *suite) limitRacing(t *testing.T) {
	const limit, workers = 4 * mib, 8
	for _, way := range []aWay{arrayOf(20), arrayOf(3000), arrayOf(9000), arrayOf(50_000)} {
		h := s.heap(t, midden.Options{Limit: limit})
		var got [workers]int64
		wg := crew{t: t}
		for w := range workers {
			wg.Go(func() {
				m := h.NewMutator()
				defer m.Close()
				for i := 0; refusal(func() { way.allocate(m) }) == nil && got[w] <= limit; i++ {
					got[w] += way.cost
					if i%50 == 0 {
						withinLimit(t, "racing", h, limit)
					}
				}
			})
		}
		wg.Wait()
		var sum int64
		for _, n := range got {
			sum += n
		}
		if sum > limit || sum < limit/2 {
			t.Errorf("%d mutators got %d bytes together, with a limit of %d", workers, sum, limit)
		}
	}
}

// limitRacingChurn does the same with collections going on, and with live data in each mutator.
func (s *suite) limitRacingChurn(t *testing.T) {
	const limit, workers = 8 * mib, 4
	h := s.heap(t, midden.Options{Limit: limit})
	wg := crew{t: t}
	for range workers {
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			defer m.Scope().Close()
			l := midden.NewLocal(m, newList(m, 1000))
			for i := range s.size(400) {
				for range 200 {
					if refusal(func() { litter(m, 5); midden.NewArray[byte](m, i%9*1000) }) != nil {
						break
					}
				}
				// No cycle can be on while this mutator is active, whatever a copying collector
				// needs during one.
				withinLimit(t, "racing", h, limit)
				m.Safepoint()
				if l.Ptr().ID != 1 {
					t.Error("a local lost its object")
				}
			}
		})
	}
	wg.Wait()
	withinLimit(t, "in the end", h, limit)
}

// external checks that memory elsewhere counts to the limit.
func (s *suite) external(t *testing.T) {
	const limit = 8 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	before := h.Stats()
	h.AddExternal(6 * mib)
	after := h.Stats()
	equal(t, "External", after.External, 6*mib)
	equal(t, "Used less External", after.Used-after.External, before.Used-before.External)
	var limitError *midden.LimitError
	if err := m.Reserve(3 * mib); !errors.As(err, &limitError) {
		t.Errorf("Reserve of 3 MiB with 6 of 8 in use elsewhere: %v", err)
	} else {
		checkLimit(t, "Reserve", limitError, limit, 3*mib)
	}
	checkLimit(t, "NewArray", refusal(func() { midden.NewArray[byte](m, 3*mib) }), limit, 3*mib)
	h.AddExternal(-6 * mib)
	equal(t, "External", h.Stats().External, 0)
	if err := m.Reserve(3 * mib); err != nil {
		t.Errorf("Reserve of 3 MiB of 8: %v", err)
	}
	midden.NewArray[byte](m, 3*mib-1000)

	wg := crew{t: t}
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				h.AddExternal(3)
				h.AddExternal(-2)
			}
		})
	}
	wg.Wait()
	equal(t, "External", h.Stats().External, 4000)
}

// externalCollects checks that memory elsewhere makes collections come, as memory here does.
func (s *suite) externalCollects(t *testing.T) {
	if s.stress.EverySafepoint {
		t.Skip("every safepoint collects")
	}
	h := s.heap(t, midden.Options{Sizer: midden.Fixed(8 * mib)})
	m := s.mutator(t, h)
	for range 10 {
		before := cycles(h)
		h.AddExternal(10 * mib)
		litter(m, 10)
		m.Safepoint()
		if cycles(h) == before {
			t.Error("10 MiB elsewhere, collection due at 8: a safepoint did not collect")
		}
		h.AddExternal(-10 * mib)
	}
}

// sizers checks that every Sizer lets collections come when it should.
func (s *suite) sizers(t *testing.T) {
	if s.stress.EverySafepoint {
		t.Skip("every safepoint collects")
	}
	for what, sizer := range map[string]midden.Sizer{
		"nil": nil, "GrowBy(1.1)": midden.GrowBy(1.1), "GrowBy(4)": midden.GrowBy(4), "Fixed": midden.Fixed(4 * mib),
		"Adaptive(0.25)": midden.Adaptive(0.25), "Adaptive(1)": midden.Adaptive(1),
	} {
		h := s.heap(t, midden.Options{Sizer: sizer})
		m := s.mutator(t, h)
		scope := m.Scope()
		l := midden.NewLocal(m, newList(m, 20_000))
		for range max(s.size(100), 20) {
			litter(m, 20_000)
			m.Safepoint()
		}
		if cycles(h) == 0 {
			t.Errorf("%s: no collection in 12 MB of garbage", what)
		}
		if used := h.Stats().PeakCommitted; used > 128*mib {
			t.Errorf("%s: 600 KB live took %d bytes", what, used)
		}
		checkNode(t, "what is kept", l.Get(), 1)
		scope.Close()
	}
}
