package bench

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// A store of records of mixed sizes, from 16 bytes to 8 KiB, lives through waves in
// which records die at random and others come. Then nine in ten die, and what is
// left lies scattered over all the memory that there was. The heap is asked to
// compact itself, and the store grows again, by larger records that the gaps
// between old ones do not hold. Memory that is held and not used shows in the peak.
//
// All mutators share the store, an array behind a Handle, and each works on a part
// of it. What happens to a place is a matter of its number and the wave, so that
// the result is the same for any number of mutators.
var fragment = Workload{
	Name:        "fragment",
	About:       "records of mixed sizes that die at random, until few are left",
	SizeIs:      "the number of places for records",
	DefaultSize: 300_000,
	MaxSize:     500_000_000,
	onGo:        fragmentOnGo,
	onMidden:    fragmentOnMidden,
}

const (
	waves         = 8
	placesPerStop = 128 // a safepoint after so many places
)

// A fate is what a wave does to the record in one place.
type fate struct {
	dies   bool
	words  int // of the record that comes instead, 0 for none
	random *rand.PCG
}

// fateOf returns what wave, counted from 0, does to place i. The last wave but one
// is the great dying, and the last one brings larger records.
func fateOf(i, wave int) fate {
	f := fate{random: rand.NewPCG(uint64(i), uint64(wave))}
	luck := f.random.Uint64() % 100
	switch wave {
	case waves - 2:
		f.dies = luck >= 10
	case waves - 1:
		if luck < 5 {
			f.dies, f.words = true, 200+int(f.random.Uint64()%800)
		}
	default:
		f.dies = luck < 60 || wave == 0
		if luck < 50 || wave == 0 {
			f.words = recordWords(f.random.Uint64())
		}
	}
	return f
}

// recordWords draws a size: half of the records have 1 to 2 words, a quarter 2 to 4, and
// so on, so that each class has about the same number of bytes.
func recordWords(random uint64) int {
	class := min(bits.TrailingZeros64(random|1<<9), 9)
	return 1<<class + int(random>>16)%(1<<class)
}

type words = midden.Array[uint64]

// A document is what a place of the store has.
type document struct {
	id   uint64
	text midden.Field[words]
}

type store = midden.Array[midden.Field[document]]

var documentType = midden.TypeFor[document]()

func fragmentOnMidden(m *midden.Mutator, p Params) (string, error) {
	all := midden.NewHandle(m, midden.NewArray[midden.Field[document]](m, p.Size))
	defer all.Release()

	var sums [2]atomic.Uint64
	for life, last := range []int{waves - 1, waves} {
		err := withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
			lo, hi := share(p.Size, i, p.Mutators)
			for wave := life * (waves - 1); wave < last; wave++ {
				fragmentWave(m, all, lo, hi, wave)
			}
			sums[life].Add(sumDocuments(m, all, lo, hi))
			return nil
		})
		if err != nil {
			return "", err
		}
		if life == 0 {
			if err := m.Collect(midden.KindCompact); err != nil {
				return "", err
			}
		}
	}
	return digest(0).with(sums[0].Load(), sums[1].Load()).String(), nil
}

// fragmentWave lets a wave go over the places from lo to below hi.
func fragmentWave(m *midden.Mutator, all *midden.Handle[store], lo, hi, wave int) {
	for start := lo; start < hi; start += placesPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+placesPerStop, hi); i++ {
			f := fateOf(i, wave)
			if f.dies {
				places.At(i).Store(m, midden.Nil[document]())
			}
			if f.words > 0 {
				text := midden.NewArray[uint64](m, f.words)
				write64(text.Get().Slice(), f.random)
				places.At(i).Store(m, documentType.Alloc(m, document{uint64(i), midden.FieldOf(text)}))
			}
		}
		m.Safepoint()
	}
}

// write64 fills a text.
func write64(text []uint64, random *rand.PCG) {
	first := random.Uint64()
	for i := range text {
		text[i] = first + uint64(i)
	}
}

// sumDocuments adds up the digests of what is in the places from lo to below hi.
func sumDocuments(m *midden.Mutator, all *midden.Handle[store], lo, hi int) uint64 {
	sum := uint64(0)
	for start := lo; start < hi; start += placesPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+placesPerStop, hi); i++ {
			if d := places.At(i).Get(); d != nil {
				sum += uint64(digest(0).with(d.id).with(d.text.Get().Slice()...))
			}
		}
		m.Safepoint()
	}
	return sum
}
