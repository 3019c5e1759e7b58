package workflow

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// mustParse parses a manifest that must be valid.
func mustParse(t testing.TB, src string, o *Options) *Graph {
	t.Helper()
	g, _, err := Parse(context.Background(), "w.yaml", []byte(src), o)
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, src)
	}
	return g
}

// sameGraph compares what a run sees of two graphs: not where the text stood,
// and not what Canonical leaves out.
func sameGraph(a, b *Graph) string {
	return cmp.Diff(a, b,
		cmpopts.IgnoreUnexported(Graph{}, Condition{}, Schema{}),
		cmpopts.IgnoreTypes(Pos{}, map[string]Pos{}),
		cmpopts.IgnoreFields(Graph{}, "File", "Dir"),
		cmpopts.IgnoreFields(Module{}, "Path", "File", "Build"),
		cmpopts.IgnoreFields(Store{}, "URL"),
		cmpopts.IgnoreFields(Stream{}, "URL"),
		cmpopts.EquateEmpty(),
	)
}

func valid(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, file := range corpus(t, "valid", 4) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = string(src)
	}
	return out
}

func TestValidRoundTrip(t *testing.T) {
	for name, src := range valid(t) {
		g := mustParse(t, src, nil)
		again := mustParse(t, string(g.Canonical()), nil)
		if d := sameGraph(g, again); d != "" {
			t.Errorf("%s: graph of the canonical form differs (-first +again):\n%s", name, d)
		}
		if string(again.Canonical()) != string(g.Canonical()) || again.Digest() != g.Digest() {
			t.Errorf("%s: canonical form of the canonical form differs:\n%s\n%s", name, g.Canonical(), again.Canonical())
		}
		if d := Diff(g, again); len(d) > 0 {
			t.Errorf("%s: Diff = %q", name, d)
		}
	}
}

// TestDigestIgnoresWriting parses one manifest in two ways of writing.
func TestDigestIgnoresWriting(t *testing.T) {
	a := mustParse(t, `
version: 1
channels: {x: {reduce: append}, y: {}}
limits: {memory: 1024KiB, deadline: 90s, fuel: 2000M}
nodes:
  a: {native: f, config: {b: 1, a: "x"}, writes: [x], each: {over: x}, limits: {}}
edges: [{from: START, to: a}]
`, nil)
	b := mustParse(t, `# another hand
edges:
  - to: [a]
    from: [START]
nodes:
  "a":
    each: {over: 'x'}
    writes:
    - x    # all
    config:
      a: x
      b: 1
    native: f
limits:
  fuel: 2G
  deadline: 1m30s
  memory: 1MiB
run: {max_steps: 1000}
channels:
  x: {reduce: "append", kind: plain}
  y: {}
version: 1
name: workflow
`, nil)
	if a.Digest() != b.Digest() {
		t.Errorf("digests differ:\n%s\n%s\n%q", a.Canonical(), b.Canonical(), Diff(a, b))
	}
	c := mustParse(t, strings.Replace(string(a.Canonical()), `"a":"x"`, `"a":"z"`, 1), nil)
	if c.Digest() == a.Digest() {
		t.Error("another config has the same digest")
	}
}

func TestGraphFields(t *testing.T) {
	g := mustParse(t, valid(t)["full.yaml"], nil)
	scan, python := g.Node("scan"), g.Node("python")
	if scan.Index != 0 || python.Index != 1 || scan.Module != g.Module("scan") || g.Channel("gate").Writers[1] != "python" {
		t.Errorf("scan = %+v", scan)
	}
	if l := scan.Limits; l.Memory != 64<<20 || l.Deadline != time.Second || l.Fuel != 10e9 || l.StartDeadline != 10*time.Second || l.Handles != 4 || l.Arg != 2<<20 {
		t.Errorf("limits of scan = %+v", l)
	}
	if l := python.Limits; l.Module != 100<<20 || l.Deadline != 20*time.Second || l.Memory != 128<<20 {
		t.Errorf("limits of python = %+v", l)
	}
	want := Retry{Attempts: 5, Initial: 200 * time.Millisecond, Factor: 1.5, Max: 10 * time.Second, Jitter: 0.5, On: []string{"unavailable", "timeout"}}
	if d := cmp.Diff(want, scan.Retry); d != "" {
		t.Error(d)
	}
	if python.Retry.Attempts != 1 || !python.StrictImports || scan.StrictImports {
		t.Errorf("python = %+v", python)
	}
	if string(scan.Config) != `{"deep":{"n":9007199254740993,"off":null,"on":true},"entropy":4.2,"words":["a","b"]}` {
		t.Errorf("config = %s", scan.Config)
	}
	if g.Store.Durability != DurabilityMaxDelay || g.Store.MaxDelay != 50*time.Millisecond || g.Store.KeepFor != 720*time.Hour {
		t.Errorf("store = %+v", g.Store)
	}
	if r := g.Run; r.MaxSteps != 500 || r.Parallel != 3 || r.StateBytes != 512<<20 || r.WallTime != 90*time.Minute || r.Fuel != 5e12 {
		t.Errorf("run = %+v", g.Run)
	}
	if e := g.Edges[2]; len(e.When) != 3 || e.When[0].If.Channels[0] != "findings" || e.When[2].If != nil || e.When[1].To[1] != "until" {
		t.Errorf("edge = %+v", e)
	}
	if g.Node("nobody") != nil || g.Channel("nobody") != nil || g.Module("nobody") != nil {
		t.Error("found what is not there")
	}
}

func TestDefaults(t *testing.T) {
	g := mustParse(t, valid(t)["small.yaml"], nil)
	if g.Name != "workflow" || g.Run.MaxSteps != 1000 || g.Run.MaxTasks != 10000 || g.Run.StateBytes != 1<<30 ||
		g.Store.Durability != DurabilitySync || g.Stream.Queue != 1024 || g.Stream.BlockFor != 2*time.Second || g.Nodes[0].Retry.Attempts != 1 {
		t.Errorf("graph = %+v", g)
	}
	g = mustParse(t, "version: 1\nnodes: {a: {native: f, retry: {}}}\nedges: [{from: START, to: a}]\n", nil)
	want := Retry{Attempts: 3, Initial: 100 * time.Millisecond, Factor: 2, Max: 30 * time.Second, Jitter: 0.2}
	if d := cmp.Diff(want, g.Nodes[0].Retry); d != "" {
		t.Error(d)
	}
}

// TestPlaces checks that a limit is named where it stands, or where it could.
func TestPlaces(t *testing.T) {
	g := mustParse(t, "version: 1\nlimits: {memory: 1MiB}\nnodes:\n  a: {native: f, limits: {input: 1MiB}, deadline: 1s}\nedges: [{from: START, to: a}]\n", nil)
	for field, want := range map[string]Pos{
		"memory":   {"w.yaml", 2, 18},
		"input":    {"w.yaml", 4, 34},
		"deadline": {"w.yaml", 4, 51},
		"output":   {"w.yaml", 4, 3},
	} {
		if got := g.Nodes[0].Limits.Places[field]; got != want {
			t.Errorf("place of %s = %v, want %v", field, got, want)
		}
	}
	if got := g.Run.Places["state"]; got.File != "w.yaml" || got.Line != 1 {
		t.Errorf("place of run.state = %v", got)
	}
	for _, f := range limitsShape().fields {
		if g.Nodes[0].Limits.Places[f.name].Line == 0 {
			t.Errorf("limit %s has no place", f.name)
		}
	}
}

func TestUnsupported(t *testing.T) {
	var got []string
	for _, f := range mustParse(t, valid(t)["full.yaml"], nil).Unsupported() {
		if f.Pos.Line == 0 || f.Severity != Error {
			t.Errorf("fault %+v", f)
		}
		got = append(got, f.Text)
	}
	golden(t, "testdata/unsupported.want", strings.Join(got, "\n")+"\n")
	for _, src := range []string{
		valid(t)["small.yaml"],
		"version: 1\nsecrets: {}\nmodules: {m: {path: m.wasm, kind: node, trusted: false}}\nnodes: {a: {module: m, interrupts: false, policy: fresh, grants: {checkpoint: false}}}\nedges: [{from: START, to: a}]\nstream: {queue: 5}\n",
	} {
		if u := mustParse(t, src, nil).Unsupported(); len(u) > 0 {
			t.Errorf("unsupported: %v", u)
		}
	}
}

func TestExpandEnv(t *testing.T) {
	lookup := func(name string) (string, bool) {
		return map[string]string{"A": "x${env:B}", "B": ""}[name], name == "A" || name == "B"
	}
	got, err := ExpandEnv("postgres://u:${env:A}@h/${env:B}d", lookup)
	if err != nil || got != "postgres://u:x${env:B}@h/d" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ExpandEnv("x:${env:NOPE}", lookup); err == nil || !strings.Contains(err.Error(), "NOPE") {
		t.Errorf("err = %v", err)
	}
}
