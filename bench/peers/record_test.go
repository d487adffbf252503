package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func aRun(workload, peer string, s setting, wall float64) Run {
	return Run{Workload: workload, Size: 7, Mutators: 1, Live: 10 << 20, Peer: peer, setting: s, Heap: int64(s.Factor * 10 * (1 << 20)),
		Outcome: fine, Wall: wall, CPU: 2 * wall, PeakRSS: 30 << 20, PauseMax: wall / 1000, Collections: 3, Check: "c0de"}
}

func failed(r Run, outcome string) Run {
	return Run{Workload: r.Workload, Size: r.Size, Live: r.Live, Peer: r.Peer, setting: r.setting, Heap: r.Heap, Outcome: outcome}
}

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	wantHeading := heading{Command: "peers run", Machine: "a <machine>", Versions: []string{"go1"}, LeftOut: []string{"boehm: gcc is not installed"}}
	want := []Run{aRun("lru", "go", setting{GOGC: 200}, 1), failed(aRun("lru", "midden", setting{Factor: 1.5}, 0), notFitting)}
	j, err := newJournal(name, wantHeading)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range want {
		if err := j.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	h, got, err := readJournal[Run](name)
	if err != nil || !reflect.DeepEqual(h, wantHeading) || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v %+v, %v\nwrote %+v %+v", h, got, err, wantHeading, want)
	}
	text, err := os.ReadFile(name)
	if err != nil || strings.Count(string(text), "\n") != 3 || !strings.Contains(string(text), `"gogc":200`) {
		t.Errorf("the file is %s, %v", text, err)
	}
}

func TestReadingABrokenJournalSaysWhere(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.jsonl")
	if err := os.WriteFile(name, []byte("{}\n{\"workload\":\"lru\"}\n{\"workl"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err := readJournal[Run](name)
	if err == nil || !strings.Contains(err.Error(), name+": line 3: ") {
		t.Errorf("error %v", err)
	}
}

func TestMedians(t *testing.T) {
	s, other := setting{Factor: 2}, setting{Factor: 3}
	runs := []Run{
		aRun("lru", "go", s, 3), aRun("lru", "midden", s, 5), aRun("lru", "go", other, 9),
		aRun("lru", "go", s, 1), aRun("lru", "midden", s, 4), failed(aRun("lru", "go", other, 0), tooSlow),
		aRun("lru", "go", s, 2), aRun("lru", "midden", s, 7),
	}
	runs[0].PauseMax, runs[3].PauseMax, runs[6].PauseMax = 1, 2, 3
	got := medians(runs)
	if len(got) != 3 || got[0].Wall != 2 || got[0].PauseMax != 2 || got[1].Wall != 5 || got[1].CPU != 10 || got[2].Outcome != tooSlow {
		t.Errorf("%+v", got)
	}
}

func TestTable(t *testing.T) {
	runs := []Run{
		aRun("lru", "boehm", setting{Factor: 2}, 3), aRun("lru", "midden", setting{Factor: 2}, 1.5),
		aRun("lru", "midden", setting{Factor: 1.5}, 2), failed(aRun("lru", "boehm", setting{Factor: 1.5}, 0), notFitting),
		aRun("lru", "go", setting{GOGC: 100}, 0.25),
	}
	got := peersTable(heading{Command: "peers run", Machine: "a machine", Versions: []string{"go1", "java"}, LeftOut: []string{"x: y"}}, runs, 3)
	want := "# Midden and its peers\n\n![Midden and its peers](peers.svg)\n\nMeasured on a machine, with go1; java, by `peers run`.\n" +
		"What is compared, and how, says [bench/peers](https://github.com/midden-gc/midden/tree/main/bench/peers).\nLeft out: x: y.\nMedians of 3 runs.\n" + `
## lru, size 7: 10 MiB live at most

| collector | heap | wall | CPU | peak RSS | longest pause | collections |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
| midden | 1.5×, 15 MiB | 2 s | 4 s | 30 MiB | 2 ms | 3 |
| midden | 2×, 20 MiB | 1.5 s | 3 s | 30 MiB | 1.5 ms | 3 |
| Go | GOGC=100 | 250 ms | 500 ms | 30 MiB | 250 µs | 3 |
| C, Boehm | 1.5×, 15 MiB | does not fit | | | | |
| C, Boehm | 2×, 20 MiB | 3 s | 6 s | 30 MiB | 3 ms | 3 |

## Wall time, as a multiple of midden's in the same heap size

| workload | heap | C, Boehm |
| --- | --- | ---: |
| lru | 2× | 2 |
| lru | 1.5× | does not fit |
`
	if got != want {
		t.Errorf("table is\n%s\nwant\n%s", got, want)
	}
}

func TestFigureLeavesOutWhatFailed(t *testing.T) {
	runs := []Run{
		aRun("lru", "midden", setting{Factor: 3}, 1), aRun("lru", "midden", setting{Factor: 2}, 2),
		failed(aRun("lru", "midden", setting{Factor: 1.5}, 0), notFitting),
	}
	f := peersFigure(heading{}, runs)
	if len(f.Panels) != 3 || len(f.Panels[0].Series) != 1 {
		t.Fatalf("%+v", f)
	}
	points := f.Panels[0].Series[0].Points
	if len(points) != 2 || points[0].Y != 2 || points[1].Y != 1 {
		t.Errorf("points %+v: want two, by rising heap", points)
	}
}

func TestTexts(t *testing.T) {
	for got, want := range map[string]string{
		timeText(0.0000123): "12.3 µs", timeText(0.5): "500 ms", timeText(12.34): "12.3 s",
		bytesText(100): "100 B", bytesText(3 << 19): "1.5 MiB", bytesText(5 << 30): "5 GiB",
		countText(7): "7", countText(30_000): "30 k", countText(3_000_000): "3 M",
		workText(Run{Workload: "lru", Size: 7, Mutators: 1}): "lru, size 7",
		workText(Run{Workload: "lru", Size: 7, Mutators: 2}): "lru, size 7, 2 mutators",
		setting{Factor: 1.5}.String():                        "1.5×", setting{GOGC: 400}.String(): "GOGC=400",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
