package cage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func sysReserve(n uintptr) (unsafe.Pointer, error) {
	return unix.MmapPtr(-1, 0, nil, n, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func sysCommit(p unsafe.Pointer, n uintptr) error {
	return unix.Mprotect(unsafe.Slice((*byte)(p), n), unix.PROT_READ|unix.PROT_WRITE)
}

// sysDiscard maps fresh pages over the old ones, because MADV_DONTNEED neither
// zeroes nor frees here.
func sysDiscard(p unsafe.Pointer, n uintptr) {
	_, err := unix.MmapPtr(-1, 0, p, n, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil {
		// Memory that is taken to be zero would not be.
		panic("midden: the system refused to take pages back: " + err.Error())
	}
}

// sysReuse prepares discarded pages; on this system they are ready.
func sysReuse(unsafe.Pointer, uintptr) error { return nil }
