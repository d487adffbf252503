/* Runs one workload once on the heap of Boehm's collector, and prints what it took
   as one line of JSON.

   Arguments: the workload, its size, and the number of threads. The size of the
   heap is given as the collector's manual says, by GC_INITIAL_HEAP_SIZE and
   GC_MAXIMUM_HEAP_SIZE in the environment. The exit status is 3 when it is too
   small. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peers.h"

static double seconds(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Pauses, from the decision to stop the other threads until they may go on. */
static double stopped_at, longest_pause;

static void on_event(GC_EventType event) {
	switch (event) {
	case GC_EVENT_PRE_STOP_WORLD:
		stopped_at = seconds(CLOCK_MONOTONIC);
		break;
	case GC_EVENT_POST_START_WORLD: {
		double pause = seconds(CLOCK_MONOTONIC) - stopped_at;
		if (pause > longest_pause)
			longest_pause = pause;
		break;
	}
	default:
		break;
	}
}

void *out_of_memory(size_t bytes) {
	fprintf(stderr, "no room for %zu bytes in a heap of %zu\n", bytes, GC_get_heap_size());
	exit(3);
}

struct crew_member {
	void (*work)(void *, int);
	void *argument;
	int worker;
};

static void *start(void *p) {
	struct crew_member *m = p;
	m->work(m->argument, m->worker);
	return NULL;
}

void together(int n, void (*work)(void *, int), void *argument) {
	if (n == 1) {
		work(argument, 0);
		return;
	}
	struct crew_member *crew = new_object((size_t)n * sizeof *crew);
	pthread_t *threads = calloc((size_t)n, sizeof *threads);
	for (int i = 0; i < n; i++) {
		crew[i] = (struct crew_member){work, argument, i};
		if (pthread_create(&threads[i], NULL, start, &crew[i]) != 0) {
			perror("pthread_create");
			exit(1);
		}
	}
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	free(threads);
}

/* The most memory in bytes that this process has held at once. */
static int64_t peak_bytes(void) {
	char line[256];
	int64_t kib;
	FILE *f = fopen("/proc/self/status", "r");
	if (f != NULL) {
		while (fgets(line, sizeof line, f) != NULL) {
			if (sscanf(line, "VmHWM: %" SCNd64, &kib) == 1) {
				fclose(f);
				return kib << 10;
			}
		}
		fclose(f);
	}
	return 0;
}

static const struct {
	const char *name;
	uint64_t (*run)(int size, int threads);
} workloads[] = {
	{"binarytrees", binarytrees},
	{"gcbench", gcbench},
	{"graph", graph},
	{"lru", lru},
};

int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "version") == 0) {
		unsigned v = GC_get_version();
		printf("%u.%u.%u\n", v >> 16, v >> 8 & 0xff, v & 0xff);
		return 0;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: boehm WORKLOAD SIZE THREADS | boehm version\n");
		return 2;
	}
	/* Objects are referred to by their first byte, except from the stack, where any
	   byte will do: so none needs a byte behind its end, which would cost 16. */
	GC_set_all_interior_pointers(0);
	GC_INIT();
	GC_set_on_collection_event(on_event);
	GC_set_warn_proc(GC_ignore_warn_proc);

	for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
		if (strcmp(argv[1], workloads[i].name) != 0)
			continue;
		GC_word collections = GC_get_gc_no();
		double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
		uint64_t check = workloads[i].run(atoi(argv[2]), atoi(argv[3]));
		double wall = seconds(CLOCK_MONOTONIC) - start;
		cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		printf("{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"peak_rss_bytes\":%" PRId64 ",\"pause_max_s\":%.9f,"
		       "\"collections\":%zu,\"check\":\"%016" PRIx64 "\"}\n",
		       wall, cpu, peak_bytes(), longest_pause, (size_t)(GC_get_gc_no() - collections), check);
		return 0;
	}
	fprintf(stderr, "unknown workload %s\n", argv[1]);
	return 2;
}
