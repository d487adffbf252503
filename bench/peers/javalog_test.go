package main

import (
	"strings"
	"testing"
	"time"
)

func TestReadJavaLog(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       javaLog
	}{
		{"JDK 17, Serial", `
[0.085s][gc       ] GC(30) Pause Young (Allocation Failure) 4M->0M(15M) 0.100ms
[0.085s][safepoint] Safepoint "GenCollectForAllocation", Time since last: 365271 ns, Reaching safepoint: 1182 ns, Cleanup: 1642 ns, At safepoint: 113198 ns, Total: 116022 ns
[0.086s][gc       ] GC(31) Pause Young (Allocation Failure) 4M->0M(15M) 0.095ms
[0.086s][safepoint] Safepoint "GenCollectForAllocation", Time since last: 364000 ns, Reaching safepoint: 1121 ns, Cleanup: 1613 ns, At safepoint: 107139 ns, Total: 109873 ns
`, javaLog{116022, 2}},
		{"JDK 17, G1: one cycle has several lines", `
[0.071s][gc       ] GC(11) Pause Young (Concurrent Start) 13M->1M(16M) 1.626ms
[0.071s][safepoint] Safepoint "G1CollectForAllocation", Time since last: 737914 ns, Reaching safepoint: 2003 ns, Cleanup: 2323 ns, At safepoint: 1656426 ns, Total: 1660752 ns
[0.072s][gc       ] GC(12) Concurrent Mark Cycle
[0.074s][gc       ] GC(12) Pause Remark 1M->1M(16M) 1.580ms
`, javaLog{1660752, 2}},
		{"JDK 17, ZGC: a stall is longer than a pause", `
[0.213s][safepoint] Safepoint "ZMarkEnd", Time since last: 2373809 ns, Reaching safepoint: 2253 ns, Cleanup: 3235 ns, At safepoint: 17326 ns, Total: 22814 ns
[0.215s][gc       ] Allocation Stall (main) 4.346ms
[0.216s][gc       ] GC(15) Garbage Collection (Allocation Stall) 16M(100%)->8M(50%)
`, javaLog{4346 * time.Microsecond, 1}},
		{"JDK 21: more is told of a safepoint", `
[0.100s][safepoint] Safepoint "ParallelGCFailedAllocation", Time since last: 504 ns, Reaching safepoint: 300 ns, Cleanup: 12 ns, At safepoint: 4000 ns, Leaving safepoint: 88 ns, Total:       4400 ns, Threads: 1 runnable, 11 total
`, javaLog{4400, 0}},
		{"cut off", `
[0.100s][safepoint] Safepoint "ParallelGC`, javaLog{}},
	} {
		got, err := readJavaLog(strings.NewReader(test.text))
		if got != test.want || err != nil {
			t.Errorf("%s: %+v, %v; want %+v", test.name, got, err, test.want)
		}
	}
}

func TestAnUnknownJavaLogIsNotZero(t *testing.T) {
	_, err := readJavaLog(strings.NewReader("[0.1s][gc] GC(0) Pause\n[0.1s][safepoint] Stopped for 3 hours\n"))
	if err == nil {
		t.Error("no error")
	}
}
