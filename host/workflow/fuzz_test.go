package workflow

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzParse wants an end in bounded time, faults with places, and a canonical
// form that parses to the same digest.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"valid", "broken"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no seeds in testdata/%s: %v", dir, err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		start := time.Now()
		g, _, err := Parse(context.Background(), "w.yaml", src, nil)
		if took := time.Since(start); took > 20*time.Second {
			t.Fatalf("%d bytes took %v", len(src), took)
		}
		checkOutcome(t, src, g, err)
	})
}

// FuzzCondition wants an answer or a *ConditionError for any expression over
// any bytes.
func FuzzCondition(f *testing.F) {
	f.Add("size(x) == 0 || x[0].a in x", []byte(`[{"a":[1]}]`))
	f.Add("x.exists(k, x[k] == 1.0) && has(x.a.b)", []byte(`{"a":{"b":18446744073709551615}}`))
	f.Add("x.matches('a+') ? x < 'b' : x > 1", []byte(`"\ud83d\ude00"`))
	f.Fuzz(func(t *testing.T, source string, raw []byte) {
		c, err := CompileCondition(source, []*Channel{{Name: "x"}})
		if err != nil {
			return
		}
		c.work = 1 << 22
		_, _ = c.Eval(func(string) []byte { return raw })
	})
}
