package safepoint

import "time"

const (
	firstLook   = time.Millisecond
	longestLook = time.Second
)

// A vigil is kept by whoever waits for others: it looks around now and then,
// at first soon. It decides nothing: a wait ends when what it waits for
// happens, or when its caller's context does, never because time passes.
type vigil struct {
	timer *time.Timer
	step  time.Duration
	looks int

	goroutine uint64  // the waiter's, once it has been needed
	stack     int     // whether it is in charge of some pause: 1 yes, -1 no, 0 not looked
	looked    *Pause  // when holds was looked up
	holds     *member // a context of the waiter's own that it seems to wait for
	certain   int     // how many times in a row it looked guilty

	due     time.Duration // when stragglers are reported, and lost contexts looked for, next
	reports int
}

// awakened says what a sleep ended with.
type awakened int

const (
	first awakened = iota
	second
	ticked
)

// tick returns a channel on which the next look is announced.
func (v *vigil) tick() <-chan time.Time {
	if v.timer == nil {
		v.step = firstLook
		v.timer = time.NewTimer(v.step)
	}
	return v.timer.C
}

// again arranges for the next look, not later than within.
func (v *vigil) again(within time.Duration) {
	v.looks++
	v.step = min(2*v.step, longestLook)
	v.timer.Reset(max(min(v.step, within), firstLook))
}

func (v *vigil) end() {
	if v.timer != nil {
		v.timer.Stop()
	}
}

// self returns the id of the waiter's goroutine.
func (v *vigil) self() uint64 {
	if v.goroutine == 0 {
		v.goroutine = goroutineID()
	}
	return v.goroutine
}
