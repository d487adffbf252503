/** Several threads that work at once, as in crew.go. */
final class Crew {
    interface Work {
        void run(int worker);
    }

    private Crew() {}

    /** Runs work(0) to work(n-1) at once. A single one runs here, as in C. */
    static void together(int n, Work work) throws InterruptedException {
        if (n == 1) {
            work.run(0);
            return;
        }
        Thread[] threads = new Thread[n];
        Throwable[] failed = new Throwable[1];
        for (int i = 0; i < n; i++) {
            int worker = i;
            threads[i] = new Thread(() -> work.run(worker));
            threads[i].setUncaughtExceptionHandler((t, e) -> failed[0] = e);
            threads[i].start();
        }
        for (Thread t : threads) {
            t.join();
        }
        if (failed[0] != null) {
            throw new IllegalStateException("a worker failed", failed[0]);
        }
    }

    /** Where worker i's part of n things begins; worker i+1's begins where it ends. */
    static int share(int n, int i, int crew) {
        return (int) ((long) n * i / crew);
    }
}
