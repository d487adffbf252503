import java.util.concurrent.atomic.AtomicLongArray;

/** The workload of binarytrees_go.go. */
final class BinaryTrees {
    private static final int MIN_DEPTH = 4;

    private BinaryTrees() {}

    private static final class Tree {
        final Tree left;
        final Tree right;

        Tree(Tree left, Tree right) {
            this.left = left;
            this.right = right;
        }

        int count() {
            return left == null ? 1 : 1 + left.count() + right.count();
        }
    }

    private static Tree build(int depth) {
        return depth == 0 ? new Tree(null, null) : new Tree(build(depth - 1), build(depth - 1));
    }

    static String run(int size, int threads) throws InterruptedException {
        int deepest = Math.max(MIN_DEPTH + 2, size);
        int stretch = build(deepest + 1).count();
        Tree longLived = build(deepest);

        AtomicLongArray counts = new AtomicLongArray(deepest + 1);
        Crew.together(threads, worker -> {
            for (int depth = MIN_DEPTH; depth <= deepest; depth += 2) {
                int trees = 1 << (deepest - depth + MIN_DEPTH);
                int end = Crew.share(trees, worker + 1, threads);
                long nodes = 0;
                for (int i = Crew.share(trees, worker, threads); i < end; i++) {
                    nodes += build(depth).count();
                }
                counts.addAndGet(depth, nodes);
            }
        });

        long d = Digest.with(0, stretch);
        d = Digest.with(d, longLived.count());
        for (int depth = 0; depth <= deepest; depth++) {
            d = Digest.with(d, counts.get(depth));
        }
        return Digest.text(d);
    }
}
