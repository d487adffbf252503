package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/midden-gc/midden"
)

// A sizerFlag names a midden.Sizer, as in growby:2, fixed:64MiB or adaptive:1. The
// empty one is the default.
type sizerFlag string

var errSizer = errors.New("a sizer is growby:FACTOR, fixed:BYTES or adaptive:C, as in growby:2, fixed:64MiB, adaptive:1")

// Set parses what a flag says.
func (f *sizerFlag) Set(s string) error {
	z, err := sizerFlag(s).sizer()
	if err != nil || z == nil {
		return errSizer
	}
	// A heap knows best whether it can do with that.
	h, err := midden.NewHeap(&midden.Options{Sizer: z})
	if err != nil {
		return err
	}
	*f = sizerFlag(s)
	return h.Close()
}

func (f *sizerFlag) String() string { return string(*f) }

// Type names the value in the help.
func (*sizerFlag) Type() string { return "sizer" }

// sizer returns what f names, nil for the default.
func (f sizerFlag) sizer() (midden.Sizer, error) {
	if f == "" {
		return nil, nil
	}
	name, value, _ := strings.Cut(string(f), ":")
	if name == "fixed" {
		var bytes byteSize
		err := bytes.Set(value)
		return midden.Fixed(int64(bytes)), err
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, errSizer
	}
	switch name {
	case "growby":
		return midden.GrowBy(x), nil
	case "adaptive":
		return midden.Adaptive(x), nil
	}
	return nil, errSizer
}
