//go:build !invariants

package midden

import (
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

// stamp is what a Ref carries to be checked with: in ordinary builds, nothing.
type stamp struct{}

func (stamp) check(object.Word, func() string)                                {}
func (stamp) checkStore(*Mutator, unsafe.Pointer, object.Word, func() string) {}
func (stamp) checkHeap(*Mutator, object.Word, func() string)                  {}
func (r Ref[T]) stamped() Ref[T]                                              { return r }
func (a AnyRef) stamped() AnyRef                                              { return a }

func (*Mutator) checkOwn(unsafe.Pointer) {}

func stampOf(object.Word) stamp { return stamp{} }

func stampedValue(w object.Word, _ stamp) Value     { return valueOf(uint64(w)) }
func (v Value) stamped() Value                      { return v }
func (v Value) bare() uint64                        { return v.word.W }
func (v Value) check()                              {}
func (v Value) checkStore(*Mutator, unsafe.Pointer) {}
func (v *Visitor) restamp(*Value)                   {}
func (*Visitor) stampOf(object.Word) stamp          { return stamp{} }

// stamps is what a heap keeps for its stamps.
type stamps struct{}

func (stamps) init(*Heap)  {}
func (stamps) close(*Heap) {}
func (stamps) next()       {}
func (stamps) stopping()   {}
