/** The random numbers of Go's math/rand/v2.PCG: O'Neill's PCG of 128 bits, with the DXSM output. */
final class Pcg {
    private static final long MUL_HI = 2549297995355413924L;
    private static final long MUL_LO = 4865540595714422341L;
    private static final long INC_HI = 6364136223846793005L;
    private static final long INC_LO = 1442695040888963407L;
    private static final long CHEAP = 0xda942042e4dd58b5L;

    private long hi;
    private long lo;

    Pcg(long seed1, long seed2) {
        seed(seed1, seed2);
    }

    void seed(long seed1, long seed2) {
        hi = seed1;
        lo = seed2;
    }

    long next() {
        long h = unsignedMultiplyHigh(lo, MUL_LO) + hi * MUL_LO + lo * MUL_HI;
        long l = lo * MUL_LO + INC_LO;
        h += INC_HI + (Long.compareUnsigned(l, INC_LO) < 0 ? 1 : 0);
        hi = h;
        lo = l;
        h ^= h >>> 32;
        h *= CHEAP;
        h ^= h >>> 48;
        return h * (l | 1);
    }

    /** Math.unsignedMultiplyHigh, which Java has from version 18 on. */
    private static long unsignedMultiplyHigh(long a, long b) {
        return Math.multiplyHigh(a, b) + (a >> 63 & b) + (b >> 63 & a);
    }
}
