package middentest_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/midden-gc/midden/collector"
	"github.com/midden-gc/midden/middentest"
)

// programs are programs drawn at random, the same in every run, under each of some options.
func programs(n, length int) (all [][]byte) {
	random := rand.New(rand.NewPCG(1, uint64(length)))
	for i := range n {
		p := make([]byte, length)
		for j := range p {
			p[j] = byte(random.Uint32())
		}
		// Plain, stressed, and three at once, alternately; the other bits by chance.
		p[0] = p[0]&^0x4f | []byte{0x00, 0x0f, 0x40, 0x4e, 0x02, 0x06}[i%6]
		all = append(all, p)
	}
	return all
}

func TestModel(t *testing.T) {
	n := 120
	if middentest.RaceEnabled {
		n = 18
	}
	if testing.Short() {
		n = 12
	}
	withEach(t, func(t *testing.T, newCollector func() collector.Collector) {
		for i, p := range append(programs(n, 300), programs(n/3, 4000)...) {
			t.Run(fmt.Sprint(i), func(t *testing.T) { middentest.Model(t, newCollector, p) })
		}
	})
}

// FuzzModel is best run with -fuzzminimizetime 10x: what a program covers depends a little on the
// scheduler, and Go would spend most of its time on minimizing what it then cannot reproduce.
func FuzzModel(f *testing.F) {
	for _, p := range append(programs(12, 200), programs(3, 1000)...) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) > 4000 {
			t.Skip("long programs find nothing that short ones do not")
		}
		for _, c := range collectors {
			middentest.Model(t, c.new, p)
		}
	})
}
