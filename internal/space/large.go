package space

import (
	"math/bits"
	"os"
	"slices"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
)

// PageSize is the grain in which large objects take memory, in bytes. It is a
// unit of accounting and need not be the system's.
const PageSize = 4 << 10

const (
	pagesPerBlock = cage.BlockSize / PageSize
	unitsPerPage  = PageSize >> cage.UnitShift
	unitsPerBlock = cage.BlockSize >> cage.UnitShift
)

// largeObjects are the objects above MaxSmall. One occupies a run of whole
// blocks, which may be none, and then pages of one more, which it shares with
// other tails.
type largeObjects struct {
	objects []largeObject
	old     int                    // the first so many lived after the last cycle, and still do
	live    int64                  // their bytes
	pages   map[cage.Block]pageSet // of the shared blocks
	partial []cage.Block           // the shared blocks with free pages
}

// pageSet is what is known of a shared block.
type pageSet struct {
	taken uint8 // a bit for each page that an object occupies
	dirty uint8 // a bit for each page that is not clear
	gone  uint8 // a bit for each page that was returned to the system
}

// goneBytes is how much of the block does not count as committed.
func (p pageSet) goneBytes() int64 { return int64(bits.OnesCount8(p.gone)) * PageSize }

// together is how many pages make one of the system's, or it is more than a block
// has: then no page is returned but with its block.
var together = max(1, uintptr(os.Getpagesize())/PageSize)

// trim returns the free pages of shared blocks to the system.
func (l *largeObjects) trim() (bytes int64) {
	for b, p := range l.pages {
		before := p.goneBytes()
		for i := uintptr(0); i+together <= pagesPerBlock; i += together {
			mask := uint8(1<<together-1) << i
			if (p.taken|p.gone)&mask == 0 {
				cage.Discard(unsafe.Add(b.Address(), i*PageSize), together*PageSize)
				p.gone |= mask
				p.dirty &^= mask
			}
		}
		bytes += p.goneBytes() - before
		l.pages[b] = p
	}
	return bytes
}

// reuse takes pages back that were returned, as far as they are in mask, and
// reports whether the system let it.
func (p *pageSet) reuse(b cage.Block, mask uint8) bool {
	for i := uintptr(0); i+together <= pagesPerBlock; i += together {
		group := uint8(1<<together-1) << i
		if p.gone&group&mask == 0 {
			continue
		}
		if cage.Reuse(unsafe.Add(b.Address(), i*PageSize), together*PageSize) != nil {
			return false
		}
		p.gone &^= group
	}
	return true
}

type largeObject struct {
	at    uintptr // in units
	bytes uintptr
	slots bool // it holds references, so that all its lines are marked
}

func pagesOf(bytes uintptr) uintptr { return (bytes + PageSize - 1) / PageSize }

// LargeBytes returns what an object of so many bytes occupies.
func LargeBytes(bytes uintptr) uintptr { return pagesOf(bytes) * PageSize }

// AllocLarge returns where clear memory for an object above MaxSmall begins.
func (s *Space) AllocLarge(b *Buffer, bytes uintptr, slots bool) (uintptr, error) {
	size := int64(LargeBytes(bytes))
	if size > s.Budget.limit && s.Budget.limit > 0 {
		return 0, ErrLimit
	}
	if bytes > cage.Size {
		return 0, cage.ErrExhausted
	}
	s.mu.Lock()
	credit, ok := s.charge(b, size)
	if !ok {
		s.mu.Unlock()
		return 0, ErrLimit
	}
	at, dirty, err := s.placeLarge(pagesOf(bytes))
	if err != nil {
		s.uncharge(b, size, credit)
		s.mu.Unlock()
		return 0, err
	}
	s.large.objects = append(s.large.objects, largeObject{at, bytes, slots})
	s.mu.Unlock()
	s.allocated.Add(size)
	s.claims.Add(size)
	if dirty {
		clear(unsafe.Slice((*byte)(cage.At(at)), bytes))
	}
	s.checkThreshold()
	return at, nil
}

// placeLarge finds room for n pages.
func (s *Space) placeLarge(n uintptr) (at uintptr, dirty bool, err error) {
	l := &s.large
	if n < pagesPerBlock {
		at, dirty, back, ok := l.fit(n)
		s.addCommitted(back)
		if ok {
			return at, dirty, nil
		}
	}
	whole, tail := int(n/pagesPerBlock), n%pagesPerBlock
	blocks := whole
	if tail != 0 {
		blocks++
	}
	b, err := s.acquire(blocks)
	if err != nil {
		return 0, false, err
	}
	if tail != 0 {
		if l.pages == nil {
			l.pages = map[cage.Block]pageSet{}
		}
		last := b + cage.Block(whole)
		mask := uint8(1<<tail - 1)
		l.pages[last] = pageSet{taken: mask, dirty: mask}
		l.partial = append(l.partial, last)
	}
	return uintptr(b) << (cage.BlockShift - cage.UnitShift), false, nil
}

// fit finds n neighbouring free pages in a shared block. It looks at a bounded
// number of blocks, the latest first. Back is how many bytes were taken from the
// system again.
func (l *largeObjects) fit(n uintptr) (at uintptr, dirty bool, back int64, ok bool) {
	const lookAt = 64
	for i := len(l.partial) - 1; i >= max(0, len(l.partial)-lookAt); i-- {
		b := l.partial[i]
		p := l.pages[b]
		for first := uintptr(0); first+n <= pagesPerBlock; first++ {
			mask := uint8(1<<n-1) << first
			if p.taken&mask != 0 {
				continue
			}
			before := p.goneBytes()
			if !p.reuse(b, mask) {
				l.pages[b] = p
				return 0, false, before - p.goneBytes(), false
			}
			dirty = p.dirty&mask != 0
			p.taken |= mask
			p.dirty |= mask
			l.pages[b] = p
			if p.taken == 0xff {
				l.partial = slices.Delete(l.partial, i, i+1)
			}
			return uintptr(b)<<(cage.BlockShift-cage.UnitShift) + first*unitsPerPage, dirty, before - p.goneBytes(), true
		}
	}
	return 0, false, 0, false
}

// sweepLarge frees the large objects that are new and not alive, and returns the
// bytes of all that remain.
func (s *Space) sweepLarge(alive func(at uintptr) bool) (live int64) {
	l := &s.large
	if l.old == 0 {
		l.live = 0
	}
	kept := l.objects[:l.old]
	for _, o := range l.objects[l.old:] {
		if alive(o.at) {
			l.live += int64(LargeBytes(o.bytes))
			kept = append(kept, o)
			continue
		}
		s.freeLarge(o)
	}
	if len(kept) == len(l.objects) {
		l.old = len(kept)
		return l.live
	}
	l.objects, l.old = kept, len(kept)
	l.partial = l.partial[:0]
	for b, p := range l.pages {
		if p.taken != 0xff {
			l.partial = append(l.partial, b)
		}
	}
	return l.live
}

// poison overwrites the free pages of shared blocks.
func (l *largeObjects) poison(with byte) {
	for b, p := range l.pages {
		for i := range pagesPerBlock {
			if (p.taken|p.gone)>>i&1 == 0 {
				fill(unsafe.Add(b.Address(), i*PageSize), PageSize, with)
			}
		}
		p.dirty = ^p.gone
		l.pages[b] = p
	}
}

func (s *Space) freeLarge(o largeObject) {
	n := pagesOf(o.bytes)
	s.Budget.refund(int64(n) * PageSize)
	o.clearMarks()
	b := cage.BlockOf(cage.At(o.at))
	whole, tail := int(n/pagesPerBlock), n%pagesPerBlock
	blocks, gone := whole, int64(0)
	if tail != 0 {
		last := b + cage.Block(whole)
		p := s.large.pages[last]
		p.taken &^= uint8(1<<tail-1) << (o.at % unitsPerBlock / unitsPerPage)
		s.large.pages[last] = p
		if p.taken == 0 {
			delete(s.large.pages, last)
			blocks++
			gone = p.goneBytes()
		}
	}
	if blocks > 0 {
		cage.Release(b, blocks)
		s.addCommitted(gone - int64(blocks)*cage.BlockSize)
	}
}

func (s *Space) closeLarge() {
	l := &s.large
	var blocks []cage.Block
	for _, o := range l.objects {
		o.clearMarks()
		first := cage.BlockOf(cage.At(o.at))
		for i := range pagesOf(o.bytes) / pagesPerBlock {
			blocks = append(blocks, first+cage.Block(i))
		}
	}
	for b, p := range l.pages {
		blocks = append(blocks, b)
		s.addCommitted(p.goneBytes())
	}
	s.release(blocks)
	*l = largeObjects{}
}

// clearMarks makes all large objects new.
func (l *largeObjects) clearMarks() {
	l.old = 0
	for _, o := range l.objects {
		o.clearMarks()
	}
}

func (o largeObject) clearMarks() {
	first := o.at / unitsPerLine
	n := uintptr(1)
	if o.slots {
		n = (o.bytes + cage.LineSize - 1) / cage.LineSize
	}
	clear(unsafe.Slice((*byte)(unsafe.Add(cage.Lines, first)), n))
	*(*byte)(unsafe.Add(cage.Marks, first)) = 0
}
