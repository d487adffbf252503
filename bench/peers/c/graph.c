/* The workload of graph_go.go. */

#include <stdatomic.h>

#include "peers.h"

enum { edges = 3, notes_per_request = 100 };

struct node {
	struct node *edges[edges];
	uint64_t id;
};

struct note {
	struct note *next;
	struct node *about;
	uint64_t rank;
};

struct job {
	int64_t size, requests;
	int threads;
	struct node **all;
	_Atomic uint64_t answers, sum;
};

static void make_nodes(void *p, int worker) {
	struct job *j = p;
	int64_t end = share(j->size, worker + 1, j->threads);
	for (int64_t i = share(j->size, worker, j->threads); i < end; i++) {
		struct node *n = new_object(sizeof *n);
		n->id = (uint64_t)i;
		j->all[i] = n;
	}
}

static uint64_t serve(struct node **all, int64_t size, int64_t lo, int64_t hi) {
	uint64_t sum = 0;
	for (int64_t request = lo; request < hi; request++) {
		struct pcg random = {(uint64_t)request, 2};
		struct node *about = all[pcg_next(&random) % (uint64_t)size];
		struct note *notes = NULL;
		for (uint64_t rank = 0; rank < notes_per_request; rank++) {
			struct note *n = new_object(sizeof *n);
			*n = (struct note){notes, about, rank};
			notes = n;
		}
		for (struct note *n = notes; n != NULL; n = n->next)
			sum += n->rank ^ n->about->id;
	}
	return sum;
}

static void link_and_serve(void *p, int worker) {
	struct job *j = p;
	int64_t end = share(j->size, worker + 1, j->threads);
	for (int64_t i = share(j->size, worker, j->threads); i < end; i++) {
		struct pcg random = {(uint64_t)i, 1};
		for (int edge = 0; edge < edges; edge++)
			j->all[i]->edges[edge] = j->all[pcg_next(&random) % (uint64_t)j->size];
	}
	uint64_t sum = serve(j->all, j->size,
		share(j->requests, worker, j->threads), share(j->requests, worker + 1, j->threads));
	atomic_fetch_add(&j->answers, sum);
}

static void sum_nodes(void *p, int worker) {
	struct job *j = p;
	uint64_t sum = 0;
	int64_t end = share(j->size, worker + 1, j->threads);
	for (int64_t i = share(j->size, worker, j->threads); i < end; i++) {
		uint64_t d = with(0, j->all[i]->id);
		for (int edge = 0; edge < edges; edge++)
			d = with(d, j->all[i]->edges[edge]->id);
		sum += d;
	}
	atomic_fetch_add(&j->sum, sum);
}

uint64_t graph(int size, int threads) {
	struct job *j = new_object(sizeof *j);
	j->size = size;
	j->requests = max64((int64_t)((double)size * 0.2), 1);
	j->threads = threads;
	j->all = new_object((size_t)size * sizeof *j->all);
	together(threads, make_nodes, j);
	together(threads, link_and_serve, j);
	together(threads, sum_nodes, j);
	return with(with(0, j->answers), j->sum);
}
