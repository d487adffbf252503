package middentest

import (
	"runtime"
	"sync"
	"testing"

	"github.com/midden-gc/midden"
)

var lockTests = []test{
	{"KeepsRoots", 0, (*suite).lockKeepsRoots},
	{"EndsReserve", 0, (*suite).lockEndsReserve},
	{"PauseWhileTheyWait", 0, (*suite).pauseWhileLocksAreWaitedFor},
	{"Contended", 0, (*suite).lockContended},
}

// lockKeepsRoots checks that what a local refers to is right after Lock, RLock and Wait, whether or not
// a collection ran there.
func (s *suite) lockKeepsRoots(t *testing.T) {
	h, m := s.alone(t)
	defer m.Scope().Close()
	l := midden.NewLocal(m, newList(m, 100))
	var mu sync.RWMutex
	cond := sync.NewCond(&mu)
	var woken bool
	steps := map[string]func(){
		"Lock":  func() { m.Lock(&mu); mu.Unlock() },
		"RLock": func() { m.RLock(&mu); mu.RUnlock() },
		"Wait": func() {
			m.Lock(&mu)
			woken = false
			go func() {
				mu.Lock()
				woken = true
				mu.Unlock()
				cond.Signal()
			}()
			for !woken {
				m.Wait(cond)
			}
			mu.Unlock()
		},
	}
	for name, step := range steps {
		before := cycles(h)
		step()
		if s.stress.EverySafepoint && s.can&frees != 0 && cycles(h) == before {
			t.Errorf("%s is no safepoint: it did not collect", name)
		}
		for range 5 {
			outside(t, h, midden.KindFull, step)
			litter(m, 200)
			checkList(t, "local after "+name, l.Get(), 100)
		}
	}
}

// lockEndsReserve checks that another mutator may have what was reserved before Lock or RLock.
func (s *suite) lockEndsReserve(t *testing.T) {
	const limit = 4 * mib
	h := s.heap(t, midden.Options{Limit: limit})
	m := s.mutator(t, h)
	other := m.NewMutator()
	defer other.Close()
	var mu sync.RWMutex
	for name, step := range map[string]func(){
		"Lock":  func() { m.Lock(&mu); mu.Unlock() },
		"RLock": func() { m.RLock(&mu); mu.RUnlock() },
	} {
		reserve := func(m, frozen *midden.Mutator) (err error) {
			frozen.Freeze()
			defer frozen.Unfreeze()
			return m.Reserve(limit / 2)
		}
		if err := reserve(m, other); err != nil {
			t.Fatalf("Reserve of half of the limit: %v", err)
		}
		if reserve(other, m) == nil {
			t.Fatalf("the limit was granted twice, before %s", name)
		}
		other.Freeze()
		step()
		other.Unfreeze()
		if err := reserve(other, m); err != nil {
			t.Errorf("Reserve after another one's grant ended with %s: %v", name, err)
		}
		m.Freeze()
		other.Safepoint()
		m.Unfreeze()
	}
}

// pauseWhileLocksAreWaitedFor checks that a collection waits for nobody who waits in Lock, RLock or Wait.
func (s *suite) pauseWhileLocksAreWaitedFor(t *testing.T) {
	h := s.heap(t, midden.Options{})
	var mu sync.RWMutex
	var condMu sync.Mutex
	cond := sync.NewCond(&condMu)
	woken := false
	mu.Lock()
	wg := crew{t: t}
	for _, wait := range []func(m *midden.Mutator){
		func(m *midden.Mutator) { m.Lock(&mu); mu.Unlock() },
		func(m *midden.Mutator) { m.RLock(&mu); mu.RUnlock() },
		func(m *midden.Mutator) {
			m.Lock(&condMu)
			for !woken {
				m.Wait(cond)
			}
			condMu.Unlock()
		},
	} {
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			defer m.Scope().Close()
			l := midden.NewLocal(m, newList(m, 100))
			wait(m)
			litter(m, 100)
			checkLocal(t, l, 100)
		})
	}
	for h.Stats().Frozen != 3 {
		runtime.Gosched()
	}
	for _, k := range kinds {
		if err := h.Collect(t.Context(), k); err != nil {
			t.Errorf("Collect(%v) while mutators wait for locks: %v", k, err)
		}
	}
	mu.Unlock()
	condMu.Lock()
	woken = true
	condMu.Unlock()
	cond.Broadcast()
	wg.Wait()
}

// lockContended has mutators hold a lock across safepoints while others collect.
func (s *suite) lockContended(t *testing.T) {
	h := s.heap(t, midden.Options{})
	var mu sync.RWMutex
	n, shared := s.size(300), 0
	wg := crew{t: t}
	for w := range 4 {
		wg.Go(func() {
			m := h.NewMutator()
			defer m.Close()
			defer m.Scope().Close()
			l := midden.NewLocal(m, newList(m, 10))
			for i := range n {
				if (i+w)%3 == 0 {
					m.RLock(&mu)
					m.Safepoint()
					mu.RUnlock()
				} else {
					m.Lock(&mu)
					shared++
					m.Safepoint()
					mu.Unlock()
				}
				litter(m, 5)
				checkLocal(t, l, 10)
			}
		})
	}
	wg.Go(func() {
		for range n {
			if err := h.Collect(t.Context(), midden.KindFull); err != nil {
				t.Errorf("Collect: %v", err)
			}
		}
	})
	wg.Wait()
	want := 0
	for w := range 4 {
		for i := range n {
			if (i+w)%3 != 0 {
				want++
			}
		}
	}
	equal(t, "what was counted under the lock", shared, want)
}

// checkLocal is checkList for goroutines that are not the test's own.
func checkLocal(t *testing.T, l midden.Local[node], n int) {
	for id, r := 1, l.Get(); id <= n; id, r = id+1, r.Get().Next.Load() {
		if r.IsNil() || r.Get().ID != int64(id) {
			t.Errorf("the local's list is wrong at node %d of %d", id, n)
			return
		}
	}
}
