//go:build !amd64 && !arm64 && !loong64 && !mips64 && !mips64le && !ppc64 && !ppc64le && !riscv64 && !s390x

package cage

// 32-bit systems and wasm have no room for the reserved range. The build stops
// at the next line, whose name says so.
var _ = midden_needs_a_64_bit_system_such_as_amd64_or_arm64
