/** The digest of a sequence of numbers, as in digest.go: another order gives another digest. */
final class Digest {
    static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private Digest() {}

    /** The digest of the sequence that d stands for, continued by word. */
    static long with(long d, long word) {
        d = (d ^ word) + GOLDEN;
        d *= GOLDEN;
        return d ^ d >>> 29;
    }

    static String text(long d) {
        return String.format("%016x", d);
    }
}
