// Package invariants holds a constant that the build tag `invariants` switches.
//
// Code guarded by `if invariants.Enabled` is compiled away in ordinary builds
// and checks what ordinary builds trust: that a reference was made in the
// current epoch, that a slot and its target belong to one heap, that a mutator
// which touches the heap is active.
package invariants
