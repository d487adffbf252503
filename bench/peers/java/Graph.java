import java.util.concurrent.atomic.AtomicLong;

/** The workload of graph_go.go. */
final class Graph {
    private static final int NOTES_PER_REQUEST = 100;

    private Graph() {}

    /** A node has its edges inside it, as in the other languages, not in an array. */
    private static final class Node {
        Node edge0;
        Node edge1;
        Node edge2;
        final long id;

        Node(long id) {
            this.id = id;
        }
    }

    private static final class Note {
        final Note next;
        final Node about;
        final long rank;

        Note(Note next, Node about, long rank) {
            this.next = next;
            this.about = about;
            this.rank = rank;
        }
    }

    static String run(int size, int threads) throws InterruptedException {
        Node[] all = new Node[size];
        int requests = Math.max((int) (size * 0.2), 1);
        AtomicLong answers = new AtomicLong();
        AtomicLong sum = new AtomicLong();

        Crew.together(threads, worker -> {
            int end = Crew.share(size, worker + 1, threads);
            for (int i = Crew.share(size, worker, threads); i < end; i++) {
                all[i] = new Node(i);
            }
        });
        Crew.together(threads, worker -> {
            link(all, Crew.share(size, worker, threads), Crew.share(size, worker + 1, threads));
            answers.addAndGet(serve(all,
                    Crew.share(requests, worker, threads), Crew.share(requests, worker + 1, threads)));
        });
        Crew.together(threads, worker -> sum.addAndGet(
                sumNodes(all, Crew.share(size, worker, threads), Crew.share(size, worker + 1, threads))));

        return Digest.text(Digest.with(Digest.with(0, answers.get()), sum.get()));
    }

    private static int draw(Pcg random, int nodes) {
        return (int) Long.remainderUnsigned(random.next(), nodes);
    }

    private static void link(Node[] all, int lo, int hi) {
        Pcg random = new Pcg(0, 0);
        for (int i = lo; i < hi; i++) {
            random.seed(i, 1);
            all[i].edge0 = all[draw(random, all.length)];
            all[i].edge1 = all[draw(random, all.length)];
            all[i].edge2 = all[draw(random, all.length)];
        }
    }

    private static long serve(Node[] all, int lo, int hi) {
        Pcg random = new Pcg(0, 0);
        long sum = 0;
        for (int request = lo; request < hi; request++) {
            random.seed(request, 2);
            Node about = all[draw(random, all.length)];
            Note notes = null;
            for (long rank = 0; rank < NOTES_PER_REQUEST; rank++) {
                notes = new Note(notes, about, rank);
            }
            for (Note n = notes; n != null; n = n.next) {
                sum += n.rank ^ n.about.id;
            }
        }
        return sum;
    }

    private static long sumNodes(Node[] all, int lo, int hi) {
        long sum = 0;
        for (int i = lo; i < hi; i++) {
            Node n = all[i];
            long d = Digest.with(0, n.id);
            d = Digest.with(d, n.edge0.id);
            d = Digest.with(d, n.edge1.id);
            sum += Digest.with(d, n.edge2.id);
        }
        return sum;
    }
}
