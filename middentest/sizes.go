package middentest

import (
	"testing"

	"github.com/midden-gc/midden"
)

// bytes is every size of object that the tests allocate: small ones, those about powers of two,
// lines and blocks, and those of several pages.
type bytes interface {
	[0]byte | [1]byte | [2]byte | [3]byte | [4]byte | [5]byte | [7]byte | [8]byte |
		[9]byte | [12]byte | [15]byte | [16]byte | [17]byte | [24]byte | [31]byte |
		[32]byte | [33]byte | [64]byte | [100]byte | [119]byte | [120]byte | [121]byte |
		[127]byte | [128]byte | [129]byte | [248]byte | [256]byte | [500]byte |
		[1000]byte | [1016]byte | [1024]byte | [2040]byte | [2048]byte | [4096]byte |
		[8000]byte | [8176]byte | [8184]byte | [8185]byte | [8192]byte | [8193]byte |
		[10000]byte | [16384]byte | [32752]byte | [32760]byte | [32761]byte | [32768]byte |
		[40000]byte | [65536]byte | [100000]byte | [1048576]byte | [3145729]byte
}

// withSizes is one case for each of these sizes.
var withSizes = []func(t *testing.T, m *midden.Mutator) (check func()){
	withSize[[0]byte], withSize[[1]byte], withSize[[2]byte], withSize[[3]byte],
	withSize[[4]byte], withSize[[5]byte], withSize[[7]byte], withSize[[8]byte],
	withSize[[9]byte], withSize[[12]byte], withSize[[15]byte], withSize[[16]byte],
	withSize[[17]byte], withSize[[24]byte], withSize[[31]byte], withSize[[32]byte],
	withSize[[33]byte], withSize[[64]byte], withSize[[100]byte], withSize[[119]byte],
	withSize[[120]byte], withSize[[121]byte], withSize[[127]byte], withSize[[128]byte],
	withSize[[129]byte], withSize[[248]byte], withSize[[256]byte], withSize[[500]byte],
	withSize[[1000]byte], withSize[[1016]byte], withSize[[1024]byte], withSize[[2040]byte],
	withSize[[2048]byte], withSize[[4096]byte], withSize[[8000]byte], withSize[[8176]byte],
	withSize[[8184]byte], withSize[[8185]byte], withSize[[8192]byte], withSize[[8193]byte],
	withSize[[10000]byte], withSize[[16384]byte], withSize[[32752]byte], withSize[[32760]byte],
	withSize[[32761]byte], withSize[[32768]byte], withSize[[40000]byte], withSize[[65536]byte],
	withSize[[100000]byte], withSize[[1048576]byte], withSize[[3145729]byte],
}

// withSize allocates three objects of one size. The function that it returns checks them.
func withSize[A bytes](t *testing.T, m *midden.Mutator) (check func()) {
	var locals [3]midden.Local[A]
	pattern := func(object, i int) byte { return byte(i*7+object*91) | 1 }
	for object := range locals {
		r := midden.New[A](m)
		locals[object] = midden.NewLocal(m, r)
		p := r.Get()
		if p == nil {
			t.Fatalf("%T: Get of a new object is nil", *new(A))
		}
		for i := range len(*p) {
			if (*p)[i] != 0 {
				t.Fatalf("%T: byte %d of a new object is %#x", *new(A), i, (*p)[i])
			}
			(*p)[i] = pattern(object, i)
		}
	}
	return func() {
		for object, l := range locals {
			p := l.Ptr()
			for i := range len(*p) {
				if got, want := (*p)[i], pattern(object, i); got != want {
					t.Fatalf("%T: byte %d of object %d is %#x, want %#x", *new(A), i, object, got, want)
				}
			}
		}
	}
}

// everySize allocates objects of every size, all zeroed, fills each to the brim, and finds every
// byte again after collections of every kind. It does so several times, so that later rounds get
// memory that others left dirty.
func (s *suite) everySize(t *testing.T) {
	_, m := s.alone(t)
	for range 3 {
		scope := m.Scope()
		var checks []func()
		for _, allocate := range withSizes {
			checks = append(checks, allocate(t, m))
		}
		for _, k := range kinds {
			collect(t, m, k)
			for _, check := range checks {
				check()
			}
		}
		scope.Close()
		collect(t, m, midden.KindFull)
	}
}

// sizeOf checks that SizeOf counts at least the object and a header, grows with the object, and
// does not charge much more.
func sizeOf[A bytes](t *testing.T, smaller int64) int64 {
	n := int64(len(*new(A)))
	size := midden.SizeOf[A]()
	if size <= n || size < smaller {
		t.Errorf("SizeOf[%T] is %d, and %d for the next smaller size", *new(A), size, smaller)
	}
	if size > 2*n+64 {
		t.Errorf("SizeOf[%T] is %d", *new(A), size)
	}
	return size
}

func (s *suite) sizesOf(t *testing.T) {
	var smaller int64
	for _, f := range []func(*testing.T, int64) int64{
		sizeOf[[0]byte], sizeOf[[1]byte], sizeOf[[2]byte], sizeOf[[3]byte], sizeOf[[4]byte],
		sizeOf[[5]byte], sizeOf[[7]byte], sizeOf[[8]byte], sizeOf[[9]byte], sizeOf[[12]byte],
		sizeOf[[15]byte], sizeOf[[16]byte], sizeOf[[17]byte], sizeOf[[24]byte],
		sizeOf[[31]byte], sizeOf[[32]byte], sizeOf[[33]byte], sizeOf[[64]byte],
		sizeOf[[100]byte], sizeOf[[119]byte], sizeOf[[120]byte], sizeOf[[121]byte],
		sizeOf[[127]byte], sizeOf[[128]byte], sizeOf[[129]byte], sizeOf[[248]byte],
		sizeOf[[256]byte], sizeOf[[500]byte], sizeOf[[1000]byte], sizeOf[[1016]byte],
		sizeOf[[1024]byte], sizeOf[[2040]byte], sizeOf[[2048]byte], sizeOf[[4096]byte],
		sizeOf[[8000]byte], sizeOf[[8176]byte], sizeOf[[8184]byte], sizeOf[[8185]byte],
		sizeOf[[8192]byte], sizeOf[[8193]byte], sizeOf[[10000]byte], sizeOf[[16384]byte],
		sizeOf[[32752]byte], sizeOf[[32760]byte], sizeOf[[32761]byte], sizeOf[[32768]byte],
		sizeOf[[40000]byte], sizeOf[[65536]byte], sizeOf[[100000]byte], sizeOf[[1048576]byte],
		sizeOf[[3145729]byte],
	} {
		smaller = f(t, smaller)
	}
	for _, n := range []int{0, 1, 7, 8, 100, 5000, 1 << 20} {
		equal(t, "ArraySize[[2]int64]", midden.ArraySize[[2]int64](n), midden.ArraySize[int64](2*n))
		if size := midden.ArraySize[int64](n); size <= int64(8*n) || size > int64(16*n+64) {
			t.Errorf("ArraySize[int64](%d) is %d", n, size)
		}
	}
}

// everyLength does for arrays what everySize does for objects, with every length up to some lines
// and those around every power of two.
func (s *suite) everyLength(t *testing.T) {
	_, m := s.alone(t)
	var lengths []int
	for n := range 600 {
		lengths = append(lengths, n)
	}
	for power := 1 << 10; power <= s.size(1<<21); power *= 2 {
		for n := power - 17; n <= power+1; n += 3 {
			lengths = append(lengths, n)
		}
	}
	for round := range 2 {
		scope := m.Scope()
		var locals []midden.Local[midden.Array[byte]]
		for i, n := range lengths {
			r := midden.NewArray[byte](m, n)
			locals = append(locals, midden.NewLocal(m, r))
			view := r.Get().Slice()
			equal(t, "length", len(view), n)
			for j := range view {
				if view[j] != 0 {
					t.Fatalf("round %d: byte %d of a new array of %d is %#x", round, j, n, view[j])
				}
				view[j] = byte(i+j) | 1
			}
		}
		for _, k := range kinds {
			collect(t, m, k)
		}
		for i, l := range locals {
			for j, got := range l.Ptr().Slice() {
				if want := byte(i+j) | 1; got != want {
					t.Fatalf("round %d: byte %d of an array of %d is %#x, want %#x", round, j, lengths[i], got, want)
				}
			}
		}
		scope.Close()
		collect(t, m, midden.KindFull)
	}
}

// reused checks that memory which is used again is zeroed again, whether small objects, medium or large
// ones were there before.
func (s *suite) reused(t *testing.T) {
	_, m := s.alone(t)
	lengths := []int{16, 100, 1000, 9000, 50_000, 300_000}
	for round := range 8 * len(lengths) {
		length := lengths[round*5/4%len(lengths)]
		for range 1 + mib/length/2 {
			view := midden.NewArray[byte](m, length).Get().Slice()
			for i := range view {
				if view[i] != 0 {
					t.Fatalf("round %d: byte %d of a new array of %d is %#x", round, i, length, view[i])
				}
				view[i] = 0xff
			}
		}
		collect(t, m, kinds[round%2])
	}
}
