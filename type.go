package midden

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/midden-gc/midden/internal/object"
)

// Type is what the heap knows of the Go type T. Resolve it once with TypeFor,
// for example in a package variable, and allocate through it: its methods are
// the fastest paths.
type Type[T any] struct {
	_    phantom[T]
	info typeInfo
}

// typeInfo is what allocation needs of a type.
type typeInfo struct {
	header object.Header
	desc   *object.Type
	key    uintptr
}

// TypeFor returns the Type of T. It panics if objects of type T cannot lie in a
// heap, and names the field because of which.
func TypeFor[T any]() *Type[T] { return (*Type[T])(unsafe.Pointer(infoFor[T]())) }

// SizeOf returns what one object of type T costs, in bytes: header and rounding
// included.
func SizeOf[T any]() int64 { return costOf(bytesOf[T]()) }

// bytesOf is the size of an object of type T, header included. It folds to a
// constant.
func bytesOf[T any]() uintptr {
	var v T
	return object.HeaderSize + max((unsafe.Sizeof(v)+7)&^7, 8)
}

// types finds the info of a type by the address of its run-time type: a small
// table without locks in front of a map. Each entry has two places; a program
// with hundreds of types still finds nearly all of them here.
var types struct {
	table [1024]atomic.Pointer[typeInfo]

	mu  sync.Mutex
	all map[uintptr]*typeInfo
}

// typeKey identifies T by the address of the run-time type of *T, which the
// compiler has at hand.
func typeKey[T any]() uintptr {
	var p any = (*T)(nil)
	// An interface is a pair of words of which the first is the type's address;
	// run-time types do not move and are never freed.
	return *(*uintptr)(unsafe.Pointer(&p))
}

// typeIndex is where the table has a type. Run-time types are 32 bytes apart at
// least.
func typeIndex(key uintptr) uintptr { return key >> 5 % 1024 }

// cached returns what the table's first place for key has, if that is the info
// for key.
func cached(key uintptr) *typeInfo {
	if t := types.table[typeIndex(key)].Load(); t != nil && t.key == key {
		return t
	}
	return nil
}

func cachedInfo[T any]() *typeInfo { return cached(typeKey[T]()) }

// infoFor returns the info of single objects of type T.
func infoFor[T any]() *typeInfo {
	if t := cachedInfo[T](); t != nil {
		return t
	}
	return findInfo(typeKey[T](), describeSingle[T])
}

// arrayInfoFor returns the info of arrays of T. Run-time types are aligned, so
// the key of the array is free.
func arrayInfoFor[T any]() *typeInfo {
	key := typeKey[T]() | 1
	if t := cached(key); t != nil {
		return t
	}
	return findInfo(key, describeArray[T])
}

func describeSingle[T any]() (*object.Type, error) { return object.Describe(reflect.TypeFor[T]()) }
func describeArray[T any]() (*object.Type, error) {
	return object.DescribeArray(reflect.TypeFor[T](), arrayName(reflect.TypeFor[T]()))
}

// arrayName is what AnyRef.TypeName calls an array with such elements.
func arrayName(elem reflect.Type) string {
	if elem == reflect.TypeFor[stringByte]() {
		return "midden.String"
	}
	return "midden.Array[" + elem.String() + "]"
}

// findInfo is infoFor when the first place does not have it.
func findInfo(key uintptr, describe func() (*object.Type, error)) *typeInfo {
	first, second := &types.table[typeIndex(key)], &types.table[typeIndex(key)^1]
	if t := second.Load(); t != nil && t.key == key {
		return t
	}
	types.mu.Lock()
	defer types.mu.Unlock()
	t := types.all[key]
	if t == nil {
		d, err := describe()
		if err != nil {
			panic("midden: " + err.Error())
		}
		t = &typeInfo{header: d.Header, desc: d, key: key}
		if types.all == nil {
			types.all = map[uintptr]*typeInfo{}
		}
		types.all[key] = t
	}
	if old := first.Load(); old != nil {
		second.Store(old)
	}
	first.Store(t)
	return t
}

// arrayLike is what types have that exist only as objects of their own.
type arrayLike interface{ info() *typeInfo }

// describe returns the info of whatever a Ref[T] refers to, arrays and strings
// included.
func describe[T any]() *typeInfo {
	if a, ok := any((*T)(nil)).(arrayLike); ok {
		return a.info()
	}
	return infoFor[T]()
}

// nameOf returns the name of T for messages.
func nameOf[T any]() string { return reflect.TypeFor[T]().String() }

func nameOfAny() string { return "any" }
