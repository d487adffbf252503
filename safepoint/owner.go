package safepoint

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Which goroutine uses a context? None says so: a freeze, an unfreeze and a poll
// leave no name. What is known is who created it, and who was seen at its latest
// slow step. The functions here make the best of that, for reports. They may be
// wrong, and the report says when they guess.

// Here notes that the calling goroutine uses the context, which reports about
// stragglers then know. It is for slow steps of the embedder, such as the refill of
// a buffer: it costs two loads where the goroutine is known already, and else some
// microseconds, up to ten times in a second. Only the owner of an active context
// may call it.
func (c *Context) Here() {
	m := c.m
	if m.firm() && m.known() {
		return
	}
	if last := m.stamped.Load(); last != 0 && int64(since(m.created))-last <= int64(restamp) {
		return
	}
	m.stamp()
}

// known reports whether the goroutine on record has used the context, and not
// merely made it for somebody else.
func (m *member) known() bool { return !m.child || m.stamped.Load() != 0 }

// marks returns what stack traces show of functions that were given the context,
// or its data: their addresses.
func (m *member) marks() (list []string) {
	if c := m.context.Value(); c != nil {
		list = append(list, fmt.Sprintf("%p", c))
	}
	if at := m.dataAt.Load(); at != 0 {
		list = append(list, fmt.Sprintf("%#x", at))
	}
	return list
}

// noteData remembers where the data of a context lies.
func (m *member) noteData(data any) {
	var at uint64
	if v := reflect.ValueOf(data); v.Kind() == reflect.Pointer {
		at = uint64(v.Pointer())
	}
	m.dataAt.Store(at)
}

// owner finds the goroutine that uses the context among all of a program, of which
// the first is the caller's own. It returns nil if there is none.
//
// Where the one on record may be wrong, it is the one whose stack shows the context
// as an argument. If none does, and the context was made by another one's owner,
// for a goroutine yet to start: the one that this one has started, apart from
// those that use other contexts.
func (m *member) owner(all []trace, others map[uint64]bool) (t *trace, guessed bool) {
	id := m.goroutine.Load()
	var recorded *trace
	var shows, started []*trace
	marks := m.marks()
	for i := range all {
		t := &all[i]
		if t.id == id {
			recorded = t
		}
		if i == 0 || others[t.id] || t.stopped() {
			continue
		}
		if t.shows(marks) {
			shows = append(shows, t)
		}
		if t.startedBy() == id {
			started = append(started, t)
		}
	}
	switch {
	case recorded != nil && m.firm() && m.known():
		return recorded, false
	case len(shows) == 1:
		return shows[0], true
	case m.child && !m.known() && len(started) == 1:
		return started[0], true
	}
	return recorded, recorded != nil
}

// stopped reports whether the goroutine stands still in this package.
func (t *trace) stopped() bool {
	return t.has(inside+"(*Context).park", inside+"(*World).reach", inside+"(*World).await")
}

// shows reports whether one of the addresses is an argument on the stack.
func (t *trace) shows(addresses []string) bool {
	for call := range t.calls {
		for _, a := range addresses {
			_, rest, ok := strings.Cut(call, a)
			if ok && (rest == "" || !strings.ContainsAny(rest[:1], "0123456789abcdef")) {
				return true
			}
		}
	}
	return false
}

// startedBy returns the goroutine that started this one, 0 if that is not known.
func (t *trace) startedBy() uint64 {
	_, rest, _ := strings.Cut(t.text, "\ncreated by ")
	line, _, _ := strings.Cut(rest, "\n")
	_, id, _ := strings.Cut(line, " in goroutine ")
	n, _ := strconv.ParseUint(id, 10, 64)
	return n
}
