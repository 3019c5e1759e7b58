package rawjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// long are texts over several strides, each of one kind of thing that can be long.
func long() map[string]string {
	const n = 2*stride + 1000
	return map[string]string{
		"space":       strings.Repeat(" ", n) + "{}",
		"space after": "{}" + strings.Repeat("\n", n),
		"space in":    `{"a":` + strings.Repeat("\t", n) + "1}",
		"string":      `{"a":"` + strings.Repeat("x", n) + `"}`,
		"escapes":     `{"a":"` + strings.Repeat(`\n`, n/2) + `"}`,
		"letters":     `{"a":"` + strings.Repeat("ä", n/2) + `"}`,
		"key":         `{"` + strings.Repeat("k", n) + `":1}`,
		"number":      `{"a":` + strings.Repeat("1", n) + "}",
		"fraction":    `{"a":0.` + strings.Repeat("1", n) + "}",
		"elements":    `{"a":[` + strings.Repeat("1,", n/2) + "1]}",
		"empties":     `{"a":[` + strings.Repeat("{},", n/3) + "[]]}",
		"members":     `{"a":{` + strings.Repeat(`"b":null,`, n/9) + `"b":true}}`,
	}
}

// TestUntil: every long text is stopped after the first stride, and asking changes no verdict.
func TestUntil(t *testing.T) {
	halt := errors.New("halt")
	none := func(string, []byte) error { return nil }
	for name, text := range long() {
		b := []byte(text)
		for _, good := range []bool{true, false} {
			asked := 0
			on := func() error { asked++; return nil }
			if err := ValidUntil(b, on); (err == nil) != json.Valid(b) || good && asked < 2 {
				t.Errorf("%s: asked %d times, %v", name, asked, err)
			}
			if err, want := ObjectUntil(b, on, none), Object(b, none); (err == nil) != (want == nil) {
				t.Errorf("%s: %v, without asking %v", name, err, want)
			}
			asked = 0
			off := func() error { asked++; return halt }
			if err := ValidUntil(b, off); !errors.Is(err, halt) || asked != 1 {
				t.Errorf("%s: asked %d times, %v", name, asked, err)
			}
			asked = 0
			if err := ObjectUntil(b, off, none); !errors.Is(err, halt) || asked != 1 {
				t.Errorf("%s: object: asked %d times, %v", name, asked, err)
			}
			b = b[:len(b)-1] // faulty, but for the one that ends in space
		}
	}
}
