package pacer

import "testing"

func TestNursery(t *testing.T) {
	const kib = 1 << 10
	for _, c := range []struct {
		name                     string
		now, allocated, survived int64
		want                     int64
	}{
		{"most survive", 512 * kib, 512 * kib, 400 * kib, 1024 * kib},
		{"just enough survive", 512 * kib, 512 * kib, 129 * kib, 1024 * kib},
		{"some survive", 512 * kib, 512 * kib, 64 * kib, 512 * kib},
		{"few survive", 512 * kib, 512 * kib, 15 * kib, 256 * kib},
		{"large, and few survive", 2048 * kib, 2048 * kib, 120 * kib, 1024 * kib},
		{"large, and some survive", 2048 * kib, 2048 * kib, 200 * kib, 2048 * kib},
		{"never too large", maxNursery, maxNursery, maxNursery, maxNursery},
		{"never too small", minNursery, minNursery, 0, minNursery},
		{"a cycle that came early", 512 * kib, 100 * kib, 100 * kib, 512 * kib},
		{"less than before", 512 * kib, 512 * kib, -100, 256 * kib},
	} {
		if got := Nursery(c.now, c.allocated, c.survived); got != c.want {
			t.Errorf("%s: Nursery = %d KiB, want %d", c.name, got/kib, c.want/kib)
		}
	}
}

func TestPlan(t *testing.T) {
	const kib = 1 << 10
	for _, c := range []struct {
		name                 string
		room, after, nursery int64
		want                 int64
		minor                bool
	}{
		{"plenty", 10_000 * kib, 20_000 * kib, 512 * kib, 512 * kib, true},
		{"room for one and a half", 768 * kib, 20_000 * kib, 512 * kib, 384 * kib, true},
		{"the least", 256 * kib, 20_000 * kib, 512 * kib, 128 * kib, true},
		{"little is left of much", 255 * kib, 20_000 * kib, 512 * kib, 255 * kib, false},
		{"little is left of little", 255 * kib, 300 * kib, 512 * kib, 255 * kib / 2, true},
		{"half of little", 150 * kib, 300 * kib, 512 * kib, 75 * kib, true},
		{"the rest of little", 149 * kib, 300 * kib, 512 * kib, 149 * kib, false},
		{"hardly anything", 60 * kib, 60 * kib, 512 * kib, 60 * kib, false},
		{"nothing", 0, 0, 512 * kib, 0, false},
	} {
		if got, minor := Plan(c.room, c.after, c.nursery); got != c.want || minor != c.minor {
			t.Errorf("%s: Plan = %d, %v, want %d, %v", c.name, got, minor, c.want, c.minor)
		}
	}
}

// TestPlanEnds runs minor cycles until a full one is wanted: if everything
// survives that is soon, and the room is never passed.
func TestPlanEnds(t *testing.T) {
	for _, after := range []int64{100, 64 << 10, 1 << 20, 100 << 20} {
		room := after
		for n := 0; ; n++ {
			bytes, minor := Plan(room, after, 512<<10)
			if bytes < 0 || bytes > room {
				t.Fatalf("room %d: a plan for %d bytes", room, bytes)
			}
			if !minor {
				break
			}
			if bytes < leastNursery {
				t.Fatalf("room %d: a minor cycle after %d bytes", room, bytes)
			}
			if n > 300 {
				t.Fatalf("room %d after a full cycle with %d: still no other", room, after)
			}
			room -= bytes
		}
		if room > max(after/2, 256<<10) {
			t.Errorf("a full cycle is wanted with %d of %d bytes of room left", room, after)
		}
	}
}
