package mergegate

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// fourInput is the input of testdata/four. Size is kept as it is written.
type fourInput struct {
	Files []fourFile `json:"files"`
}

type fourFile struct {
	Path  string          `json:"path"`
	Size  json.RawMessage `json:"size,omitempty"`
	Added []fourRun       `json:"added,omitempty"`
}

type fourRun struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// fourWants is the check once more, in the plainest form, over decoded input.
func fourWants(in fourInput) []map[string]string {
	found := []map[string]string{}
	for _, f := range in.Files {
		for _, r := range f.Added {
			for i, line := range strings.Split(r.Text, "\n") {
				line = strings.TrimSuffix(line, "\r")
				text := strings.TrimRight(line, " \t\u00a0\u3000")
				if text == line {
					continue
				}
				chars := []rune(line)
				want := map[string]string{"path": f.Path, "line": fmt.Sprint(r.Line + i), "excerpt": string(chars[max(0, len(chars)-20):])}
				want["column"] = fmt.Sprint(utf8.RuneCountInString(text) + 1)
				if s := string(f.Size); s != "" && s != "null" {
					want["size"] = s
				}
				found = append(found, want)
			}
		}
	}
	return found
}

// runFour returns what each of the four modules wrote to its channel.
func runFour(t *testing.T, input []byte) map[string]json.RawMessage {
	t.Helper()
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	g, err := h.Load(ctx, "testdata/four/workflow.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Start(ctx, g, input, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Wait(ctx)
	if err != nil || res.Status != "done" {
		t.Fatalf("status %s: %v, %v", res.Status, err, res.Err)
	}
	var channels map[string]json.RawMessage
	if err := json.Unmarshal(res.Output, &channels); err != nil {
		t.Fatal(err)
	}
	return channels
}

func TestFourLanguagesGiveTheSameBytes(t *testing.T) {
	lines := strings.Join([]string{
		"plain", "x ", "x\t\t", "\u00a0", "\u3000", "日本語 \u3000", "😀😀\u00a0", strings.Repeat("é", 40) + " ", strings.Repeat("😀", 30) + "\t",
		"windows \r", "windows\r", "\r", " \r\r", "zero\x00 ", "\x00\x01\b\f\v\x1b\x1f\x7f ", "\"quoted\\\" ", "</script>&\u2028\u2029 ", "\ufeff ", "\ufffd ",
		"\U0010ffff\ue000 ", "a\u0301 ", "", " ", "last ",
	}, "\n")
	var many fourInput
	for i := range 500 {
		many.Files = append(many.Files, fourFile{
			Path: fmt.Sprintf("dir/%d/日本\t\"%d\"", i, i), Size: json.RawMessage(fmt.Sprint(1<<53 + i)),
			Added: []fourRun{{Line: i, Text: lines}, {Line: 1 << 40, Text: strings.Repeat("x \n", i%7)}},
		})
	}
	whole, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	file := func(size, text string) string {
		return fmt.Sprintf(`{"files":[{"path":"p\u0000\ud83d\ude00","size":%s,"added":[{"line":-3,"text":%s}]}]}`, size, text)
	}
	for name, input := range map[string]string{
		"500 files":           string(whole),
		"no channel":          `{}`,
		"no files":            `{"files":[]}`,
		"nothing added":       `{"files":[{"path":"a"},{"path":"","added":[]},{"path":"b","size":null,"added":[{"line":1,"text":""}]}]}`,
		"escapes":             file(`1`, `"\u0000\u0008\u000c\u001F\u007f\/\"\\\b\f\n\r\t \u00e9\u20AC\ud83d\ude00\u2028 \r\n\u3000\u00a0"`),
		"2^53+1":              file(`9007199254740993`, `" "`),
		"more than any type":  file(`-123456789012345678901234567890.000e-00`, `" "`),
		"a value with spaces": file(`{"a" : [1 , 2.50, "\u0041"], "b":{}}`, `" "`),
		"spaces everywhere":   " { \"files\" : [ { \"path\" : \"a\" ,\n\"added\" : [ { \"text\" : \"x \" , \"line\" : 1 } ] } ] } ",
	} {
		t.Run(name, func(t *testing.T) {
			got := runFour(t, []byte(input))
			for _, lang := range []string{"rust", "c", "assemblyscript"} {
				if string(got[lang]) != string(got["go"]) {
					t.Errorf("%s differs from Go:\n%.2000s\n%.2000s", lang, got[lang], got["go"])
				}
			}
			var in fourInput
			if err := json.Unmarshal([]byte(input), &in); err != nil {
				t.Fatal(err)
			}
			var findings []map[string]json.RawMessage
			if err := json.Unmarshal(got["go"], &findings); err != nil {
				t.Fatal(err)
			}
			want := fourWants(in)
			if len(findings) != len(want) {
				t.Fatalf("%d findings, want %d", len(findings), len(want))
			}
			for i, f := range findings {
				if len(f) != len(want[i]) {
					t.Fatalf("finding %d has members %v, want %v", i, f, want[i])
				}
				for name, raw := range f {
					value := string(raw)
					if value[0] == '"' {
						if err := json.Unmarshal(raw, &value); err != nil {
							t.Fatal(err)
						}
					}
					if value != want[i][name] {
						t.Errorf("finding %d: %s is %q, want %q", i, name, value, want[i][name])
					}
				}
			}
		})
	}
}

// Input of another form is refused in every language, with the same code.
func TestFourLanguagesRefuseTheSame(t *testing.T) {
	h, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	g, err := h.Load(ctx, "testdata/four/workflow.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{`{"files":{}}`, `{"files":[{"path":1}]}`, `{"files":[{"path":"a","added":[{"line":"1","text":""}]}]}`, `{"files":[{"path":"a","added":[{"line":9223372036854775808,"text":""}]}]}`} {
		r, err := h.Start(ctx, g, []byte(input), nil)
		if err != nil {
			t.Fatal(err)
		}
		failed := map[string]string{}
		for ev := range r.Events() {
			if ev.Type == "node_error" && ev.Err != nil {
				failed[ev.Node] = ev.Err.Code
			}
		}
		if _, err := r.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(failed) != "map[assemblyscript:bad_input c:bad_input go:bad_input rust:bad_input]" {
			t.Errorf("%s: failed %v, want bad_input four times", input, failed)
		}
	}
}
