package meter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// randomModules gives the modules that testdata/smith.sh made. Each ends by itself.
func randomModules(t testing.TB) [][]byte {
	t.Helper()
	f, err := os.Open("testdata/smith.bin.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		all = append(all, b[4:4+n])
		b = b[4+n:]
	}
	if len(all) < 100 {
		t.Fatalf("%d modules", len(all))
	}
	return all
}

// machine runs one module, as it is or metered, with a slice of that size.
type machine struct {
	rt       wazero.Runtime
	compiled wazero.CompiledModule
	mod      api.Module
	slice    int32
	granted  int64
	asked    int
	deepens  int
	end      bool // the stack is not given, only set
}

// depth is the stack that guests have in these tests: enough for all they do.
const depth = 1 << 30

// newMachine compiles a module. A slice of 0 leaves it as it is.
func newMachine(b []byte, slice int32) (*machine, error) {
	ctx := context.Background()
	m := &machine{rt: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithMemoryLimitPages(256)), slice: slice}
	if slice > 0 {
		var err error
		if b, err = rewrite(b); err != nil {
			return m, err
		}
		if err := addMeterFuncs(ctx, m.rt, m.refuel, m.deepen); err != nil {
			return m, err
		}
	}
	var err error
	m.compiled, err = m.rt.CompileModule(ctx, b)
	return m, err
}

// fresh makes a new instance.
func (m *machine) fresh() error {
	ctx := context.Background()
	if m.mod != nil {
		_ = m.mod.Close(ctx)
	}
	m.granted, m.asked, m.deepens = 0, 0, 0
	var err error
	m.mod, err = m.rt.InstantiateModule(ctx, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	return err
}

func (m *machine) refuel(left int32) int32 {
	m.asked++
	m.granted += int64(m.slice) - int64(left)
	return m.slice
}

func (m *machine) deepen(left int32) int32 {
	if m.end {
		panic(errStop)
	}
	m.deepens++
	return depth + left
}

// fuel is what was charged so far.
func (m *machine) fuel() int64 {
	return m.granted - int64(int32(m.mod.ExportedGlobal(meter.ExportFuel).Get()))
}

// call gives the results as text, or the trap. Of references it says no more than whether they are null.
func (m *machine) call(name string, args []uint64, results []wasmbin.ValueType) string {
	if m.slice > 0 {
		m.mod.ExportedGlobal(meter.ExportDepth).(api.MutableGlobal).Set(depth)
	}
	res, err := m.mod.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		return "trap: " + firstLine(err)
	}
	k := 0
	for _, t := range results {
		if t.IsRef() && res[k] != 0 {
			res[k] = 1
		}
		if k++; t == wasmbin.V128 {
			k++
		}
	}
	return fmt.Sprintf("%x", res)
}

func (m *machine) close() { _ = m.rt.Close(context.Background()) }

// TestRandomModules: random modules do the same metered and not, with slices of all sizes; and what they are charged does
// not depend on the slices.
func TestRandomModules(t *testing.T) {
	calls, traps, fuel := 0, 0, int64(0)
	for i, b := range randomModules(t) {
		m, err := wasmbin.Decode(b, nil)
		if err != nil {
			t.Fatalf("module %d: %v", i, err)
		}
		c, n, f := sameBehaviour(t, fmt.Sprintf("module %d", i), b, m)
		calls, traps, fuel = calls+c, traps+n, fuel+f
	}
	t.Logf("%d calls, %d of them trap, %d units", calls, traps, fuel)
	if calls < 500 || traps == 0 || traps == calls {
		t.Error("the modules do not do what they are for")
	}
}

// sameBehaviour calls each export of a module, in an instance of its own, with numbers as arguments.
func sameBehaviour(t *testing.T, where string, b []byte, m *wasmbin.Module) (calls, traps int, fuel int64) {
	t.Helper()
	var all []*machine
	for _, slice := range [...]int32{0, 1, 1000, 1 << 20} {
		one, err := newMachine(b, slice)
		defer one.close()
		if err != nil {
			t.Fatalf("%s, slice %d: %v", where, slice, err)
		}
		all = append(all, one)
	}
	for i := range m.Exports {
		e := &m.Exports[i]
		if e.Kind != wasmbin.KindFunc {
			continue
		}
		f := m.FunctionType(e.Index)
		args := arguments(f, uint64(i))
		var want string
		var charged int64
		for k, one := range all {
			got := "not started"
			if one.fresh() == nil {
				got = one.call(e.Name, args, f.Results)
			}
			switch {
			case k == 0:
				want = got
				continue
			case got != want:
				t.Errorf("%s, slice %d: %s: %s, metered %s", where, one.slice, e.Name, want, got)
			case one.deepens > 1: // the start function may ask
				t.Errorf("%s: %s: asked for more stack", where, e.Name)
			case want == "not started":
				continue
			}
			in, metered := visible(b), visible(b)
			in.Module, metered.Module = all[0].mod, one.mod
			compareState(t, where+" "+e.Name, in, metered, map[string]int{})
			if k == 1 {
				charged = one.fuel()
			} else if got := one.fuel(); got != charged && want[0] != 't' {
				t.Errorf("%s: %s: with slices of %d %d units, of %d %d", where, e.Name, one.slice, got, all[1].slice, charged)
			}
		}
		if calls++; want[0] == 't' {
			traps++
		}
		fuel += charged
	}
	return calls, traps, fuel
}

// arguments are numbers that differ from call to call; references are null.
func arguments(f *wasmbin.FuncType, seed uint64) []uint64 {
	var args []uint64
	for i, p := range f.Params {
		v := (seed + 1) * (uint64(i) + 1) * 0x9e37_79b9
		switch {
		case p == wasmbin.I32 || p == wasmbin.F32:
			args = append(args, v&0xffff_ffff)
		case p == wasmbin.V128:
			args = append(args, v, ^v)
		case p.IsRef():
			args = append(args, 0)
		default:
			args = append(args, v)
		}
	}
	return args
}

// FuzzRewrite: what package wasmbin takes can be rewritten, is then still taken, and compiles if it did before.
func FuzzRewrite(f *testing.F) {
	for i, b := range randomModules(f) {
		if i%10 == 0 {
			f.Add(b)
		}
	}
	for _, b := range endless {
		f.Add(b)
	}
	ctx := context.Background()
	cfg := wazero.NewRuntimeConfig().WithCoreFeatures(features)
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := rewrite(b)
		if err != nil {
			return
		}
		again, err := rewrite(bytes.Clone(b))
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("two rewrites differ (%v)", err)
		}
		if _, err := wasmbin.Decode(out, &wasmbin.Options{Exceptions: true, Bounds: generous}); err != nil {
			t.Fatalf("the result is refused: %v", err)
		}
		rt := wazero.NewRuntimeWithConfig(ctx, cfg)
		defer rt.Close(ctx) //nolint:errcheck // a test's runtime
		_, plain := rt.CompileModule(ctx, b)
		if _, err := rt.CompileModule(ctx, out); (err == nil) != (plain == nil) {
			t.Fatalf("compiles: %v, metered: %v", plain, err)
		}
	})
}

// generous bounds leave room for what is added to a module that just fits.
var generous = wasmbin.Bounds{
	BodyBytes: 1 << 28, Blocks: 1 << 24, Branches: 1 << 24, Nesting: 1 << 20, LoopNesting: 1 << 20, BlockLocals: 1 << 31, Values: 1 << 30,
	Locals: 1 << 20, LocalsTotal: 1 << 30, Functions: 1 << 24, Imports: 1 << 20, Exports: 1 << 20, Globals: 1 << 20, Types: 1 << 20, TypeValues: 1 << 30,
}
