package object

import (
	"sync"
	"testing"
	"unsafe"
)

// An object that was hashed keeps its hash when it moves, again and again, and
// grows by a word the first time; one that was not does not grow.
func TestHashMoves(t *testing.T) {
	type pair struct{ A, B uint64 }
	single, array := describeFor[pair](t)
	for _, h := range []Header{single.Header, array.Header | MakeHeader(0, 3), array.Header, single.Header | MakeHeader(0, 77)} {
		for _, hashed := range []bool{false, true} {
			bytes := BytesOf(Scans(), h)
			object := make([]uint64, bytes/8)
			for i := range object {
				object[i] = uint64(i) * 0x0101
			}
			*(*Header)(unsafe.Pointer(&object[0])) = h
			now, word := h, Word(1000)
			var hash uint64
			if hashed {
				var first bool
				if hash, first = Hash(word, unsafe.Pointer(&object[1])); !first {
					t.Error("the first hash is not the first")
				}
				now |= Hashed
			}
			for range 3 {
				if got := *(*Header)(unsafe.Pointer(&object[0])); got != now {
					t.Fatalf("header %#x, want %#x", got, now)
				}
				size := BytesOf(Scans(), now)
				if int(size) != 8*len(object) {
					t.Fatalf("%d bytes, want %d", size, 8*len(object))
				}
				to := make([]uint64, now.CopyBytes(size)/8)
				Move(unsafe.Pointer(&to[0]), unsafe.Pointer(&object[0]), word, now, size)
				object, word = to, word+999
				if hashed {
					now |= HashTail
					if got, first := Hash(word, unsafe.Pointer(&object[1])); got != hash || first {
						t.Errorf("the hash is %#x after a move, and was %#x; first: %v", got, hash, first)
					}
				}
				for i := 1; i < int(bytes)/8; i++ {
					if object[i] != uint64(i)*0x0101 {
						t.Errorf("word %d is %#x after a move", i, object[i])
					}
				}
			}
			if grown := len(object) - int(bytes)/8; grown != 0 && !hashed || grown != 1 && hashed {
				t.Errorf("the object has grown by %d words, hashed: %v", grown, hashed)
			}
		}
	}
}

// Who asks at the same time learns the same, and one is the first; user bits that
// somebody changes meanwhile are not lost.
func TestConcurrentHash(t *testing.T) {
	single, _ := describeFor[uint64](t)
	for range 200 {
		object := []uint64{uint64(single.Header), 5}
		var hashes [3]uint64
		var firsts [3]bool
		var wg sync.WaitGroup
		for i := range hashes {
			wg.Go(func() { hashes[i], firsts[i] = Hash(9, unsafe.Pointer(&object[1])) })
		}
		*UpperOf(HeaderOf(unsafe.Pointer(&object[1]))) = 0xabcd
		wg.Wait()
		n := 0
		for i := range hashes {
			if hashes[i] != hashes[0] {
				t.Error("two learn different hashes")
			}
			if firsts[i] {
				n++
			}
		}
		h := Header(object[0])
		if n != 1 || h != single.Header|Hashed|MakeHeader(0, 0xabcd) {
			t.Errorf("%d were the first, header %#x", n, uint64(h))
		}
	}
}
