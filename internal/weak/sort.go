package weak

import (
	"slices"

	"github.com/midden-gc/midden/internal/object"
)

// sortWords sorts: many words by their bytes, the lowest first, which takes time
// linear in their number.
func sortWords(ws []object.Word) {
	const many = 1 << 10
	if len(ws) < many {
		slices.Sort(ws)
		return
	}
	from, to := ws, make([]object.Word, len(ws))
	for shift := 0; shift < 8*object.WordSize; shift += 8 {
		var place [256]int
		for _, w := range from {
			place[byte(w>>shift)]++
		}
		sum := 0
		for b, n := range place {
			place[b] = sum
			sum += n
		}
		for _, w := range from {
			b := byte(w >> shift)
			to[place[b]] = w
			place[b]++
		}
		from, to = to, from
	}
	// After an even number of turns the result lies where it came from.
}
