// Package middentest tests collectors of package midden: it holds the one suite that every
// collector passes, a model test, and a soak.
//
// [Run] is the conformance suite. It is written from the contract of package midden and knows
// nothing of how a collector works: a new collector is one folder and one line,
//
//	func TestConformance(t *testing.T) {
//		middentest.Run(t, func() collector.Collector { return mine.New(nil) })
//	}
//
// What a collector does not do, as its constraints tell, is left out, and nothing else is.
//
// [Model] runs a program, decoded from any bytes at all, on a heap and on a plain Go model of it,
// and compares the two. It serves tests with programs drawn at random and go test -fuzz alike.
//
// [Soak] does everything at random, to one heap after another, for as long as it is told: many goroutines
// with a model beside them, and with faults. Tracers and listeners panic, the system refuses memory,
// mutators are lost, contexts end. In the test of a collector it is
//
//	report, err := middentest.Soak(middentest.SoakOptions{
//		Collectors: []func() collector.Collector{func() collector.Collector { return mine.New(nil) }},
//		Lasts:      time.Minute,
//	})
//
// No test here measures time. A test that waits waits for something that must happen; if it never does,
// the test binary's own timeout ends it and prints the stacks. Soak has a watch of its own, and tells more.
package middentest
