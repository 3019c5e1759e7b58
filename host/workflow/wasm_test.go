package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

const wasmManifest = `version: 1
modules:
  a: {path: nodes/a.wasm, sha256: SUM}
  b: {path: nodes/b.wasm}
nodes:
  x: {module: a, grants: {clock: true}}
  y: {module: b, limits: {module: 10}}
edges: [{from: START, to: [x, y]}]
`

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// inspectOptions serve files from a map and find the grants clock and http in
// every module.
func inspectOptions(files map[string]string) *Options {
	return &Options{
		ReadFile: func(name string, max int64) ([]byte, error) {
			text, ok := files[name]
			switch {
			case !ok:
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			case int64(len(text)) > max:
				return nil, ErrTooLarge
			}
			return []byte(text), nil
		},
		Inspect: func(m *Module, wasm []byte) ([]Fault, *ModuleInfo, error) {
			if string(wasm) == "bad" {
				return []Fault{{Text: "modules.b: expected an export dash_run, found none", Hint: "build as a reactor"}}, nil, errors.New("not a module")
			}
			return nil, &ModuleInfo{Grants: []string{"http", "clock", "http"}}, nil
		},
	}
}

func faultLines(faults []Fault) string {
	return (&Invalid{Faults: faults}).Error()
}

func TestInspect(t *testing.T) {
	src := strings.Replace(wasmManifest, "SUM", digestOf("module a"), 1)
	files := map[string]string{"nodes/a.wasm": "module a", "nodes/b.wasm": "module b"}
	g, warnings, err := Parse(context.Background(), "w.yaml", []byte(src), inspectOptions(files))
	if err != nil {
		t.Fatal(err)
	}
	if g.Module("b").SHA256 != digestOf("module b") || g.Module("b").File != "nodes/b.wasm" {
		t.Errorf("module b = %+v", g.Module("b"))
	}
	golden(t, "testdata/inspect-warnings.want", faultLines(warnings)+"\n")

	// The canonical form needs no paths: the modules come by digest.
	if strings.Contains(string(g.Canonical()), "path") {
		t.Errorf("canonical form has paths: %s", g.Canonical())
	}
	byDigest := map[string]string{"sha256:" + digestOf("module a"): "module a", "sha256:" + digestOf("module b"): "module b"}
	again, _, err := Parse(context.Background(), "w.yaml", g.Canonical(), inspectOptions(byDigest))
	if err != nil || again.Digest() != g.Digest() || again.Module("a").File != "" {
		t.Errorf("again: %v, %v", again, err)
	}

	// Another byte in a module is another graph.
	files["nodes/b.wasm"] = "module c"
	other, _, err := Parse(context.Background(), "w.yaml", []byte(src), inspectOptions(files))
	if err != nil || other.Digest() == g.Digest() {
		t.Errorf("other module: %v", err)
	}
	if d := Diff(g, other); len(d) != 1 || !strings.HasPrefix(d[0], "module b: sha256") {
		t.Errorf("Diff = %q", d)
	}
}

func TestInspectFaults(t *testing.T) {
	src := strings.Replace(wasmManifest, "SUM", digestOf("something else"), 1)
	for name, files := range map[string]map[string]string{
		"mismatch": {"nodes/a.wasm": "module a", "nodes/b.wasm": "module b, too large for its limit"},
		"missing":  {"nodes/b.wasm": "bad"},
	} {
		text := strings.Replace(src, "clock: true", "clock: true}, strict_imports: true, config: {", 1)
		_, _, err := Parse(context.Background(), "w.yaml", []byte(text), inspectOptions(files))
		var invalid *Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, "testdata/inspect-"+name+".want", err.Error()+"\n")
	}
	_, _, err := Parse(context.Background(), "w.yaml", []byte(src), &Options{Inspect: inspectOptions(nil).Inspect})
	if err == nil || !strings.Contains(err.Error(), "expected a file, found none at nodes/a.wasm") {
		t.Errorf("default ReadFile: %v", err)
	}
}

func TestModuleByDigestNeedsAStore(t *testing.T) {
	src := "version: 1\nmodules: {a: {sha256: " + digestOf("x") + "}}\nnodes: {x: {module: a}}\nedges: [{from: START, to: x}]\n"
	if _, _, err := Parse(context.Background(), "w.yaml", []byte(src), inspectOptions(nil)); err == nil || !strings.Contains(err.Error(), "no store has the module") {
		t.Errorf("err = %v", err)
	}
	mustParse(t, src, nil) // without Inspect nothing is read
}
