package cage

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func sysReserve(n uintptr) (unsafe.Pointer, error) {
	addr, err := windows.VirtualAlloc(0, n, windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, err
	}
	// The address comes from the system as a number; no Go pointer is involved.
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr)), nil
}

func sysCommit(p unsafe.Pointer, n uintptr) error {
	_, err := windows.VirtualAlloc(uintptr(p), n, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

func sysDiscard(p unsafe.Pointer, n uintptr) {
	if err := windows.VirtualFree(uintptr(p), n, windows.MEM_DECOMMIT); err != nil {
		// Memory that is taken to be zero would not be.
		panic("midden: the system refused to take pages back: " + err.Error())
	}
}

// sysReuse commits again what sysDiscard decommitted. On committed memory it
// does nothing.
func sysReuse(p unsafe.Pointer, n uintptr) error { return sysCommit(p, n) }
