package bench

import (
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// The tests of this file check on Go's heap that the workloads do what they are
// said to do; that midden does the same is checked for all of them together.

func TestBinaryTreesCountsEveryNode(t *testing.T) {
	nodes := func(depth int) int { return 1<<(depth+1) - 1 }
	p := Params{Size: 8, Mutators: 3}
	counts := make([]atomic.Int64, 9)
	for depth := 4; depth <= 8; depth += 2 {
		counts[depth].Store(int64(1 << (8 - depth + 4) * nodes(depth)))
	}
	got, err := binaryTrees.OnGo(p)
	if want := treesCheck(nodes(9), counts, nodes(8)); got != want || err != nil {
		t.Errorf("check %s, %v; want %s", got, err, want)
	}
}

func TestGCBenchFollowsPathsToTheEnd(t *testing.T) {
	p := Params{Size: 8, Mutators: 1}
	steps := 0
	for depth := 4; depth <= 6; depth += 2 {
		steps += 2 * depth * rounds(p, depth)
	}
	numbers := make([]float64, arrayLength(p))
	fill(numbers)
	got, err := gcBench.OnGo(p)
	if want := gcBenchCheck(1<<9-1, int64(steps), 1<<7-1, total(numbers)); got != want || err != nil {
		t.Errorf("check %s, %v; want %s", got, err, want)
	}
	if numbers[2] != 0.5 || numbers[len(numbers)-1] != 0 {
		t.Error("the array is not as in GCBench")
	}
}

func TestGraphLinksNodesOfTheGraph(t *testing.T) {
	seen := make([]bool, 100)
	for i := range seen {
		for _, to := range targets(i, len(seen)) {
			seen[to] = true
		}
	}
	reached := 0
	for _, s := range seen {
		if s {
			reached++
		}
	}
	if reached < 80 { // 95 are to be expected
		t.Errorf("300 edges lead to %d of 100 nodes", reached)
	}
}

func TestLRUKeepsTheMostRecent(t *testing.T) {
	const capacity = 20
	s := goShard{random: newOperations(1, capacity)}
	s.cache.buckets = make([]*goEntry, bucketCount(capacity))
	s.work(capacity)
	s.work(capacity)

	var recent []uint64
	read := uint64(0)
	sums := map[uint64]uint64{} // of the record of each key
	random := newOperations(1, capacity)
	for range 2 * opsPerBatch {
		key, put, fields := random.next()
		at := slices.Index(recent, key)
		if at >= 0 {
			recent = slices.Delete(recent, at, at+1)
			if !put {
				read += sums[key]
			}
		} else if len(recent) == capacity {
			recent = recent[:capacity-1]
		}
		if at < 0 || put {
			sums[key] = newGoRecord(key, fields).sum()
		}
		recent = slices.Insert(recent, 0, key)
	}

	var got []uint64
	for e := s.cache.newest; e != nil; e = e.older {
		got = append(got, e.key)
	}
	if !slices.Equal(got, recent) || s.cache.length != len(recent) || s.cache.read != read {
		t.Errorf("cache holds %v, read %d\n  want %v, read %d", got, s.cache.read, recent, read)
	}
}

func TestIndexCountsWords(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "to be or not to be: größe_1.")
	write(t, filepath.Join(dir, "b"), "be\x00")
	write(t, filepath.Join(dir, "c"), "")
	p, err := index.Prepare(Params{Dir: dir, Mutators: 2})
	if err != nil {
		t.Fatal(err)
	}
	want := digest(0)
	for word, postings := range map[string][]posting{
		"to": {{0, 2}}, "be": {{0, 2}, {1, 1}}, "or": {{0, 1}}, "not": {{0, 1}}, "größe_1": {{0, 1}},
	} {
		for _, p := range postings {
			want += p.digest(digest(0).withText(word))
		}
	}
	got, err := index.OnGo(p)
	if want := digest(0).with(uint64(want), 5).String(); got != want || err != nil {
		t.Errorf("check %s, %v; want %s", got, err, want)
	}
}

func TestReadFileNamesTheFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := readFile(missing, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("error %v", err)
	}
}

func TestNextWord(t *testing.T) {
	var words []string
	for w, rest := nextWord([]byte("  a_1, B\nß ")); len(w) > 0; w, rest = nextWord(rest) {
		words = append(words, string(w))
	}
	if want := []string{"a_1", "B", "ß"}; !slices.Equal(words, want) {
		t.Errorf("words %q, want %q", words, want)
	}
}

func TestDigestTellsSequencesApart(t *testing.T) {
	var d digest
	seen := map[digest]string{}
	for name, got := range map[string]digest{
		"nothing": d, "0": d.with(0), "1 2": d.with(1, 2), "2 1": d.with(2, 1),
		"empty text": d.withText(""), "a": d.withText("a"), "ab": d.withText("ab"), "ba": d.withText("ba"),
		"8 bytes": d.withText("abcdefgh"), "9 bytes": d.withText("abcdefghi"), "zero byte": d.withText("\x00"),
	} {
		if other, ok := seen[got]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[got] = name
	}
}
