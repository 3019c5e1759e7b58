package meter_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// programs gives the names of the programs that metering is measured with: see their sources beside the wasm.
func programs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/programs/*.wasm")
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".wasm")
	}
	return files
}

// program is an instance of a program.
type program struct {
	mod api.Module
	run api.Function
}

// start makes an instance of a program, metered with slices of the size that the host gives, or as it is.
func start(t testing.TB, name string, metered bool) *program {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../testdata/programs", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCoreFeatures(features))
	t.Cleanup(func() { _ = rt.Close(ctx) })
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, rt); err != nil {
		t.Fatal(err)
	}
	if metered {
		if b, err = rewrite(b); err != nil {
			t.Fatal(err)
		}
		if err := addMeterFuncs(ctx, rt, func(int32) int32 { return 100_000 }, func(int32) int32 { return 1 << 30 }); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := rt.InstantiateWithConfig(ctx, b, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(err)
	}
	return &program{mod, mod.ExportedFunction("run")}
}

func (p *program) call(t testing.TB, n uint64) uint64 {
	t.Helper()
	res, err := p.run.Call(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	return res[0]
}

// TestProgramsAlike: a metered program computes what it computed before, and leaves the same memory.
func TestProgramsAlike(t *testing.T) {
	for _, name := range programs(t) {
		plain, metered := start(t, name, false), start(t, name, true)
		if a, b := plain.call(t, 2), metered.call(t, 2); a != b || a == 0 {
			t.Errorf("%s: %#x, metered %#x", name, a, b)
		}
		a, _ := plain.mod.Memory().Read(0, plain.mod.Memory().Size())
		b, _ := metered.mod.Memory().Read(0, metered.mod.Memory().Size())
		if name != "gojson" && !bytes.Equal(a, b) { // Go's memory depends on the clock
			t.Errorf("%s: memories differ", name)
		}
	}
}

// BenchmarkMetering prints what metering costs: the time of each program metered, over its time on the bare runtime,
// best runs of both taken in turns, and the geometric mean of all. The goal is 1.10, and 1.6 for the worst.
func BenchmarkMetering(b *testing.B) {
	sum, worst, count := 0.0, 0.0, 0
	for _, name := range programs(b) {
		b.Run(name, func(b *testing.B) {
			plain, metered := start(b, name, false), start(b, name, true)
			once := time.Duration(math.MaxInt64)
			for range 10 {
				began := time.Now()
				plain.call(b, 1)
				once = min(once, time.Since(began))
			}
			n := uint64(max(1, time.Millisecond/once)) // short runs are less often disturbed
			best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
			for b.Loop() {
				for i, p := range []*program{plain, metered} {
					began := time.Now()
					p.call(b, n)
					best[i] = min(best[i], time.Since(began))
				}
			}
			ratio := float64(best[1]) / float64(best[0])
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(best[0].Microseconds()), "bare-us")
			b.ReportMetric(float64(best[1].Microseconds()), "metered-us")
			b.ReportMetric(ratio, "ratio")
			sum, worst, count = sum+math.Log(ratio), max(worst, ratio), count+1
		})
	}
	fmt.Printf("metering: geometric mean %.3f, worst %.3f, of %d programs\n", math.Exp(sum/float64(count)), worst, count)
}
