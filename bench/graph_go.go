package bench

import "sync/atomic"

type goNode struct {
	edges [edges]*goNode
	id    uint64
}

type goNote struct {
	next  *goNote
	about *goNode
	rank  uint64
}

func graphOnGo(p Params) (string, error) {
	all := make([]*goNode, p.Size)

	err := together(p.Mutators, func(i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		for i := lo; i < hi; i++ {
			all[i] = &goNode{id: uint64(i)}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	var answers, sum atomic.Uint64
	err = together(p.Mutators, func(i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		for i := lo; i < hi; i++ {
			for edge, to := range targets(i, len(all)) {
				all[i].edges[edge] = all[to]
			}
		}
		lo, hi = share(requests(p), i, p.Mutators)
		answers.Add(goServe(all, lo, hi))
		return nil
	})
	if err != nil {
		return "", err
	}
	err = together(p.Mutators, func(i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		sum.Add(goSumNodes(all[lo:hi]))
		return nil
	})
	return digest(0).with(answers.Load(), sum.Load()).String(), err
}

func goServe(all []*goNode, lo, hi int) uint64 {
	sum := uint64(0)
	for request := lo; request < hi; request++ {
		about := all[subject(request, len(all))]
		var notes *goNote
		for rank := range uint64(notesPerRequest) {
			notes = &goNote{notes, about, rank}
		}
		for n := notes; n != nil; n = n.next {
			sum += n.rank ^ n.about.id
		}
	}
	return sum
}

func goSumNodes(part []*goNode) uint64 {
	sum := uint64(0)
	for _, n := range part {
		d := digest(0).with(n.id)
		for _, to := range n.edges {
			d = d.with(to.id)
		}
		sum += uint64(d)
	}
	return sum
}
