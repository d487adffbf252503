package bench

import (
	"runtime"
	"testing"
	"time"

	"github.com/midden-gc/midden"
)

// The same small virtual machine twice: on a stack of any, and on one of Values.
// Its program sums up n times what it has in a local variable.

type opcode uint8

const (
	opLocal opcode = iota // push local arg
	opConst               // push constant arg
	opSet                 // pop into local arg
	opAdd
	opLess
	opLoop // pop; to instruction arg if it is true
	opEnd
)

type instruction struct {
	op  opcode
	arg int
}

// sumLoop uses the locals 0, sum; 1, what is added; 2, counter; and the constants
// 0, one; 1, how often.
var sumLoop = []instruction{
	{opLocal, 0}, {opLocal, 1}, {opAdd, 0}, {opSet, 0},
	{opLocal, 2}, {opConst, 0}, {opAdd, 0}, {opSet, 2},
	{opLocal, 2}, {opConst, 1}, {opLess, 0}, {opLoop, 0},
	{opEnd, 0},
}

func runAny(code []instruction, constants, locals []any) any {
	stack := make([]any, 8)
	sp := 0
	for pc := 0; ; pc++ {
		switch i := code[pc]; i.op {
		case opLocal:
			stack[sp] = locals[i.arg]
			sp++
		case opConst:
			stack[sp] = constants[i.arg]
			sp++
		case opSet:
			sp--
			locals[i.arg] = stack[sp]
		case opAdd:
			sp--
			stack[sp-1] = addAny(stack[sp-1], stack[sp])
		case opLess:
			sp--
			stack[sp-1] = lessAny(stack[sp-1], stack[sp])
		case opLoop:
			sp--
			if b, ok := stack[sp].(bool); ok && b {
				pc = i.arg - 1
			}
		case opEnd:
			return locals[0]
		}
	}
}

func addAny(a, b any) any {
	switch a := a.(type) {
	case int32:
		switch b := b.(type) {
		case int32:
			return a + b
		case float64:
			return float64(a) + b
		}
	case float64:
		switch b := b.(type) {
		case int32:
			return a + float64(b)
		case float64:
			return a + b
		}
	}
	panic("not numbers")
}

func lessAny(a, b any) any {
	x, ok := a.(int32)
	y, also := b.(int32)
	if !ok || !also {
		panic("not ints")
	}
	return x < y
}

func runValues(m *midden.Mutator, code []instruction, constants, locals []midden.Value) midden.Value {
	stack := make([]midden.Value, 8)
	sp := 0
	for pc := 0; ; pc++ {
		switch i := code[pc]; i.op {
		case opLocal:
			stack[sp] = locals[i.arg]
			sp++
		case opConst:
			stack[sp] = constants[i.arg]
			sp++
		case opSet:
			sp--
			locals[i.arg] = stack[sp]
		case opAdd:
			sp--
			stack[sp-1] = addValues(stack[sp-1], stack[sp])
		case opLess:
			sp--
			stack[sp-1] = midden.BoolValue(stack[sp-1].Int() < stack[sp].Int())
		case opLoop:
			m.Safepoint()
			sp--
			if stack[sp].Bool() {
				pc = i.arg - 1
			}
		case opEnd:
			return locals[0]
		}
	}
}

func addValues(a, b midden.Value) midden.Value {
	if a.IsInt() && b.IsInt() {
		return midden.IntValue(a.Int() + b.Int())
	}
	x, ok := a.Number()
	y, also := b.Number()
	if !ok || !also {
		panic("not numbers")
	}
	return midden.FloatValue(x + y)
}

// BenchmarkInterpreter runs the loop above. An operation is one turn: three of
// arithmetic and comparison among twelve instructions.
func BenchmarkInterpreter(b *testing.B) {
	for _, c := range []struct {
		name     string
		sum, add any
	}{
		{"ints", int32(1000), int32(7)},
		{"floats", 0.5, 1.25},
		{"mixed", 0.5, int32(7)},
	} {
		b.Run(c.name, func(b *testing.B) {
			_, m := benchHeap(b, nil)
			value := func(v any) midden.Value {
				if f, ok := v.(float64); ok {
					return midden.FloatValue(f)
				}
				return midden.IntValue(v.(int32))
			}
			onGo := func(n int) any {
				return runAny(sumLoop, []any{int32(1), int32(n)}, []any{c.sum, c.add, int32(0)})
			}
			onMidden := func(n int) midden.Value {
				return runValues(m, sumLoop, []midden.Value{midden.IntValue(1), midden.IntValue(int32(n))},
					[]midden.Value{value(c.sum), value(c.add), midden.IntValue(0)})
			}
			if got, want := onMidden(1000), onGo(1000); got != value(want) {
				b.Fatalf("%v, want %v", got, want)
			}
			inTurn(b, func(n int) { onGo(n) }, func(n int) { onMidden(n) })
		})
	}
}

// BenchmarkValueArray fills an array with ints and floats, one after the other, and
// adds up what is in it. An operation is one element.
func BenchmarkValueArray(b *testing.B) {
	const size = 1 << 14
	_, m := benchHeap(b, nil)
	array := midden.NewHandle(m, midden.NewArray[midden.ValueField](m, size))
	defer array.Release()
	anys := make([]any, size)
	b.Run("fill", func(b *testing.B) {
		inTurn(b, func(n int) {
			for i := range n {
				if i%2 == 0 {
					anys[i%size] = int32(i)
				} else {
					anys[i%size] = float64(i)
				}
			}
		}, func(n int) {
			slots := array.Get(m).Get().Slice()
			for i := range n {
				if i%2 == 0 {
					slots[i%size].Store(m, midden.IntValue(int32(i)))
				} else {
					slots[i%size].Store(m, midden.FloatValue(float64(i)))
				}
			}
		})
	})
	b.Run("sum", func(b *testing.B) {
		var sumAny, sum float64
		inTurn(b, func(n int) {
			for i := range n {
				switch v := anys[i%size].(type) {
				case int32:
					sumAny += float64(v)
				case float64:
					sumAny += v
				}
			}
		}, func(n int) {
			slots := array.Get(m).Get().Slice()
			for i := range n {
				if x, ok := slots[i%size].Load().Number(); ok {
					sum += x
				}
			}
		})
		if b.N >= size && sum != sumAny {
			b.Fatalf("%v, and %v on Go's heap", sum, sumAny)
		}
	})
}

type valueBox struct{ n int64 }

// BenchmarkValueCollection collects an array of -nodes elements, of which one in
// four refers to an object and the others are ints and floats. An operation is one
// full collection.
func BenchmarkValueCollection(b *testing.B) {
	n := *nodeCount
	_, m := benchHeap(b, &midden.Options{Workers: 1})
	array := midden.NewHandle(m, midden.NewArray[midden.ValueField](m, n))
	defer array.Release()
	anys := make([]any, n)
	for i := range n {
		slot := array.Get(m).Get().At(i)
		switch i % 4 {
		case 0:
			anys[i] = &valueBox{int64(i)}
			slot.Store(m, midden.Alloc(m, valueBox{int64(i)}).Value())
		case 1, 2:
			anys[i] = int32(i)
			slot.Store(m, midden.IntValue(int32(i)))
		default:
			anys[i] = float64(i)
			slot.Store(m, midden.FloatValue(float64(i)))
		}
		if i%safepointEvery == 0 {
			m.Safepoint()
		}
	}
	var goCPU, middenCPU time.Duration
	b.ResetTimer()
	for range b.N {
		_, cpu := measured(runtime.GC)
		goCPU += cpu
		_, cpu = measured(func() {
			if err := m.Collect(midden.KindFull); err != nil {
				b.Fatal(err)
			}
		})
		middenCPU += cpu
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(goCPU)/float64(b.N*n), "go-cpu-ns/element")
	b.ReportMetric(float64(middenCPU)/float64(b.N*n), "midden-cpu-ns/element")
	b.ReportMetric(float64(goCPU)/float64(middenCPU), "go/midden-cpu")
	runtime.KeepAlive(anys)
}

// BenchmarkTypeSwitch tells three types apart: with a type switch of Go's on any,
// by ids, and by Cast.
func BenchmarkTypeSwitch(b *testing.B) {
	type one struct{ n int64 }
	type two struct{ n, m int64 }
	_, m := benchHeap(b, nil)
	ones, twos := midden.TypeFor[one](), midden.TypeFor[two]()
	const size = 1 << 10
	array := midden.NewHandle(m, midden.NewArray[midden.ValueField](m, size))
	defer array.Release()
	anys := make([]any, size)
	for i := range size {
		slot := array.Get(m).Get().At(i)
		switch i % 3 {
		case 0:
			anys[i] = &one{1}
			slot.Store(m, ones.Alloc(m, one{1}).Value())
		case 1:
			anys[i] = &two{2, 2}
			slot.Store(m, twos.Alloc(m, two{2, 2}).Value())
		default:
			anys[i] = int32(3)
			slot.Store(m, midden.IntValue(3))
		}
	}
	var goSum, sum int64
	onGo := func(n int) {
		for i := range n {
			switch v := anys[i%size].(type) {
			case *one:
				goSum += v.n
			case *two:
				goSum += v.m
			}
		}
	}
	b.Run("ids", func(b *testing.B) {
		inTurn(b, onGo, func(n int) {
			slots := array.Get(m).Get().Slice()
			for i := range n {
				v := slots[i%size].Load()
				switch v.TypeID() {
				case ones.ID():
					r, _ := ones.Cast(v.Any())
					sum += r.Get().n
				case twos.ID():
					r, _ := twos.Cast(v.Any())
					sum += r.Get().m
				}
			}
		})
	})
	b.Run("as", func(b *testing.B) {
		inTurn(b, onGo, func(n int) {
			slots := array.Get(m).Get().Slice()
			for i := range n {
				v := slots[i%size].Load()
				if r, ok := midden.As[one](v); ok {
					sum += r.Get().n
				} else if r, ok := midden.As[two](v); ok {
					sum += r.Get().m
				}
			}
		})
	})
	runtime.KeepAlive(sum + goSum)
}
