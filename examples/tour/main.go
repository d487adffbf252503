// Tour shows in one small program how a midden heap is used. It counts the words
// of a text in a search tree, and another goroutine reads the tree.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/midden-gc/midden"
)

const text = `what is old and broken
goes on the midden and
what is new goes on the table`

// Objects hold numbers, bools, arrays and structs of these, and Fields, which
// refer to other objects. Strings and slices of Go are refused: text lies in a
// midden.String, a row of elements in a midden.Array.
type node struct {
	word        midden.Field[midden.String]
	count       int
	left, right midden.Field[node]
}

type tree struct{ root midden.Field[node] }

// add counts a word. There is no safepoint in it, so references and pointers may
// be kept in plain variables.
func add(m *midden.Mutator, t *tree, word string) {
	at := &t.root
	for n := at.Get(); n != nil; n = at.Get() {
		switch c := strings.Compare(word, n.word.Get().View()); {
		case c < 0:
			at = &n.left
		case c > 0:
			at = &n.right
		default:
			n.count++ // what is not a slot is written as usual
			return
		}
	}
	// A new object is filled with FieldOf; a slot of an old one is written with Store.
	n := midden.Alloc(m, node{word: midden.FieldOf(midden.NewString(m, word)), count: 1})
	at.Store(m, n)
}

// room is what the words cost at most.
func room(words []string) (bytes int64) {
	for _, w := range words {
		bytes += midden.SizeOf[node]() + midden.StringSize(len(w))
	}
	return bytes
}

func list(out io.Writer, n *node) {
	if n != nil {
		list(out, n.left.Get())
		fmt.Fprintln(out, n.count, n.word.Get())
		list(out, n.right.Get())
	}
}

func run(out io.Writer) error {
	// A heap of at most 64 MiB, and this goroutine's licence to use it.
	h, err := midden.NewHeap(&midden.Options{Limit: 64 << 20})
	if err != nil {
		return err
	}
	defer h.Close()
	m := h.NewMutator()
	defer m.Close()

	// A Local is a root: the tree lives as long as the scope is open.
	scope := m.Scope()
	defer scope.Close()
	words := midden.NewLocal(m, midden.New[tree](m))

	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		// Reserve is a safepoint: here a collection may happen. After it, so much
		// can be allocated; else this is where the program hears of it.
		if err := m.Reserve(room(fields)); err != nil {
			return err
		}
		for _, w := range fields {
			add(m, words.Ptr(), w)
		}
	}

	// A Handle is a root that any goroutine can use, with a mutator of its own.
	shared := midden.NewHandle(m, words.Get())
	reader := m.NewMutator()
	counts := make(chan string)
	go func() {
		var b strings.Builder
		list(&b, shared.Get(reader).Get().root.Get())
		reader.Close()
		counts <- b.String()
	}()
	// A mutator whose goroutine waits is frozen, so that no collection waits for it.
	m.Blocking(func() { fmt.Fprint(out, <-counts) })

	// What no root leads to is freed by the next collection.
	words.Set(midden.Nil[tree]())
	shared.Release()
	if err := m.Collect(midden.KindFull); err != nil {
		return err
	}
	fmt.Fprintln(out, "live bytes:", h.Stats().Live)
	return nil
}

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
