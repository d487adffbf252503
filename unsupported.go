//go:build !amd64 && !arm64 && !loong64 && !mips64le && !ppc64le && !riscv64

package midden

// Midden reserves a large range of addresses and reads headers in little-endian
// order. 32-bit, wasm and big-endian systems stop here, at a line that says so.
var _ = midden_needs_a_64_bit_little_endian_system_such_as_amd64_or_arm64
