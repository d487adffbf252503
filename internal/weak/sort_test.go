package weak

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/midden-gc/midden/internal/object"
)

func TestSortWords(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 1000, 1023, 1024, 5000, 100_000} {
		ws := make([]object.Word, n)
		for i := range ws {
			ws[i] = object.Word(random.Uint32() >> random.IntN(32))
		}
		want := slices.Clone(ws)
		slices.Sort(want)
		if sortWords(ws); !slices.Equal(ws, want) {
			t.Errorf("%d words are not sorted", n)
		}
	}
}
