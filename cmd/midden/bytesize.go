package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A byteSize is a number of bytes that people read and write with a unit.
type byteSize int64

var byteUnits = []struct {
	name string
	size byteSize
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func (b byteSize) String() string {
	for _, u := range byteUnits {
		if b >= u.size {
			return fmt.Sprintf("%.4g %s", float64(b)/float64(u.size), u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Set parses what a flag says.
func (b *byteSize) Set(s string) error {
	unit := byteSize(1)
	for _, u := range byteUnits {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = number, u.size
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/int64(unit) {
		return errors.New("a size is a positive number of bytes, or of KiB, MiB, GiB as in 64MiB")
	}
	*b = byteSize(n) * unit
	return nil
}

// Type names the value in the help.
func (*byteSize) Type() string { return "bytes" }
