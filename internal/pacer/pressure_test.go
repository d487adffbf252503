package pacer

import "testing"

func TestPressure(t *testing.T) {
	for _, c := range []struct {
		name        string
		level       int
		live, limit int64
		want        int
	}{
		{"no limit", 0, 1 << 40, 0, 0},
		{"far", 0, 500, 1024, 0},
		{"just below", 0, 767, 1024, 0},
		{"three quarters", 0, 768, 1024, 1},
		{"seven eighths", 0, 896, 1024, 2},
		{"fifteen sixteenths", 1, 960, 1024, 3},
		{"no higher than 5", 0, 1024, 1024, 5},
		{"beyond", 0, 4000, 1024, 5},
		{"stays", 1, 700, 1024, 1},
		{"falls", 1, 639, 1024, 0},
		{"stays at 2", 2, 840, 1024, 2},
		{"falls by one", 2, 831, 1024, 1},
		{"falls at once", 5, 0, 1024, 0},
	} {
		if got := Pressure(c.level, c.live, c.limit); got != c.want {
			t.Errorf("%s: Pressure(%d, %d, %d) = %d, want %d", c.name, c.level, c.live, c.limit, got, c.want)
		}
	}
}

// TestPressureSettles checks that what it says, it says again.
func TestPressureSettles(t *testing.T) {
	for limit := int64(1); limit < 5000; limit = limit*3/2 + 1 {
		for live := int64(0); live <= limit+10; live++ {
			for level := range maxPressure + 1 {
				once := Pressure(level, live, limit)
				if twice := Pressure(once, live, limit); twice != once {
					t.Fatalf("Pressure(%d, %d, %d) = %d, and then %d", level, live, limit, once, twice)
				}
			}
		}
	}
}
