// Package safepoint stops and restarts a world of goroutines, at points that
// they choose.
//
// # What it guarantees
//
// While a pause runs, nobody is active: no context runs outside its
// safepoint, no function given to Prevent runs, and nobody joins or leaves
// the world. Everything that contexts did before they stopped is visible to
// the pause, and what the pause did is visible to them afterwards.
//
// Every call that waits returns when the pause that it waits for has ended,
// and whoever waits for a pause is in before the next one can begin: pauses
// that come back to back starve nobody. A pause that fails, is given up, or
// panics releases everybody all the same. To freeze never waits.
//
// A poll is one load. To freeze and to unfreeze cost one atomic
// read-modify-write each, and to stop the world costs nothing for contexts
// that are frozen.
//
// # What provides it
//
// One word holds the number of shares and a bit that says that the gate is
// shut. An active context has one share; so has each function that prevents.
// The right to run and the contribution to the number change in the same
// atomic step, so that the number is never a snapshot of the past.
//
// The gate shuts and opens only under the world's mutex, and whoever finds it
// shut looks again under the mutex. The last one to leave a shut gate takes
// the mutex before it wakes the pause that waits for it. So no wake-up is
// lost.
//
// The end of a pause, however it came about, is one function. In one step it
// opens the gate and hands a share to everyone who has queued for one; they
// need not compete for it. If another pause is queued the gate stays shut,
// but the shares are handed over all the same.
//
// A poll is a hint. Every decision is taken under the mutex.
//
//	                     NewContext
//	                         │ a share, when the gate is open
//	                         ▼
//	       a pause is on  ┌──────┐  Freeze: gives the share back
//	     ┌────────────────│Active│────────────────┐
//	     ▼  gives it back └──────┘                ▼
//	┌───────────┐          ▲    ▲             ┌──────┐
//	│AtSafepoint│──────────┘    └─────────────│Frozen│
//	└───────────┘ the pause     Unfreeze:     └──────┘
//	              has ended:    a share, when
//	              a share       the gate is open
//
// Close leads from Active and from Frozen to Closed. A pause goes through
// these phases:
//
//	queued ──▶ waiting ──▶ running ──▶ ended
//	  │ │         │                      ▲
//	  │ │         └── given up ──────────┤
//	  │ └── served by another pause ─────┤
//	  └──── given up ────────────────────┘
//
// # Words
//
// A context is one participant. An outsider is a goroutine without an active
// context. A straggler is a context that keeps a pause waiting.
//
// The protocol as a whole, why each step is there, and how it is checked, is in docs/protocol.md.
package safepoint
