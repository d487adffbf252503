package bench

import (
	"math/rand/v2"
	"sync/atomic"

	"github.com/midden-gc/midden"
)

// A graph whose nodes are linked at random stays alive while requests come and
// go, each of which makes a hundred small objects about one node and drops them.
// A collector that traces the graph again and again loses its time there: nearly
// every edge leads to memory that no cache holds.
//
// All mutators build one graph, each a part of the nodes, and then link their
// nodes to anyone's. The nodes hang in an array behind a Handle; requests need no
// root beside it, since they end before the next safepoint.
var graph = Workload{
	Name:        "graph",
	About:       "nodes linked at random that live, under requests that make garbage",
	SizeIs:      "the number of nodes",
	DefaultSize: 2_000_000,
	MaxSize:     500_000_000,
	onGo:        graphOnGo,
	onMidden:    graphOnMidden,
}

const (
	edges           = 3
	requestsPerNode = 0.2
	notesPerRequest = 100
	nodesPerStop    = 1024 // a safepoint after so many nodes: some microseconds
)

func requests(p Params) int { return max(int(float64(p.Size)*requestsPerNode), 1) }

type node struct {
	edges [edges]midden.Field[node]
	id    uint64
}

// A note is what a request writes down about a node.
type note struct {
	next  midden.Field[note]
	about midden.Field[node]
	rank  uint64
}

type nodes = midden.Array[midden.Field[node]]

var (
	nodeType = midden.TypeFor[node]()
	noteType = midden.TypeFor[note]()
)

func graphOnMidden(m *midden.Mutator, p Params) (string, error) {
	all := midden.NewHandle(m, midden.NewArray[midden.Field[node]](m, p.Size))
	defer all.Release()

	err := withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		makeNodes(m, all, lo, hi)
		return nil
	})
	if err != nil {
		return "", err
	}
	var answers, sum atomic.Uint64
	err = withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		linkNodes(m, all, lo, hi)
		lo, hi = share(requests(p), i, p.Mutators)
		answers.Add(serve(m, all, lo, hi))
		return nil
	})
	if err != nil {
		return "", err
	}
	err = withMutators(m, p.Mutators, func(m *midden.Mutator, i int) error {
		lo, hi := share(p.Size, i, p.Mutators)
		sum.Add(sumNodes(m, all, lo, hi))
		return nil
	})
	return digest(0).with(answers.Load(), sum.Load()).String(), err
}

// makeNodes fills the places from lo to below hi.
func makeNodes(m *midden.Mutator, all *midden.Handle[nodes], lo, hi int) {
	for start := lo; start < hi; start += nodesPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+nodesPerStop, hi); i++ {
			places.At(i).Store(m, nodeType.Alloc(m, node{id: uint64(i)}))
		}
		m.Safepoint()
	}
}

// linkNodes draws the edges of the nodes from lo to below hi.
func linkNodes(m *midden.Mutator, all *midden.Handle[nodes], lo, hi int) {
	for start := lo; start < hi; start += nodesPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+nodesPerStop, hi); i++ {
			from := places.At(i).Get()
			for edge, to := range targets(i, places.Len()) {
				from.edges[edge].Store(m, places.At(to).Load())
			}
		}
		m.Safepoint()
	}
}

// serve answers the requests from lo to below hi and returns the sum of the answers.
func serve(m *midden.Mutator, all *midden.Handle[nodes], lo, hi int) uint64 {
	sum := uint64(0)
	for request := lo; request < hi; request++ {
		places := all.Get(m).Get()
		about := places.At(subject(request, places.Len())).Load()
		var notes midden.Ref[note]
		for rank := range uint64(notesPerRequest) {
			notes = noteType.Alloc(m, note{midden.FieldOf(notes), midden.FieldOf(about), rank})
		}
		for n := notes.Get(); n != nil; n = n.next.Get() {
			sum += n.rank ^ n.about.Get().id
		}
		m.Safepoint()
	}
	return sum
}

// sumNodes adds up the digests of the nodes from lo to below hi and of their edges.
func sumNodes(m *midden.Mutator, all *midden.Handle[nodes], lo, hi int) uint64 {
	sum := uint64(0)
	for start := lo; start < hi; start += nodesPerStop {
		places := all.Get(m).Get()
		for i := start; i < min(start+nodesPerStop, hi); i++ {
			n := places.At(i).Get()
			d := digest(0).with(n.id)
			for edge := range n.edges {
				d = d.with(n.edges[edge].Get().id)
			}
			sum += uint64(d)
		}
		m.Safepoint()
	}
	return sum
}

// targets says to which nodes of so many the edges of node i lead.
func targets(i, nodes int) (to [edges]int) {
	random := rand.NewPCG(uint64(i), 1)
	for edge := range to {
		to[edge] = int(random.Uint64() % uint64(nodes))
	}
	return to
}

// subject says about which node of so many a request is.
func subject(request, nodes int) int {
	return int(rand.NewPCG(uint64(request), 2).Uint64() % uint64(nodes))
}
