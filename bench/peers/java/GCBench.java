import java.util.concurrent.atomic.AtomicLong;

/** The workload of gcbench_go.go. */
final class GCBench {
    private static final int MIN_DEPTH = 4;

    private GCBench() {}

    private static final class Cell {
        Cell left;
        Cell right;
        int i; // nobody reads these two
        int j;

        void topDown(int depth) {
            if (depth == 0) {
                return;
            }
            left = new Cell();
            right = new Cell();
            left.topDown(depth - 1);
            right.topDown(depth - 1);
        }

        int count() {
            return left == null ? 1 : 1 + left.count() + right.count();
        }
    }

    private static Cell bottomUp(int depth) {
        Cell c = new Cell();
        if (depth > 0) {
            c.left = bottomUp(depth - 1);
            c.right = bottomUp(depth - 1);
        }
        return c;
    }

    private static int path(Cell c, int way) {
        for (int steps = 0; ; steps++) {
            c = (steps < 32 && (way >> steps & 1) == 1) ? c.right : c.left;
            if (c == null) {
                return steps;
            }
        }
    }

    private static int nodes(int depth) {
        return (1 << (depth + 1)) - 1;
    }

    static String run(int size, int threads) throws InterruptedException {
        int longLivedDepth = Math.max(size - 2, MIN_DEPTH);
        int stretch = bottomUp(size).count();

        Cell longLived = new Cell();
        longLived.topDown(longLivedDepth);

        double[] numbers = new double[(int) Math.max(500_000L << size >> 18, 2)];
        for (int i = 1; i <= numbers.length / 2; i++) {
            numbers[i] = 1 / (double) i;
        }

        AtomicLong steps = new AtomicLong();
        Crew.together(threads, worker -> {
            long sum = 0;
            for (int depth = MIN_DEPTH; depth <= longLivedDepth; depth += 2) {
                int rounds = Math.max(2 * nodes(size) / nodes(depth), 1);
                int lo = Crew.share(rounds, worker, threads);
                int hi = Crew.share(rounds, worker + 1, threads);
                for (int way = lo; way < hi; way++) {
                    Cell top = new Cell();
                    top.topDown(depth);
                    sum += path(top, way);
                }
                for (int way = lo; way < hi; way++) {
                    sum += path(bottomUp(depth), way);
                }
            }
            steps.addAndGet(sum);
        });

        double total = 0;
        for (double x : numbers) {
            total += x;
        }
        long d = Digest.with(0, stretch);
        d = Digest.with(d, steps.get());
        d = Digest.with(d, longLived.count());
        return Digest.text(Digest.with(d, Double.doubleToRawLongBits(total)));
    }
}
