package guest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
)

// BenchmarkSecondStart loads a module that an earlier process has compiled: a runtime is opened, asked about the module as
// the host asks, made to load it, and closed. Beside it stands the bare runtime on its own cache, which checks nothing; the
// goal is 1.3 times that. What an echo costs is what the runtime itself and the staging directory cost.
func BenchmarkSecondStart(b *testing.B) {
	for _, guest := range []struct{ name, file string }{
		{"echo", "testdata/echo.wasm"}, {"rust", "../examples/merge-gate/wasm/secrets.wasm"}, {"go", "../examples/merge-gate/wasm/split.wasm"},
	} {
		b.Run(guest.name, func(b *testing.B) {
			wasm, err := os.ReadFile(guest.file)
			if err != nil {
				b.Fatal(err)
			}
			dir, bare := b.TempDir(), b.TempDir()
			secondStart(b, dir, wasm)
			bareStart(b, bare, wasm)
			var mine, theirs time.Duration
			for b.Loop() {
				mine += timed(1, func() { secondStart(b, dir, wasm) })
				theirs += timed(1, func() { bareStart(b, bare, wasm) })
			}
			b.ReportMetric(float64(mine.Microseconds())/1000/float64(b.N), "ms/op")
			b.ReportMetric(float64(theirs.Microseconds())/1000/float64(b.N), "bare-ms/op")
			b.ReportMetric(float64(mine)/float64(theirs), "x-bare")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func secondStart(b *testing.B, dir string, wasm []byte) {
	ctx := context.Background()
	r, err := Open(ctx, &Options{CacheDir: dir})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := r.Inspect(wasm, nil); err != nil {
		b.Fatal(err)
	}
	m, err := r.Load(ctx, wasm, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Close(ctx); err != nil {
		b.Fatal(err)
	}
	if err := r.Close(ctx); err != nil {
		b.Fatal(err)
	}
}

// bareStart does the same on the runtime alone.
func bareStart(b *testing.B, dir string, wasm []byte) {
	ctx := context.Background()
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	wz := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features).WithCompilationCache(cache))
	if _, err := wz.CompileModule(ctx, wasm); err != nil {
		b.Fatal(err)
	}
	if err := wz.Close(ctx); err != nil {
		b.Fatal(err)
	}
	if err := cache.Close(ctx); err != nil {
		b.Fatal(err)
	}
}
