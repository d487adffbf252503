package pacer

import (
	"testing"
	"time"
)

const ms = time.Millisecond

// vain runs n vain cycles of 10 ms and returns how many the brake did not hold,
// with so much time run before each.
func vain(b *Brake, n int, ran time.Duration) (done int) {
	for range n {
		if !b.Holds(ran) {
			b.Cycle(10*ms, ran, true)
			done++
		}
	}
	return done
}

func TestBrakeHoldsAfterABurst(t *testing.T) {
	var b Brake
	if n := vain(&b, 20, 0); n != Burst {
		t.Errorf("%d vain cycles in a row, want %d", n, Burst)
	}
	if b.Holds(10*ms) || !b.Holds(9*ms) {
		t.Error("the brake does not hold until the heap has run for as long as a cycle takes")
	}
}

// TestBrakeShare lets a program run for a while after each refusal: vain cycles
// get half of the time and no more.
func TestBrakeShare(t *testing.T) {
	for _, step := range []time.Duration{ms / 10, ms, 3 * ms} {
		var b Brake
		var now, ended, collecting time.Duration
		for now < 10*time.Second {
			if b.Holds(now - ended) {
				now += step
				continue
			}
			ran := now - ended
			now += 10 * ms
			collecting += 10 * ms
			b.Cycle(10*ms, ran, true)
			ended = now
		}
		share := float64(collecting) / float64(now)
		if share > 0.52 || share < 0.40 {
			t.Errorf("in steps of %v: vain cycles got %.2f of the time, want a half", step, share)
		}
	}
}

func TestBrakeLetsGo(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Brake)
		want int // cycles that are allowed at once from then on
	}{
		{"a cycle that freed something", func(b *Brake) { b.Cycle(10*ms, 0, false) }, Burst},
		{"running for twenty cycles", func(b *Brake) { b.Cycle(10*ms, 200*ms, true) }, Burst},
		{"running for three cycles", func(b *Brake) { b.Cycle(10*ms, 30*ms, true) }, 2},
		{"a refusal", func(b *Brake) { b.Refused() }, 1},
		{"three refusals", func(b *Brake) { b.Refused(); b.Refused(); b.Refused() }, 1},
		{"nothing", func(*Brake) {}, 0},
	} {
		var b Brake
		vain(&b, 20, 0)
		c.do(&b)
		if n := vain(&b, 20, 0); n != c.want {
			t.Errorf("after %s: %d more vain cycles, want %d", c.name, n, c.want)
		}
	}
}

// TestBrakeForgivesAgain: one refusal is forgiven for each time that the heap got
// into trouble.
func TestBrakeForgivesAgain(t *testing.T) {
	var b Brake
	for round := range 3 {
		vain(&b, 20, 0)
		b.Refused()
		if n := vain(&b, 20, 0); n != 1 {
			t.Fatalf("round %d: %d cycles after a refusal, want 1", round, n)
		}
		b.Refused()
		if n := vain(&b, 20, 0); n != 0 {
			t.Fatalf("round %d: %d cycles after another refusal, want none", round, n)
		}
		b.Cycle(10*ms, 60*ms, true)
	}
}

// TestBrakeOutlivesAStall has the machine stand still for a second in one cycle:
// what it takes to be allowed another stays what cycles take.
func TestBrakeOutlivesAStall(t *testing.T) {
	for stalled := range 6 {
		var b Brake
		for i := range 6 {
			took := 10 * ms
			if i == stalled {
				took = time.Second
			}
			b.Cycle(took, ms, true)
		}
		if b.Holds(30 * ms) {
			t.Errorf("cycle %d took a second: the brake holds after running for as long as three others", stalled)
		}
	}
	// And a program that runs longer than it is collected is never held.
	var b Brake
	for range 1000 {
		if b.Holds(11 * ms) {
			t.Fatal("the brake holds where less than half of the time is spent")
		}
		b.Cycle(10*ms, 11*ms, true)
	}
}

// TestBrakeCoarseClock: cycles shorter than a clock can tell must not hold for
// ever.
func TestBrakeCoarseClock(t *testing.T) {
	var b Brake
	for range 20 {
		b.Cycle(0, 0, true)
	}
	if b.Holds(time.Microsecond) {
		t.Error("held for longer than cycles take that take no time")
	}
}
