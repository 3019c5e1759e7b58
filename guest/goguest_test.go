package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/abi"
)

// TestGoGuest runs what the Go toolchain of this machine builds.
func TestGoGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a Go guest")
	}
	file := filepath.Join(t.TempDir(), "gohello.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", file, "./testdata/gohello")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wasm, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, openRuntime(t, nil), wasm, "gohello")
	if info := m.Info(); !info.HasInitialize || !info.HasStart || !slices.Contains(info.Imports, Import{abi.WASIModule, "poll_oneoff"}) {
		t.Errorf("info %+v", info)
	}
	starts := 0
	p := newPool(t, m, PoolConfig{Policy: PolicyReuse, Max: 1, Start: func() Host {
		starts++
		return &recorder{args: []string{"node"}}
	}})
	for call, want := range []string{
		`{"hello":"wörld","calls":1,"slept":true,"args":["node"]}`,
		`{"hello":"wörld","calls":2,"slept":true,"args":["node"]}`,
	} {
		h := &recorder{input: []byte("wörld"), now: 1_700_000_000_000_000}
		res, err := p.Call(t.Context(), h, len(h.input))
		if err != nil || res.Status != abi.Done || string(h.output) != want {
			t.Fatalf("call %d: %+v, %v, %s\nstderr: %s", call+1, res, err, h.output, h.stdio[2])
		}
		if !strings.HasSuffix(h.stdio[2], "random true\n") {
			t.Errorf("standard error: %q", h.stdio[2])
		}
	}
	if starts != 1 {
		t.Errorf("%d start phases", starts)
	}
}
