package bench

import (
	"encoding/binary"
	"fmt"
)

// A digest stands for a sequence of numbers and of texts: another order gives
// another digest. Where the order of the work is open, digests are added up.
type digest uint64

// golden is 2⁶⁴ divided by the golden ratio: odd, and its bits are well mixed.
const golden = 0x9e3779b97f4a7c15

// with returns the digest of the sequence continued by words.
func (d digest) with(words ...uint64) digest {
	for _, w := range words {
		d = (d ^ digest(w)) + golden
		d *= golden
		d ^= d >> 29
	}
	return d
}

// withText returns the digest of the sequence continued by s.
func (d digest) withText(s string) digest {
	d = d.with(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		d = d.with(binary.LittleEndian.Uint64([]byte(s[:8])))
	}
	rest := uint64(0)
	for _, c := range []byte(s) {
		rest = rest<<8 | uint64(c)
	}
	return d.with(rest)
}

func (d digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }
