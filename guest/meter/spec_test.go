package meter_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst | experimental.CoreFeaturesExceptionHandling

// specDir finds the specification's test suite that wazero carries.
func specDir(t testing.TB) string {
	t.Helper()
	file, _ := runtime.FuncForPC(reflect.ValueOf(wazero.NewRuntime).Pointer()).FileLine(reflect.ValueOf(wazero.NewRuntime).Pointer())
	dir := filepath.Dir(file)
	if !filepath.IsAbs(dir) { // built with -trimpath
		cache := os.Getenv("GOMODCACHE")
		if cache == "" {
			cache = filepath.Join(build.Default.GOPATH, "pkg", "mod")
		}
		dir = filepath.Join(cache, dir)
	}
	dir = filepath.Join(dir, "internal", "integration_test", "spectest")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the corpus is missing: %v", err)
	}
	return dir
}

// command is one line of a suite's script.
type command struct {
	Type, Filename, Name, As string
	Line                     int
	Action                   struct {
		Type, Field, Module string
		Args                []value
	}
}

type value struct {
	Type, LaneType string
	Value          json.RawMessage
}

// TestSpecSuiteMetered runs every action of the suite on a metered and on an
// untouched instance: results, traps, memories and exported globals are the same.
func TestSpecSuiteMetered(t *testing.T) {
	for _, suite := range []string{"v1", "v2", "extended-const", "exception-handling"} {
		t.Run(suite, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(specDir(t), suite, "testdata", "*.json"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no cases: %v", err)
			}
			counts := map[string]int{}
			for _, f := range files {
				runScript(t, f, counts)
			}
			for _, k := range slices.Sorted(mapKeys(counts)) {
				t.Logf("%6d  %s", counts[k], k)
			}
			if counts["same"] == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

func mapKeys(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// side is a runtime with what a script has instantiated in it.
type side struct {
	rt      wazero.Runtime
	metered bool
	current api.Module
	named   map[string]api.Module
	all     []instance
}

// instance is a module that was instantiated, and what can be seen of its state.
type instance struct {
	api.Module
	memory  bool
	globals []string // names of those that it exports
}

func newSide(t *testing.T, metered bool) *side {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	s := &side{rt: rt, metered: metered, named: map[string]api.Module{}}
	if err := addMeter(ctx, rt); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(specDir(t), "testdata", "spectest.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rt.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithName("spectest")); err != nil {
		t.Fatal(err)
	}
	return s
}

// addMeter gives metered modules what they import: small slices, and no end of stack.
func addMeter(ctx context.Context, rt wazero.Runtime) error {
	return addMeterFuncs(ctx, rt, func(int32) int32 { return 1000 }, func(int32) int32 { return 1 << 30 })
}

func addMeterFuncs(ctx context.Context, rt wazero.Runtime, refuel, deepen func(int32) int32) error {
	i32 := []api.ValueType{api.ValueTypeI32}
	answer := func(f func(int32) int32) api.GoModuleFunc {
		return func(_ context.Context, _ api.Module, stack []uint64) { stack[0] = uint64(uint32(f(int32(stack[0])))) }
	}
	_, err := rt.NewHostModuleBuilder(meter.ImportModule).
		NewFunctionBuilder().WithGoModuleFunction(answer(refuel), i32, i32).Export(meter.ImportRefuel).
		NewFunctionBuilder().WithGoModuleFunction(answer(deepen), i32, i32).Export(meter.ImportDeepen).Instantiate(ctx)
	return err
}

func rewrite(b []byte) ([]byte, error) {
	m, err := wasmbin.Decode(b, &wasmbin.Options{Exceptions: true})
	if err != nil {
		return nil, err
	}
	if _, err := meter.Rewrite(m); err != nil {
		return nil, err
	}
	return wasmbin.Encode(m), nil
}

// load instantiates a module, under a name if it has one, and gives the text of what went wrong.
func (s *side) load(b []byte, c *command, name string) string {
	ctx := context.Background()
	s.current = nil
	in := visible(b)
	if s.metered {
		var err error
		if b, err = rewrite(b); err != nil {
			return "rewrite: " + err.Error()
		}
	}
	compiled, err := s.rt.CompileModule(ctx, b)
	if err != nil {
		return "compile"
	}
	if s.rt.Module(name) != nil {
		name = "" // a second one of that name, which nobody imports from
	}
	mod, err := s.rt.InstantiateModule(ctx, compiled, wazero.NewModuleConfig().WithName(name).WithStartFunctions())
	if err != nil {
		return "instantiate: " + startIndex.ReplaceAllString(firstLine(err), "start function") // its index moves
	}
	s.current, in.Module = mod, mod
	s.all = append(s.all, in)
	if c.Name != "" {
		s.named[c.Name] = mod
	}
	return ""
}

// act calls a function or reads a global and gives what came of it.
func (s *side) act(c *command) string {
	mod := s.current
	if c.Action.Module != "" {
		mod = s.named[c.Action.Module]
	}
	if mod == nil {
		return "no module"
	}
	switch c.Action.Type {
	case "get":
		g := mod.ExportedGlobal(c.Action.Field)
		if g == nil {
			return "no global"
		}
		return fmt.Sprint(g.Get())
	case "invoke":
		f := mod.ExportedFunction(c.Action.Field)
		if f == nil {
			return "no function"
		}
		var args []uint64
		for _, a := range c.Action.Args {
			args = append(args, a.words()...)
		}
		res, err := f.Call(context.Background(), args...)
		if err != nil {
			return "trap: " + firstLine(err)
		}
		return fmt.Sprintf("%x", res)
	}
	return "unknown action " + c.Action.Type
}

var startIndex = regexp.MustCompile(`start function\[\d+\]`)

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// words gives an argument as wazero takes it: NaN classes become some NaN, the
// same on both sides.
func (v *value) words() []uint64 {
	if v.Type == "v128" {
		return v.lanes()
	}
	var text string
	if json.Unmarshal(v.Value, &text) != nil || strings.HasPrefix(text, "nan") {
		return []uint64{0x7ff8_0000_0000_0000}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return []uint64{0} // null references
	}
	return []uint64{n}
}

func (v *value) lanes() []uint64 {
	var lanes []string
	if json.Unmarshal(v.Value, &lanes) != nil || len(lanes) == 0 {
		return []uint64{0, 0}
	}
	bits := 128 / len(lanes)
	out := make([]uint64, 2)
	for i, l := range lanes {
		n, _ := strconv.ParseUint(l, 10, 64)
		if bits < 64 {
			n &= 1<<bits - 1
		}
		out[i*bits/64] |= n << (i * bits % 64)
	}
	return out
}

func runScript(t *testing.T, file string, counts map[string]int) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var script struct{ Commands []command }
	if err := json.Unmarshal(text, &script); err != nil {
		t.Fatal(err)
	}
	plain, metered := newSide(t, false), newSide(t, true)
	defer plain.rt.Close(context.Background())   //nolint:errcheck // a test's runtime
	defer metered.rt.Close(context.Background()) //nolint:errcheck // a test's runtime
	names := registered(script.Commands)
	for i, c := range script.Commands {
		where := fmt.Sprintf("%s:%d", filepath.Base(file), c.Line)
		switch c.Type {
		case "module", "assert_uninstantiable", "assert_unlinkable":
			b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
			if err != nil {
				t.Fatal(err)
			}
			if f := refused(b); f != "" {
				counts["left out: module of feature "+f]++
				plain.current, metered.current = nil, nil
				continue
			}
			compare(t, where, plain.load(b, &c, names[i]), metered.load(b, &c, names[i]), counts)
		case "register":
			counts["name of a module"]++ // which it has had from the beginning
		case "action", "assert_return", "assert_trap", "assert_exhaustion", "assert_exception":
			compare(t, where, plain.act(&c), metered.act(&c), counts)
		case "assert_malformed", "assert_invalid":
			if strings.HasSuffix(c.Filename, ".wat") {
				counts["left out: text format"]++
				continue
			}
			b, err := os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
			if err != nil {
				t.Fatal(err)
			}
			_, err = plain.rt.CompileModule(context.Background(), b)
			out, bad := rewrite(b)
			if bad == nil {
				_, bad = metered.rt.CompileModule(context.Background(), out)
			}
			if bad == nil && err != nil {
				t.Errorf("%s: an invalid module compiles after rewriting", where)
			}
			counts["invalid stays invalid"]++
		default:
			counts["left out: "+c.Type]++
		}
	}
	if n := len(plain.all); n != len(metered.all) {
		t.Fatalf("%s: %d instances, metered %d", file, n, len(metered.all))
	}
	for i := range plain.all {
		compareState(t, fmt.Sprintf("%s: instance %d", filepath.Base(file), i), plain.all[i], metered.all[i], counts)
	}
}

// registered gives the names under which modules are registered, by the index of the command that makes them.
func registered(commands []command) map[int]string {
	names, named, last := map[int]string{}, map[string]int{}, 0
	for i, c := range commands {
		switch c.Type {
		case "module":
			last = i
			if c.Name != "" {
				named[c.Name] = i
			}
		case "register":
			target := last
			if c.Name != "" {
				target = named[c.Name]
			}
			if names[target] == "" {
				names[target] = c.As
			}
		}
	}
	return names
}

// refused gives the feature for which package wasmbin refuses a module, "" if it does not, or if the module is faulty.
func refused(b []byte) string {
	_, err := wasmbin.Decode(b, &wasmbin.Options{Exceptions: true})
	var e *wasmbin.FeatureError
	if errors.As(err, &e) {
		return e.Feature.String()
	}
	return ""
}

// visible says what can be seen of instances of a module.
func visible(b []byte) instance {
	m, err := wasmbin.Decode(b, &wasmbin.Options{Exceptions: true})
	if err != nil {
		return instance{}
	}
	memory, _ := m.Memory()
	in := instance{memory: memory != nil}
	for _, e := range m.Exports {
		if e.Kind == wasmbin.KindGlobal && !m.GlobalType(e.Index).Type.IsRef() {
			in.globals = append(in.globals, e.Name)
		}
	}
	return in
}

// compareState compares what can be seen of two instances: memories, and globals that the guest exports.
func compareState(t *testing.T, where string, plain, metered instance, counts map[string]int) {
	t.Helper()
	if plain.memory {
		a, _ := plain.Memory().Read(0, plain.Memory().Size())
		b, _ := metered.Memory().Read(0, metered.Memory().Size())
		if !bytes.Equal(a, b) {
			t.Errorf("%s: memories differ", where)
		}
		counts["memories alike"]++
	}
	for _, name := range plain.globals {
		if a, b := plain.ExportedGlobal(name), metered.ExportedGlobal(name); a.Get() != b.Get() {
			t.Errorf("%s: global %s is %v, metered %v", where, name, a, b)
		}
		counts["globals alike"]++
	}
}

func compare(t *testing.T, where, plain, metered string, counts map[string]int) {
	t.Helper()
	switch {
	case plain != metered:
		t.Errorf("%s: plain %s, metered %s", where, plain, metered)
	case strings.HasPrefix(plain, "no "):
		counts["left out: "+plain]++
	default:
		counts["same"]++
	}
}
