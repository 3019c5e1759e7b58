package guest

import (
	"context"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/abi"
)

// mute is a Host that allows everything and does next to nothing.
type mute struct {
	recorder
}

func (*mute) Enter(abi.FuncID, abi.Phase) error { return nil }
func (m *mute) Input() []byte                   { return m.input }
func (m *mute) OutputWrite(b []byte) error      { m.output = append(m.output[:0], b...); return nil }

// bare runs guests on the runtime alone: the same two functions, no checks, and no way to stop a guest
// unless closeOnDone says so.
func bare(b testing.TB, name string, closeOnDone bool) (wazero.Runtime, wazero.CompiledModule, *mute) {
	b.Helper()
	ctx := context.Background()
	h := &mute{}
	wz := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCloseOnContextDone(closeOnDone))
	b.Cleanup(func() { _ = wz.Close(ctx) })
	i32 := []api.ValueType{api.ValueTypeI32, api.ValueTypeI32}
	_, err := wz.NewHostModuleBuilder(abi.Module).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, s []uint64) {
		mod.Memory().Write(uint32(s[0]), h.input)
		s[0] = uint64(len(h.input))
	}), i32, i32[:1]).Export("input_read").
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, mod api.Module, s []uint64) {
		view, _ := mod.Memory().Read(uint32(s[0]), uint32(s[1]))
		h.output = append(h.output[:0], view...)
		s[0] = 0
	}), i32, i32[:1]).Export("output_write").Instantiate(ctx)
	if err != nil {
		b.Fatal(err)
	}
	_, err = wz.NewHostModuleBuilder(abi.WASIModule).
		NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(context.Context, api.Module, []uint64) {}),
		[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}, i32[:1]).Export("fd_write").Instantiate(ctx)
	if err != nil {
		b.Fatal(err)
	}
	m, err := wz.CompileModule(ctx, wasmFile(b, name))
	if err != nil {
		b.Fatal(err)
	}
	return wz, m, h
}

// bareCall makes a function that calls dash_run of one instance.
func bareCall(b testing.TB, name string, input []byte, closeOnDone bool) func() {
	wz, m, h := bare(b, name, closeOnDone)
	h.input = input
	ctx := context.Background()
	if closeOnDone {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		b.Cleanup(cancel)
	}
	mod, err := wz.InstantiateModule(ctx, m, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		b.Fatal(err)
	}
	f := mod.ExportedFunction(abi.ExportRun)
	var stack [1]uint64
	return func() {
		stack[0] = uint64(len(input))
		if err := f.CallWithStack(ctx, stack[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// bareFresh makes a function that instantiates, calls and closes.
func bareFresh(b testing.TB, name string, input []byte) func() {
	wz, m, h := bare(b, name, false)
	h.input = input
	ctx := context.Background()
	cfg := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	var stack [1]uint64
	return func() {
		mod, err := wz.InstantiateModule(ctx, m, cfg)
		if err != nil {
			b.Fatal(err)
		}
		if f := mod.ExportedFunction(abi.ExportInitialize); f != nil {
			if _, err := f.Call(ctx); err != nil {
				b.Fatal(err)
			}
		}
		stack[0] = uint64(len(input))
		if err := mod.ExportedFunction(abi.ExportRun).CallWithStack(ctx, stack[:]); err != nil {
			b.Fatal(err)
		}
		if err := mod.Close(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func pooled(b testing.TB, name string, policy Policy, input []byte, ctx context.Context) func() {
	p := poolOf(b, nil, name, PoolConfig{Policy: policy, Max: 1, ReuseMax: 1 << 30})
	h := &mute{recorder{input: input}}
	return func() {
		if _, err := p.Call(ctx, h, len(input)); err != nil {
			b.Fatal(err)
		}
	}
}

// compare times ours and the bare runtime in turns of the same run, and reports both and their ratio.
func compare(b *testing.B, ours, bare func()) {
	b.Helper()
	const turn = 500
	var mine, theirs time.Duration
	ours()
	bare()
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		mine += timed(n, ours)
		theirs += timed(n, bare)
	}
	b.ReportMetric(float64(mine.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(theirs.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(mine)/float64(theirs), "x-bare")
	b.ReportMetric(leastAllocs(ours), "allocs/op")
	b.ReportMetric(leastAllocs(bare), "bare-allocs/op")
}

// leastAllocs counts allocations of the whole process, so it takes the quietest of several runs.
func leastAllocs(f func()) float64 {
	least := testing.AllocsPerRun(200, f)
	for range 9 {
		least = min(least, testing.AllocsPerRun(200, f))
	}
	return least
}

func timed(n int, f func()) time.Duration {
	began := time.Now()
	for range n {
		f()
	}
	return time.Since(began)
}

// TestCallAllocatesNothingOfItsOwn: what a pooled call allocates, the runtime does for its own way to stop
// a guest, once per dash_run.
func TestCallAllocatesNothingOfItsOwn(t *testing.T) {
	input := make([]byte, 1024)
	for _, c := range []struct {
		guest string
		input []byte
	}{{"noop", nil}, {"echo", input}} {
		ours, theirs := pooled(t, c.guest, PolicyReuse, c.input, context.Background()), bareCall(t, c.guest, c.input, true)
		if ours, theirs := leastAllocs(ours), leastAllocs(theirs); ours > theirs {
			t.Errorf("%s: %v allocations, the bare runtime %v", c.guest, ours, theirs)
		}
	}
}

func BenchmarkNoop(b *testing.B) {
	compare(b, pooled(b, "noop", PolicyReuse, nil, context.Background()), bareCall(b, "noop", nil, false))
}

// BenchmarkNoopStoppable compares with the runtime's own way to stop a guest, which ours stands on.
func BenchmarkNoopStoppable(b *testing.B) {
	compare(b, pooled(b, "noop", PolicyReuse, nil, context.Background()), bareCall(b, "noop", nil, true))
}

func BenchmarkNoopCancellable(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	compare(b, pooled(b, "noop", PolicyReuse, nil, ctx), bareCall(b, "noop", nil, true))
}

func BenchmarkEcho1K(b *testing.B) {
	input := make([]byte, 1024)
	compare(b, pooled(b, "echo", PolicyReuse, input, context.Background()), bareCall(b, "echo", input, false))
}

func BenchmarkFreshSmall(b *testing.B) {
	input := make([]byte, 100)
	compare(b, pooled(b, "small", PolicyFresh, input, context.Background()), bareFresh(b, "small", input))
}
