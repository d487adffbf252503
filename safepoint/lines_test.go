//go:build !explore

package safepoint

import (
	"testing"
	"unsafe"
)

// A line of a processor's cache that two contexts write, or that one writes and
// another reads, goes to and fro between their processors.
func TestContextsShareNoLine(t *testing.T) {
	w := NewWorld(nil)
	owners := map[uintptr]uint64{}
	for range 100 {
		c := w.NewContext()
		defer c.Close()
		at := uintptr(unsafe.Pointer(c.m))
		for line := at / lineSize; line <= (at+unsafe.Sizeof(*c.m)-1)/lineSize; line++ {
			if other, taken := owners[line]; taken {
				t.Fatalf("contexts %d and %d share a line", other, c.ID())
			}
			owners[line] = c.ID()
		}
	}
	// What reports and neighbours read or write is not on the line of status.
	var m member
	if off := unsafe.Offsetof(m.context); off < lineSize {
		t.Errorf("what follows status is %d bytes from it", off)
	}
}

// Polls and freezes read what is constant; the gate's word, which all freezes
// write, is not near that, nor near the flag, wherever the World lies.
func TestGateSharesNoLine(t *testing.T) {
	var w World
	gate := unsafe.Offsetof(w.gate)
	word := gate + unsafe.Offsetof(w.gate.word)
	flag := gate + unsafe.Offsetof(w.gate.flag)
	if constant := unsafe.Offsetof(w.noun) + unsafe.Sizeof(w.noun); word-constant < lineSize-1 {
		t.Errorf("word at %d and constants up to %d", word, constant)
	}
	if flag-word < lineSize {
		t.Errorf("word at %d, flag at %d", word, flag)
	}
	if next := unsafe.Offsetof(w.epoch); next-flag < lineSize {
		t.Errorf("flag at %d, epoch at %d", flag, next)
	}
}
