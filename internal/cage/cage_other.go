//go:build !linux && !darwin && !windows

package cage

import (
	"errors"
	"runtime"
	"unsafe"
)

var errSystem = errors.New("midden does not support " + runtime.GOOS)

func sysReserve(uintptr) (unsafe.Pointer, error) { return nil, errSystem }
func sysCommit(unsafe.Pointer, uintptr) error    { return errSystem }
func sysDiscard(unsafe.Pointer, uintptr)         {}
func sysReuse(unsafe.Pointer, uintptr) error     { return errSystem }
