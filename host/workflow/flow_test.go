package workflow

import (
	"context"
	"strings"
	"testing"
)

// TestRivals lists graphs with the warnings they must give about two writers
// of one channel in a superstep.
func TestRivals(t *testing.T) {
	const head = "version: 1\nchannels: {v: {}, list: {reduce: append}}\nnodes:\n  a: {native: f, writes: [v]A}\n  b: {native: f, writes: [v]B}\n  c: {native: f}\n  d: {native: f}\nedges:\n"
	for name, c := range map[string]struct {
		a, b  string // further fields of a and b
		edges string
		want  string // "" = no warning
	}{
		"parallel":              {edges: "{from: START, to: [a, b, c, d]}", want: "nodes.b: may write channel v in the same superstep as a"},
		"separate edges":        {edges: "{from: START, to: [a, c, d]}; {from: START, to: b}", want: "nodes.b: may write"},
		"one after the other":   {edges: "{from: START, to: a}; {from: a, to: b}; {from: b, to: [c, d]}"},
		"same depth":            {edges: "{from: START, to: [c, d]}; {from: c, to: a}; {from: d, to: b}", want: "nodes.b: may write"},
		"another depth":         {edges: "{from: START, to: [c, a]}; {from: c, to: d}; {from: d, to: b}"},
		"branches":              {edges: "{from: START, to: [c, d]}; {from: c, when: [{if: 'v == 1', to: a}, {to: b}]}"},
		"one branch":            {edges: "{from: START, to: [c, d]}; {from: c, when: [{if: 'v == 1', to: [a, b]}, {to: END}]}", want: "nodes.b: may write"},
		"route":                 {edges: "{from: START, to: [c, d]}; {from: c, route: [a, b]}"},
		"cycle comes together":  {edges: "{from: START, to: [a, c]}; {from: c, to: d}; {from: d, to: [c, b]}; {from: a, to: a}", want: "nodes.b: may write"},
		"each":                  {a: ", each: {over: list}", edges: "{from: START, to: a}; {from: a, to: b}; {from: b, to: [c, d]}", want: "nodes.a: its tasks all write channel v"},
		"deferred":              {b: ", defer: true", edges: "{from: START, to: [a, b, c, d]}"},
		"both deferred":         {a: ", defer: true", b: ", defer: true", edges: "{from: START, to: [a, c]}; {from: c, to: d}; {from: d, to: b}", want: "nodes.b: may write"},
		"join comes after both": {edges: "{from: START, to: [c, d]}; {from: [c, d], to: a}; {from: a, to: b}"},
	} {
		src := strings.NewReplacer("]A", "]"+c.a, "]B", "]"+c.b).Replace(head)
		for _, e := range strings.Split(c.edges, "; ") {
			src += "  - " + e + "\n"
		}
		_, warnings, err := Parse(context.Background(), "w.yaml", []byte(src), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := faultLines(warnings)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: warnings %q, want %q", name, got, c.want)
		}
	}
}

func TestUnusedWarnings(t *testing.T) {
	_, warnings, err := Parse(context.Background(), "w.yaml", []byte(`version: 1
input: {channel: first}
modules: {m: {path: m.wasm}, n: {path: n.wasm}}
channels: {first: {}, out: {}, never: {}, answer: {}}
nodes: {a: {module: m, reads: [first, never], writes: [out]}}
edges: [{from: START, to: a}]
interrupt: {before: [a], answer: answer}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/unused.want", faultLines(warnings)+"\n")
}

func TestReachability(t *testing.T) {
	for edges, want := range map[string]string{
		"{from: START, to: a}":                                                    "nodes.b",
		"{from: START, to: a}; {from: [a, b], to: b}":                             "nodes.b",
		"{from: START, to: a}; {from: a, when: [{if: 'true', to: b}, {to: END}]}": "",
		"{from: START, to: a}; {from: a, route: [b]}":                             "",
		"{from: b, to: a}; {from: a, to: b}; {from: START, to: END}":              "nodes.a",
	} {
		src := "version: 1\nnodes: {a: {native: f}, b: {native: f}}\nedges:\n"
		for _, e := range strings.Split(edges, "; ") {
			src += "  - " + e + "\n"
		}
		_, _, err := Parse(context.Background(), "w.yaml", []byte(src), nil)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want+": no path leads to it") {
			t.Errorf("%s: %v", edges, err)
		}
	}
	mustParse(t, "version: 1\nnodes: {a: {native: f, on_error: b}, b: {native: f}}\nedges: [{from: START, to: a}]\n", nil)
}

func TestDrawings(t *testing.T) {
	g := mustParse(t, valid(t)["full.yaml"], nil)
	golden(t, "testdata/full.mermaid", g.Mermaid())
	golden(t, "testdata/full.dot", g.DOT())
	g = mustParse(t, `version: 1
channels: {x: {}}
nodes: {a: {native: f}}
edges:
  - {from: START, to: a}
  - {from: a, when: [{if: 'x == "<b>|#&;`+"`"+`\\n{}"', to: a}, {to: END}]}
`, nil)
	golden(t, "testdata/escape.mermaid", g.Mermaid())
	golden(t, "testdata/escape.dot", g.DOT())
}

func TestDiff(t *testing.T) {
	a := mustParse(t, valid(t)["full.yaml"], nil)
	src := valid(t)["full.yaml"]
	for _, r := range [][2]string{
		{"name: everything", "name: other"},
		{"entropy: 4.2", "entropy: 4.3"},
		{"deadline: 1s", "deadline: 2s"},
		{"    reads: [waivers]\n", ""},
		{"handle: {native: score, writes: [note]}", "handle: {native: score, writes: [note], defer: true}"},
		{"  memory: 64MiB\n", "  memory: 65MiB\n"},
		{"  KEY: {file: secrets/key}\n", "  OTHER: {file: secrets/key}\n"},
		{"waivers: {reduce: merge}", "waivers: {reduce: union}"},
		{"{from: until, to: last}", "{from: until, to: END}"},
		{"nesting: 2000", "nesting: 2001"},
		{"max_tasks: 2000, ", ""},
		{"sha256: 9f2c", "sha256: 9f2d"},
	} {
		if !strings.Contains(src, r[0]) {
			t.Fatalf("no %q", r[0])
		}
		src = strings.Replace(src, r[0], r[1], 1)
	}
	b := mustParse(t, src, nil)
	golden(t, "testdata/diff.want", strings.Join(Diff(a, b), "\n")+"\n")
	if d := Diff(a, a); len(d) != 0 {
		t.Errorf("Diff with itself = %q", d)
	}
	reordered := mustParse(t, "version: 1\nnodes: {b: {native: f}, a: {native: f}}\nedges: [{from: START, to: [a, b]}]\n", nil)
	ordered := mustParse(t, "version: 1\nnodes: {a: {native: f}, b: {native: f}}\nedges: [{from: START, to: [a, b]}]\n", nil)
	if d := Diff(ordered, reordered); len(d) != 1 || d[0] != "nodes: order changed" {
		t.Errorf("Diff = %q", d)
	}
}
