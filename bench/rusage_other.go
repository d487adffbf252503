//go:build !unix && !windows

package bench

import "time"

// Such systems do not tell.
func cpuTime() time.Duration { return 0 }

func peakRSS() int64 { return 0 }
