/* What the workloads share. */
#ifndef PEERS_H
#define PEERS_H

#include <stddef.h>
#include <stdint.h>

/* Makes the collector's pthread_create register its threads, and allocation take
   from lists of the thread's own. */
#define GC_THREADS
#include <gc.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* The digest of the sequence that d stands for, continued by word: see digest.go. */
static inline uint64_t with(uint64_t d, uint64_t word) {
	d = (d ^ word) + GOLDEN;
	d *= GOLDEN;
	return d ^ d >> 29;
}

/* The random numbers of Go's math/rand/v2.PCG: O'Neill's PCG of 128 bits, with the
   DXSM output. */
struct pcg {
	uint64_t hi, lo;
};

static inline uint64_t pcg_next(struct pcg *p) {
	const unsigned __int128 mul =
		(unsigned __int128)UINT64_C(2549297995355413924) << 64 | UINT64_C(4865540595714422341);
	const unsigned __int128 inc =
		(unsigned __int128)UINT64_C(6364136223846793005) << 64 | UINT64_C(1442695040888963407);
	unsigned __int128 state = ((unsigned __int128)p->hi << 64 | p->lo) * mul + inc;
	uint64_t hi = (uint64_t)(state >> 64), lo = (uint64_t)state;
	p->hi = hi;
	p->lo = lo;
	hi ^= hi >> 32;
	hi *= UINT64_C(0xda942042e4dd58b5);
	hi ^= hi >> 48;
	return hi * (lo | 1);
}

/* new_object returns a cleared object that may hold pointers; new_numbers one that
   holds none and is not cleared. They end the program when the heap is too small. */
void *out_of_memory(size_t bytes);

static inline void *new_object(size_t bytes) {
	void *p = GC_MALLOC(bytes);
	return p != NULL ? p : out_of_memory(bytes);
}

static inline void *new_numbers(size_t bytes) {
	void *p = GC_MALLOC_ATOMIC(bytes);
	return p != NULL ? p : out_of_memory(bytes);
}

/* together runs work(argument, 0) to work(argument, n-1) at once. */
void together(int n, void (*work)(void *argument, int worker), void *argument);

/* Where worker i's part of n things begins; worker i+1's begins where it ends. */
static inline int64_t share(int64_t n, int i, int crew) {
	return n * i / crew;
}

static inline int64_t max64(int64_t a, int64_t b) {
	return a > b ? a : b;
}

/* Each workload returns the digest of its result. */
uint64_t binarytrees(int size, int threads);
uint64_t gcbench(int size, int threads);
uint64_t graph(int size, int threads);
uint64_t lru(int size, int threads);

#endif
