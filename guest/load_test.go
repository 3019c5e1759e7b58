package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// shape is a module made of imports and exports, all of them of function type i32 -> i32 unless said.
type shape struct {
	imports []wasmbin.Import
	exports []wasmbin.Export
}

const (
	typeRun  = 0 // (i32) -> i32
	typeNone = 1 // () -> ()
	typePair = 2 // (i32, i32) -> i32
)

func (s shape) build() []byte {
	m := &wasmbin.Module{
		Types: []wasmbin.FuncType{
			{Params: []wasmbin.ValueType{wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}},
			{},
			{Params: []wasmbin.ValueType{wasmbin.I32, wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}},
		},
		Imports: s.imports,
		Exports: slices.Clone(s.exports),
		Functions: []wasmbin.Function{
			{Type: typeRun, Body: []byte{0x41, 0, 0x0b}},
			{Type: typeNone, Body: []byte{0x0b}},
		},
	}
	if m.Imported(wasmbin.KindMemory) == 0 {
		m.Memories = []wasmbin.Limits{{Min: 1}}
	}
	for i := range m.Exports {
		if m.Exports[i].Kind == wasmbin.KindFunc {
			m.Exports[i].Index += uint32(m.Imported(wasmbin.KindFunc))
		}
	}
	return wasmbin.Encode(m)
}

var (
	memoryExport = wasmbin.Export{Name: "memory", Kind: wasmbin.KindMemory}
	runExport    = wasmbin.Export{Name: "dash_run", Kind: wasmbin.KindFunc, Index: 0}
)

func function(name string, index uint32) wasmbin.Export {
	return wasmbin.Export{Name: name, Kind: wasmbin.KindFunc, Index: index}
}

func imported(module, name string, typ uint32) wasmbin.Import {
	return wasmbin.Import{Module: module, Name: name, Kind: wasmbin.KindFunc, Type: typ}
}

func TestRefusals(t *testing.T) {
	both := []wasmbin.Export{memoryExport, runExport}
	cases := []struct {
		name    string
		wasm    []byte
		section string
		text    []string // all in the error
	}{
		{"empty", nil, "header", nil},
		{"text", []byte("(module)"), "header", nil},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), "header", []string{"component"}},
		{"truncated", wasmFile(t, "echo")[:60], "import", nil},
		{"unknown function", shape{[]wasmbin.Import{imported("dash_v1", "input_reed", typePair)}, both}.build(), "import",
			[]string{`"input_reed"`, `did you mean "input_read"?`}},
		{"unknown function, nothing near", shape{[]wasmbin.Import{imported("dash_v1", "launch_rocket_now", typePair)}, both}.build(), "import",
			[]string{`"launch_rocket_now"`}},
		{"unknown WASI function", shape{[]wasmbin.Import{imported("wasi_snapshot_preview1", "fd_wite", typePair)}, both}.build(), "import",
			[]string{`did you mean "fd_write"?`}},
		{"other version", shape{[]wasmbin.Import{imported("dash_v2", "input_read", typePair)}, both}.build(), "import",
			[]string{"dash_v2", "dash_v1"}},
		{"near module", shape{[]wasmbin.Import{imported("dash-v1", "input_read", typePair)}, both}.build(), "import",
			[]string{`did you mean "dash_v1"?`}},
		{"env", shape{[]wasmbin.Import{imported("env", "puts", typePair)}, both}.build(), "import", []string{`"env"`, "undefined"}},
		{"preview 2", shape{[]wasmbin.Import{imported("wasi:cli/environment@0.2.0", "get-environment", typeNone)}, both}.build(), "import", []string{"wasip1"}},
		{"wrong type", shape{[]wasmbin.Import{imported("dash_v1", "input_read", typeRun)}, both}.build(), "import",
			[]string{"input_read", "(i32) -> (i32)", "expected (i32, i32) -> (i32)"}},
		{"imported memory", shape{[]wasmbin.Import{{Module: "env", Name: "memory", Kind: wasmbin.KindMemory, Memory: wasmbin.Limits{Min: 1}}}, both}.build(), "import",
			[]string{"memory", "--import-memory"}},
		{"no memory export", shape{nil, []wasmbin.Export{runExport}}.build(), "export", []string{`"memory" is missing`}},
		{"memory is a function", shape{nil, []wasmbin.Export{function("memory", 0), runExport}}.build(), "export", []string{"func, expected a memory"}},
		{"no dash_run", shape{nil, []wasmbin.Export{memoryExport, function("dash_rum", 0)}}.build(), "export", []string{`"dash_run" is missing`, `exports "dash_rum"`}},
		{"dash_run of another type", shape{nil, []wasmbin.Export{memoryExport, function("dash_run", 1)}}.build(), "export", []string{"dash_run", "expected (i32) -> (i32)"}},
		{"dash_run is a memory", shape{nil, []wasmbin.Export{memoryExport, {Name: "dash_run", Kind: wasmbin.KindMemory}}}.build(), "export", []string{"expected a function"}},
		{"dash_start of another type", shape{nil, append(slices.Clone(both), function("dash_start", 1))}.build(), "export", []string{"dash_start"}},
		{"_initialize of another type", shape{nil, append(slices.Clone(both), function("_initialize", 0))}.build(), "export", []string{"_initialize"}},
		{"command", shape{nil, []wasmbin.Export{memoryExport, function("_start", 1)}}.build(), "export",
			[]string{"reactor", "-buildmode=c-shared", "-mexec-model=reactor", "cdylib"}},
	}
	r := openRuntime(t, nil)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Load(t.Context(), c.wasm, &ModuleOptions{Name: "check"})
			_, err2 := Inspect(c.wasm, &ModuleOptions{Name: "check"})
			var e *LoadError
			if !errors.As(err, &e) || err2 == nil || err.Error() != err2.Error() {
				t.Fatalf("Load: %v; Inspect: %v", err, err2)
			}
			if e.Section != c.section || e.Module != "check" || !strings.HasPrefix(err.Error(), "module check: ") {
				t.Errorf("section %q, module %q: %v", e.Section, e.Module, err)
			}
			for _, text := range c.text {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("no %q in %q", text, err)
				}
			}
		})
	}
	if n := r.compiles.Load(); n != 0 {
		t.Errorf("%d of the refused modules reached the compiler", n)
	}
	_, err := r.Load(t.Context(), shape{nil, append(both, function("_start", 1), function("_initialize", 1))}.build(), nil)
	if err != nil {
		t.Errorf("_start beside _initialize: %v", err)
	}
}

// TestHostileModules: a few bytes that claim a lot are refused by the decoder, in bounded memory.
func TestHostileModules(t *testing.T) {
	header := "\x00asm\x01\x00\x00\x00"
	huge := "\xff\xff\xff\xff\x0f"
	r := openRuntime(t, nil)
	for name, wasm := range map[string]string{
		"types":           header + "\x01\x05" + huge,
		"imports":         header + "\x02\x05" + huge,
		"functions":       header + "\x03\x05" + huge,
		"table minimum":   header + "\x04\x08\x01\x70\x00" + huge,
		"memory minimum":  header + "\x05\x07\x01\x00" + huge,
		"globals":         header + "\x06\x05" + huge,
		"exports":         header + "\x07\x05" + huge,
		"elements":        header + "\x09\x05" + huge,
		"data":            header + "\x0b\x05" + huge,
		"locals":          header + "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01" + huge + "\x7f\x0b",
		"section of 4 GB": header + "\x01" + huge,
		"name of 4 GB":    header + "\x00\x05" + huge,
	} {
		var e *LoadError
		if _, err := r.Load(t.Context(), []byte(wasm), nil); !errors.As(err, &e) || e.Offset < 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := r.compiles.Load(); n != 0 {
		t.Errorf("%d of them reached the compiler", n)
	}
}

func TestValidatorsVerdict(t *testing.T) {
	r := openRuntime(t, nil)
	for range 2 {
		var e *LoadError
		if _, err := r.Load(t.Context(), wasmFile(t, "typefault"), &ModuleOptions{Name: "x"}); !errors.As(err, &e) || e.Section != "code" || e.Module != "x" {
			t.Errorf("got %v", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.codes) != 0 {
		t.Errorf("%d failed compilations are kept", len(r.codes))
	}
}

func TestSizeAndDigest(t *testing.T) {
	wasm := wasmFile(t, "noop")
	var limit *LimitError
	if _, err := Inspect(wasm, &ModuleOptions{MaxBytes: int64(len(wasm)) - 1}); !errors.As(err, &limit) || limit.Limit != "module" ||
		limit.Field != "limits.module" || limit.Got != int64(len(wasm)) {
		t.Errorf("size: %v", err)
	}
	// The size comes first: nothing is hashed or decoded.
	if _, err := Inspect(make([]byte, 100), &ModuleOptions{MaxBytes: 99, SHA256: "00"}); !errors.As(err, &limit) {
		t.Errorf("size before digest: %v", err)
	}
	sum := sha256.Sum256(wasm)
	right := hex.EncodeToString(sum[:])
	for _, pin := range []string{right, strings.ToUpper(right), ""} {
		if info, err := Inspect(wasm, &ModuleOptions{SHA256: pin, MaxBytes: int64(len(wasm))}); err != nil || info.SHA256 != right || info.Size != len(wasm) {
			t.Errorf("pin %q: %v", pin, err)
		}
	}
	var digest *DigestError
	wrong := "0" + right[1:]
	if right[0] == '0' {
		wrong = "1" + right[1:]
	}
	for _, pin := range []string{wrong, right[:10], "nonsense"} {
		if _, err := Inspect(wasm, &ModuleOptions{SHA256: pin}); !errors.As(err, &digest) || digest.Got != right {
			t.Errorf("pin %q: %v", pin, err)
		}
	}
}

func TestInfo(t *testing.T) {
	info, err := Inspect(wasmFile(t, "small"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if info.Kind != "node" || !info.HasInitialize || info.HasStart || info.StartSection || len(info.Grants) != 0 ||
		info.Memory != (MemoryInfo{2, 65536}) || info.Functions != 4 || info.DataBytes != 64 || info.TableElements != 4 ||
		!slices.Contains(info.Imports, Import{abi.WASIModule, "fd_write"}) || !slices.Equal(info.Exports, []string{"memory", "_initialize", "dash_run"}) {
		t.Errorf("%+v", info)
	}
	f := abi.ByID(abi.FnRandom)
	info, err = Inspect(probe(abi.Module, f.Name, f.Params, f.Results), nil)
	if err != nil || !slices.Equal(info.Grants, []abi.Grant{abi.GrantRandom}) {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestLoadCompilesOnce: however many load the same bytes at once, one compilation runs, and the code goes
// when the last of them lets go.
func TestLoadCompilesOnce(t *testing.T) {
	r := openRuntime(t, nil)
	wasm := wasmFile(t, "echo")
	var wg sync.WaitGroup
	modules := make([]*Module, 16)
	for i := range modules {
		wg.Go(func() {
			var err error
			if modules[i], err = r.Load(context.Background(), bytes.Clone(wasm), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.compiles.Load(); n != 1 {
		t.Errorf("%d compilations", n)
	}
	pool := newPool(t, modules[0], PoolConfig{})
	for _, m := range modules {
		if err := errors.Join(m.Close(t.Context()), m.Close(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if _, err := modules[0].NewPool(PoolConfig{Start: func() Host { return nil }}); !errors.Is(err, ErrClosed) {
		t.Errorf("pool of a closed module: %v", err)
	}
	h := &recorder{input: []byte("still here")}
	if _, err := pool.Call(t.Context(), h, len(h.input)); err != nil || string(h.output) != "still here" {
		t.Errorf("call after the module was closed: %q, %v", h.output, err)
	}
	if err := pool.Close(t.Context()); err != nil {
		t.Error(err)
	}
	r.mu.Lock()
	codes, pools := len(r.codes), len(r.pools)
	r.mu.Unlock()
	if codes != 0 || pools != 0 {
		t.Errorf("%d codes and %d pools are kept", codes, pools)
	}
	load(t, r, wasm, "again")
	if n := r.compiles.Load(); n != 2 {
		t.Errorf("%d compilations after loading again", n)
	}
}

// closings counts how often compiled code was closed.
type closings struct {
	wazero.CompiledModule
	n int
}

func (c *closings) Close(ctx context.Context) error {
	c.n++
	return c.CompiledModule.Close(ctx)
}

func TestCodeIsClosedWithItsLastUser(t *testing.T) {
	r := openRuntime(t, nil)
	m := load(t, r, wasmFile(t, "echo"), "echo")
	c := &closings{CompiledModule: m.code.compiled}
	m.code.compiled = c
	p := newPool(t, m, PoolConfig{})
	if err := m.Close(t.Context()); err != nil || c.n != 0 {
		t.Errorf("closed %d times while a pool is open, %v", c.n, err)
	}
	if err := p.Close(t.Context()); err != nil || c.n != 1 {
		t.Errorf("closed %d times after the pool was closed, %v", c.n, err)
	}
}

// TestLoadDoesNotKeepTheBytes: the caller may reuse its buffer, also for a pool that compiles again.
func TestLoadDoesNotKeepTheBytes(t *testing.T) {
	r := openRuntime(t, nil)
	wasm := bytes.Clone(wasmFile(t, "tablegrow"))
	m := load(t, r, wasm, "tablegrow")
	clear(wasm)
	p := newPool(t, m, PoolConfig{Limits: Limits{Table: 21}})
	h := &recorder{}
	if _, err := p.Call(t.Context(), h, 0); err != nil || h.output[0] != 21 {
		t.Errorf("%v, %v", h.output, err)
	}
}

// TestLoadGivesUpWaiting: a compilation goes on without the caller whose context ended, and is there for
// the next.
func TestLoadGivesUpWaiting(t *testing.T) {
	r := openRuntime(t, &Options{CacheDir: t.TempDir()})
	r.cache.mu.Lock() // holds every compilation up
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := r.Load(ctx, wasmFile(t, "echo"), nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	loaded := make(chan error)
	go func() {
		m, err := r.Load(context.Background(), wasmFile(t, "echo"), nil)
		if err == nil {
			err = m.Close(context.Background())
		}
		loaded <- err
	}()
	r.cache.mu.Unlock()
	if err := <-loaded; err != nil {
		t.Error(err)
	}
}

func TestPanicWhileCompiling(t *testing.T) {
	r := openRuntime(t, nil)
	_, err := r.compile(t.Context(), codeKey{}, func() (*prepared, error) { panic("out of ideas") })
	var internal *InternalError
	if !errors.As(err, &internal) || internal.Func != "encode" || internal.Value != "out of ideas" {
		t.Errorf("got %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.codes) != 0 {
		t.Errorf("%d failed compilations are kept", len(r.codes))
	}
}

// TestTablesShareTheLimit: whatever a module declares, its tables can be used as declared and never exceed
// the limit together.
func TestTablesShareTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint32Range(0, 1000).Draw(t, "limit")
		left := limit
		m := &wasmbin.Module{}
		for range rapid.IntRange(0, 5).Draw(t, "tables") {
			table := wasmbin.TableType{Elem: wasmbin.FuncRef}
			table.Min = rapid.Uint32Range(0, left).Draw(t, "min")
			left -= table.Min
			if table.HasMax = rapid.Bool().Draw(t, "has max"); table.HasMax {
				table.Max = rapid.Uint32Range(table.Min, math.MaxUint32).Draw(t, "max")
			}
			m.Tables = append(m.Tables, table)
		}
		before := slices.Clone(m.Tables)
		capTables(m, limit)
		var total uint64
		for i, table := range m.Tables {
			if !table.HasMax || table.Max < table.Min || table.Min != before[i].Min || before[i].HasMax && table.Max > before[i].Max {
				t.Errorf("%+v became %+v", before[i], table)
			}
			total += uint64(table.Max)
		}
		if total > uint64(limit) {
			t.Errorf("%+v: %d elements, limit %d", m.Tables, total, limit)
		}
	})
}

func TestLoadOnEndedContextAndClosedRuntime(t *testing.T) {
	r := openRuntime(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Load(ctx, wasmFile(t, "noop"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	m := load(t, r, wasmFile(t, "noop"), "noop")
	if err := errors.Join(r.Close(t.Context()), r.Close(t.Context())); err != nil {
		t.Errorf("close twice: %v", err)
	}
	if _, err := r.Load(t.Context(), wasmFile(t, "noop"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("load: %v", err)
	}
	if _, err := m.NewPool(PoolConfig{Start: func() Host { return nil }}); !errors.Is(err, ErrClosed) {
		t.Errorf("new pool: %v", err)
	}
}

func TestExceptionsOfTrustedModules(t *testing.T) {
	wasm := wasmFile(t, "exceptions")
	if _, err := Inspect(wasm, &ModuleOptions{Trusted: true}); !errors.Is(err, ErrNotInVersion) {
		t.Errorf("trusted: %v", err)
	}
	var feature *wasmbin.FeatureError
	if _, err := Inspect(wasm, nil); !errors.As(err, &feature) {
		t.Errorf("not trusted: %v", err)
	}
	if _, err := Inspect(wasmFile(t, "noop"), &ModuleOptions{Trusted: true}); err != nil {
		t.Errorf("trusted, without exceptions: %v", err)
	}
}

// TestInstancesHaveNoName: a module that names itself can be instantiated many times.
func TestInstancesHaveNoName(t *testing.T) {
	m, err := wasmbin.Decode(wasmFile(t, "counter"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Names.Module = abi.Module
	p := newPool(t, load(t, openRuntime(t, nil), wasmbin.Encode(m), "named"), PoolConfig{Max: 4})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := p.Call(context.Background(), &recorder{}, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
