package safepoint

// registry lists the members of a world in order of creation.
//
// It changes only in the hands of someone who holds a share, or who holds
// World.mu while no pause runs. Whoever is in charge of a running pause may
// therefore read it without the lock.
type registry struct {
	mu          mutex
	first, last *member
	n           int
	lastID      uint64
}

// add enters m as the newest member and gives it its id.
func (r *registry) add(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	writes(r)
	r.lastID++
	m.id = r.lastID
	m.prev = r.last
	if r.last == nil {
		r.first = m
	} else {
		r.last.next = m
	}
	r.last = m
	r.n++
}

// remove takes m off the list.
func (r *registry) remove(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	writes(r)
	if m.prev == nil {
		r.first = m.next
	} else {
		m.prev.next = m.next
	}
	if m.next == nil {
		r.last = m.prev
	} else {
		m.next.prev = m.prev
	}
	m.prev, m.next = nil, nil
	r.n--
}

func (r *registry) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// count returns how many members there are, and how many of them are frozen.
func (r *registry) count() (n, frozen int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := r.first; m != nil; m = m.next {
		if m.load().state() == Frozen {
			frozen++
		}
	}
	return r.n, frozen
}

// find returns the oldest member that matches, or nil.
func (r *registry) find(match func(*member) bool) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := r.first; m != nil; m = m.next {
		if match(m) {
			return m
		}
	}
	return nil
}

// owners returns the goroutines that are known to use a context.
func (r *registry) owners() map[uint64]bool {
	ids := map[uint64]bool{}
	r.find(func(m *member) bool {
		if m.firm() && m.known() {
			ids[m.goroutine.Load()] = true
		}
		return false
	})
	return ids
}

// holders returns the members that have a share.
func (r *registry) holders() (list []*member) {
	r.find(func(m *member) bool {
		if m.load().holds() {
			list = append(list, m)
		}
		return false
	})
	return list
}
