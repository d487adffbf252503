package pacer

// Pressure returns how near to its limit a heap with live bytes is: 0 while less
// than three quarters live, and one more each time that half of what was left is
// gone; so 1 from 3/4, 2 from 7/8, and 5 at most. Level is what it returned before:
// a level is left only when half as much again is free as where it began, so that
// a heap that moves about the line is not told at each move.
func Pressure(level int, live, limit int64) int {
	if limit <= 0 {
		return 0
	}
	free := max(0, limit-live)
	for level < maxPressure && free <= limit>>(level+2) {
		level++
	}
	for level > 0 && free > limit>>(level+1)+limit>>(level+2) {
		level--
	}
	return level
}

const maxPressure = 5
