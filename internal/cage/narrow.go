package cage

// maxSize is how much is asked for first: all that 32 bits of 8-byte units can
// address.
const maxSize = 32 << 30
