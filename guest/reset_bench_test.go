package guest

import (
	"context"
	"os"
	"testing"
	"time"
)

// cleanState measures a call that begins with the state after the start phase, reset included: calls one after
// the other on one instance, so that nothing of it is hidden on another processor. It reports beside it the
// same call without reset, and on an instance of its own.
func cleanState(b *testing.B, wasm []byte, config, input string) {
	m := load(b, openRuntime(b, nil), wasm, "guest")
	pool := func(policy Policy) func() {
		p := newPool(b, m, PoolConfig{
			Policy: policy, Max: 1, ReuseMax: 1 << 30, ConfigLen: len(config),
			Start: func() Host { return &recorder{quiet: true, config: []byte(config), args: []string{"node"}} },
		})
		if policy == PolicyReset {
			b.Cleanup(func() {
				s := p.Stats()
				b.ReportMetric(float64(s.ImageBytes)/1024, "image-KiB")
				b.ReportMetric(float64(s.ResetBytes)/float64(max(s.Resets, 1))/1024, "written-KiB")
			})
		}
		h := &mute{recorder{quiet: true, input: []byte(input), args: []string{"node"}}}
		return func() {
			if _, err := p.Call(context.Background(), h, len(input)); err != nil {
				b.Fatal(err)
			}
		}
	}
	reset, reuse, fresh := pool(PolicyReset), pool(PolicyReuse), pool(PolicyFresh)
	for range 100 {
		reset()
		reuse()
	}
	var tReset, tReuse, tFresh time.Duration
	freshes := 0
	b.ResetTimer()
	const turn = 200
	for done := 0; done < b.N; done += turn {
		n := min(turn, b.N-done)
		tReset += timed(n, reset)
		tReuse += timed(n, reuse)
		tFresh += timed(max(n/20, 1), fresh)
		freshes += max(n/20, 1)
	}
	us := func(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) / 1000 }
	b.ReportMetric(us(tReset, b.N), "us/reset-call")
	b.ReportMetric(us(tReuse, b.N), "us/reuse-call")
	b.ReportMetric(us(tReset, b.N)-us(tReuse, b.N), "us/clean-state")
	b.ReportMetric(us(tFresh, freshes), "us/fresh-call")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCleanState is what a clean state costs: the reset, and what the next call is slower for it.
func BenchmarkCleanState(b *testing.B) {
	for _, c := range []struct{ name, file, config, input string }{
		{"wat-64K", "testdata/counter.wasm", "", ""},
		{"wat-1300K", "testdata/config.wasm", "configuration", ""},
		{"c", "../examples/merge-gate/wasm/chars.wasm", "{}", `{"files":[]}`},
		{"rust", "../examples/merge-gate/wasm/secrets.wasm", "{}", `{"files":[]}`},
		{"go", "../examples/merge-gate/wasm/split.wasm", "{}", `{"patch":"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,2 @@\n+password\n+caf\u00e9\n"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			wasm, err := os.ReadFile(c.file)
			if err != nil {
				b.Fatal(err)
			}
			cleanState(b, wasm, c.config, c.input)
		})
	}
}
