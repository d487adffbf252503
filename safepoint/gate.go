package safepoint

// The word of a gate: the number of shares in the low bits, and above them
// why no further share may be taken.
const (
	shut   = 1 << 63 // a pause is on; changes only under World.mu
	barred = 1 << 62 // the world is damaged or closed, for good; the same
	shares = barred - 1
)

const lineSize = 64

// gate counts the shares that keep the world running: one for each active
// context, one for each function that prevents pauses. A pause shuts it.
//
// It is the only memory that every context writes, and this file the only
// place that knows how: a count split over several lines would stay in here.
type gate struct {
	_    [lineSize]byte
	word atomicUint64
	lone uint64 // stands for word in a world for a single context
	_    [lineSize - 16]byte
	flag atomicUint32 // what polls read: nonzero means look
	_    [lineSize - 4]byte
}

// tryEnter takes a share unless the gate is shut or barred.
func (g *gate) tryEnter() bool {
	for {
		v := g.word.Load()
		if v&(shut|barred) != 0 {
			return false
		}
		if g.word.CompareAndSwap(v, v+1) {
			return true
		}
	}
}

// tryEnterLone is tryEnter in a world for a single context.
func (g *gate) tryEnterLone() bool {
	if g.lone&(shut|barred) != 0 {
		return false
	}
	g.lone++
	return true
}

// leave gives a share back and reports whether it was the last one that a
// pause waits for.
func (g *gate) leave() (last bool) { return g.word.Add(^uint64(0)) == shut }

// add grants n shares whatever the state of the gate. The caller holds a
// share itself or World.mu.
func (g *gate) add(n uint64, single bool) {
	if single {
		g.lone += n
		return
	}
	g.word.Add(n)
}

// close shuts the gate and gives back n shares, in one step.
func (g *gate) close(n uint64, single bool) { g.add(shut-n, single) }

// open admits n shares and opens the gate, in one step.
func (g *gate) open(n uint64, single bool) { g.add(n-shut, single) }

// bar refuses all further shares if none is held, and reports whether it did.
func (g *gate) bar(single bool) bool {
	if single {
		if g.lone&shares != 0 {
			return false
		}
		g.lone |= barred
		return true
	}
	for {
		v := g.word.Load()
		if v&shares != 0 {
			return false
		}
		if g.word.CompareAndSwap(v, v|barred) {
			return true
		}
	}
}

func (g *gate) load(single bool) uint64 {
	if single {
		return g.lone
	}
	return g.word.Load()
}

// held returns the number of shares.
func (g *gate) held(single bool) uint64 { return g.load(single) & shares }
