// Package explore runs a small concurrent program in every order that matters.
//
// The program is real code, compiled so that each operation on memory which its
// threads share (an atomic, a lock, a wait) is announced first, with Step and its
// kin. Between two announcements a thread runs alone, so an execution is the
// sequence of the threads chosen at each announcement, and can be repeated.
//
// Explore repeats the program until no order is left that could have another
// outcome. Two operations of different threads commute unless they touch the same
// object and at least one of them writes; orders that differ only by exchanging
// neighbours that commute are equivalent, and one of each class is run. Which ones
// is found out on the way: after each step, Explore looks for earlier ones that
// this step races with, and notes to try the other order there. That is dynamic
// partial-order reduction, with the source sets of Abdulla, Aronis, Jonsson and
// Sagonas, "Optimal dynamic partial order reduction" (POPL 2014), and the sleep
// sets of Godefroid (1996). All stuck states, all values that a thread can see and
// all failures of its own checks are kept by that; a check of the state as a whole
// is made in each state that is visited.
//
// Where even that is too much, Options.Preemptions bounds how often a thread that
// could have gone on is interrupted, after Musuvathi and Qadeer, "Iterative
// context bounding" (PLDI 2007); with the points to try that Coons, Musuvathi and
// McKinley, "Bounded partial-order reduction" (OOPSLA 2013), add.
//
// Operations are sequentially consistent, as Go's atomics are. A data race of plain
// variables is not looked for: that is the race detector's work.
package explore
