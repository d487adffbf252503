package cage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func sysReserve(n uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
}

func sysCommit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE)
}

// sysDiscard drops the pages: they read as zero from then on.
func sysDiscard(p unsafe.Pointer, n uintptr) {
	// It cannot fail on a private mapping of ours; if it does, memory that is
	// taken to be zero is not, and nothing may go on.
	if err := unix.Madvise(unsafe.Slice((*byte)(p), n), unix.MADV_DONTNEED); err != nil {
		panic("midden: the system refused to take pages back: " + err.Error())
	}
}

// sysReuse prepares discarded pages; on this system they are ready.
func sysReuse(unsafe.Pointer, uintptr) error { return nil }
