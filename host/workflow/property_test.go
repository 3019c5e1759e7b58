package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/internal/rawjson"
)

// drawManifest makes a valid manifest of random nodes and channels, as pairs of
// name and value so that it can be written in several ways.
func drawManifest(t *rapid.T) map[string]any {
	nodes, channels := rapid.IntRange(1, 6).Draw(t, "nodes"), rapid.IntRange(1, 4).Draw(t, "channels")
	name := func(prefix string, n int) string {
		return fmt.Sprintf("%s%d", prefix, rapid.IntRange(0, n-1).Draw(t, prefix))
	}
	maybe := func(m map[string]any, field string, val func() any) {
		if rapid.Bool().Draw(t, field) {
			m[field] = val()
		}
	}
	size := func() any {
		return rapid.OneOf(rapid.Just[any]("64KiB"), rapid.Just[any]("1MiB"), rapid.Map(rapid.IntRange(1, 1<<30), func(i int) any { return i })).Draw(t, "size")
	}
	duration := func() any {
		return rapid.SampledFrom([]string{"5s", "1m30s", "250ms", "7us", "1.5h"}).Draw(t, "duration")
	}
	doc := map[string]any{"version": 1}
	maybe(doc, "name", func() any { return rapid.StringMatching(`[A-Za-z_][A-Za-z0-9_.-]{0,10}`).Draw(t, "name") })
	maybe(doc, "limits", func() any { return map[string]any{"memory": size(), "deadline": duration(), "fuel": "3M"} })
	maybe(doc, "run", func() any { return map[string]any{"max_steps": rapid.IntRange(1, 5000).Draw(t, "steps")} })
	maybe(doc, "store", func() any {
		return map[string]any{"durability": rapid.SampledFrom([]any{"sync", "exit", map[string]any{"max_delay": "50ms"}}).Draw(t, "durability")}
	})
	chs := map[string]any{}
	for i := range channels {
		c := map[string]any{}
		maybe(c, "reduce", func() any { return rapid.SampledFrom([]string{"value", "append", "union", "first"}).Draw(t, "reduce") })
		maybe(c, "kind", func() any { return rapid.SampledFrom([]string{"plain", "ephemeral"}).Draw(t, "kind") })
		maybe(c, "schema", func() any {
			return map[string]any{"type": []string{"array", "string"}, "title": rapid.String().Draw(t, "title")}
		})
		chs[fmt.Sprintf("c%d", i)] = c
	}
	doc["channels"] = chs
	ns, edges := map[string]any{}, []any{}
	for i := range nodes {
		n := map[string]any{"native": "f"}
		maybe(n, "reads", func() any { return []any{name("c", channels)} })
		maybe(n, "writes", func() any { return []any{name("c", channels)} })
		maybe(n, "each", func() any { return map[string]any{"over": name("c", channels)} })
		maybe(n, "config", func() any { return drawJSON(t, 3) })
		maybe(n, "deadline", duration)
		maybe(n, "retry", func() any { return map[string]any{"attempts": rapid.IntRange(1, 9).Draw(t, "attempts")} })
		maybe(n, "defer", func() any { return rapid.Bool().Draw(t, "deferred") })
		maybe(n, "grants", func() any {
			return map[string]any{"clock": rapid.Bool().Draw(t, "clock"), "env": map[string]any{"A": strings.ReplaceAll(rapid.String().Draw(t, "env"), "\x00", "")}}
		})
		ns[fmt.Sprintf("n%d", i)] = n
		edges = append(edges, map[string]any{"from": "START", "to": fmt.Sprintf("n%d", i)})
		switch rapid.IntRange(0, 3).Draw(t, "edge") {
		case 0:
			edges = append(edges, map[string]any{"from": fmt.Sprintf("n%d", i), "to": []any{name("n", nodes)}})
		case 1:
			edges = append(edges, map[string]any{"from": fmt.Sprintf("n%d", i), "when": []any{map[string]any{"if": "c0 == " + string(rawjson.AppendString(nil, rapid.StringMatching(`[a-z "\\]{0,8}`).Draw(t, "text"))), "to": name("n", nodes)}, map[string]any{"to": "END"}}})
		}
	}
	doc["nodes"], doc["edges"] = ns, edges
	return doc
}

func drawJSON(t *rapid.T, depth int) any {
	switch k := rapid.IntRange(0, 7).Draw(t, "json"); {
	case k == 0:
		return nil
	case k == 1:
		return rapid.Bool().Draw(t, "bool")
	case k == 2:
		return json.Number(rapid.SampledFrom([]string{"0", "-1", "9007199254740993", "1.50", "1e400", "-0.5E-3", "123456789012345678901234567890"}).Draw(t, "number"))
	case k == 3 && depth > 0:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			list = append(list, drawJSON(t, depth-1))
		}
		return list
	case k == 4 && depth > 0:
		m := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			m[rapid.StringN(0, 8, 32).Draw(t, "key")] = drawJSON(t, depth-1)
		}
		return m
	}
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"no", "~", "", " x", "# c", "a: b", "- x", "\u0085", "\u2028", "\ufeff", "\x7f", "\t", "'", "<<", "&a", "*a", "!!str"})).Draw(t, "text")
}

// asYAML writes a value in block style with comments, keys and texts quoted.
func asYAML(b *strings.Builder, v any, indent string) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString(" # comment\n")
		keys := keysOf(v)
		for i := range keys { // another order than JSON's
			k := keys[len(keys)-1-i]
			b.WriteString(indent + string(escapeForYAML(rawjson.AppendString(nil, k))) + ":")
			asYAML(b, v[k], indent+"  ")
		}
	case []any:
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, e := range v {
			b.WriteString(indent + "-")
			asYAML(b, e, indent+"  ")
		}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		b.WriteString(" " + string(escapeForYAML(text)) + "\n")
	}
}

// TestRapidRoundTrip checks for random manifests that Parse(Canonical(g)) is g,
// and, where order means nothing, that the way of writing does not count.
func TestRapidRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := drawManifest(t)
		src, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		src = escapeForYAML(src)
		g, _, err := Parse(context.Background(), "w.yaml", src, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, src)
		}
		again, _, err := Parse(context.Background(), "w.yaml", g.Canonical(), nil)
		if err != nil {
			t.Fatalf("canonical form: %v\n%s", err, g.Canonical())
		}
		if d := sameGraph(g, again); d != "" || !bytes.Equal(g.Canonical(), again.Canonical()) || len(Diff(g, again)) > 0 {
			t.Fatalf("%s\n%s\n%s", d, g.Canonical(), again.Canonical())
		}
		for _, table := range []string{"nodes", "channels"} {
			if len(doc[table].(map[string]any)) > 1 {
				return // their order counts, and the other style has another
			}
		}
		var b strings.Builder
		asYAML(&b, doc, "")
		other, _, err := Parse(context.Background(), "w.yaml", []byte(strings.TrimPrefix(b.String(), " # comment\n")), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if other.Digest() != g.Digest() {
			t.Fatalf("%s\n%s\n%s", b.String(), g.Canonical(), other.Canonical())
		}
	})
}

// TestRapidScan compares the walk over checked JSON with the one that checks.
func TestRapidScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := json.MarshalIndent(drawJSON(t, 4), rapid.SampledFrom([]string{"", " "}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "\t"}).Draw(t, "indent"))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.TrimSpace(b)
		if end := valueEnd(b, 0); end != len(b) {
			t.Fatalf("%s ends at %d", b, end)
		}
		var want, got []string
		switch b[0] {
		case '[':
			err = rawjson.Array(b, func(e []byte) error { want = append(want, string(e)); return nil })
		case '{':
			err = rawjson.Object(b, func(k string, v []byte) error { want = append(want, k, string(v)); return nil })
		default:
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for e := walk(b); e.more(); {
			val := e.next()
			if b[0] == '{' && len(got)%2 == 0 {
				key, err := rawjson.Unquote(val)
				if err != nil {
					t.Fatal(err)
				}
				val = []byte(key)
			}
			got = append(got, string(val))
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%s: %q, want %q", b, got, want)
		}
	})
}
