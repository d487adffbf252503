package middentest

import (
	"testing"

	"github.com/midden-gc/midden"
)

// A node is the object of most tests: a number and two references.
type node struct {
	ID          int64
	Next, Other nodeField
}

// These aliases keep declarations of test types short.
type (
	nodeRef   = midden.Ref[node]
	nodeField = midden.Field[node]
	nodeArray = midden.Array[midden.Field[node]]
)

func newNode(m *midden.Mutator, id int64) nodeRef {
	return midden.Alloc(m, node{ID: id})
}

// newList allocates a list of the nodes 1 to n, without a safepoint.
func newList(m *midden.Mutator, n int) nodeRef {
	var head nodeRef
	for id := n; id > 0; id-- {
		head = midden.Alloc(m, node{ID: int64(id), Next: midden.FieldOf(head)})
	}
	return head
}

// checkList fails the test unless r is the list that newList made.
func checkList(t *testing.T, what string, r nodeRef, n int) {
	t.Helper()
	for id := 1; id <= n; id++ {
		if r.IsNil() {
			t.Fatalf("%s: the list ends before node %d of %d", what, id, n)
		}
		if got := r.Get().ID; got != int64(id) {
			t.Fatalf("%s: node %d of %d has ID %d", what, id, n, got)
		}
		r = r.Get().Next.Load()
	}
	if !r.IsNil() {
		t.Fatalf("%s: the list goes on after its last node %d", what, n)
	}
}

// checkNode fails the test unless r is a node with this ID.
func checkNode(t *testing.T, what string, r nodeRef, id int64) {
	if r.IsNil() {
		t.Helper() // dear, and many tests call this in loops
		t.Fatalf("%s: nil, want node %d", what, id)
	}
	if got := r.Get().ID; got != id {
		t.Helper()
		t.Fatalf("%s: node %d, want node %d", what, got, id)
	}
}

// litter allocates garbage, so that memory that was freed wrongly is overwritten.
func litter(m *midden.Mutator, n int) {
	for i := range n {
		midden.Alloc(m, node{ID: -1})
		if i%16 == 0 {
			midden.NewString(m, "garbage garbage garbage garbage garbage garbage")
		}
	}
}
