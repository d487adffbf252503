/* The workload of gcbench_go.go. */

#include <stdatomic.h>
#include <string.h>

#include "peers.h"

enum { min_depth = 4 };

struct cell {
	struct cell *left, *right;
	int32_t i, j; /* nobody reads these two */
};

static struct cell *bottom_up(int depth) {
	struct cell *left = NULL, *right = NULL;
	if (depth > 0) {
		left = bottom_up(depth - 1);
		right = bottom_up(depth - 1);
	}
	struct cell *c = new_object(sizeof *c);
	c->left = left;
	c->right = right;
	return c;
}

static void top_down(struct cell *c, int depth) {
	if (depth == 0)
		return;
	c->left = new_object(sizeof *c);
	c->right = new_object(sizeof *c);
	top_down(c->left, depth - 1);
	top_down(c->right, depth - 1);
}

static int path(const struct cell *c, int64_t way) {
	for (int steps = 0;; steps++) {
		c = way >> steps & 1 ? c->right : c->left;
		if (c == NULL)
			return steps;
	}
}

static int64_t count(const struct cell *c) {
	return c->left == NULL ? 1 : 1 + count(c->left) + count(c->right);
}

static int64_t nodes(int depth) {
	return (INT64_C(1) << (depth + 1)) - 1;
}

struct job {
	int size, threads, long_lived_depth;
	_Atomic int64_t steps;
};

static void work(void *p, int worker) {
	struct job *j = p;
	int64_t sum = 0;
	for (int depth = min_depth; depth <= j->long_lived_depth; depth += 2) {
		int64_t rounds = max64(2 * nodes(j->size) / nodes(depth), 1);
		int64_t lo = share(rounds, worker, j->threads), hi = share(rounds, worker + 1, j->threads);
		for (int64_t way = lo; way < hi; way++) {
			struct cell *top = new_object(sizeof *top);
			top_down(top, depth);
			sum += path(top, way);
		}
		for (int64_t way = lo; way < hi; way++)
			sum += path(bottom_up(depth), way);
	}
	atomic_fetch_add(&j->steps, sum);
}

uint64_t gcbench(int size, int threads) {
	struct job j = {.size = size, .threads = threads, .long_lived_depth = (int)max64(size - 2, min_depth)};
	int64_t stretch = count(bottom_up(size));

	struct cell *volatile long_lived = new_object(sizeof *long_lived);
	top_down(long_lived, j.long_lived_depth);

	int64_t length = max64(INT64_C(500000) << size >> 18, 2);
	double *volatile numbers = new_numbers((size_t)length * sizeof *numbers);
	memset(numbers, 0, (size_t)length * sizeof *numbers);
	for (int64_t i = 1; i <= length / 2; i++)
		numbers[i] = 1 / (double)i;

	together(threads, work, &j);

	double total = 0;
	for (int64_t i = 0; i < length; i++)
		total += numbers[i];
	uint64_t bits;
	memcpy(&bits, &total, sizeof bits);
	uint64_t d = with(0, (uint64_t)stretch);
	d = with(d, (uint64_t)j.steps);
	d = with(d, (uint64_t)count(long_lived));
	return with(d, bits);
}
