package wasmbin_test

import (
	"context"
	"go/build"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// wazeroDir returns the folder of wazero's source, whose test data is the corpus of several tests. The path of a
// source file of it is in this binary; with -trimpath it is below the module cache.
func wazeroDir(t testing.TB) string {
	t.Helper()
	pc := reflect.ValueOf(wazero.NewRuntime).Pointer()
	file, _ := runtime.FuncForPC(pc).FileLine(pc)
	dir := filepath.Dir(file)
	if !filepath.IsAbs(dir) {
		cache := os.Getenv("GOMODCACHE")
		if cache == "" {
			cache = filepath.Join(build.Default.GOPATH, "pkg", "mod")
		}
		dir = filepath.Join(cache, dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "internal", "integration_test", "spectest")); err != nil {
		t.Fatalf("the corpus is missing: %v", err)
	}
	return dir
}

// engine compiles with wazero's interpreter: full validation, cheap code.
type engine struct {
	ctx context.Context
	rt  wazero.Runtime
}

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesExtendedConst

func newEngine(t testing.TB, f api.CoreFeatures) *engine {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(f))
	t.Cleanup(func() { rt.Close(ctx) })
	return &engine{ctx, rt}
}

// shape is what a compiled module shows of itself.
type shape struct {
	Functions, Memories, Imports []string
}

func (e *engine) compile(b []byte) (*shape, error) {
	c, err := e.rt.CompileModule(e.ctx, b)
	if err != nil {
		return nil, err
	}
	defer c.Close(e.ctx)
	s := &shape{}
	for name, f := range c.ExportedFunctions() {
		s.Functions = append(s.Functions, name+signature(f))
	}
	s.Memories = slices.Collect(maps.Keys(c.ExportedMemories()))
	for _, f := range c.ImportedFunctions() {
		m, name, _ := f.Import()
		s.Imports = append(s.Imports, m+"."+name+signature(f))
	}
	slices.Sort(s.Functions)
	slices.Sort(s.Memories)
	return s, nil
}

func signature(f api.FunctionDefinition) string {
	return string(f.ParamTypes()) + ">" + string(f.ResultTypes())
}

func sameShape(t *testing.T, name string, want, got *shape) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: encoded module differs (-original +encoded):\n%s", name, d)
	}
}
