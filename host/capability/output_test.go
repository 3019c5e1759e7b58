package capability

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

func TestOutputWrite(t *testing.T) {
	s := open(nil)
	b := []byte(` {"a": 9007199254740993, "\u0062!" : [1, {"x":"}"}]} `)
	if err := s.OutputWrite(b); err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for i := range b {
		b[i] = 'x' // guest memory goes on to change
	}
	want := []Write{{Channel: "a", Value: []byte("9007199254740993")}, {Channel: "b", Replace: true, Value: []byte(`[1, {"x":"}"}]`)}}
	if got := s.Finish(); string(got.Output) != text || !reflect.DeepEqual(got.Writes, want) {
		t.Errorf("outcome %q %v", got.Output, got.Writes)
	}
}

func TestOutputWriteReplaces(t *testing.T) {
	s := open(nil)
	for _, text := range []string{`{"a":1,"b":2}`, `{}`, `{"b":3}`} {
		if err := s.OutputWrite([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Finish(); string(got.Output) != `{"b":3}` || len(got.Writes) != 1 {
		t.Errorf("outcome %q %v", got.Output, got.Writes)
	}
	if got := open(nil).Finish(); got.Output != nil || got.Writes != nil {
		t.Errorf("no output: %+v", got)
	}
}

// What is refused says where and why, and leaves the earlier output as it was.
func TestOutputWriteRefuses(t *testing.T) {
	deep := strings.Repeat("[", 600) + strings.Repeat("]", 600)
	for text, cause := range map[string]string{
		``:                        "offset 0",
		`null`:                    "offset 0: expected an object",
		`[]`:                      "offset 0: expected an object",
		`1},"approved":true`:      "offset 0: expected an object",
		`{"a":1},"approved":true`: "offset 7",
		`{"a":1}{"a":2}`:          "offset 7",
		`{"a":1`:                  "offset 6",
		`{"a":01}`:                "offset 6",
		"{\"a\":\"\xff\"}":        "offset 6",
		"\xef\xbb\xbf{}":          "offset 0",
		`{"a":1,"a":2}`:           `duplicate key "a"`,
		`{"a":1,"\u0061":2}`:      `duplicate key "a"`,
		`{"a!":1,"a!":2}`:         `duplicate key "a!"`,
		`{"approved":true}`:       `member "approved" is not in the writes of node "check" (a, b)`,
		`{"a!!":1}`:               `member "a!!" is not in the writes`,
		`{"!":1}`:                 `member "!" is not in the writes`,
		`{"":1}`:                  `member "" is not in the writes`,
		`{"A":1}`:                 `member "A" is not in the writes`,
		`{"a":` + deep + `}`:      "offset",
		`{"` + strings.Repeat("k", 1<<20) + `":1}`: `member "kkk`,
	} {
		s := open(nil)
		if err := s.OutputWrite([]byte(`{"b":7}`)); err != nil {
			t.Fatal(err)
		}
		err := s.OutputWrite([]byte(text))
		if abi.ErrnoOf(err) != abi.Invalid || !strings.Contains(err.Error(), cause) || len(err.Error()) > 400 {
			t.Errorf("%.40q: %.500v, want invalid, %s", text, err, cause)
		}
		if got := s.Finish(); string(got.Output) != `{"b":7}` || len(got.Writes) != 1 || got.Limit != nil {
			t.Errorf("%.40q: outcome %q after a refused output", text, got.Output)
		}
	}
}

func TestOutputLimit(t *testing.T) {
	s := open(func(c *Config) {
		c.Node.Limits.Output = 10
		c.Node.Limits.Places = map[string]workflow.Pos{"output": {File: "w.yaml", Line: 7, Col: 3}}
	})
	if err := s.OutputWrite([]byte(`{"a":1234}`)); err != nil {
		t.Fatalf("an output as large as the limit: %v", err)
	}
	err := s.OutputWrite([]byte(`{"a":12345}`))
	var limit *LimitError
	if !errors.As(err, &limit) || abi.ErrnoOf(err) != abi.TooLarge {
		t.Fatalf("over the limit: %v", err)
	}
	want := LimitError{Limit: "output", Max: 10, Got: 11, Field: "limits.output", Place: "w.yaml:7:3"}
	if *limit != want {
		t.Errorf("got %+v, want %+v", *limit, want)
	}
	if got, want := err.Error(), "limit output: 11 bytes exceeds 10 (raise limits.output at w.yaml:7:3)"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if err := s.OutputWrite([]byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	if got := s.Finish(); got.Limit != limit {
		t.Errorf("the outcome forgets the limit: %+v", got.Limit)
	}
	d := open(func(c *Config) { c.Node.RawOut = "a" })
	if err := d.OutputWrite(make([]byte, abi.DefaultOutput+1)); !errors.As(err, &limit) {
		t.Errorf("over the default: %v", err)
	}
}

func TestRawOutputIsNotChecked(t *testing.T) {
	s := open(func(c *Config) { c.Node.RawOut = "a" })
	raw := []byte("\xff\x00 not JSON")
	if err := s.OutputWrite(raw); err != nil {
		t.Fatal(err)
	}
	raw[0] = 'x'
	if got := s.Finish(); string(got.Output) != "\xff\x00 not JSON" || got.Writes != nil {
		t.Errorf("outcome %q %v", got.Output, got.Writes)
	}
}

// acceptable decides with encoding/json alone whether a node that may write a and b may write text.
func acceptable(text []byte) bool {
	if !utf8.Valid(text) || !json.Valid(text) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if open, _ := d.Token(); open != json.Delim('{') {
		return false
	}
	var seen []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		seen = append(seen, key.(string))
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return false
		}
	}
	for i, k := range seen {
		if name := strings.TrimSuffix(k, "!"); name != "a" && name != "b" || slices.Contains(seen[:i], k) {
			return false
		}
	}
	_, err := d.Token()
	if err != nil {
		return false
	}
	_, err = d.Token()
	return err == io.EOF
}

// Whatever the text is, it is accepted exactly when encoding/json finds one object with declared members
// in it, and then gluing the values into another object gives that object and no other members.
func TestRapidNoOutputInjectsAChannel(t *testing.T) {
	value := rapid.SampledFrom([]string{
		`1`, `true`, `"x"`, `[]`, `{}`, `{"approved":true}`, `1},"approved":true`, `1,"approved":true`, `"\"},\"approved\":true"`,
		`[1`, `1]`, `"`, `\`, "\"\xff\"", `null `, `{"a":{"a":1}}`, ``, `1e999`, `-`, "\"\n\"", `"\ud800"`,
	})
	key := rapid.SampledFrom([]string{`"a"`, `"b"`, `"a!"`, `"\u0061"`, `"approved"`, `"a!!"`, `a`, `""`, `"a`})
	glue := rapid.SampledFrom([]string{`,`, `,`, `,`, `:`, ` `, `},{`, `}`, ``})
	rapid.Check(t, func(t *rapid.T) {
		text := "{"
		for i := range rapid.IntRange(0, 4).Draw(t, "members") {
			if i > 0 {
				text += glue.Draw(t, "glue")
			}
			text += key.Draw(t, "key") + ":" + value.Draw(t, "value")
		}
		text += rapid.SampledFrom([]string{"}", "}", "} ", "", "}}", "},", `},"approved":true`}).Draw(t, "end")
		checkOutput(t, []byte(text))
	})
}

func checkOutput(t interface{ Fatalf(string, ...any) }, text []byte) {
	s := open(nil)
	err := s.OutputWrite(text)
	if (err == nil) != acceptable(text) {
		t.Fatalf("%q: %v, encoding/json says %v", text, err, err != nil)
	}
	if err != nil {
		return
	}
	state := map[string]json.RawMessage{"approved": json.RawMessage("false")}
	glued := `{"approved":false`
	for i, w := range s.Finish().Writes {
		name := string(rune('0' + i))
		glued += `,"` + name + `":` + string(w.Value)
		state[name] = w.Value
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal([]byte(glued+"}"), &got); err != nil || len(got) != len(state) {
		t.Fatalf("%q: glued %s}: %v", text, glued, err)
	}
	for name, v := range state {
		if !bytes.Equal(bytes.TrimSpace(got[name]), bytes.TrimSpace(v)) {
			t.Fatalf("%q: member %s is %s, was %s", text, name, got[name], v)
		}
	}
}

func FuzzOutput(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `1},"approved":true`, `{"a":{"b":[1,2.5e3,"\u00e9"]},"b!":null}`, `{"a":1,"a":2}`, "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Count(string(b), "[")+strings.Count(string(b), "{") > abi.MaxDepth {
			t.Skip("encoding/json allows more depth")
		}
		checkOutput(t, b)
	})
}

func TestRouteTo(t *testing.T) {
	s := open(nil)
	for _, target := range []string{"END", "next", "next", "END"} {
		if err := s.RouteTo([]byte(target)); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"", "nex", "next ", "NEXT", "START", "next\x00", "\xff", strings.Repeat("n", 1<<20)} {
		if err := s.RouteTo([]byte(target)); abi.ErrnoOf(err) != abi.Denied || len(err.Error()) > 400 {
			t.Errorf("%.20q: %.500v", target, err)
		}
		if err := s.RouteSend([]byte(target), []byte("1")); abi.ErrnoOf(err) != abi.Denied {
			t.Errorf("%.20q: %.500v", target, err)
		}
	}
	if got := s.Finish(); !slices.Equal(got.Routes, []string{"END", "next"}) || got.Sends != nil {
		t.Errorf("routes %q, sends %v", got.Routes, got.Sends)
	}
	none := open(func(c *Config) { c.Routes = nil })
	if err := none.RouteTo([]byte("next")); abi.ErrnoOf(err) != abi.Denied || !strings.Contains(err.Error(), "add an edge with route") {
		t.Errorf("without routes: %v", err)
	}
}

func TestRouteSend(t *testing.T) {
	s := open(nil)
	item := []byte(`{"file":"go.mod"}`)
	for range 2 {
		if err := s.RouteSend([]byte("next"), item); err != nil {
			t.Fatal(err)
		}
	}
	item[0] = 'x'
	for _, bad := range []string{``, `{`, `1},"approved":true`, `1 2`, "\"\xff\"", strings.Repeat("[", 600) + strings.Repeat("]", 600)} {
		if err := s.RouteSend([]byte("next"), []byte(bad)); abi.ErrnoOf(err) != abi.Invalid || !strings.Contains(err.Error(), "offset") {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	want := []Send{{"next", []byte(`{"file":"go.mod"}`)}, {"next", []byte(`{"file":"go.mod"}`)}}
	if got := s.Finish(); !reflect.DeepEqual(got.Sends, want) || got.Routes != nil {
		t.Errorf("sends %v, routes %v", got.Sends, got.Routes)
	}
}

// What sends make the host keep is bounded, by number and by bytes, from several goroutines too.
func TestRouteSendIsBounded(t *testing.T) {
	send := func(s *Set, item string, times int) (accepted int, last error) {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range times / 4 {
					err := s.RouteSend([]byte("next"), []byte(item))
					mu.Lock()
					if err == nil {
						accepted++
					} else {
						last = err
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return accepted, last
	}
	n, err := send(open(nil), `1`, abi.DefaultSends+400)
	if n != abi.DefaultSends || abi.ErrnoOf(err) != abi.Limited {
		t.Errorf("%d sends, then %v", n, err)
	}
	n, err = send(open(func(c *Config) { c.Node.Limits.Output = 1000 }), `"12345678"`, 400)
	if n != 100 || abi.ErrnoOf(err) != abi.TooLarge {
		t.Errorf("%d sends of 10 bytes into 1000, then %v", n, err)
	}
	large := `"` + strings.Repeat("x", 4<<20) + `"` // checked for long enough that others come in between
	for range 3 {
		n, err = send(open(func(c *Config) { c.Node.Limits.Output = int64(len(large)) }), large, 4)
		if n != 1 || abi.ErrnoOf(err) != abi.TooLarge {
			t.Fatalf("%d sends into room for 1, then %v", n, err)
		}
	}
}

// The time to check and keep an output, beside encoding/json's check alone.
func BenchmarkOutputWrite(b *testing.B) {
	text := []byte(`{"a":[` + strings.Repeat(`{"file":"internal/x/y.go","line":1234,"text":"some finding"},`, 200) + `1],"b":2}`)
	b.Run("set", func(b *testing.B) {
		s := open(nil)
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if err := s.OutputWrite(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json.Valid", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			json.Valid(text)
		}
	})
}

func BenchmarkEnter(b *testing.B) {
	s := open(nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Enter(abi.FnInputRead, abi.PhaseRun); err != nil {
			b.Fatal(err)
		}
	}
}

// What an attempt costs before the node does anything.
func BenchmarkNew(b *testing.B) {
	c := Config{Node: &workflow.Node{Name: "check"}}
	b.ReportAllocs()
	for b.Loop() {
		New(&c).Finish()
	}
}
