//go:build unix

package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what all threads of this process have used so far.
func cpuTime() time.Duration {
	ru := rusage()
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// peakRSS is the most memory in bytes that this process has held at once.
func peakRSS() int64 {
	switch peak := int64(rusage().Maxrss); runtime.GOOS {
	case "linux":
		// A child begins with the peak of its parent in rusage, but not here.
		if peak, ok := highWater(); ok {
			return peak
		}
		return peak << 10
	case "darwin", "ios":
		return peak
	default:
		return peak << 10
	}
}

// highWater reads the peak from /proc, and reports whether it is there.
func highWater() (bytes int64, ok bool) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib int64
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10, true
		}
	}
	return 0, false
}

func rusage() unix.Rusage {
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		panic(err) // it fails only for a wrong argument
	}
	return ru
}
