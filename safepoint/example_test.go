package safepoint_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/midden-gc/midden/safepoint"
)

// A counter map that many goroutines update without locks, each its own
// shard, and of which one can take a consistent snapshot: at a safepoint
// every shard is at rest.
func Example() {
	type shard map[string]int
	world := safepoint.NewWorld(nil)

	// What a snapshot does: it may look at all shards, since the world
	// stands still.
	total := map[string]int{}
	snapshot := func(p *safepoint.Pause) error {
		clear(total)
		for c := range p.Contexts() {
			for key, n := range c.Data().(shard) {
				total[key] += n
			}
		}
		return nil
	}

	// The goroutine that starts the workers has a context of its own, from
	// which it makes theirs.
	main := world.NewContext()
	main.SetData(shard{})
	var workers sync.WaitGroup
	for range 4 {
		c := main.NewContext()
		mine := shard{}
		c.SetData(mine)
		workers.Go(func() {
			for range 1000 {
				// Both keys count up together, and no snapshot ever sees
				// one without the other.
				mine["a"]++
				mine["b"]++
				if c.Poll() {
					c.Safepoint(snapshot)
				}
			}
			c.Freeze() // the shard stays, and nobody waits for it
		})
	}
	for range 3 {
		if err := main.Collect(context.Background(), 1, snapshot); err != nil {
			fmt.Println(err)
		}
		fmt.Println("consistent:", total["a"] == total["b"])
	}

	// To wait for something else is to freeze.
	main.Freeze()
	workers.Wait()
	main.Unfreeze()
	main.Collect(context.Background(), 1, snapshot)
	fmt.Println(total)
	// Output:
	// consistent: true
	// consistent: true
	// consistent: true
	// map[a:4000 b:4000]
}

func ExampleNewWorld() {
	world := safepoint.NewWorld(&safepoint.Options{
		StragglerTimeout: 100 * time.Millisecond,
		Logger:           slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Listener: &safepoint.Listener{
			Straggler: func(r safepoint.StragglerReport) { /* raise an alarm */ },
		},
	})
	defer world.Close()
	fmt.Println(world.Epoch(), world.Collecting())
	// Output: 0 false
}

func ExampleWorld_NewContext() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	fmt.Println(c.ID(), c.State())
	c.Close()
	fmt.Println(c.State())
	// Output:
	// 1 active
	// closed
}

func ExampleWorld_Close() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	fmt.Println(errors.Is(world.Close(), safepoint.ErrContexts))
	c.Close()
	fmt.Println(world.Close())
	// Output:
	// true
	// <nil>
}

// An embedder's hot loop loads the flag itself.
func ExampleWorld_Flag() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	flag := world.Flag()
	world.Request(1)
	for i := range 3 {
		if flag.Load() != 0 {
			c.Safepoint(func(*safepoint.Pause) error {
				fmt.Println("collected in round", i)
				return nil
			})
		}
	}
	// Output: collected in round 0
}

// A request waits for nobody; whoever polls next collects.
func ExampleWorld_Request() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	wanted := world.Request(2)
	for world.Epoch() <= wanted {
		c.Safepoint(func(p *safepoint.Pause) error {
			fmt.Println("level", p.Level())
			return nil
		})
	}
	// Output: level 2
}

func ExampleWorld_Stop() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	c.Freeze()
	p, err := world.Stop(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for c := range p.Contexts() {
		fmt.Println(c.ID(), c.State())
	}
	p.Start(nil)
	// Output: 1 frozen
}

// A pause can be bounded: nothing is left of one that is given up.
func ExampleWorld_Collect() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext() // active, and it does not poll
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		err := world.Collect(ctx, 1, func(*safepoint.Pause) error { return nil })
		fmt.Println(errors.Is(err, context.DeadlineExceeded))
	}()
	<-done
	c.Close()
	fmt.Println(world.Collect(context.Background(), 1, func(*safepoint.Pause) error { return nil }))
	// Output:
	// true
	// <nil>
}

func ExampleWorld_Prevent() {
	world := safepoint.NewWorld(nil)
	world.Prevent(func() {
		fmt.Println(world.Collecting())
	})
	// Output: false
}

func ExampleWorld_Damaged() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		c.Collect(context.Background(), 1, func(*safepoint.Pause) error { panic("out of order") })
	}()
	fmt.Println(errors.Is(world.Damaged(), safepoint.ErrDamaged))
	fmt.Println(c.Safepoint(nil))
	// Output:
	// recovered: out of order
	// true
	// safepoint: the world is damaged: the function that ran in the pause panicked: out of order
}

func ExampleWorld_Stats() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	c.Freeze()
	s := world.Stats()
	fmt.Println(s.Contexts, s.Frozen, s.Pauses)
	// Output: 1 1 0
}

func ExampleContext_Safepoint() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	world.Request(1)
	for c.Poll() {
		err := c.Safepoint(func(p *safepoint.Pause) error {
			fmt.Println("epoch", p.Epoch())
			return nil
		})
		fmt.Println(err)
	}
	// Output:
	// epoch 1
	// <nil>
}

func ExampleContext_Collect() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	err := c.Collect(context.Background(), 1, func(p *safepoint.Pause) error {
		return errors.New("no room")
	})
	fmt.Println(err)
	// Output: no room
}

// Around anything that may block, freeze.
func ExampleContext_Freeze() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	c.Freeze()
	time.Sleep(time.Millisecond)
	c.Unfreeze()
	fmt.Println(c.State())
	// Output: active
}

func ExampleContext_Prevent() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	world.Request(1)
	c.Prevent(func() {
		c.Safepoint(func(*safepoint.Pause) error {
			fmt.Println("not here")
			return nil
		})
	})
	c.Safepoint(func(*safepoint.Pause) error {
		fmt.Println("here")
		return nil
	})
	// Output: here
}

func ExampleContext_NewContext() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	child := c.NewContext()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer child.Close()
		fmt.Println("child", child.ID())
	}()
	c.Freeze()
	<-done
	c.Unfreeze()
	c.Close()
	// Output: child 2
}

// Who has got a lock while frozen must not wait for a pause with it: somebody
// that the pause waits for may want it too.
func ExampleContext_TryUnfreeze() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	var mu sync.Mutex
	for {
		c.Freeze()
		mu.Lock()
		if c.TryUnfreeze() {
			break
		}
		mu.Unlock()
		c.Unfreeze() // waits
	}
	fmt.Println(c.State(), "and locked")
	mu.Unlock()
	// Output: active and locked
}

// A context that was made for another goroutine is told where it has arrived, so
// that a report shows the right stack.
func ExampleContext_Here() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	child := c.NewContext()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer child.Close()
		child.Here()
		fmt.Println(child.ID(), "works")
	}()
	c.Freeze()
	<-done
	c.Unfreeze()
	c.Close()
	// Output: 2 works
}

// What a context stands for is found again through its data.
func ExampleContext_SetData() {
	type machine struct{ stack []int }
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	c.SetData(&machine{stack: []int{1, 2}})
	c.Collect(context.Background(), 1, func(p *safepoint.Pause) error {
		for c := range p.Contexts() {
			fmt.Println(c.Data().(*machine).stack)
		}
		return nil
	})
	// Output: [1 2]
}

// Goroutines that work for a pause say so, and get an error where they would
// otherwise wait for its end.
func ExamplePause_Adopt() {
	world := safepoint.NewWorld(nil)
	c := world.NewContext()
	defer c.Close()
	c.Collect(context.Background(), 1, func(p *safepoint.Pause) error {
		var worker sync.WaitGroup
		worker.Go(func() {
			p.Adopt()
			_, err := world.Stop(context.Background())
			fmt.Println(errors.Is(err, safepoint.ErrCollecting))
		})
		worker.Wait()
		return nil
	})
	// Output: true
}

// A Histogram keeps how often something took how long, in little memory.
func ExampleHistogram() {
	var h safepoint.Histogram
	for range 98 {
		h.Add(200 * time.Microsecond)
	}
	h.Add(3 * time.Millisecond)
	h.Add(7 * time.Millisecond)
	fmt.Println(h.Count(), h.Sum(), h.Max())
	fmt.Println(h.Quantile(0.99) > 3*time.Millisecond, h.Quantile(0.99) < 4*time.Millisecond)
	// Output:
	// 100 29.6ms 7ms
	// true true
}

// The times to stop and the times stopped of a world, kept apart.
func ExampleStats() {
	world := safepoint.NewWorld(nil)
	for range 3 {
		world.Collect(context.Background(), 1, func(*safepoint.Pause) error {
			time.Sleep(time.Millisecond)
			return nil
		})
	}
	s := world.Stats()
	fmt.Println(s.Pauses, s.PauseMax >= time.Millisecond, s.StopMax < s.PauseMax)
	fmt.Println(s.PauseTimes.Quantile(0.99) >= time.Millisecond)
	// Output:
	// 3 true true
	// true
}

// Merge makes one histogram of those of many worlds.
func ExampleHistogram_Merge() {
	var all safepoint.Histogram
	for range 3 {
		world := safepoint.NewWorld(nil)
		world.Collect(context.Background(), 1, nil)
		all.Merge(world.Stats().PauseTimes)
	}
	fmt.Println(all.Count())
	// Output: 3
}

// Buckets are what a metrics library wants to have. Prometheus, for one, counts
// what lies at or below each end.
func ExampleHistogram_Buckets() {
	var h safepoint.Histogram
	h.Add(150 * time.Nanosecond)
	h.Add(155 * time.Nanosecond)
	h.Add(time.Microsecond)
	var below uint64
	for end, n := range h.Buckets() {
		if n > 0 {
			below += n
			fmt.Println("below", end, below)
		}
	}
	// Output:
	// below 160ns 2
	// below 1.024µs 3
}
