//go:build race

package middentest

const raceEnabled = true
