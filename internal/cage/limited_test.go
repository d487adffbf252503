//go:build linux

package cage

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// Where address space is limited, a smaller range is reserved, used to its end,
// and refused to whoever wants more.
func TestLimitedAddressSpace(t *testing.T) {
	if os.Getenv(childVar) != "" {
		limited(t)
		return
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	if raceEnabled {
		t.Skip("the race detector needs more address space than this")
	}
	cmd := exec.Command(sh, "-c", `ulimit -v 2000000 && exec "$0" -test.run '^TestLimitedAddressSpace$' -test.v`, os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("with 2,000,000 KiB of address space: %v\n%s", err, out)
	}
}

// limited runs in the child.
func limited(t *testing.T) {
	if err := Init(); err != nil {
		t.Fatal(err)
	}
	got, asked := Shortfall()
	if got >= asked || got < minSize || got != Size {
		t.Fatalf("%#x bytes of %#x were granted, Size is %#x", got, asked, Size)
	}
	all := int(Size/BlockSize) - 1 // block 0 is nobody's
	// What is free and ends where the untouched begins is one run with it.
	for _, n := range []int{1, all / 2, all} {
		b, err := Acquire(n, 9)
		if err != nil {
			t.Fatalf("a run of %d of %d blocks, all of which are free: %v", n, all, err)
		}
		if !isZero(contents(b, 1)) || !isZero(table(Lines, b, n)) || !isZero(table(Marks, b, n)) || b != 1 {
			t.Errorf("a run of %d begins at block %d, or is not clean", n, b)
		}
		contents(b, 1)[0] = 1
		table(Lines, b, n)[0] = 1
		Release(b, n)
	}
	for range 2 {
		var bs []Block
		for {
			n := 1 + len(bs)%700
			b, err := Acquire(n, 9)
			if errors.Is(err, ErrExhausted) {
				if b, err = Acquire(1, 9); err != nil {
					break
				}
				n = 1
			}
			if err != nil {
				t.Fatal(err)
			}
			contents(b, n)[0] = 1
			contents(b, n)[n*BlockSize-1] = 1
			table(Lines, b, n)[n*LinesPerBlock-1] = 1
			for i := range n {
				bs = append(bs, b+Block(i))
			}
		}
		if len(bs) != all {
			t.Errorf("%d blocks could be had of %d", len(bs), all)
		}
		if _, err := Acquire(1, 9); !errors.Is(err, ErrExhausted) {
			t.Errorf("one more: %v", err)
		}
		for _, b := range bs {
			if Owner(b) != 9 {
				t.Fatalf("block %d belongs to %d", b, Owner(b))
			}
			Release(b, 1)
		}
		if Free() != all {
			t.Errorf("%d blocks are free, want %d", Free(), all)
		}
	}
	b, err := Acquire(all, 9)
	if err != nil {
		t.Fatalf("all blocks are free and cannot be had as one run: %v", err)
	}
	Release(b, all)
}
