import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Runs one workload once and prints what it took as one line of JSON.
 *
 * Arguments: the workload, its size, the number of threads, and the size of a first
 * pass that is not measured, or 0. That pass lets the JIT compile what is measured.
 * Pauses are not printed: they stand in the log that the JVM writes.
 */
final class Main {
    interface Workload {
        String run(int size, int threads) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: Main WORKLOAD SIZE THREADS WARMUP");
            System.exit(2);
        }
        Workload work = find(args[0]);
        int size = Integer.parseInt(args[1]);
        int threads = Integer.parseInt(args[2]);
        int warmup = Integer.parseInt(args[3]);
        if (warmup > 0) {
            work.run(warmup, threads);
        }
        long cpu = cpuNanos();
        long start = System.nanoTime();
        String check = work.run(size, threads);
        double wall = (System.nanoTime() - start) / 1e9;
        double used = (cpuNanos() - cpu) / 1e9;
        System.out.printf(Locale.ROOT, "{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"peak_rss_bytes\":%d,\"check\":\"%s\"}%n",
                wall, used, peakBytes(), check);
    }

    private static Workload find(String name) {
        switch (name) {
            case "binarytrees":
                return BinaryTrees::run;
            case "gcbench":
                return GCBench::run;
            case "graph":
                return Graph::run;
            case "lru":
                return Lru::run;
            default:
                System.err.println("unknown workload " + name);
                System.exit(2);
                return null;
        }
    }

    /** What all threads of this process have used so far, the collector's and the JIT's too. */
    private static long cpuNanos() {
        var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        return os.getProcessCpuTime();
    }

    /** The most memory that this process has held at once; 0 where the system does not say. */
    private static long peakBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.isReadable(status)) {
            return 0;
        }
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return 0;
    }
}
