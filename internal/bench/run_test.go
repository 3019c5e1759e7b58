package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

// loop is a graph that takes steps supersteps of one node.
func loop(b *testing.B, node string, steps int) string {
	b.Helper()
	dir := b.TempDir()
	wasm, err := os.ReadFile(filepath.Join("..", "..", "guest", "testdata", "noop.wasm"))
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "noop.wasm"), wasm, 0o600); err != nil {
		b.Fatal(err)
	}
	manifest := fmt.Sprintf(`version: 1
modules: {noop: {path: noop.wasm}}
channels: {n: {}, items: {}}
run: {max_steps: %d}
nodes:
  a: %s
edges:
  - {from: START, to: a}
  - {from: a, to: a}
`, steps, node)
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// open is a host on a store, closed when the benchmark ends.
func open(b *testing.B, store string) *host.Host {
	b.Helper()
	h, err := host.New(&host.Options{Store: store, OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
		return openurl.Store(ctx, url, nil)
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return h
}

func load(b *testing.B, h *host.Host, path string) *host.Graph {
	b.Helper()
	g, err := h.Load(b.Context(), path, &host.LoadOptions{Nodes: host.Nodes{"nop": func(*host.Task) error { return nil }}})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// run runs a new thread of g, which has no natural end, and checks that it
// took all its steps.
func run(b *testing.B, h *host.Host, g *host.Graph, steps int, o *host.RunOptions) {
	b.Helper()
	r, err := h.Start(b.Context(), g, []byte(`{"items":[]}`), o)
	if err != nil {
		b.Fatal(err)
	}
	res, err := r.Wait(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if res.Steps != steps || res.Err == nil || res.Err.Code != "max_steps" {
		b.Fatalf("%+v %v", res, res.Err)
	}
}

// supersteps runs b.N supersteps and returns the time of one.
func supersteps(b *testing.B, store, node string, o *host.RunOptions) time.Duration {
	b.Helper()
	h := open(b, store)
	g := load(b, h, loop(b, node, b.N))
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	run(b, h, g, b.N, o)
	b.StopTimer()
	return time.Since(began) / time.Duration(b.N)
}

const (
	nativeNode = "{native: nop}"
	reuseNode  = "{module: noop, policy: reuse}"
	resetNode  = "{module: noop}"
	freshNode  = "{module: noop, policy: fresh}"
)

// BenchmarkSuperstep is one superstep with one node: nothing kept, and with a memory store, which keeps every step.
func BenchmarkSuperstep(b *testing.B) {
	for _, store := range []struct {
		name string
		o    *host.RunOptions
	}{{"ephemeral", &host.RunOptions{Ephemeral: true}}, {"mem", nil}} {
		for _, node := range []struct{ name, text string }{
			{"native", nativeNode}, {"reuse", reuseNode}, {"reset", resetNode}, {"fresh", freshNode},
		} {
			b.Run(store.name+"/"+node.name, func(b *testing.B) { supersteps(b, "mem:", node.text, store.o) })
		}
	}
}

// BenchmarkDurableSuperstep is one superstep on a file store: one append and
// one fdatasync. "x-fdatasync" is its time over that of a bare append and
// fdatasync of 512 bytes to a growing file in the same folder, measured around
// it in turns.
func BenchmarkDurableSuperstep(b *testing.B) {
	dir := b.TempDir()
	before := rawSync(b, dir, max(b.N/2, 8))
	d := supersteps(b, "file:"+filepath.Join(dir, "store"), nativeNode, nil)
	after := rawSync(b, dir, max(b.N/2, 8))
	raw := (before + after) / 2
	b.ReportMetric(float64(raw.Microseconds()), "raw-us")
	b.ReportMetric(float64(d)/float64(raw), "x-fdatasync")
}

// rawSync is the time of one bare append and fdatasync.
func rawSync(b *testing.B, dir string, n int) time.Duration {
	b.Helper()
	f, err := os.CreateTemp(dir, "raw")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a scratch file
	block := make([]byte, 512)
	began := time.Now()
	for range n {
		if _, err := f.Write(block); err != nil {
			b.Fatal(err)
		}
		if err := datasync(f); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(began) / time.Duration(n)
}

// BenchmarkRun1000 is a whole run of 1,000 supersteps, on memory and on disk.
func BenchmarkRun1000(b *testing.B) {
	for _, name := range []string{"mem", "file"} {
		b.Run(name, func(b *testing.B) {
			store := "mem:"
			if name == "file" {
				store = "file:" + filepath.Join(b.TempDir(), "store")
			}
			h := open(b, store)
			g := load(b, h, loop(b, nativeNode, 1000))
			for b.Loop() {
				run(b, h, g, 1000, nil)
			}
		})
	}
}

// BenchmarkFanOut is a run of one superstep with 1,000 tasks, on memory.
func BenchmarkFanOut(b *testing.B) {
	h := open(b, "mem:")
	path := filepath.Join(b.TempDir(), "workflow.yaml")
	manifest := "version: 1\nchannels: {items: {}}\nnodes: {a: {native: nop, each: {over: items}}}\nedges: [{from: START, to: a}]\n"
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		b.Fatal(err)
	}
	g := load(b, h, path)
	in := []byte(`{"items":[` + strings.Repeat("1,", 999) + `1]}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := h.Start(b.Context(), g, in, nil)
		if err != nil {
			b.Fatal(err)
		}
		if res, err := r.Wait(b.Context()); err != nil || res.Tasks != 1000 {
			b.Fatalf("%+v, %v", res, err)
		}
	}
}
