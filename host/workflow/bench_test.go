package workflow

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/dashhost/dashhost/internal/rawjson"
)

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"small", "full"} {
		src := readTestdata(b, "valid/"+name+".yaml")
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Parse(context.Background(), "w.yaml", src, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// listOf makes a list of n objects of about size bytes each.
func listOf(n, size int) []byte {
	pad := bytes.Repeat([]byte("x"), size)
	b := []byte{'['}
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"path":"src/file%d.go","hunk":"%s","severity":"low"}`, i, i, pad)
	}
	return append(b, ']')
}

// BenchmarkCondition compares conditions over a list of 50,000 elements and 50
// MB with one validating scan of the same bytes.
func BenchmarkCondition(b *testing.B) {
	state := listOf(50_000, 950)
	run := func(name string, fn func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(state)))
			b.ReportAllocs()
			for b.Loop() {
				fn()
			}
		})
	}
	run("scan", func() {
		if err := rawjson.Valid(state); err != nil {
			b.Fatal(err)
		}
	})
	for _, source := range []string{"size(list) == 0", "list.exists(f, f.severity == 'high')", "list[49999].id == 49999"} {
		c, err := CompileCondition(source, []*Channel{{Name: "list"}})
		if err != nil {
			b.Fatal(err)
		}
		run(source, func() {
			if _, err := c.Eval(func(string) []byte { return state }); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkSchema checks the same list against schemas that look at nothing, at
// the list, and at each element.
func BenchmarkSchema(b *testing.B) {
	state := listOf(50_000, 950)
	for _, source := range []string{`{"type":"array"}`, `{"type":"array","items":{"type":"object","required":["id"]}}`, `{"type":"array","uniqueItems":false}`} {
		s, err := CompileSchema([]byte(source))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(source, func(b *testing.B) {
			b.SetBytes(int64(len(state)))
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Check(state); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
