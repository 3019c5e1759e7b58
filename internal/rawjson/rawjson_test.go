package rawjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestValid(t *testing.T) {
	good := []string{
		`null`, ` true `, `false`, `0`, `-0`, `1.5e+9`, `9007199254740993`, `""`, `"a\u00e9\n\/"`, `[]`, `{}`,
		"[ ]", "{ }", "[1,[2,{\"a\":[]}],\"x\"]", `{"a":{"b":[1,2,{"c":null}]}}`, "\"\u2028\"", "[\"\\ud800\"]",
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth),
	}
	for _, s := range good {
		if err := Valid([]byte(s)); err != nil {
			t.Errorf("Valid(%.40q) = %v", s, err)
		}
	}
	bad := map[string]int{
		``: 0, ` `: 1, `nul`: 0, `truex`: 4, `01`: 1, `-`: 1, `1.`: 2, `1e`: 2, `+1`: 0, `.5`: 0, `"`: 1, `"\x"`: 1, `"\u12g4"`: 1,
		"\"\n\"": 1, "\"\xff\"": 1, `[1,]`: 3, `[1 2]`: 3, `{"a"}`: 4, `{"a":1,}`: 7, `{a:1}`: 1, `1 2`: 2, `[}`: 1, `{]`: 1, `[1}`: 2,
		`{"a":1],"approved":true`: 6, `1},"approved":true`: 1, "\ufeff1": 0, `NaN`: 0, `"abc`: 4,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): MaxDepth,
	}
	for s, at := range bad {
		var se *SyntaxError
		if err := Valid([]byte(s)); !errors.As(err, &se) {
			t.Errorf("Valid(%.40q) = %v, want a *SyntaxError", s, err)
		} else if se.Offset != at {
			t.Errorf("Valid(%.40q): offset %d (%s), want %d", s, se.Offset, se.Msg, at)
		}
	}
}

func TestObjectAndArray(t *testing.T) {
	var got []string
	add := func(k string, v []byte) error { got = append(got, k+"="+string(v)); return nil }
	if err := Object([]byte(` {"a" : 1 , "\u0062":[1, 2], "c":{"x":"}"} } `), add); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a=1", "b=[1, 2]", `c={"x":"}"}`}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range []string{`{"a":1,"\u0061":2}`, `[]`, `{"a":1}}`, `{"a":1`, `{"a":}`, `{,}`, `1`, ``, `{"a":1},"b":2}`} {
		if err := Object([]byte(s), add); err == nil {
			t.Errorf("Object(%q) accepted", s)
		}
	}
	many := []byte("{")
	for i := range 100 {
		many = fmt.Appendf(many, `"k%d":%d,`, i, i)
	}
	if err := Object(append(many[:len(many):len(many)], `"k7":0}`...), func(string, []byte) error { return nil }); err == nil {
		t.Error("duplicate among many keys accepted")
	}
	got = nil
	if err := Array([]byte(`[ 1,"a,]" , [2] ]`), func(e []byte) error { got = append(got, string(e)); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1", `"a,]"`, "[2]"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	stop := errors.New("stop")
	if err := Array([]byte(`[1,2]`), func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of fn: %v", err)
	}
}

// TestRapidAgainstEncodingJSON takes encoding/json as the oracle: what it
// accepts on valid UTF-8 is accepted, and canonical forms are equal exactly
// when its decoded values are.
func TestRapidAgainstEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.OneOf(
			rapid.StringMatching(`[\[\]{}",:0-9eE+\-. truefalsn\\ua]{0,40}`),
			rapid.Custom(func(t *rapid.T) string { return string(genJSON(t, 4)) }),
		).Draw(t, "text"))
		if got, want := Valid(b) == nil, json.Valid(b) && utf8.Valid(b); got != want {
			t.Fatalf("Valid(%q) = %v, encoding/json says %v", b, got, want)
		}
		if Valid(b) != nil {
			return
		}
		c, err := Canonical(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Canonical(nil, c); !bytes.Equal(again, c) {
			t.Fatalf("Canonical is not idempotent: %q, %q", c, again)
		}
		var x, y any
		if json.Unmarshal(b, &x) != nil || json.Unmarshal(c, &y) != nil || !reflect.DeepEqual(x, y) {
			t.Fatalf("Canonical(%q) = %q changed the value", b, c)
		}
	})
}

func genJSON(t *rapid.T, depth int) []byte {
	k := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		k %= 4
	}
	switch k {
	case 0:
		return []byte(rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word"))
	case 1:
		return fmt.Append(nil, rapid.Int64().Draw(t, "int"))
	case 2:
		b, _ := json.Marshal(rapid.Float64Range(-1e300, 1e300).Draw(t, "float"))
		return b
	case 3:
		return AppendString(nil, rapid.String().Draw(t, "string"))
	}
	open, end := byte('['), byte(']')
	if k == 5 {
		open, end = '{', '}'
	}
	b := []byte{open}
	for i := range rapid.IntRange(0, 4).Draw(t, "n") {
		if i > 0 {
			b = append(b, " ,\n"...)
		}
		if k == 5 {
			b = AppendString(b, fmt.Sprint(i, rapid.StringN(0, 3, -1).Draw(t, "key")))
			b = append(b, " : "...)
		}
		b = append(b, genJSON(t, depth-1)...)
	}
	return append(b, end)
}

func TestStringsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		q := AppendString(nil, s)
		if err := Valid(q); err != nil {
			t.Fatalf("AppendString(%q) = %q: %v", s, q, err)
		}
		var want string
		if err := json.Unmarshal(q, &want); err != nil {
			t.Fatal(err)
		}
		got, err := Unquote(q)
		if err != nil || got != want || got != strings.ToValidUTF8(want, "\ufffd") {
			t.Fatalf("Unquote(%q) = %q, %v; encoding/json says %q", q, got, err, want)
		}
	})
	for in, want := range map[string]string{`"\ud83d\ude00"`: "😀", `"\ud83dx"`: "\ufffdx", `"\ude00\ud83d"`: "\ufffd\ufffd", `"\b\f\n\r\t\/\\\""`: "\b\f\n\r\t/\\\""} {
		if got, err := Unquote([]byte(in)); err != nil || got != want {
			t.Errorf("Unquote(%s) = %q, %v", in, got, err)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u00e9"]}`, `[[[[`, `{"a":1,"a":2}`, "\"\xc3\x28\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ok := Valid(b) == nil
		if want := json.Valid(b) && utf8.Valid(b); ok != want && depthOf(b) <= MaxDepth {
			t.Fatalf("Valid = %v, encoding/json says %v", ok, want)
		}
		if err := Object(b, func(string, []byte) error { return nil }); err == nil && !ok {
			t.Fatal("Object accepts what Valid refuses")
		}
		if err := Array(b, func([]byte) error { return nil }); err == nil && !ok {
			t.Fatal("Array accepts what Valid refuses")
		}
	})
}

func depthOf(b []byte) int {
	return bytes.Count(b, []byte("[")) + bytes.Count(b, []byte("{"))
}

func BenchmarkValid(b *testing.B) {
	doc := []byte("[")
	for i := range 10_000 {
		doc = fmt.Appendf(doc, `{"path":"pkg/file%d.go","added":[{"n":%d,"text":"\tif err != nil { return fmt.Errorf(\"x: %%w\", err) }"}]},`, i, i)
	}
	doc = append(doc[:len(doc)-1], ']')
	b.Run("rawjson", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		b.ReportAllocs()
		for b.Loop() {
			if Valid(doc) != nil {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if !json.Valid(doc) {
				b.Fatal("invalid")
			}
		}
	})
}
