//go:build !amd64 && !arm64 && !loong64 && !mips64le && !ppc64le && !riscv64

package cage

// 32-bit systems, wasm and big-endian ones cannot have the reserved range or the
// headers as they are. The build stops at the next line, whose name says so.
var _ = midden_needs_a_64_bit_little_endian_system_such_as_amd64_or_arm64
