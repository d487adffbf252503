package bench

import (
	"runtime/debug"
	"sync/atomic"
)

type goDocument struct {
	id   uint64
	text []uint64
}

func fragmentOnGo(p Params) (string, error) {
	all := make([]*goDocument, p.Size)

	var sums [2]atomic.Uint64
	for life, last := range []int{waves - 1, waves} {
		err := together(p.Mutators, func(i int) error {
			lo, hi := share(p.Size, i, p.Mutators)
			for wave := life * (waves - 1); wave < last; wave++ {
				goFragmentWave(all, lo, hi, wave)
			}
			sums[life].Add(goSumDocuments(all[lo:hi]))
			return nil
		})
		if err != nil {
			return "", err
		}
		if life == 0 {
			debug.FreeOSMemory()
		}
	}
	return digest(0).with(sums[0].Load(), sums[1].Load()).String(), nil
}

func goFragmentWave(all []*goDocument, lo, hi, wave int) {
	for i := lo; i < hi; i++ {
		f := fateOf(i, wave)
		if f.dies {
			all[i] = nil
		}
		if f.words > 0 {
			text := make([]uint64, f.words)
			write64(text, f.random)
			all[i] = &goDocument{uint64(i), text}
		}
	}
}

func goSumDocuments(part []*goDocument) uint64 {
	sum := uint64(0)
	for _, d := range part {
		if d != nil {
			sum += uint64(digest(0).with(d.id).with(d.text...))
		}
	}
	return sum
}
