/* The workload of lru_go.go. */

#include <pthread.h>
#include <stdatomic.h>

#include "peers.h"

enum {
	shards = 64,
	ops_per_entry = 20,
	ops_per_batch = 100,
	keys_per_entry = 4,
	put_every = 4,
	most_fields = 16,
};

struct field {
	struct field *next;
	uint32_t name;
	uint64_t value;
};

struct entry {
	uint64_t key;
	struct entry *newer, *older, *chain;
	struct field *record;
};

struct shard {
	pthread_mutex_t lock;
	struct entry **buckets;
	uint64_t bucket_count; /* a power of two */
	struct entry *newest, *oldest;
	int64_t length, capacity;
	uint64_t read, key_bits;
	struct pcg random;
	char gap[64]; /* keeps the next shard's lock off this one's cache line */
};

static struct field *new_record(uint64_t key, int fields) {
	struct field *r = NULL;
	for (uint32_t name = 0; name < (uint32_t)fields; name++) {
		struct field *f = new_object(sizeof *f);
		*f = (struct field){r, name, key + name};
		r = f;
	}
	return r;
}

static uint64_t sum(const struct field *f) {
	uint64_t sum = 0;
	for (; f != NULL; f = f->next)
		sum += f->value ^ f->name;
	return sum;
}

static struct entry **bucket(struct shard *s, uint64_t key) {
	uint64_t hash = key * GOLDEN;
	hash ^= hash >> 32;
	return &s->buckets[hash & (s->bucket_count - 1)];
}

static struct entry *find(struct shard *s, uint64_t key) {
	struct entry *e = *bucket(s, key);
	while (e != NULL && e->key != key)
		e = e->chain;
	return e;
}

static void push(struct shard *s, struct entry *e) {
	e->newer = NULL;
	e->older = s->newest;
	if (s->newest == NULL)
		s->oldest = e;
	else
		s->newest->newer = e;
	s->newest = e;
}

static void unlink_entry(struct shard *s, struct entry *e) {
	if (e->newer == NULL)
		s->newest = e->older;
	else
		e->newer->older = e->older;
	if (e->older == NULL)
		s->oldest = e->newer;
	else
		e->older->newer = e->newer;
}

static void touch(struct shard *s, struct entry *e) {
	if (s->newest != e) {
		unlink_entry(s, e);
		push(s, e);
	}
}

static void insert(struct shard *s, struct entry *e) {
	struct entry **head = bucket(s, e->key);
	e->chain = *head;
	*head = e;
	push(s, e);
	s->length++;
}

static void drop_oldest(struct shard *s) {
	struct entry *oldest = s->oldest, **link = bucket(s, oldest->key);
	while (*link != oldest)
		link = &(*link)->chain;
	*link = oldest->chain;
	unlink_entry(s, oldest);
	s->length--;
}

/* Does the shard's next batch of operations. */
static void batch(struct shard *s) {
	pthread_mutex_lock(&s->lock);
	for (int op = 0; op < ops_per_batch; op++) {
		uint64_t luck = pcg_next(&s->random);
		int put = luck % put_every == 0;
		int fields = 1 + (int)((luck >> 8) % most_fields);
		uint64_t width = (luck >> 32) % (s->key_bits + 1);
		uint64_t key = pcg_next(&s->random) & ((UINT64_C(1) << width) - 1);

		struct entry *found = find(s, key);
		if (found != NULL && put) {
			found->record = new_record(key, fields);
			touch(s, found);
		} else if (found != NULL) {
			s->read += sum(found->record);
			touch(s, found);
		} else {
			if (s->length == s->capacity)
				drop_oldest(s);
			struct field *record = new_record(key, fields);
			struct entry *e = new_object(sizeof *e);
			e->key = key;
			e->record = record;
			insert(s, e);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

struct job {
	struct shard *all;
	int64_t batches;
	_Atomic int64_t taken;
};

static void work(void *p, int worker) {
	struct job *j = p;
	(void)worker;
	for (int64_t next; (next = atomic_fetch_add(&j->taken, 1)) < j->batches;)
		batch(&j->all[next % shards]);
}

uint64_t lru(int size, int threads) {
	int64_t capacity = max64(size / shards, 1);
	struct job *j = new_object(sizeof *j);
	j->batches = shards * max64(capacity * ops_per_entry / ops_per_batch, 1);
	j->all = new_object(shards * sizeof *j->all);
	for (int i = 0; i < shards; i++) {
		struct shard *s = &j->all[i];
		pthread_mutex_init(&s->lock, NULL);
		s->bucket_count = 1;
		while (s->bucket_count < (uint64_t)capacity)
			s->bucket_count *= 2;
		s->buckets = new_object(s->bucket_count * sizeof *s->buckets);
		s->capacity = capacity;
		s->random = (struct pcg){(uint64_t)i, 3};
		for (uint64_t n = (uint64_t)capacity * keys_per_entry; n > 0; n >>= 1)
			s->key_bits++;
	}
	together(threads, work, j);

	uint64_t d = 0;
	for (int i = 0; i < shards; i++) {
		struct shard *s = &j->all[i];
		d = with(d, (uint64_t)s->length);
		d = with(d, s->read);
		for (struct entry *e = s->newest; e != NULL; e = e->older) {
			d = with(d, e->key);
			d = with(d, sum(e->record));
		}
	}
	return d;
}
