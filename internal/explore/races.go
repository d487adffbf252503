package explore

import "unsafe"

// A clock says how many steps of each thread happen before something.
type clock [maxThreads]int32

func (c *clock) join(d *clock) {
	for i := range c {
		c[i] = max(c[i], d[i])
	}
}

// An event is a step that was made: event i leads from node i to node i+1.
type event struct {
	thread int
	seq    int32 // the thread's steps up to and including this one
	clock  clock // what happens before it, and itself
}

// before reports whether a happens before what has the clock c.
func (a *event) before(c *clock) bool { return c[a.thread] >= a.seq }

// An object is what is known of something that several threads touch.
type object struct {
	clock    clock // of all that touched it, but reads
	reads    clock // of the reads since
	last     int   // the event that wrote it last, -1: none
	since    []int // the events that read it since
	lastLock int   // the event that locked it last, -1: none
}

func (x *explorer) object(at unsafe.Pointer) *object {
	o := x.objects[(*byte)(at)]
	if o == nil {
		o = &object{last: -1, lastLock: -1}
		x.objects[(*byte)(at)] = o
	}
	return o
}

// record notes what t is about to do as the event at depth. If it is new, it is
// compared with what it races with.
func (x *explorer) record(t *thread, depth int, isNew bool) {
	e := event{thread: t.id, seq: t.clock[t.id] + 1}
	own := t.clock // what happens before it because the thread has seen it
	own[t.id] = e.seq
	e.clock = own
	for _, a := range t.op.touch[:t.op.n] {
		o := x.object(a.object)
		e.clock.join(&o.clock)
		if a.kind != read && a.kind != waiting {
			e.clock.join(&o.reads)
		}
	}
	x.events = append(x.events, e)
	if isNew {
		for _, a := range t.op.touch[:t.op.n] {
			x.races(a, x.object(a.object), &own, depth)
		}
	}
	for _, a := range t.op.touch[:t.op.n] {
		o := x.object(a.object)
		switch a.kind {
		case read, waiting:
			o.reads.join(&e.clock)
			o.since = append(o.since, depth)
		default:
			o.clock.join(&e.clock)
			o.reads = clock{}
			o.last, o.since = depth, o.since[:0]
			if a.kind == lock {
				o.lastLock = depth
			}
		}
	}
	t.clock = e.clock
}

// races finds the events that the one at depth, which touches o, races with: those
// that could as well have come after it.
func (x *explorer) races(a access, o *object, own *clock, depth int) {
	switch a.kind {
	case lock:
		// The unlock before it could not have come later, but the lock before
		// that could.
		x.race(o.lastLock, own, depth)
	case read:
		x.race(o.last, own, depth)
	case write:
		if len(o.since) == 0 {
			x.race(o.last, own, depth)
		}
		for _, r := range o.since {
			x.race(r, own, depth)
		}
	}
}

// race sees to it that the event at depth is also tried before event e, unless e
// happens before it anyhow.
func (x *explorer) race(e int, own *clock, depth int) {
	if e < 0 || x.events[e].thread == x.events[depth].thread || x.events[e].before(own) {
		return
	}
	n := &x.path[e]
	if x.o.Preemptions >= 0 {
		x.tryBounded(e, x.events[depth].thread)
		return
	}
	initials := x.initials(e, depth) & n.enabled
	if initials == 0 || initials&n.try != 0 {
		return
	}
	if own := set(1) << x.events[depth].thread; initials&own != 0 {
		initials = own
	}
	n.try |= 1 << initials.first()
}

// initials returns the threads that can make the first step, from the state before
// event e, towards an execution in which the event at depth comes before e.
func (x *explorer) initials(e, depth int) (s set) {
	var seen set
	first := x.events[e].thread
	var firsts [maxThreads]int
	for i := e + 1; i <= depth; i++ {
		ev := &x.events[i]
		if i < depth && ev.clock[first] >= x.events[e].seq || seen.has(ev.thread) {
			continue
		}
		seen |= 1 << ev.thread
		initial := true
		for q := range maxThreads {
			// The first step of a thread is the one that others depend on, if
			// on any of them.
			if q == ev.thread || !seen.has(q) {
				continue
			}
			if f := &x.events[firsts[q]]; f.before(&ev.clock) {
				initial = false
			}
		}
		firsts[ev.thread] = i
		if initial {
			s |= 1 << ev.thread
		}
	}
	return s
}

// tryBounded notes that thread t is to be tried before event e, and, since that may
// cost a preemption too much, also where the thread of e began to run.
func (x *explorer) tryBounded(e, t int) {
	add := func(n *node) {
		if n.enabled.has(t) {
			n.try |= 1 << t
		} else {
			n.try |= n.enabled
		}
	}
	add(&x.path[e])
	for e > 0 && x.path[e-1].choice == x.path[e].choice {
		e--
	}
	add(&x.path[e])
}
