//go:build !race

package middentest

const raceEnabled = false
