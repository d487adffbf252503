/* The workload of binarytrees_go.go. */

#include <stdatomic.h>

#include "peers.h"

enum { min_depth = 4, max_depth = 64 };

struct tree {
	struct tree *left, *right;
};

static struct tree *build(int depth) {
	struct tree *t = new_object(sizeof *t);
	if (depth > 0) {
		t->left = build(depth - 1);
		t->right = build(depth - 1);
	}
	return t;
}

static int64_t count(const struct tree *t) {
	return t->left == NULL ? 1 : 1 + count(t->left) + count(t->right);
}

struct job {
	int deepest, threads;
	_Atomic int64_t counts[max_depth];
};

static void work(void *p, int worker) {
	struct job *j = p;
	for (int depth = min_depth; depth <= j->deepest; depth += 2) {
		int64_t trees = INT64_C(1) << (j->deepest - depth + min_depth);
		int64_t nodes = 0, end = share(trees, worker + 1, j->threads);
		for (int64_t i = share(trees, worker, j->threads); i < end; i++)
			nodes += count(build(depth));
		atomic_fetch_add(&j->counts[depth], nodes);
	}
}

uint64_t binarytrees(int size, int threads) {
	struct job j = {.deepest = (int)max64(min_depth + 2, size), .threads = threads};
	int64_t stretch = count(build(j.deepest + 1));
	struct tree *volatile long_lived = build(j.deepest);

	together(threads, work, &j);

	uint64_t d = with(0, (uint64_t)stretch);
	d = with(d, (uint64_t)count(long_lived));
	for (int depth = 0; depth <= j.deepest; depth++)
		d = with(d, (uint64_t)j.counts[depth]);
	return d;
}
