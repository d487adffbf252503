//go:build linux && !race

package cage

const raceEnabled = false
