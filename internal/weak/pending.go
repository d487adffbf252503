package weak

import (
	"math/bits"

	"github.com/midden-gc/midden/internal/object"
)

// Pending are the ephemerons that live and whose keys have not been found yet,
// by key. It does not change while a trace runs, so that its workers may look
// things up at once.
//
// A key that is in it has the flag object.Key in its header. So a tracer that
// meets an object need not look here unless it sees the flag, and it has the
// header in its hands anyway.
//
// Keys are known by where they were when the cycle began.
type Pending struct {
	heads   []uint32 // the first entry of each chain, 0 for none
	entries []entry  // entry 0 is nobody's
	shift   uint8
}

type entry struct {
	key       object.Word
	ephemeron object.Word
	next      uint32
}

// add files an ephemeron under its key.
func (p *Pending) add(key, ephemeron object.Word) {
	p.reserve(1)
	h := p.chain(key)
	p.entries = append(p.entries, entry{key, ephemeron, p.heads[h]})
	p.heads[h] = uint32(len(p.entries) - 1)
}

// reserve makes room for so many more entries: there are at least as many chains
// as entries.
func (p *Pending) reserve(more int) {
	need := len(p.entries) + more
	if need <= len(p.heads) {
		return
	}
	n := 64
	for n < need {
		n *= 2
	}
	p.heads = make([]uint32, n)
	p.shift = uint8(64 - bits.TrailingZeros(uint(n)))
	if p.entries == nil {
		p.entries = make([]entry, 1, need)
	}
	for i := 1; i < len(p.entries); i++ {
		e := &p.entries[i]
		h := p.chain(e.key)
		e.next, p.heads[h] = p.heads[h], uint32(i)
	}
}

// neighbours is how many units of 8 bytes keys are at most apart that stay side
// by side in the table.
const neighbours = 1 << 12

// chain returns where the chain of a key begins. Keys that lie side by side have
// chains side by side, so that those that were allocated together share cache
// lines here too; which stretch of the table they have is a matter of chance, or
// keys at regular distances would all fall on each other.
func (p *Pending) chain(key object.Word) uint32 {
	const golden = 0x9e3779b97f4a7c15
	far := uint64(key/neighbours) * golden >> p.shift
	return (uint32(far) + uint32(key%neighbours)/2) & uint32(len(p.heads)-1)
}

// First returns the first entry for a key, 0 if there is none.
func (p *Pending) First(key object.Word) uint32 {
	if len(p.heads) == 0 {
		return 0
	}
	return p.match(p.heads[p.chain(key)], key)
}

// Next returns the next entry with the same key as entry i, 0 if that was the
// last.
func (p *Pending) Next(i uint32) uint32 {
	return p.match(p.entries[i].next, p.entries[i].key)
}

// match returns the first entry for a key in the chain from i on.
func (p *Pending) match(i uint32, key object.Word) uint32 {
	for i != 0 && p.entries[i].key != key {
		i = p.entries[i].next
	}
	return i
}

// Ephemeron returns the ephemeron of entry i.
func (p *Pending) Ephemeron(i uint32) object.Word { return p.entries[i].ephemeron }

// all returns every entry.
func (p *Pending) all() []entry {
	if len(p.entries) == 0 {
		return nil
	}
	return p.entries[1:]
}
