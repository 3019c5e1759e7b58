package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// treeGuests are the guests of the tree, in Go, C, Rust, AssemblyScript and text.
func treeGuests(t testing.TB) map[string][]byte {
	t.Helper()
	guests := make(map[string][]byte)
	for _, dir := range []string{"testdata", "../cmd/dashhost/testdata/guests", "../examples/merge-gate/wasm", "../abi/spec"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no guests in %s: %v", dir, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			guests[file] = b
		}
	}
	return guests
}

// observed is all that a call does that anybody can see.
func observed(t *testing.T, p *Pool, input string) string {
	h := &recorder{
		input: []byte(input), config: []byte(`{"max":3}`), meta: []byte(`{}`), now: 1_700_000_000_000_000, args: []string{"node"},
	}
	res, err := p.Call(t.Context(), h, len(input))
	res.Duration = 0
	return fmt.Sprintf("%+v, %v\noutput %q\ncalls %.2000q\nlog %q", res, err, h.output, h.calls, h.stdio)
}

// TestResetIsFresh: no guest of the tree can tell an instance that was put back from a new one, and neither can
// anybody who watches it.
func TestResetIsFresh(t *testing.T) {
	inputs := []string{
		``, `{}`, `{"patch":"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,2 @@\n+password = \"hunter2\"\n+caf\u00e9\n"}`,
		`{"files":[{"path":"a.go","lines":["one","two"]}],"findings":[]}`, "\x09", "\x03", "\x00\x01", strings.Repeat("long ", 20_000), `{"n":1}`,
	}
	r := openRuntime(t, nil)
	reset := 0
	for file, wasm := range treeGuests(t) {
		m, err := r.Load(t.Context(), wasm, &ModuleOptions{Name: filepath.Base(file)})
		if err != nil {
			continue // one that is there to be refused
		}
		pool := func(policy Policy) *Pool {
			p, err := m.NewPool(PoolConfig{
				Policy: policy, Max: 1, ConfigLen: 9, // Fuel and not a deadline, because it ends a call at the same place every time.
				Limits: Limits{Memory: 16 << 20, Fuel: 50_000_000, StartFuel: 100_000_000},
				Start:  func() Host { return &recorder{config: []byte(`{"max":3}`), quiet: true, args: []string{"node"}} },
			})
			if err != nil {
				return nil // one that asks for too much from the start
			}
			return p
		}
		put, fresh := pool(PolicyReset), pool(PolicyFresh)
		if put == nil {
			continue
		}
		if err := fresh.Warm(t.Context(), 1); err != nil {
			continue // one that is there to fail before its first call
		}
		if s := put.Stats(); s.Policy == PolicyReset {
			reset++
		}
		var want []string
		for _, input := range inputs {
			want = append(want, observed(t, fresh, input))
		}
		for round := range 3 {
			for i, input := range inputs {
				if got := observed(t, put, input); got != want[i] {
					t.Errorf("%s, round %d, input %.40q:\nput back %s\nfresh    %s", file, round, input, got, want[i])
				}
			}
			slices.Reverse(inputs)
			slices.Reverse(want)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if reset < 20 {
		t.Errorf("only %d guests were put back", reset)
	}
}
