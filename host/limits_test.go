package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/host/workflow"
)

// limitCase breaks one limit of the ABI's table that the manifest sets.
type limitCase struct {
	set   string // value in the manifest
	max   int64  // what it means
	guest string
	input string
	load  bool // it is the load that is refused
}

// limitCases are the limits that end a call or refuse a module.
var limitCases = map[string]limitCase{
	"module":         {"100B", 100, "misbehave.wasm", "", true},
	"memory":         {"1MiB", 1 << 20, "hostile/copyhuge.wasm", "", true},
	"table":          {"10", 10, "hostile/tableops.wasm", "", true},
	"input":          {"5B", 5, "misbehave.wasm", "123456", false},
	"output":         {"2KiB", 2048, "misbehave.wasm", "\x0b\x03", false},
	"stack":          {"64KiB", 64 << 10, "hostile/overflow.wasm", "", false},
	"fuel":           {"1M", 1_000_000, "hostile/loop.wasm", "", false},
	"start_fuel":     {"1M", 1_000_000, "hostile/initializeloop.wasm", "", false},
	"deadline":       {"20ms", 20_000, "hostile/loop.wasm", "", false},
	"start_deadline": {"20ms", 20_000, "hostile/initializeloop.wasm", "", false},
}

// limitTests are where the others are shown: what breaking them gives is told to the guest.
var limitTests = map[string]string{
	"sent": "host/capability/output_test.go TestRouteSend", "argument": "guest/dash_test.go TestArgumentLimit",
	"failure": "host/capability/fail_test.go TestFailRefuses", "retry": "host/capability/fail_test.go TestFailRetry",
	"log": "guest/misbehave_test.go TestLogLimitSaysSoOnce", "effects": "host/capability/effect_test.go TestEffectsAreLimited",
	"sends": "host/capability/output_test.go TestRouteSend", "kv": "", "handles": "", // without backend: section 12 of the spec
}

// TestEveryLimitEndToEnd: the number of the manifest is the one that the guest is held to and that the error names, with the
// field and its place; a limit of the table without a test fails.
func TestEveryLimitEndToEnd(t *testing.T) {
	h := newHost(t, nil)
	for _, row := range abi.Limits() {
		c, ok := limitCases[row.Name]
		if !ok {
			checkListed(t, row.Name)
			continue
		}
		field := strings.TrimPrefix(row.Field, "limits.")
		path := project(t, fmt.Sprintf(`
input: {channel: i, as: text}
modules: {m: {path: %s}}
channels: {i: {}, o: {}}
nodes:
  a:
    module: m
    raw: {in: i, out: o}
    limits: {%s: %s}
edges: [{from: START, to: a}]
`, filepath.Base(c.guest), field, c.set))
		b, err := os.ReadFile(filepath.Join("..", "guest", "testdata", c.guest))
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(path), filepath.Base(c.guest)), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		place := "workflow.yaml:10"
		g, err := h.Load(t.Context(), path, nil)
		if c.load {
			checkRefused(t, row.Name, &c, err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.Name, err)
			continue
		}
		run, err := h.Start(t.Context(), g, []byte(c.input), nil)
		res := wait(t, run, err)
		if res.Err == nil || res.Err.Code != row.Name {
			t.Errorf("%s: %s %+v", row.Name, res.Status, res.Err)
			continue
		}
		if max := fmt.Sprintf(" exceeds %d", c.max); !strings.Contains(res.Err.Message, max) {
			t.Errorf("%s: %q does not say %q", row.Name, res.Err.Message, max)
		}
		if !strings.Contains(res.Err.Hint, place) || !strings.Contains(res.Err.Hint, field) {
			t.Errorf("%s: hint %q does not name %s at %s", row.Name, res.Err.Hint, field, place)
		}
	}
}

// checkRefused checks what Load said.
func checkRefused(t *testing.T, name string, c *limitCase, err error) {
	t.Helper()
	var invalid *workflow.Invalid
	var limit *guest.LimitError
	switch {
	case errors.As(err, &limit) && limit.Limit == name && limit.Max == c.max && limit.Got > limit.Max && limit.Field == "limits."+name:
	case errors.As(err, &invalid) && strings.Contains(err.Error(), fmt.Sprint(c.max)) && strings.Contains(err.Error(), "limits."+name):
	default:
		t.Errorf("%s: load: %v", name, err)
	}
}

// checkListed checks that the test which limitTests names is there.
func checkListed(t *testing.T, name string) {
	t.Helper()
	where, ok := limitTests[name]
	if !ok {
		t.Errorf("limit %s: no case and no test", name)
	}
	if where == "" {
		return
	}
	file, test, _ := strings.Cut(where, " ")
	b, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil || !regexp.MustCompile(`(?m)^func `+test+`\(`).Match(b) {
		t.Errorf("limit %s: %s is not there: %v", name, where, err)
	}
}
