// Package verify checks a heap after a cycle, with obvious code that shares
// nothing with the collectors: a trace with a map of what it has seen.
package verify

import (
	"fmt"
	"unsafe"

	"github.com/midden-gc/midden/internal/cage"
	"github.com/midden-gc/midden/internal/object"
)

// Config is a heap with the world stopped, just after a cycle.
type Config struct {
	Owner uint32                         // of the heap's blocks
	Roots func(visit func(*object.Word)) // every slot outside the heap
	Epoch uint8                          // the mark that living objects must have; 0: any
	Lines bool                           // the lines of living objects are marked
	Exact bool                           // and no others
	Live  int64                          // bytes the collector counted; compared if Exact
	Full  bool                           // nothing is left to which only weak things refer

	External func(id uint32) bool // whether there is such an external
}

// pageSize is the grain in which large objects count.
const pageSize = 4 << 10

// found is an object to look at, and how it was reached.
type found struct {
	w    object.Word
	from string
}

// Heap returns an error that describes the first thing that is wrong.
func Heap(c Config) error {
	var (
		seen  = map[object.Word]bool{}
		lines = map[uintptr]bool{}
		large int64
		todo  []found
		n     int

		ephemerons []object.Word
		waiting    = map[object.Word][]found{} // values, by the keys that were not seen
		holders    []object.Word               // of whatever is special
	)
	add := func(w object.Word, from string) {
		if w != 0 && !seen[w] {
			seen[w] = true
			todo = append(todo, found{w, from})
		}
	}
	c.Roots(func(w *object.Word) {
		add(*w, fmt.Sprintf("root %d", n))
		n++
	})
	for len(todo) > 0 {
		f := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := c.look(f, lines, &large); err != nil {
			return fmt.Errorf("object %#x, found in %s: %w", f.w, f.from, err)
		}
		payload := cage.At(uintptr(f.w))
		h := *object.HeaderOf(payload)
		name := object.ByID(h.Type()).Name
		for _, v := range waiting[f.w] {
			add(v.w, v.from)
		}
		if special := object.ByID(h.Type()).Scan.Special; special&object.SpecialEphemeron != 0 {
			ephemerons = append(ephemerons, f.w)
			p := object.PairAt(payload)
			if v := (found{p.Value, fmt.Sprintf("%s %#x", name, f.w)}); seen[p.Key] {
				add(v.w, v.from)
			} else if p.Key != 0 {
				waiting[p.Key] = append(waiting[p.Key], v)
			}
		} else if special&(object.SpecialWeak|object.SpecialExternal) != 0 {
			holders = append(holders, f.w)
		}
		object.Each(payload, h, func(w *object.Word) {
			add(*w, fmt.Sprintf("%s %#x", name, f.w))
		})
	}
	if err := c.free(); err != nil {
		return err
	}
	for _, e := range ephemerons {
		if err := c.checkEphemeron(*object.PairAt(cage.At(uintptr(e))), seen); err != nil {
			return fmt.Errorf("ephemeron %#x: %w", e, err)
		}
	}
	for _, w := range holders {
		if err := c.checkHolder(w, seen); err != nil {
			return fmt.Errorf("object %#x: %w", w, err)
		}
	}
	if c.Exact {
		if live := int64(len(lines))*cage.LineSize + large; live != c.Live {
			return fmt.Errorf("the collector counted %d bytes live, and %d are: lines are marked that no living object touches", c.Live, live)
		}
	}
	return nil
}

// free checks the tables for what is free: an object that is allocated where a
// mark was left would be taken for one that was found already.
func (c *Config) free() error {
	for b := cage.Block(1); b < cage.Accessible(); b++ {
		if cage.Owner(b) != c.Owner {
			continue
		}
		for line := b.Line(); line < b.Line()+cage.LinesPerBlock; line++ {
			// Lines and Marks have a byte for each line of the cage.
			if c.Lines && *(*uint8)(unsafe.Add(cage.Lines, line)) == 0 && *(*uint8)(unsafe.Add(cage.Marks, line)) != 0 {
				return fmt.Errorf("line %#x is free, and has the mark of an object", line)
			}
		}
		for i, s := range b.Starts() {
			if s != 0 {
				return fmt.Errorf("in block %#x, word %d of the table of starts is %#x, and no cycle runs", b, i, s)
			}
		}
	}
	return nil
}

func (c *Config) checkEphemeron(p object.Pair, seen map[object.Word]bool) error {
	if p.Key == 0 {
		if p.Value != 0 {
			return fmt.Errorf("it has the value %#x and no key", p.Value)
		}
		return nil
	}
	if err := c.checkWeak(p.Key, seen); err != nil {
		return fmt.Errorf("key %#x: %w", p.Key, err)
	}
	if p.Value != 0 {
		if err := c.checkWeak(p.Value, seen); err != nil {
			return fmt.Errorf("value %#x: %w", p.Value, err)
		}
	}
	return nil
}

// checkHolder checks the weak slots and externals of an object.
func (c *Config) checkHolder(w object.Word, seen map[object.Word]bool) (err error) {
	payload := cage.At(uintptr(w))
	h := *object.HeaderOf(payload)
	object.EachWeak(payload, h, func(slot *object.Word) {
		if *slot != 0 && err == nil {
			if err = c.checkWeak(*slot, seen); err != nil {
				err = fmt.Errorf("weak slot with %#x: %w", *slot, err)
			}
		}
	})
	object.EachExternal(payload, h, func(slot *object.ExternalSlot) {
		if slot.ID != 0 && err == nil && !c.External(slot.ID) {
			err = fmt.Errorf("it has external %d, which was dropped", slot.ID)
		}
	})
	return err
}

// checkWeak checks an object to which something weak refers: that it lives, as
// far as the cycle had to find out, and else that it is still there.
func (c *Config) checkWeak(w object.Word, seen map[object.Word]bool) error {
	switch {
	case seen[w]:
		return nil
	case c.Full:
		return fmt.Errorf("it is dead, and the reference to it was not cleared")
	}
	return c.look(found{w: w}, map[uintptr]bool{}, new(int64))
}

// look checks one object, and notes the lines that it touches.
func (c *Config) look(f found, lines map[uintptr]bool, large *int64) error {
	payload := cage.At(uintptr(f.w))
	if !cage.Contains(payload) {
		return fmt.Errorf("it lies outside the cage")
	}
	if o := cage.Owner(cage.BlockOf(payload)); o != c.Owner {
		return fmt.Errorf("its block belongs to heap %d, not to heap %d", o, c.Owner)
	}
	h := *object.HeaderOf(payload)
	switch {
	case h.Type() == object.Forwarded:
		return fmt.Errorf("it was moved and the reference was not updated: header %#x", uint64(h))
	case object.ByID(h.Type()) == nil:
		return fmt.Errorf("it was freed or overwritten: header %#x has no type", uint64(h))
	case h&object.Key != 0:
		return fmt.Errorf("it is flagged as the key of an ephemeron that waits, and no cycle runs: header %#x", uint64(h))
	case c.Epoch != 0 && h.Mark() != c.Epoch:
		return fmt.Errorf("it lives, and its mark is %d instead of %d: header %#x", h.Mark(), c.Epoch, uint64(h))
	}
	bytes := object.BytesOf(object.Scans(), h)
	start := uintptr(f.w)<<cage.UnitShift - object.HeaderSize
	end := start + bytes
	if h&object.Large != 0 {
		*large += int64((bytes + pageSize - 1) &^ (pageSize - 1))
	} else if start>>cage.BlockShift != (end-1)>>cage.BlockShift {
		return fmt.Errorf("its %d bytes reach past its block: header %#x", bytes, uint64(h))
	}
	if !c.Lines {
		return nil
	}
	if h&object.Large != 0 && !object.ByID(h.Type()).HasSlots() {
		end = start + 1 // it marks its first line only
	}
	for line := start >> cage.LineShift; line <= (end-1)>>cage.LineShift; line++ {
		// Lines is the cage's table, a byte for each line of the cage.
		if *(*uint8)(unsafe.Add(cage.Lines, line)) == 0 {
			return fmt.Errorf("it touches line %#x, which is not marked", line)
		}
		if h&object.Large == 0 {
			lines[line] = true
		}
	}
	return nil
}
