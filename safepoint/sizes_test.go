//go:build !explore

package safepoint

import (
	"testing"
	"unsafe"
)

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(World{}); n > 512 {
		t.Errorf("a World has %d bytes, want at most 512", n)
	}
	var w World
	word := uintptr(unsafe.Pointer(&w.gate.word)) - uintptr(unsafe.Pointer(&w))
	flag := uintptr(unsafe.Pointer(&w.gate.flag)) - uintptr(unsafe.Pointer(&w))
	if flag-word < lineSize || word < lineSize {
		t.Errorf("word at %d and flag at %d share cache lines", word, flag)
	}
	if after := unsafe.Offsetof(w.epoch); after-flag < lineSize {
		t.Errorf("flag at %d shares its cache line with what follows at %d", flag, after)
	}
	if n := unsafe.Sizeof(member{}) + unsafe.Sizeof(Context{}); n > 384 {
		t.Errorf("a context has %d bytes, want at most 384", n)
	}
}
