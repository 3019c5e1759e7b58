package workflow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConditionIsBounded gives expressions that would run for hours.
func TestConditionIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", 50_000) + "1]"
	state := map[string]string{
		"list": list,
		"text": `"` + strings.Repeat("ab", 5<<20) + `"`,
		"big":  `{"a":` + list + `,"s":"` + strings.Repeat("ab", 1<<20) + `"}`,
	}
	channels := []*Channel{{Name: "list"}, {Name: "text"}, {Name: "big"}}
	digits := "[" + strings.Repeat("1,", 300) + "1]"
	raw := make(map[string][]byte)
	for name, s := range state {
		raw[name] = []byte(s)
	}
	for _, source := range []string{
		`list.all(a, list.all(b, a == b))`,
		`list.all(a, big.a[0] == 1)`,
		`list.all(a, !text.contains('zz'))`,
		`list.all(a, !text.matches('(a|b)*c'))`,
		`list.all(a, (text + text) != '')`,
		`list.all(a, list == list)`,
		`list.all(a, list + list != [])`,
		`list.all(a, !(2 in list))`,
		`list.exists(a, list.exists(b, big.nope == 1))`,
		`list.map(a, list.map(b, b)) == []`,
		digits + `.all(a, ` + digits + `.all(b, ` + digits + `.all(c, ` + digits + `.all(d, true))))`,
		`[text].all(f, list.all(g, !f.contains('zz')))`,
		`list.all(a, big.s < text)`,
		`list.all(a, size(text) > 1)`,
		`list.all(a, !(text in big))`,
		`list.all(a, !({'k': text} == {'k': text + 'x'}))`,
	} {
		c, err := CompileCondition(source, channels)
		if err != nil {
			t.Fatal(err)
		}
		c.work = 1 << 25 // the real bound takes seconds each

		if _, err := c.Eval(func(name string) []byte { return raw[name] }); !errors.Is(err, ErrConditionCost) {
			t.Errorf("%.80s: %v, want ErrConditionCost", source, err)
		}
	}
}

// TestConditionReadsLazily checks that counting a list builds nothing per
// element.
func TestConditionReadsLazily(t *testing.T) {
	c, err := CompileCondition("size(list) == 0", []*Channel{{Name: "list"}, {Name: "other"}})
	if err != nil {
		t.Fatal(err)
	}
	state := listOf(50_000, 10)
	allocs := testing.AllocsPerRun(5, func() {
		if got, err := c.Eval(func(name string) []byte {
			if name != "list" {
				t.Errorf("asked for %s", name)
			}
			return state
		}); got || err != nil {
			t.Error(got, err)
		}
	})
	if allocs > 100 {
		t.Errorf("%.0f allocations for a list of 50,000", allocs)
	}
}

func TestConditionOnDamagedState(t *testing.T) {
	c, err := CompileCondition("list.exists(a, a.b == 1) || list[0].b == 2 || size(list) == 9", []*Channel{{Name: "list"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"", "[", "{", `["`, `[{"b":`, `[{"b"`, "[1,,]", "]", `{"b":1}`, "1e999", `"\ud800"`, "[[[[", "\x00", "nul"} {
		if _, err := c.Eval(func(string) []byte { return []byte(raw) }); err == nil && raw != `{"b":1}` {
			var ce *ConditionError
			if errors.As(err, &ce) {
				t.Errorf("%q: %v", raw, err)
			}
		}
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.Repeat("#", size)), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if _, _, err := Load(context.Background(), filepath.Join(dir, "none.yaml"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := Load(context.Background(), dir, nil); err == nil {
		t.Error("a folder was accepted")
	}
	var invalid *Invalid
	for _, size := range []int{MaxManifest, MaxManifest + 1, 3 * MaxManifest} {
		_, _, err := Load(context.Background(), write("w.yaml", size), nil)
		tooLarge := errors.As(err, &invalid) && strings.Contains(invalid.Faults[0].Text, "at most")
		if tooLarge != (size > MaxManifest) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Parse(ctx, "w.yaml", readTestdata(t, "valid/small.yaml"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestHostileManifests parses large manifests that make careless code slow;
// each must end, with faults or without, and say where.
func TestHostileManifests(t *testing.T) {
	build := func(n int, head string, line func(i int) string, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			if b.Len() > MaxManifest-200 {
				break
			}
			b.WriteString(line(i))
		}
		b.WriteString(tail)
		return b.String()
	}
	node := func(i int) string { return fmt.Sprintf("  n%d: {native: f, writes: [x]}\n", i) }
	const n = 5_000
	for name, src := range map[string]string{
		"chain backwards": build(n, "version: 1\nchannels: {x: {}}\nnodes:\n", node, "") + build(n, "edges:\n", func(i int) string {
			if i == n-1 {
				return fmt.Sprintf("  - {from: START, to: n%d}\n", n-1)
			}
			return fmt.Sprintf("  - {from: n%d, to: n%d}\n", i+1, i)
		}, ""),
		"all at once": build(n, "version: 1\nchannels: {x: {}}\nnodes:\n", node, "") + build(n, "edges:\n", func(i int) string {
			return fmt.Sprintf("  - {from: START, to: n%d}\n", i)
		}, ""),
		"unknown names":  build(n, "version: 1\nnodes:\n", func(i int) string { return fmt.Sprintf("  node%d: {module: modul%d, reads: [chanel%d]}\n", i, i, i) }, "edges: []\n"),
		"flow depth":     "version: 1\nnodes: " + strings.Repeat("[", 500_000),
		"block depth":    "version: 1\n" + build(5_000, "", func(i int) string { return strings.Repeat(" ", i%180) + "a:\n" }, ""),
		"question marks": strings.Repeat("? ", 200_000),
		"dashes":         strings.Repeat("- ", 200_000),
		"quotes":         strings.Repeat(`"a" `, 200_000),
		"many documents": strings.Repeat("---\n", 200_000),
		"long key":       strings.Repeat("k", 500_000) + ": 1\n",
		"same key":       strings.Repeat("version: 1\n", 90_000),
		"anchors":        build(100_000, "", func(i int) string { return fmt.Sprintf("k%d: &a%d *a%d\n", i, i, i-1) }, ""),
		"conditions": build(3_000, "version: 1\nchannels: {x: {}}\nnodes: {a: {native: f}}\nedges:\n  - {from: START, to: a}\n", func(i int) string {
			return fmt.Sprintf("  - {from: a, when: [{if: 'x == %d', to: END}, {to: a}]}\n", i)
		}, ""),
		"deep condition":   "version: 1\nchannels: {x: {}}\nnodes: {a: {native: f}}\nedges:\n  - {from: START, to: a}\n  - {from: a, when: [{if: '" + strings.Repeat("(", 4000) + "x" + strings.Repeat(")", 4000) + "', to: END}, {to: a}]}\n",
		"nested schema":    "version: 1\nchannels: {x: {schema: " + strings.Repeat("{not: ", 50) + "{}" + strings.Repeat("}", 50) + "}}\nnodes: {a: {native: f}}\nedges: [{from: START, to: a}]\n",
		"recursive schema": "version: 1\nchannels: {x: {schema: {$ref: '#'}}}\nnodes: {a: {native: f}}\nedges: [{from: START, to: a}]\n",
		"long config key":  "version: 1\nnodes: {a: {native: f, config: {? " + strings.Repeat("k", 5000) + " : 1}}}\nedges: [{from: START, to: a}]\n",
	} {
		t.Run(name, func(t *testing.T) {
			g, _, err := Parse(context.Background(), "w.yaml", []byte(src), nil)
			checkOutcome(t, []byte(src), g, err)
		})
	}
}

// checkOutcome checks what must hold for every text.
func checkOutcome(t *testing.T, src []byte, g *Graph, err error) {
	t.Helper()
	if err == nil {
		again, _, err := Parse(context.Background(), "w.yaml", g.Canonical(), nil)
		if len(g.Canonical()) <= MaxManifest && (err != nil || again.Digest() != g.Digest()) {
			t.Fatalf("canonical form: %v\n%.2000s", err, g.Canonical())
		}
		_, _ = g.Mermaid(), g.DOT()
		return
	}
	var invalid *Invalid
	if !errors.As(err, &invalid) || len(invalid.Faults) == 0 || len(invalid.Faults) > maxFaults+1 || g != nil {
		t.Fatalf("err = %v", err)
	}
	lines := strings.Count(string(src), "\n") + 1
	for _, f := range invalid.Faults {
		if f.Pos.File != "w.yaml" || f.Pos.Line < 0 || f.Pos.Line > lines+1 || f.Text == "" || f.Pos.Line > 0 && f.Pos.Col < 1 || len(f.String()) > 4000 {
			t.Fatalf("fault %+v in %d lines", f, lines)
		}
	}
}
