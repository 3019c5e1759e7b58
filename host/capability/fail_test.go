package capability

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dashhost/dashhost/abi"
)

func TestFailForms(t *testing.T) {
	for text, want := range map[string]Failure{
		``:                       {Code: "failed"},
		`no route to host`:       {Code: "failed", Message: "no route to host"},
		"zeile 1\nзвено 2":       {Code: "failed", Message: "zeile 1\nзвено 2"},
		`"quoted"`:               {Code: "failed", Message: `"quoted"`},
		`[1]`:                    {Code: "failed", Message: `[1]`},
		`{braces} are not JSON`:  {Code: "failed", Message: `{braces} are not JSON`},
		`{"message":"cut of`:     {Code: "failed", Message: `{"message":"cut of`},
		`{}`:                     {Code: "failed"},
		` {"code":"busy"} `:      {Code: "busy"},
		`{"message":"\u00e9\n"}`: {Code: "failed", Message: "é\n"},
		`{"code":"a.b-c_1","message":"m","details":{"n": 9007199254740993},"keep_output":true}`: {
			Code: "a.b-c_1", Message: "m", Details: []byte(`{"n": 9007199254740993}`), KeepOutput: true,
		},
		`{"keep_output":false,"details":null}`: {Code: "failed", Details: []byte("null")},
	} {
		s := open(nil)
		b := []byte(text)
		if err := s.Fail(b, 0); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		clear(b) // guest memory goes on to change
		if got := s.Finish().Failure; !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %+v, want %+v", text, *got, want)
		}
	}
}

func TestFailRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"\xff":                    "invalid: fail: byte 0 is not UTF-8",
		"ab\xc3":                  "invalid: fail: byte 2 is not UTF-8",
		"{\"message\":\"\xff\"}":  "invalid: fail: byte 12 is not UTF-8",
		`{"code":1}`:              "invalid: fail: code: expected a string, not \"1\"",
		`{"code":null}`:           "invalid: fail: code: expected a string",
		`{"code":""}`:             "invalid: fail: code: expected a letter",
		`{"code":"Busy"}`:         "invalid: fail: code: expected a letter",
		`{"code":"1st"}`:          "invalid: fail: code: expected a letter",
		`{"code":"a b"}`:          "invalid: fail: code: expected a letter",
		`{"message":["m"]}`:       "invalid: fail: message: expected a string",
		`{"message":null}`:        "invalid: fail: message: expected a string",
		`{"keep_output":"true"}`:  "invalid: fail: keep_output: expected true or false",
		`{"keep_output":1}`:       "invalid: fail: keep_output: expected true or false",
		`{"error":"x"}`:           `invalid: fail: unknown member "error", expected code, message, details or keep_output`,
		`{"code":"a","code":"b"}`: `duplicate key "code"`,
		`{"code":"` + strings.Repeat("a", 65) + `"}`: "invalid: fail: code: expected a letter",
		strings.Repeat("m", abi.MaxFailure+1):        "too_large: fail: limit failure",
	} {
		s := open(nil)
		if err := s.Fail([]byte("earlier"), -1); err != nil {
			t.Fatal(err)
		}
		err := s.Fail([]byte(text), 0)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.40q: %.400v, want %s", text, err, want)
		}
		if got := s.Finish().Failure; got == nil || got.Message != "earlier" || !got.Final {
			t.Errorf("%.40q: failure %+v after a refused one", text, got)
		}
	}
	s := open(nil)
	if err := s.Fail([]byte(strings.Repeat("m", abi.MaxFailure)), 0); err != nil {
		t.Errorf("as large as the limit: %v", err)
	}
	if err := s.Fail([]byte(`{"code":"`+strings.Repeat("a", 64)+`"}`), 0); err != nil {
		t.Errorf("a code as long as allowed: %v", err)
	}
}

func TestFailRetry(t *testing.T) {
	year := (365 * 24 * time.Hour).Microseconds()
	for us, want := range map[int64]struct {
		errno abi.Errno
		final bool
		after time.Duration
	}{
		-1 << 63:  {errno: abi.Invalid},
		-2:        {errno: abi.Invalid},
		-1:        {final: true},
		0:         {},
		1:         {after: time.Microsecond},
		year:      {after: 365 * 24 * time.Hour},
		year + 1:  {errno: abi.TooLarge},
		1<<63 - 1: {errno: abi.TooLarge},
	} {
		s := open(nil)
		err := s.Fail([]byte("m"), us)
		f := s.Finish().Failure
		if abi.ErrnoOf(err) != want.errno || (f == nil) != (err != nil) {
			t.Errorf("%d: %v, failure %+v", us, err, f)
		}
		if f != nil && (f.Final != want.final || f.After != want.after) {
			t.Errorf("%d: %+v, want %+v", us, f, want)
		}
	}
}

func TestFailInTheStartPhase(t *testing.T) {
	s := startSet()
	if err := through(s, abi.FnFail, abi.PhaseStart); err != nil {
		t.Fatal(err)
	}
	if got := s.Finish().Failure; got == nil || got.Message != "no" {
		t.Errorf("failure %+v", got)
	}
}

// Text that is no JSON object is kept whole; details that are kept are JSON.
func FuzzFail(f *testing.F) {
	for _, s := range []string{"m", `{}`, `{"code":"busy","message":"m","details":[1],"keep_output":true}`, `{"code":`, "\xff", "{\"\xed\xa0\x80\":1}"} {
		f.Add([]byte(s), int64(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, us int64) {
		s := open(nil)
		err := s.Fail(b, us)
		got := s.Finish().Failure
		if err != nil {
			if errno := abi.ErrnoOf(err); got != nil || errno != abi.Invalid && errno != abi.TooLarge {
				t.Fatalf("%q: %v, failure %+v", b, err, got)
			}
			return
		}
		if !utf8.ValidString(got.Message) || got.Details != nil && !json.Valid(got.Details) || got.Code == "" || got.After < 0 {
			t.Fatalf("%q: %+v", b, got)
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(b, &object) != nil && got.Message != string(b) {
			t.Fatalf("%q: message %q", b, got.Message)
		}
	})
}
