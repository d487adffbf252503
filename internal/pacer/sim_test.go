package pacer

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// The simulator runs programs on paper. A program is a curve of what lives and
// one of what it allocates, by the time that it has run; a cycle takes as long as
// tracing what lives. That is enough to see what a sizer does over minutes, in
// milliseconds.
//
//	go test ./internal/pacer -run TestSimulator -v

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// program is what is simulated. Curves take the seconds that it has run.
type program struct {
	name  string
	live  func(s float64) float64 // bytes
	rate  func(s float64) float64 // bytes a second
	speed float64                 // bytes traced a second
	limit int64
}

// outcome is what became of it.
type outcome struct {
	cycles     int
	collecting float64 // seconds in cycles
	running    float64 // seconds outside
	peak       float64 // bytes
	mean       float64 // bytes, over the time that it ran
	extra      float64 // bytes that the sizer gave beyond what lived, the last time
	refused    bool
}

func (o outcome) share() float64 { return o.collecting / (o.collecting + o.running) }

func (o outcome) String() string {
	s := fmt.Sprintf("%6d cycles  %5.1f %% of the time  mean %7.1f MiB  peak %7.1f MiB",
		o.cycles, 100*o.share(), o.mean/mib, o.peak/mib)
	if o.refused {
		s += fmt.Sprintf("  refused after %.2f s", o.running)
	}
	return s
}

// sizer is a Sizer with all that the heap keeps for it.
type sizer struct {
	name string
	next func(live int64, r *Rates) int64
}

func growing(factor float64) sizer {
	return sizer{fmt.Sprintf("GrowBy(%v)", factor), func(live int64, _ *Rates) int64 { return GrowBy(live, factor) }}
}

func fixed(bytes int64) sizer {
	return sizer{fmt.Sprintf("Fixed(%d MiB)", bytes/mib), func(int64, *Rates) int64 { return bytes }}
}

func adapting(c float64) sizer {
	return sizer{fmt.Sprintf("Adaptive(%v)", c), func(live int64, r *Rates) int64 {
		return Adaptive(live, r.Growth(), r.Trace(), c)
	}}
}

// fixedCost is what a cycle takes when nothing lives, in seconds.
const fixedCost = 50e-6

// simulate runs p for so many seconds, not counting cycles.
func simulate(p program, z sizer, seconds float64) (o outcome) {
	var (
		rates  Rates
		brake  Brake
		lived  = p.live(0) // after the last cycle
		added  float64     // since then
		ended  float64     // o.running when it ended
		next   = z.next(0, &rates)
		fullAt = Relax(next, int64(lived))
		step   = 100e-6
	)
	for o.running < seconds {
		room := Clamp(fullAt, int64(lived), int64(lived), p.limit, Kept(Free(int64(lived), int64(lived), p.limit)))
		o.running += step
		added += p.rate(o.running) * step
		size := lived + added
		o.peak = max(o.peak, size)
		o.mean += size * step / seconds
		if added < float64(room) {
			continue
		}
		ran := seconds2duration(o.running - ended)
		if brake.Holds(ran) {
			if p.limit > 0 && size > float64(p.limit) {
				o.refused = true
				return o
			}
			continue
		}
		lived = min(size, p.live(o.running))
		took := fixedCost + lived/p.speed
		o.cycles++
		o.collecting += took
		rates.Grew(int64(added), ran)
		rates.Traced(int64(lived), seconds2duration(took))
		brake.Cycle(seconds2duration(took), ran, p.limit > 0 && p.limit-int64(lived) < p.limit/50)
		if p.limit > 0 && lived > float64(p.limit) {
			o.refused = true
			return o
		}
		next = z.next(int64(lived), &rates)
		o.extra = float64(next) - lived
		fullAt = Relax(next, int64(lived))
		added, ended = 0, o.running
	}
	return o
}

func seconds2duration(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func constant(bytes float64) func(float64) float64 { return func(float64) float64 { return bytes } }

// programs are of the kinds that there are.
func programs() []program {
	return []program{
		{"small and busy", constant(2 * mib), constant(500 * mib), gib, 0},
		{"middling", constant(64 * mib), constant(200 * mib), gib, 0},
		{"large and lazy", constant(800 * mib), constant(5 * mib), gib, 0},
		{"large and busy", constant(800 * mib), constant(300 * mib), gib, 0},
		{"grows all the time", func(s float64) float64 { return 20 * mib * s }, constant(60 * mib), gib, 0},
		{"grows in steps", func(s float64) float64 { return 8 * mib * math.Exp2(math.Floor(s/5)) }, constant(100 * mib), gib, 0},
		{"breathes", func(s float64) float64 { return (60 + 50*math.Sin(s)) * mib }, constant(200 * mib), gib, 0},
		{"bursts", constant(50 * mib), func(s float64) float64 {
			if math.Mod(s, 10) < 1 {
				return gib
			}
			return mib
		}, gib, 0},
		{"on a slow machine", constant(64 * mib), constant(20 * mib), 100 * mib, 0},
	}
}

func sizers() []sizer {
	return []sizer{growing(1.5), growing(2), growing(4), fixed(256 * mib), adapting(0.5), adapting(1), adapting(2)}
}

// TestSimulator checks that no sizer lets a program spend its time collecting, nor
// take memory without end.
func TestSimulator(t *testing.T) {
	const seconds = 30
	for _, p := range programs() {
		most := 0.0
		for s := 0.0; s < seconds; s += 0.01 {
			most = max(most, p.live(s))
		}
		busy := 0.0
		for s := 0.0; s < seconds; s += 0.01 {
			busy = max(busy, p.rate(s))
		}
		for _, z := range sizers() {
			o := simulate(p, z, seconds)
			t.Logf("%-20s %-14s %v", p.name, z.name, o)
			if o.cycles == 0 && seconds*p.rate(0) > 256*mib {
				t.Errorf("%s, %s: never collected", p.name, z.name)
			}
			// The least room is a sixteenth of what lives, an eighth with Adaptive; so
			// one second's allocation costs at most so much tracing.
			bound := 16 * busy / p.speed
			if z.name != "Fixed(256 MiB)" {
				bound = 0.5
			}
			if s := o.share(); s > bound {
				t.Errorf("%s, %s: %.0f %% of the time in cycles", p.name, z.name, 100*s)
			}
			if bound := 9*max(most, MinThreshold) + 256*mib + busy/100; o.peak > bound {
				t.Errorf("%s, %s: peak of %.0f MiB with at most %.0f live", p.name, z.name, o.peak/mib, most/mib)
			}
		}
	}
}

// TestSquareRootLaw runs heaps of many sizes and rates with one c. The extra room
// of each is as the square root of live * rate / speed.
func TestSquareRootLaw(t *testing.T) {
	for _, c := range []float64{0.25, 0.5, 1} {
		for _, live := range []float64{16 * mib, 64 * mib, 256 * mib} {
			for _, rate := range []float64{10 * mib, 40 * mib, 160 * mib} {
				for _, speed := range []float64{200 * mib, gib} {
					want := c * math.Sqrt(Exchange*live*rate/speed)
					if want < live/7 || want > 7*live {
						continue // beyond what Adaptive allows
					}
					o := simulate(program{"", constant(live), constant(rate), speed, 0}, adapting(c), 60)
					if math.Abs(o.extra-want) > 0.05*want {
						t.Errorf("c %v, %.0f MiB live, %.0f MiB/s, traced at %.0f MiB/s: extra room of %.1f MiB, want %.1f",
							c, live/mib, rate/mib, speed/mib, o.extra/mib, want/mib)
					}
					// Which is the same as: as much memory as the share of time is worth.
					if worth := o.collecting / o.running * c * c * Exchange; o.cycles > 10 && math.Abs(o.extra-worth) > 0.15*worth {
						t.Errorf("c %v, %.0f MiB live, %.0f MiB/s: extra room of %.1f MiB where %.1f are worth the time",
							c, live/mib, rate/mib, o.extra/mib, worth/mib)
					}
				}
			}
		}
	}
}

// TestMonotonic: more c is more memory and less time.
func TestMonotonic(t *testing.T) {
	for _, p := range programs() {
		before := simulate(p, adapting(0.125), 30)
		for _, c := range []float64{0.25, 0.5, 1, 2, 4} {
			o := simulate(p, adapting(c), 30)
			if o.collecting > before.collecting*1.02+0.01 {
				t.Errorf("%s: %.3f s in cycles with c %v, and %.3f with half of it", p.name, o.collecting, c, before.collecting)
			}
			if o.mean < before.mean*0.98 {
				t.Errorf("%s: %.1f MiB on average with c %v, and %.1f with half of it", p.name, o.mean/mib, c, before.mean/mib)
			}
			before = o
		}
	}
}

// TestTogether is why Adaptive exists: several heaps that take as much memory
// together as with GrowBy spend less time in cycles.
func TestTogether(t *testing.T) {
	steady := programs()[:4]
	total := func(z sizer) (sum outcome) {
		for _, p := range steady {
			o := simulate(p, z, 60)
			sum.mean += o.mean
			sum.collecting += o.collecting
			sum.running += o.running
			sum.cycles += o.cycles
		}
		return sum
	}
	for _, factor := range []float64{1.5, 2} {
		grown := total(growing(factor))
		low, high := 0.01, 10.0
		for range 20 {
			c := math.Sqrt(low * high)
			if total(adapting(c)).mean < grown.mean {
				low = c
			} else {
				high = c
			}
		}
		adapted := total(adapting(low))
		t.Logf("GrowBy(%v): %v", factor, grown)
		t.Logf("Adaptive(%.2f): %v", low, adapted)
		if adapted.mean > grown.mean*1.01 || adapted.collecting > 0.8*grown.collecting {
			t.Errorf("Adaptive(%.2f) takes %.0f MiB and %.2f s in cycles, GrowBy(%v) %.0f MiB and %.2f s",
				low, adapted.mean/mib, adapted.collecting, factor, grown.mean/mib, grown.collecting)
		}
	}
}

// TestFades: a burst of allocation is forgotten.
func TestFades(t *testing.T) {
	burst := program{"", constant(64 * mib), func(s float64) float64 {
		if s < 10 {
			return gib
		}
		return 30 * mib
	}, gib, 0}
	lazy := program{"", constant(64 * mib), constant(30 * mib), gib, 0}
	b, l := simulate(burst, adapting(1), 300), simulate(lazy, adapting(1), 300)
	if math.Abs(b.extra-l.extra) > 0.01*l.extra {
		t.Errorf("extra room of %.1f MiB long after a burst, and %.1f without one", b.extra/mib, l.extra/mib)
	}
}

// TestNearTheLimit: a program that does not fit is refused soon, one that fits
// never, whatever the sizer and however slow the machine.
func TestNearTheLimit(t *testing.T) {
	const limit = 256 * mib
	for _, c := range []struct {
		name string
		live func(s float64) float64
		rate float64 // relative to the speed of tracing
		fits bool
	}{
		{"half full", constant(limit / 2), 1, true},
		{"nearly full", constant(limit * 0.95), 1, true},
		{"full, and lazy", constant(limit * 0.99), 0.005, true},
		{"full, and busy", constant(limit * 0.995), 0.5, false},
		{"grows beyond", func(s float64) float64 { return limit/2 + 20*mib*s }, 0.5, false},
		{"full for a moment", func(s float64) float64 {
			if math.Mod(s, 5) < 0.1 {
				return limit * 0.99
			}
			return limit / 2
		}, 0.1, true},
	} {
		for _, speed := range []float64{50 * mib, gib} {
			for _, z := range sizers() {
				p := program{c.name, c.live, constant(c.rate * speed), speed, limit}
				o := simulate(p, z, 30)
				t.Logf("%-20s %-14s %v", p.name, z.name, o)
				if o.refused == c.fits {
					t.Errorf("%s, %s, traced at %.0f MiB/s: refused: %v", p.name, z.name, speed/mib, o.refused)
				}
				if o.peak > limit+c.rate*speed/1000 && c.fits {
					t.Errorf("%s, %s: peak of %.0f MiB", p.name, z.name, o.peak/mib)
				}
			}
		}
	}
}
