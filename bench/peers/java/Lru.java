import java.util.concurrent.atomic.AtomicLong;

/** The workload of lru_go.go. */
final class Lru {
    private static final int SHARDS = 64;
    private static final int OPS_PER_ENTRY = 20;
    private static final int OPS_PER_BATCH = 100;
    private static final int KEYS_PER_ENTRY = 4;
    private static final int PUT_EVERY = 4;
    private static final int MOST_FIELDS = 16;

    private Lru() {}

    private static final class Field {
        final Field next;
        final int name;
        final long value;

        Field(Field next, int name, long value) {
            this.next = next;
            this.name = name;
            this.value = value;
        }

        static long sum(Field f) {
            long sum = 0;
            for (; f != null; f = f.next) {
                sum += f.value ^ f.name;
            }
            return sum;
        }
    }

    private static final class Entry {
        final long key;
        Entry newer;
        Entry older;
        Entry chain;
        Field record;

        Entry(long key, Field record) {
            this.key = key;
            this.record = record;
        }
    }

    private static final class Shard {
        private final Entry[] buckets;
        private final int capacity;
        private final Pcg random;
        private final long keyBits;
        private Entry newest;
        private Entry oldest;
        private int length;
        private long read;

        Shard(int number, int capacity) {
            int n = 1;
            while (n < capacity) {
                n *= 2;
            }
            this.buckets = new Entry[n];
            this.capacity = capacity;
            this.random = new Pcg(number, 3);
            this.keyBits = 32 - Integer.numberOfLeadingZeros(capacity * KEYS_PER_ENTRY);
        }

        /** Does the shard's next batch of operations. */
        synchronized void work() {
            for (int op = 0; op < OPS_PER_BATCH; op++) {
                long luck = random.next();
                boolean put = Long.remainderUnsigned(luck, PUT_EVERY) == 0;
                int fields = 1 + (int) ((luck >>> 8) % MOST_FIELDS);
                long width = (luck >>> 32) % (keyBits + 1);
                long key = random.next() & ((1L << width) - 1);

                Entry found = find(key);
                if (found != null && put) {
                    found.record = newRecord(key, fields);
                    touch(found);
                } else if (found != null) {
                    read += Field.sum(found.record);
                    touch(found);
                } else {
                    if (length == capacity) {
                        dropOldest();
                    }
                    insert(new Entry(key, newRecord(key, fields)));
                }
            }
        }

        private static Field newRecord(long key, int fields) {
            Field r = null;
            for (int name = 0; name < fields; name++) {
                r = new Field(r, name, key + name);
            }
            return r;
        }

        private int bucket(long key) {
            long hash = key * Digest.GOLDEN;
            hash ^= hash >>> 32;
            return (int) (hash & (buckets.length - 1));
        }

        private Entry find(long key) {
            Entry e = buckets[bucket(key)];
            while (e != null && e.key != key) {
                e = e.chain;
            }
            return e;
        }

        private void touch(Entry e) {
            if (newest != e) {
                unlink(e);
                push(e);
            }
        }

        private void insert(Entry e) {
            int b = bucket(e.key);
            e.chain = buckets[b];
            buckets[b] = e;
            push(e);
            length++;
        }

        private void dropOldest() {
            Entry old = oldest;
            int b = bucket(old.key);
            if (buckets[b] == old) {
                buckets[b] = old.chain;
            } else {
                Entry before = buckets[b];
                while (before.chain != old) {
                    before = before.chain;
                }
                before.chain = old.chain;
            }
            unlink(old);
            length--;
        }

        private void push(Entry e) {
            e.newer = null;
            e.older = newest;
            if (newest == null) {
                oldest = e;
            } else {
                newest.newer = e;
            }
            newest = e;
        }

        private void unlink(Entry e) {
            if (e.newer == null) {
                newest = e.older;
            } else {
                e.newer.older = e.older;
            }
            if (e.older == null) {
                oldest = e.newer;
            } else {
                e.older.newer = e.newer;
            }
        }

        long digest(long d) {
            d = Digest.with(d, length);
            d = Digest.with(d, read);
            for (Entry e = newest; e != null; e = e.older) {
                d = Digest.with(d, e.key);
                d = Digest.with(d, Field.sum(e.record));
            }
            return d;
        }
    }

    static String run(int size, int threads) throws InterruptedException {
        int capacity = Math.max(size / SHARDS, 1);
        long batches = (long) SHARDS * Math.max((long) capacity * OPS_PER_ENTRY / OPS_PER_BATCH, 1);
        Shard[] all = new Shard[SHARDS];
        for (int i = 0; i < SHARDS; i++) {
            all[i] = new Shard(i, capacity);
        }

        AtomicLong taken = new AtomicLong();
        Crew.together(threads, worker -> {
            for (long batch; (batch = taken.getAndIncrement()) < batches; ) {
                all[(int) (batch % SHARDS)].work();
            }
        });

        long d = 0;
        for (Shard s : all) {
            d = s.digest(d);
        }
        return Digest.text(d);
    }
}
