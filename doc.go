// Package midden is a garbage-collected heap beside Go's own.
//
// A midden is a refuse heap. This one holds objects that refer to each other, in
// memory that Go's collector never looks at, and frees those that can no longer
// be reached. It is for programs that have millions of such objects, and pay for
// each of them in every collection of Go's; and for languages and virtual
// machines written in Go, which need a heap for each script, with a limit that
// holds.
//
// The price is a few rules, which the compiler cannot check. This page has them
// all.
//
// # A first look
//
//	type node struct {
//		value int
//		next  midden.Field[node]
//	}
//
//	func sum(h *midden.Heap, n int) (total int) {
//		m := h.NewMutator()
//		defer m.Close()
//		scope := m.Scope()
//		defer scope.Close()
//
//		list := midden.NewLocal(m, midden.Nil[node]())
//		for i := range n {
//			list.Set(midden.Alloc(m, node{value: i, next: midden.FieldOf(list.Get())}))
//			m.Safepoint() // a collection may happen here, and nowhere else
//		}
//		for e := list.Ptr(); e != nil; e = e.next.Get() {
//			total += e.value
//		}
//		return total
//	}
//
// A [Heap] comes from [NewHeap]. A [Mutator] is a goroutine's licence to use it.
// A [Ref] refers to an object; a [Field] is a place inside an object that holds
// one. A [Local] is a variable that the collector knows, a root: what a root
// refers to lives, and so does whatever can be reached from there.
//
// # The rules
//
// Heaps. Make one with [NewHeap] and end it with [Heap.Close], which gives all its
// memory back whatever lives there. Heaps have nothing to do with each other: a
// collection of one does not stop another, and a reference into one must not be
// stored in another.
//
// Mutators. Every goroutine that touches a heap holds a mutator of its own. It
// opens it with [Heap.NewMutator], or is given one that another mutator opened
// with [Mutator.NewMutator]; a goroutine that has an active mutator of the heap
// must use the latter. A mutator may change hands but is never used by two
// goroutines at once, and whoever has it in the end calls [Mutator.Close].
//
// Safepoints. A collection happens when all mutators have stopped, and a mutator
// stops only at a safepoint. These are [Mutator.Safepoint], the functions
// [Safepoint], [Safepoint2] and [Safepoint3], [Mutator.Collect], [Mutator.Reserve],
// [Mutator.Lock] and [Mutator.RLock]. Allocation is none: it never collects and never waits. So a
// loop that allocates, or runs for long, needs a safepoint in it: without one the
// heap only grows, and every other mutator waits when one of them wants to
// collect.
//
// References. Between two safepoints a Ref may be held in any variable, passed
// and returned, with no ceremony. The next safepoint of its mutator ends it: its
// object may be gone, or lie elsewhere. The same holds for the pointers that
// [Ref.Get], [Field.Get] and [Local.Ptr] return, for views ([Array.Slice],
// [Array.At], [String.View]), and for the time that a mutator spends frozen.
//
// Roots. What must survive a safepoint is rooted, in one of these ways:
//
//   - A [Local] lives on the mutator's shadow stack, until the [Scope] closes in
//     which it was made. It is for functions.
//   - The functions [Safepoint], [Safepoint2] and [Safepoint3] take references to
//     the other side of one safepoint. They are for loops.
//   - A [Field] of an object that lives keeps what it refers to.
//   - A [Handle] belongs to the heap and may be kept anywhere in Go's memory. It is
//     for what goroutines share and for what Go objects own.
//   - A [Tracer] is root storage of the program's own, such as the stack of a
//     virtual machine: a function that shows every reference in it. It is given
//     to [Mutator.AddRoots] or [Heap.AddRoots].
//
// Slots. A slot of an object that exists, a Field, an [AnyField] or a [ValueField], is written
// with Store or its atomic forms, or as part of a whole with [Assign] and [Copy]:
// they tell the collector. Assigning the struct around it, or Go's copy, would
// not. Everything else in an object is read and written as usual. A struct that
// is being prepared for [Alloc] is no object yet, and is filled with [FieldOf]:
//
//	n := midden.Alloc(m, node{value: 1, next: midden.FieldOf(other)})
//	n.Get().value = 2
//	n.Get().next.Store(m, third)
//	midden.Assign(m, n.Get(), node{value: 3}) // not *n.Get() = node{value: 3}
//
// Several mutators may read the same objects, and must synchronise as they would
// for other variables if one of them writes. For slots there are LoadAtomic,
// StoreAtomic and CompareAndSwap.
//
// Waiting. A mutator that waits for anything but the heap keeps every collection
// waiting. It is frozen meanwhile, by [Mutator.Blocking] or by [Mutator.Freeze]
// and [Mutator.Unfreeze]; its roots stay roots. [Mutator.Lock], [Mutator.RLock] and
// [Mutator.Wait] are for locks and conditions. A mutex may be locked plainly if
// nobody ever passes a safepoint, or freezes, with the mutex held, and a tracer may
// lock only such ones. The file docs/hangs.md has the ways to hang a heap, with what
// it says then.
//
//	m.Blocking(func() { line, err = in.ReadString('\n') }) // touches no object
//
// Limits. [Options.Limit] bounds the memory of a heap. At the limit, functions
// that allocate panic with a [*LimitError], those whose names begin with Try
// return it. [Mutator.Reserve] makes that predictable: it is a safepoint that
// collects if it must, and after it so many bytes can be allocated until the next
// one.
//
//	if err := m.Reserve(100 * midden.SizeOf[node]()); err != nil {
//		return err // a *LimitError: even a full collection did not help
//	}
//
// Closing. Close mutators before the heap: [Heap.Close] fails with [ErrMutators]
// while one is open, and changes nothing.
//
// # What an object may hold
//
// Numbers, bools, arrays and structs of these, Field and AnyField; for dynamic
// languages [ValueField], and [TaggedField] if they have tags of their own; [Weak],
// [AnyWeak] and [External]. What an object holds can also be said at run time
// ([Heap.NewShape]). Text and rows of varying length are objects of their own,
// [String] and [Array], which a Field refers to, and so is an [Ephemeron].
//
// Refused are things that Go's collector would have to see: pointers, slices,
// strings, maps, interfaces, channels and functions. So is what would hide a
// reference from this one (Ref, AnyRef and Value: use a Field or a ValueField), what is a root itself
// (Local, Handle, Scope), and Array and String by value. The first use of such a
// type panics with the path of the field; a package variable makes that the start
// of the program:
//
//	var nodeType = midden.TypeFor[node]() // allocates faster, too: nodeType.New(m)
//
// # Weak things
//
// A [Weak] slot refers to an object and does not keep it alive. An [Ephemeron]
// keeps a value for as long as a key lives that it does not keep. A [Guardian]
// delivers objects that nothing else refers to, when the program asks for them:
// the collector never calls code of the program. An [External] is a slot that
// holds any Go value.
//
// All of that happens in cycles, in one order: first ephemerons, then guardians,
// which keep what they are going to deliver, then weak slots are cleared of what
// is dead for good, and externals are let go. So an object that is delivered is
// seen by weak slots and ephemerons as before. docs/weak.md says more.
//
// # What goes wrong, and how it tells you
//
// A Ref that was used after a safepoint, without having been rooted, reads what
// happens to lie there now. Nothing in an ordinary build notices. Three things do
// in tests, best together:
//
//   - go test -tags invariants makes each Ref carry the time at which it was made.
//     The first use of a stale one, or of one from another heap, panics and names
//     the safepoint.
//   - [Stress] collects at every safepoint, overwrites freed memory, and checks the
//     heap after each cycle with a second, independent trace.
//   - The collector of package [github.com/midden-gc/midden/collector/semispace]
//     moves every small object in every cycle, so that a stale pointer is wrong
//     for sure and not only by chance.
//
// A test of a program that uses a heap should be able to make it like this:
//
//	h, err := midden.NewHeap(&midden.Options{
//		Collector: semispace.New(nil),
//		Stress:    midden.Stress{EverySafepoint: true, Verify: true, Poison: true, Move: true},
//	})
//
// Other mistakes are found in every build. A Store to a slot outside the heap, a
// scope that is closed twice, an allocation with a frozen or closed mutator, and
// an Array or String that was copied out of the heap panic with a message that
// says what to do. A mutator that does not come to a safepoint is reported to
// [Options.Logger] and [Listener], with its name and its goroutine's stack, when a
// pause has waited for [Options.StragglerTimeout]; without either there is
// silence, so give one. A mutator that was dropped without Close is found when Go's
// collector finds it, and reported as well. A goroutine that would wait for
// itself, such as one that calls [Heap.Collect] with a mutator active, gets an
// error or a panic where that is certain, and otherwise shows up as a straggler.
//
// If a collector or a Tracer panics in the middle of a cycle, that panic goes to
// whoever asked for the cycle, everybody else is released, and the heap is damaged:
// every later call that needs it panics with [ErrDamaged], and other heaps are
// none the worse.
//
// The race detector does not see inside objects, because they do not lie in Go's
// memory. It does see two goroutines that use one mutator.
//
// # What it costs
//
// An object takes its fields, rounded up to 8 bytes, and a header of 8; a Field
// takes 4 and a ValueField 8 ([SizeOf], [ArraySize], [StringSize] tell). Up to 8 KiB, objects share
// blocks of 32 KiB, cut into lines of 128 bytes: a line is free when nothing in
// it lives. Larger objects have pages of 4 KiB of their own. Limits and
// [Stats.Used] count blocks and pages.
//
// To allocate is to move a pointer in a buffer of the mutator's own. A safepoint
// at which nothing is wanted is one atomic load. Freeze and Unfreeze take one atomic
// read-modify-write each, and none with [Options.SingleMutator]. A Local is a word
// pushed on a slice. A Handle takes a lock and a cleanup of Go's; a million of
// them are better kept in a Tracer.
//
// The world is stopped for the whole of a cycle. With the default collector,
// [github.com/midden-gc/midden/collector/immix], a minor cycle costs time for all
// roots, for the new objects that live, and for the slots of old objects that were
// made to refer to new ones; a full cycle for all roots and all objects that live,
// with [Options.Workers] goroutines tracing. What is dead costs nothing but a look
// at the marks of its lines. Minor cycles come often, about as soon as the new
// objects fill a processor's cache; full ones when the [Sizer] says so.
// [Mutator.Collect] and [Heap.Collect] ask for one now.
//
// Where much has died here and there, blocks stay in use in which little lives.
// When they hold more than three times what lives in them, the next full
// cycle moves objects together. KindCompact does so in any case, and gives the
// memory that is free then back to the system at once. It takes several times as
// long as a full cycle, and up to a quarter more memory meanwhile, within the limit.
//
// # How much memory
//
// A heap that is collected half as often is larger: the [Sizer] decides between
// time and memory. It sets when full cycles come; minor ones come by themselves.
//
//   - [GrowBy], with 2, is the default: a heap takes up to twice what lives.
//     GrowBy(1.5) is for when memory is dear, GrowBy(4) for when it is not.
//   - [Adaptive] is for several heaps in one process, and for one that is sometimes
//     busy and sometimes not: it measures how fast the heap grows and how long full
//     cycles take, and gives room where room saves time. A small busy heap gets many
//     times what lives, a large idle one a fraction. When its cycles come is not the
//     same in every run.
//   - [Fixed] is for a heap whose memory is set aside for it anyway. Fixed with about
//     7/8 of Options.Limit makes the most of a limit. If more than that lives, the
//     heap is collected each time it has grown by a sixteenth.
//   - A Sizer of one's own is one method.
//
// [Options.Limit] overrides them all: near it, cycles come as early as they must.
// A limit of twice what lives costs little. Below 1.3 times, more and more of the
// time goes into full cycles, and when they get more than half of it and free
// almost nothing, the program is told with a [*LimitError]. Before that,
// [Listener].Pressure is called, when 3/4 of the limit live, and again as it gets
// worse, so that caches can be emptied.
//
// Go's own limit, GOMEMLIMIT, does not know of heaps. [Options.ShareMemoryLimit]
// makes Go's collector see what they hold.
//
// # What is not there yet
//
// A collector that runs beside the mutators. All heaps of a process share 32 GiB of
// addresses.
package midden
