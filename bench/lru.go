package bench

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// A cache that holds the most recently used entries: a hash table finds an entry,
// a doubly linked list says which to drop. Objects live neither short nor for
// ever, but until they are dropped or replaced, and old ones are written all the
// time: what generational collectors like least.
//
// All mutators use all of the cache. It is cut into shards, each behind a mutex,
// and the work into batches of operations on one shard. Whoever takes a shard's
// lock does the next batch of that shard, with the shard's own random numbers, so
// that the result is the same whoever it was.
//
// A mutator waits for a lock without being frozen. It may, since whoever holds
// the lock never stops with it: the safepoint comes after the unlock.
var lru = Workload{
	Name:        "lru",
	About:       "a cache of linked entries that all mutators get from and put to",
	SizeIs:      "how many entries the cache holds",
	DefaultSize: 200_000,
	MaxSize:     100_000_000,
	onGo:        lruOnGo,
	onMidden:    lruOnMidden,
}

const (
	shards       = 64
	opsPerEntry  = 20
	opsPerBatch  = 100
	keysPerEntry = 4
	putEvery     = 4 // one operation in so many puts, the others get
	mostFields   = 16
)

// shardCapacity is how many entries a shard holds.
func shardCapacity(p Params) int { return max(p.Size/shards, 1) }

// batches is how many batches of operations there are, for all shards.
func batches(p Params) int { return shards * max(shardCapacity(p)*opsPerEntry/opsPerBatch, 1) }

type entry struct {
	key          uint64
	newer, older midden.Field[entry]
	chain        midden.Field[entry] // the next one in the same bucket
	record       midden.Field[field]
}

// A field is one part of a record, and leads to the next one. Records are what is
// cached, say parsed documents.
type field struct {
	next  midden.Field[field]
	name  uint32
	value uint64
}

type bucket = midden.Field[entry]

// A cache is one shard's part of the objects.
type cache struct {
	buckets        midden.Field[midden.Array[bucket]] // their number is a power of two
	newest, oldest midden.Field[entry]
	length         int
	read           uint64 // the sum of what was got
}

var (
	cacheType = midden.TypeFor[cache]()
	entryType = midden.TypeFor[entry]()
	fieldType = midden.TypeFor[field]()
)

// A shard is what the mutators share on Go's side: the lock, and a root.
type shard struct {
	mu     sync.Mutex
	cache  *midden.Handle[cache]
	random operations
	_      [64]byte // keeps the next shard's lock off this one's cache line
}

func lruOnMidden(m *midden.Mutator, p Params) (string, error) {
	capacity := shardCapacity(p)
	all := make([]shard, shards)
	for i := range all {
		all[i].random = newOperations(i, capacity)
		all[i].cache = midden.NewHandle(m, newCache(m, capacity))
		defer all[i].cache.Release()
		m.Safepoint()
	}

	var taken atomic.Int64
	err := withMutators(m, p.Mutators, func(m *midden.Mutator, _ int) error {
		for {
			batch := int(taken.Add(1)) - 1
			if batch >= batches(p) {
				return nil
			}
			all[batch%shards].work(m, capacity)
			m.Safepoint()
		}
	})
	if err != nil {
		return "", err
	}

	d := digest(0)
	for i := range all {
		d = all[i].cache.Get(m).Get().digest(d)
		m.Safepoint()
	}
	return d.String(), nil
}

// work does the shard's next batch of operations.
func (s *shard) work(m *midden.Mutator, capacity int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cache.Get(m).Get()
	for range opsPerBatch {
		key, put, fields := s.random.next()
		found := c.find(key)
		switch {
		case !found.IsNil() && put:
			found.Get().record.Store(m, newRecord(m, key, fields))
			c.touch(m, found)
		case !found.IsNil():
			c.read += found.Get().record.Get().sum()
			c.touch(m, found)
		default:
			if c.length == capacity {
				c.dropOldest(m)
			}
			c.insert(m, entryType.Alloc(m, entry{key: key, record: midden.FieldOf(newRecord(m, key, fields))}))
		}
	}
}

func newCache(m *midden.Mutator, capacity int) midden.Ref[cache] {
	buckets := midden.NewArray[bucket](m, bucketCount(capacity))
	return cacheType.Alloc(m, cache{buckets: midden.FieldOf(buckets)})
}

func newRecord(m *midden.Mutator, key uint64, fields int) midden.Ref[field] {
	var r midden.Ref[field]
	for name := range uint32(fields) {
		r = fieldType.Alloc(m, field{midden.FieldOf(r), name, key + uint64(name)})
	}
	return r
}

// sum reads all of a record.
func (f *field) sum() uint64 {
	sum := uint64(0)
	for ; f != nil; f = f.next.Get() {
		sum += f.value ^ uint64(f.name)
	}
	return sum
}

func (c *cache) bucket(key uint64) *bucket {
	buckets := c.buckets.Get().Slice()
	return &buckets[hashKey(key)&uint64(len(buckets)-1)]
}

func (c *cache) find(key uint64) midden.Ref[entry] {
	r := c.bucket(key).Load()
	for !r.IsNil() && r.Get().key != key {
		r = r.Get().chain.Load()
	}
	return r
}

// touch makes r the newest entry.
func (c *cache) touch(m *midden.Mutator, r midden.Ref[entry]) {
	if c.newest.Load() != r {
		c.unlink(m, r)
		c.push(m, r)
	}
}

// insert adds an entry that is not in the cache yet.
func (c *cache) insert(m *midden.Mutator, r midden.Ref[entry]) {
	e := r.Get()
	head := c.bucket(e.key)
	e.chain.Store(m, head.Load())
	head.Store(m, r)
	c.push(m, r)
	c.length++
}

// dropOldest takes the entry that was not used for longest out of the cache.
func (c *cache) dropOldest(m *midden.Mutator) {
	oldest := c.oldest.Load()
	link := c.bucket(oldest.Get().key)
	for link.Load() != oldest {
		link = &link.Get().chain
	}
	link.Store(m, oldest.Get().chain.Load())
	c.unlink(m, oldest)
	c.length--
}

// push puts r at the new end of the list.
func (c *cache) push(m *midden.Mutator, r midden.Ref[entry]) {
	older := c.newest.Load()
	r.Get().newer.Store(m, midden.Nil[entry]())
	r.Get().older.Store(m, older)
	if older.IsNil() {
		c.oldest.Store(m, r)
	} else {
		older.Get().newer.Store(m, r)
	}
	c.newest.Store(m, r)
}

// unlink takes r out of the list.
func (c *cache) unlink(m *midden.Mutator, r midden.Ref[entry]) {
	newer, older := r.Get().newer.Load(), r.Get().older.Load()
	if newer.IsNil() {
		c.newest.Store(m, older)
	} else {
		newer.Get().older.Store(m, older)
	}
	if older.IsNil() {
		c.oldest.Store(m, newer)
	} else {
		older.Get().newer.Store(m, newer)
	}
}

// digest continues d by what is in the cache, the newest first.
func (c *cache) digest(d digest) digest {
	d = d.with(uint64(c.length), c.read)
	for e := c.newest.Get(); e != nil; e = e.older.Get() {
		d = d.with(e.key, e.record.Get().sum())
	}
	return d
}

// operations draws what is done to one shard.
type operations struct {
	random  rand.PCG
	keyBits uint64
}

func newOperations(shard, capacity int) operations {
	return operations{*rand.NewPCG(uint64(shard), 3), uint64(bits.Len(uint(capacity * keysPerEntry)))}
}

// next draws a key, whether to put it, and how many fields its record has if one
// is made. Keys follow Zipf's law, as in life: those below 10 are drawn as often
// as those from 10 to 100, and so on.
func (o *operations) next() (key uint64, put bool, fields int) {
	luck := o.random.Uint64()
	put = luck%putEvery == 0
	fields = 1 + int(luck>>8%mostFields)
	width := luck >> 32 % (o.keyBits + 1)
	return o.random.Uint64() & (1<<width - 1), put, fields
}

// bucketCount is the least power of two that is not below capacity.
func bucketCount(capacity int) int {
	n := 1
	for n < capacity {
		n *= 2
	}
	return n
}

func hashKey(key uint64) uint64 {
	key *= golden
	return key ^ key>>32
}
