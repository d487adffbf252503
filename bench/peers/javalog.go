package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"
)

// A javaLog is what the log of a JVM says, with the tags gc and safepoint.
type javaLog struct {
	longest     time.Duration
	collections uint64
}

// Lines of the log, in OpenJDK 17 to 25. Total is the time from the request of a
// safepoint to its end, and is missing where the log was cut off by the end of the
// process. ZGC has hardly any pauses, but lets a thread wait that finds no memory:
// that thread is as little able to go on as in a pause.
var (
	safepointLine = regexp.MustCompile(`^\[[^]]*\]\[safepoint *\] Safepoint "[^"]*",.* Total: +(\d+) ns`)
	stallLine     = regexp.MustCompile(`^\[[^]]*\]\[gc *\] (?:GC\(\d+\) )?Allocation Stall \([^)]*\) ([0-9.]+)ms`)
	cycleLine     = regexp.MustCompile(`^\[[^]]*\]\[gc *\] GC\((\d+)\)`)
)

// readJavaLog finds the longest time for which a thread was kept from its work, and
// how many collections there were.
func readJavaLog(r io.Reader) (javaLog, error) {
	var log javaLog
	stops := 0
	cycles := map[string]bool{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if m := safepointLine.FindStringSubmatch(line); m != nil {
			ns, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				return log, fmt.Errorf("the JVM's log says %q: %w", line, err)
			}
			log.longest = max(log.longest, time.Duration(ns))
			stops++
		} else if m := stallLine.FindStringSubmatch(line); m != nil {
			ms, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				return log, fmt.Errorf("the JVM's log says %q: %w", line, err)
			}
			log.longest = max(log.longest, time.Duration(ms*1e6))
		} else if m := cycleLine.FindStringSubmatch(line); m != nil {
			cycles[m[1]] = true
		}
	}
	log.collections = uint64(len(cycles))
	if len(cycles) > 0 && stops == 0 {
		return log, fmt.Errorf("the JVM's log tells of %d collections and of no safepoint: its format is new", len(cycles))
	}
	return log, lines.Err()
}
