package bench

import (
	"hash/maphash"
	"sync/atomic"
)

type goChunk struct {
	next     *goChunk
	length   int
	postings [postingsPerChunk]posting
}

type goWord struct {
	next   *goWord
	text   string
	older  *goChunk
	hash   uint32
	latest posting
}

type goDictionary struct {
	buckets []*goWord
	words   int
}

func indexOnGo(p Params) (string, error) {
	files, err := findFiles(p)
	if err != nil {
		return "", err
	}
	seed := maphash.MakeSeed()
	var taken atomic.Int64
	parts := make([]*goDictionary, p.Mutators)
	err = together(p.Mutators, func(i int) error {
		part := &goDictionary{buckets: make([]*goWord, firstBuckets)}
		parts[i] = part
		var text []byte
		for {
			file := int(taken.Add(1)) - 1
			if file >= len(files) {
				return nil
			}
			var err error
			if text, err = readFile(files[file], text); err != nil {
				return err
			}
			for w, rest := nextWord(text); len(w) > 0; w, rest = nextWord(rest) {
				part.add(uint32(maphash.Bytes(seed, w)), w, uint32(file))
			}
		}
	})
	if err != nil {
		return "", err
	}
	for _, part := range parts[1:] {
		parts[0].merge(part)
	}
	return parts[0].sum(), nil
}

func (d *goDictionary) merge(other *goDictionary) {
	for i, w := range other.buckets {
		for w != nil {
			next := w.next
			d.take(w)
			w = next
		}
		other.buckets[i] = nil
	}
}

func (d *goDictionary) sum() string {
	sum := digest(0)
	for _, w := range d.buckets {
		for ; w != nil; w = w.next {
			sum += w.digest()
		}
	}
	return digest(0).with(uint64(sum), uint64(d.words)).String()
}

func (d *goDictionary) bucket(hash uint32) **goWord {
	return &d.buckets[hash&uint32(len(d.buckets)-1)]
}

func (d *goDictionary) add(hash uint32, text []byte, file uint32) {
	w := *d.bucket(hash)
	for w != nil && (w.hash != hash || w.text != string(text)) {
		w = w.next
	}
	if w != nil {
		w.add(posting{file, 1})
		return
	}
	d.insert(&goWord{text: string(text), hash: hash, latest: posting{file, 1}})
}

func (d *goDictionary) insert(w *goWord) {
	if d.words == len(d.buckets) {
		d.grow()
	}
	head := d.bucket(w.hash)
	w.next, *head = *head, w
	d.words++
}

func (d *goDictionary) grow() {
	old := d.buckets
	d.buckets = make([]*goWord, 2*len(old))
	for _, w := range old {
		for w != nil {
			head := d.bucket(w.hash)
			next := w.next
			w.next, *head = *head, w
			w = next
		}
	}
}

func (d *goDictionary) take(from *goWord) {
	w := *d.bucket(from.hash)
	for w != nil && (w.hash != from.hash || w.text != from.text) {
		w = w.next
	}
	if w == nil {
		d.insert(from)
		return
	}
	w.add(from.latest)
	if last := from.older; last != nil {
		for last.next != nil {
			last = last.next
		}
		last.next = w.older
		w.older = from.older
	}
}

func (w *goWord) add(p posting) {
	if w.latest.file == p.file {
		w.latest.count += p.count
		return
	}
	c := w.older
	if c == nil || c.length == postingsPerChunk {
		c = &goChunk{next: w.older}
		w.older = c
	}
	c.postings[c.length] = w.latest
	c.length++
	w.latest = p
}

func (w *goWord) digest() digest {
	d := digest(0).withText(w.text)
	sum := w.latest.digest(d)
	for c := w.older; c != nil; c = c.next {
		for _, p := range c.postings[:c.length] {
			sum += p.digest(d)
		}
	}
	return sum
}
