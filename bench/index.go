package bench

import (
	"hash/maphash"
	"math"
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// An inverted index says of every word in which files it occurs, and how often.
// It is built from real text, every file under a directory, and only grows: a
// hash table of words, each with a list of chunks of postings.
//
// A worker indexes whole files into a dictionary of its own, rooted by a Local
// across safepoints; while it reads a file it is frozen. At the end the workers
// leave their dictionaries in Handles, and the main mutator merges them: words and
// chunks that one mutator made are linked into what another one made, not copied.
var index = Workload{
	Name:     "index",
	About:    "an inverted index of the words of every file under a directory (--dir)",
	SizeIs:   "how many files are indexed",
	MaxSize:  math.MaxInt32,
	prepare:  prepareFiles,
	onGo:     indexOnGo,
	onMidden: indexOnMidden,
}

const (
	wordsPerStop     = 1024 // a safepoint after so many words: some ten microseconds
	postingsPerChunk = 6
	firstBuckets     = 64
)

// A posting says that a word occurs in a file, count times.
type posting struct {
	file, count uint32
}

type chunk struct {
	next     midden.Field[chunk]
	length   uint32
	postings [postingsPerChunk]posting
}

// A word keeps its latest posting itself, since most words occur in one file only.
type word struct {
	next   midden.Field[word] // in the same bucket
	text   midden.Field[midden.String]
	older  midden.Field[chunk] // the newest chunk, and so on
	hash   uint32
	latest posting
}

type wordBucket = midden.Field[word]

type dictionary struct {
	buckets midden.Field[midden.Array[wordBucket]] // their number is a power of two
	words   int
}

var (
	chunkType      = midden.TypeFor[chunk]()
	wordType       = midden.TypeFor[word]()
	dictionaryType = midden.TypeFor[dictionary]()
)

func indexOnMidden(m *midden.Mutator, p Params) (string, error) {
	files, err := findFiles(p)
	if err != nil {
		return "", err
	}
	seed := maphash.MakeSeed()
	var taken atomic.Int64
	parts := make([]*midden.Handle[dictionary], p.Mutators)
	err = withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		defer m.Scope().Close()
		part := midden.NewLocal(m, newDictionary(m))
		var text []byte
		for {
			file := int(taken.Add(1)) - 1
			if file >= len(files) {
				parts[i] = midden.NewHandle(m, part.Get())
				return nil
			}
			var err error
			m.Blocking(func() { text, err = readFile(files[file], text) })
			if err != nil {
				return err
			}
			indexFile(m, part, seed, uint32(file), text)
		}
	})
	if err != nil {
		return "", err
	}
	for _, part := range parts[1:] {
		merge(m, parts[0], part)
		part.Release()
	}
	defer parts[0].Release()
	return sumWords(m, parts[0]), nil
}

// indexFile adds the words of text to d.
func indexFile(m *midden.Mutator, d midden.Local[dictionary], seed maphash.Seed, file uint32, text []byte) {
	word, rest := nextWord(text)
	for len(word) > 0 {
		to := d.Ptr() // good until the safepoint
		for range wordsPerStop {
			to.add(m, uint32(maphash.Bytes(seed, word)), word, file)
			if word, rest = nextWord(rest); len(word) == 0 {
				break
			}
		}
		m.Safepoint()
	}
}

// merge moves what other holds to d.
func merge(m *midden.Mutator, d, other *midden.Handle[dictionary]) {
	buckets := other.Get(m).Get().buckets.Get().Len()
	for i := range buckets {
		head := other.Get(m).Get().buckets.Get().At(i)
		for w := head.Load(); !w.IsNil(); {
			next := w.Get().next.Load()
			d.Get(m).Get().take(m, w)
			w = next
		}
		head.Store(m, midden.Nil[word]())
		m.Safepoint()
	}
}

// sumWords adds up the digests of all words of d.
func sumWords(m *midden.Mutator, d *midden.Handle[dictionary]) string {
	sum := digest(0)
	buckets := d.Get(m).Get().buckets.Get().Len()
	for i := range buckets {
		for w := d.Get(m).Get().buckets.Get().At(i).Get(); w != nil; w = w.next.Get() {
			sum += w.digest()
		}
		m.Safepoint()
	}
	return digest(0).with(uint64(sum), uint64(d.Get(m).Get().words)).String()
}

func newDictionary(m *midden.Mutator) midden.Ref[dictionary] {
	buckets := midden.NewArray[wordBucket](m, firstBuckets)
	return dictionaryType.Alloc(m, dictionary{buckets: midden.FieldOf(buckets)})
}

func (d *dictionary) bucket(hash uint32) *wordBucket {
	buckets := d.buckets.Get().Slice()
	return &buckets[hash&uint32(len(buckets)-1)]
}

// add counts one occurrence of a word in a file.
func (d *dictionary) add(m *midden.Mutator, hash uint32, text []byte, file uint32) {
	w := d.bucket(hash).Get()
	for w != nil && (w.hash != hash || w.text.Get().View() != string(text)) {
		w = w.next.Get()
	}
	if w != nil {
		w.add(m, posting{file, 1})
		return
	}
	s := midden.NewString(m, string(text))
	d.insert(m, wordType.Alloc(m, word{text: midden.FieldOf(s), hash: hash, latest: posting{file, 1}}))
}

// insert adds a word that is not in the dictionary yet.
func (d *dictionary) insert(m *midden.Mutator, w midden.Ref[word]) {
	if d.words == d.buckets.Get().Len() {
		d.grow(m)
	}
	head := d.bucket(w.Get().hash)
	w.Get().next.Store(m, head.Load())
	head.Store(m, w)
	d.words++
}

// grow doubles the number of buckets.
func (d *dictionary) grow(m *midden.Mutator) {
	old := d.buckets.Get()
	d.buckets.Store(m, midden.NewArray[wordBucket](m, 2*old.Len()))
	for i := range old.Len() {
		for w := old.At(i).Load(); !w.IsNil(); {
			head := d.bucket(w.Get().hash)
			next := w.Get().next.Load()
			w.Get().next.Store(m, head.Load())
			head.Store(m, w)
			w = next
		}
	}
}

// take adds a word of another dictionary, or what that word says to the word here.
func (d *dictionary) take(m *midden.Mutator, r midden.Ref[word]) {
	from := r.Get()
	text := from.text.Get().View()
	w := d.bucket(from.hash).Get()
	for w != nil && (w.hash != from.hash || w.text.Get().View() != text) {
		w = w.next.Get()
	}
	if w == nil {
		d.insert(m, r)
		return
	}
	w.add(m, from.latest)
	if last := from.older.Get(); last != nil {
		for next := last.next.Get(); next != nil; next = last.next.Get() {
			last = next
		}
		last.next.Store(m, w.older.Load())
		w.older.Store(m, from.older.Load())
	}
}

// add counts p, which is about the same file as the latest posting or about a
// file that w has no posting of.
func (w *word) add(m *midden.Mutator, p posting) {
	if w.latest.file == p.file {
		w.latest.count += p.count
		return
	}
	c := w.older.Get()
	if c == nil || c.length == postingsPerChunk {
		w.older.Store(m, chunkType.Alloc(m, chunk{next: midden.FieldOf(w.older.Load())}))
		c = w.older.Get()
	}
	c.postings[c.length] = w.latest
	c.length++
	w.latest = p
}

// digest does not depend on the order of the postings, which is open.
func (w *word) digest() digest {
	d := digest(0).withText(w.text.Get().View())
	sum := w.latest.digest(d)
	for c := w.older.Get(); c != nil; c = c.next.Get() {
		for _, p := range c.postings[:c.length] {
			sum += p.digest(d)
		}
	}
	return sum
}

func (p posting) digest(word digest) digest {
	return word.with(uint64(p.file), uint64(p.count))
}
