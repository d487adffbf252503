package bench

import (
	"sync"
	"sync/atomic"
)

type goEntry struct {
	key          uint64
	newer, older *goEntry
	chain        *goEntry
	record       *goField
}

type goField struct {
	next  *goField
	name  uint32
	value uint64
}

type goCache struct {
	buckets        []*goEntry
	newest, oldest *goEntry
	length         int
	read           uint64
}

type goShard struct {
	mu     sync.Mutex
	cache  goCache
	random operations
	_      [64]byte
}

func lruOnGo(p Params) (string, error) {
	capacity := shardCapacity(p)
	all := make([]goShard, shards)
	for i := range all {
		all[i].random = newOperations(i, capacity)
		all[i].cache.buckets = make([]*goEntry, bucketCount(capacity))
	}

	var taken atomic.Int64
	err := together(p.Mutators, func(int) error {
		for {
			batch := int(taken.Add(1)) - 1
			if batch >= batches(p) {
				return nil
			}
			all[batch%shards].work(capacity)
		}
	})
	if err != nil {
		return "", err
	}

	d := digest(0)
	for i := range all {
		d = all[i].cache.digest(d)
	}
	return d.String(), nil
}

func (s *goShard) work(capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.cache
	for range opsPerBatch {
		key, put, fields := s.random.next()
		found := c.find(key)
		switch {
		case found != nil && put:
			found.record = newGoRecord(key, fields)
			c.touch(found)
		case found != nil:
			c.read += found.record.sum()
			c.touch(found)
		default:
			if c.length == capacity {
				c.dropOldest()
			}
			c.insert(&goEntry{key: key, record: newGoRecord(key, fields)})
		}
	}
}

func newGoRecord(key uint64, fields int) *goField {
	var r *goField
	for name := range uint32(fields) {
		r = &goField{r, name, key + uint64(name)}
	}
	return r
}

func (f *goField) sum() uint64 {
	sum := uint64(0)
	for ; f != nil; f = f.next {
		sum += f.value ^ uint64(f.name)
	}
	return sum
}

func (c *goCache) bucket(key uint64) **goEntry {
	return &c.buckets[hashKey(key)&uint64(len(c.buckets)-1)]
}

func (c *goCache) find(key uint64) *goEntry {
	e := *c.bucket(key)
	for e != nil && e.key != key {
		e = e.chain
	}
	return e
}

func (c *goCache) touch(e *goEntry) {
	if c.newest != e {
		c.unlink(e)
		c.push(e)
	}
}

func (c *goCache) insert(e *goEntry) {
	head := c.bucket(e.key)
	e.chain, *head = *head, e
	c.push(e)
	c.length++
}

func (c *goCache) dropOldest() {
	oldest := c.oldest
	link := c.bucket(oldest.key)
	for *link != oldest {
		link = &(*link).chain
	}
	*link = oldest.chain
	c.unlink(oldest)
	c.length--
}

func (c *goCache) push(e *goEntry) {
	e.newer, e.older = nil, c.newest
	if c.newest == nil {
		c.oldest = e
	} else {
		c.newest.newer = e
	}
	c.newest = e
}

func (c *goCache) unlink(e *goEntry) {
	if e.newer == nil {
		c.newest = e.older
	} else {
		e.newer.older = e.older
	}
	if e.older == nil {
		c.oldest = e.newer
	} else {
		e.older.newer = e.newer
	}
}

func (c *goCache) digest(d digest) digest {
	d = d.with(uint64(c.length), c.read)
	for e := c.newest; e != nil; e = e.older {
		d = d.with(e.key, e.record.sum())
	}
	return d
}
