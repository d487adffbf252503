package middentest

import (
	"runtime"
	"testing"

	"github.com/midden-gc/midden"
)

var handleTests = []test{
	{"Keeps", 0, (*suite).handleKeeps},
	{"Release", frees, (*suite).handleRelease},
	{"Dropped", frees, (*suite).handleDropped},
	{"OutlivesMutator", 0, (*suite).handleOutlivesMutator},
	{"OutlivesHeap", 0, (*suite).handleOutlivesHeap},
	{"Concurrent", 0, (*suite).handlesConcurrent},
	{"ReleaseConcurrent", 0, (*suite).releaseConcurrent},
}

func (s *suite) handleKeeps(t *testing.T) {
	_, m := s.alone(t)
	n := s.size(5000)
	handles := make([]*midden.Handle[node], n)
	for id := range handles {
		handles[id] = midden.NewHandle(m, newNode(m, int64(id)))
	}
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 1000)
		for id, h := range handles {
			if h != nil {
				checkNode(t, "handle", h.Get(m), int64(id))
			}
		}
		// Slots of released handles serve new ones, without disturbing the others.
		for id := int(k); id < n; id += 3 {
			handles[id].Release()
			handles[id] = midden.NewHandle(m, newNode(m, int64(id)))
		}
	}
	for id, h := range handles {
		checkNode(t, "handle", h.Get(m), int64(id))
		h.Release()
	}
}

func (s *suite) handleRelease(t *testing.T) {
	h, m := s.alone(t)
	kept := midden.NewHandle(m, newNode(m, 5))
	handle := midden.NewHandle(m, midden.NewArray[byte](m, mib))
	two := midden.NewHandle(m, handle.Get(m))
	collect(t, m, midden.KindFull)
	handle.Release()
	handle.Release()
	panics(t, "Get after Release", func() { handle.Get(m) }, "midden: ", "elease")
	equal(t, "length", two.Get(m).Get().Len(), mib)
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live < mib {
		t.Errorf("%d bytes live while a second handle holds a MiB", live)
	}
	two.Release()
	collect(t, m, midden.KindFull)
	if live := h.Stats().Live; live >= mib {
		t.Errorf("%d bytes live after all handles were released", live)
	}
	checkNode(t, "another handle", kept.Get(m), 5)
	kept.Release()
	other := midden.NewHandle(m, newNode(m, 6))
	kept.Release() // The second Release must not release the handle that has its place now.
	collect(t, m, midden.KindFull)
	litter(m, 1000)
	checkNode(t, "a new handle", other.Get(m), 6)
	other.Release()
}

// handleDropped checks that handles which Go's collector finds unreachable are released.
func (s *suite) handleDropped(t *testing.T) {
	h, m := s.alone(t)
	kept := midden.NewHandle(m, newNode(m, 5))
	for range 100 {
		midden.NewHandle(m, midden.NewArray[byte](m, 100_000))
	}
	// Cleanups run on a goroutine of Go's, some time after a collection of Go's.
	live := int64(0)
	for range 500 {
		runtime.GC()
		collect(t, m, midden.KindFull)
		if live = h.Stats().Live; live < mib {
			break
		}
	}
	if live >= mib {
		t.Errorf("%d bytes live: dropped handles were not released", live)
	}
	checkNode(t, "a handle in use", kept.Get(m), 5)
	kept.Release()
}

func (s *suite) handleOutlivesMutator(t *testing.T) {
	h, m := s.alone(t)
	other := m.NewMutator()
	handle := midden.NewHandle(other, newList(other, 5))
	other.Close()
	for _, k := range kinds {
		collect(t, m, k)
		litter(m, 500)
		checkList(t, "handle of a closed mutator", handle.Get(m), 5)
	}
	m.Blocking(func() {
		last := h.NewMutator()
		defer last.Close()
		checkList(t, "handle in another mutator", handle.Get(last), 5)
		handle.Release()
	})
}

// handleOutlivesHeap checks that a late Release does no harm.
func (s *suite) handleOutlivesHeap(t *testing.T) {
	h := s.open(t, midden.Options{})
	m := h.NewMutator()
	handle := midden.NewHandle(m, newNode(m, 1))
	m.Close()
	if err := h.Close(); err != nil {
		t.Fatalf("Close with a handle that was not released: %v", err)
	}
	handle.Release()
	handle.Release()
	_, m = s.alone(t)
	panics(t, "Get after the heap was closed", func() { handle.Get(m) })
}

// handlesConcurrent passes handles from mutator to mutator while collections go on.
func (s *suite) handlesConcurrent(t *testing.T) {
	h, m := s.alone(t)
	const workers = 4
	n := s.size(2000)
	passed := make(chan *midden.Handle[node], workers)
	for range workers {
		m.Blocking(func() {
			own := h.NewMutator()
			defer own.Close()
			passed <- midden.NewHandle(own, newNode(own, 0))
		})
	}
	wg := crew{t: t}
	for range workers {
		wg.Go(func() {
			own := h.NewMutator()
			defer own.Close()
			for i := range n {
				var handle *midden.Handle[node]
				own.Blocking(func() { handle = <-passed })
				r := handle.Get(own)
				if r.IsNil() || r.Get().ID < 0 {
					t.Error("a handle lost its object")
				}
				next := midden.NewHandle(own, midden.Alloc(own, node{ID: r.Get().ID + 1}))
				handle.Release()
				litter(own, 20)
				if i%64 == 0 {
					if err := own.Collect(kinds[i/64%len(kinds)]); err != nil {
						t.Errorf("Collect: %v", err)
					}
				}
				own.Blocking(func() { passed <- next })
			}
		})
	}
	m.Blocking(wg.Wait)
	sum := int64(0)
	for range workers {
		handle := <-passed
		sum += handle.Get(m).Get().ID
		handle.Release()
	}
	equal(t, "the number of times that handles were passed", sum, int64(workers*n))
}

// releaseConcurrent has many goroutines without mutators release the same handles at once.
func (s *suite) releaseConcurrent(t *testing.T) {
	_, m := s.alone(t)
	for range s.size(50) {
		var handles []*midden.Handle[node]
		for range 50 {
			handles = append(handles, midden.NewHandle(m, newNode(m, 1)))
		}
		kept := midden.NewHandle(m, newNode(m, 5))
		wg := crew{t: t}
		for range 4 {
			wg.Go(func() {
				for _, h := range handles {
					h.Release()
				}
			})
		}
		// New handles take the places meanwhile.
		var fresh []*midden.Handle[node]
		for id := range int64(50) {
			fresh = append(fresh, midden.NewHandle(m, newNode(m, id)))
		}
		collect(t, m, midden.KindFull)
		wg.Wait()
		for id, h := range fresh {
			checkNode(t, "a fresh handle", h.Get(m), int64(id))
			h.Release()
		}
		checkNode(t, "a handle in use", kept.Get(m), 5)
		kept.Release()
	}
}
