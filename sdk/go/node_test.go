package dash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	dash "github.com/dashhost/dashhost/sdk/go"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

type in struct {
	Name string `json:"name"`
}

type out struct {
	Greeting string `json:"greeting,omitempty"`
}

func greet(_ *dash.Call, in in) (out, error) {
	if in.Name == "" {
		return out{}, dash.Fail("no_name", "channel name: empty, want a name")
	}
	return out{Greeting: "hello <" + in.Name + ">"}, nil
}

func TestFuncReadsAndWritesChannels(t *testing.T) {
	res := dashtest.Run(dash.Func(greet), `{"name":"ada","other":1}`, nil)
	if res.Status != 0 || res.Failure != nil || res.Output != `{"greeting":"hello <ada>"}` {
		t.Fatalf("got %+v", res)
	}
}

func TestFailureReachesTheHost(t *testing.T) {
	wrapped := fmt.Errorf("step 2: %w", &dash.Failure{Code: "busy", Message: "later", RetryAfter: 2 * time.Second})
	cases := []struct {
		name string
		err  error
		want dashtest.Failure
	}{
		{"plain error", errors.New(`a "quoted" text`), dashtest.Failure{Code: "failed", Message: `a "quoted" text`}},
		{"code", dash.Fail("no_name", "m"), dashtest.Failure{Code: "no_name", Message: "m"}},
		{"final", dash.Fatal("bad", "m"), dashtest.Failure{Code: "bad", Message: "m", RetryUS: -1}},
		{"wrapped, retry after", wrapped, dashtest.Failure{Code: "busy", Message: "step 2: busy: later", RetryUS: 2e6}},
		{"host refusal", &dash.Error{Func: "random", Errno: dash.Denied, Text: "x"}, dashtest.Failure{Code: "denied", Message: "random: denied: x"}},
		{"details", &dash.Failure{Message: "m", Details: []byte(`{"n":1}`)}, dashtest.Failure{Code: "failed", Message: "m", Details: []byte(`{"n":1}`)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			node := dash.Func(func(*dash.Call, in) (out, error) { return out{Greeting: "lost"}, c.err })
			res := dashtest.Run(node, `{}`, nil)
			if res.Status != 1 || res.Output != "" {
				t.Fatalf("status %d, output %q; want 1 and none", res.Status, res.Output)
			}
			if got, want := fmt.Sprintf("%+v", *res.Failure), fmt.Sprintf("%+v", c.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestKeepOutputWritesAndFails(t *testing.T) {
	node := dash.Func(func(*dash.Call, in) (out, error) {
		return out{Greeting: "kept"}, &dash.Failure{Code: "findings", Message: "3 high", KeepOutput: true}
	})
	res := dashtest.Run(node, `{}`, nil)
	if res.Status != 1 || res.Output != `{"greeting":"kept"}` || !res.Failure.KeepOutput {
		t.Fatalf("got %+v, failure %+v", res, res.Failure)
	}
}

func TestBadInputIsFinal(t *testing.T) {
	for _, input := range []string{``, `[]`, `{"name":1}`, `{"name":"a"`} {
		res := dashtest.Run(dash.Func(greet), input, nil)
		if res.Failure == nil || res.Failure.Code != "bad_input" || res.Failure.RetryUS != -1 {
			t.Errorf("input %q: got %+v, want bad_input, final", input, res.Failure)
		}
	}
}

type config struct {
	Greeting string `json:"greeting"`
}

func configured(cfg config) (func(*dash.Call, in) (out, error), error) {
	if cfg.Greeting == "" {
		return nil, dash.Fatal("bad_config", "greeting: empty")
	}
	return func(_ *dash.Call, in in) (out, error) {
		return out{Greeting: cfg.Greeting + " " + in.Name}, nil
	}, nil
}

func TestConfigIsDecodedOnceAndStrictly(t *testing.T) {
	res := dashtest.Run(dash.Configured(configured), `{"name":"ada"}`, &dashtest.Options{Config: `{"greeting":"hi"}`})
	if res.Output != `{"greeting":"hi ada"}` {
		t.Errorf("got %+v", res)
	}
	for cfg, want := range map[string]string{
		``:                 "greeting: empty",
		`{"greting":"hi"}`: `unknown field "greting"`,
		`{"greeting":1}`:   "cannot unmarshal number",
		`{"greeting":"hi"`: "unexpected EOF",
	} {
		res := dashtest.Run(dash.Configured(configured), `{}`, &dashtest.Options{Config: cfg})
		if res.Started || res.Failure == nil || !strings.Contains(res.Failure.Message, want) {
			t.Errorf("config %q: got %+v, want a start failure with %q", cfg, res.Failure, want)
		}
	}
	res = dashtest.Run(dash.Func(greet), `{"name":"a"}`, &dashtest.Options{Config: `{"greeting":"hi"}`})
	if res.Started || res.Failure == nil || res.Failure.Message != "config: this node takes none" {
		t.Errorf("config of a node without: got %+v", res.Failure)
	}
}

func TestRawPassesBytes(t *testing.T) {
	echo := dash.Raw(func(_ *dash.Call, input []byte) ([]byte, error) { return input, nil })
	if res := dashtest.Run(echo, `{"a": 9007199254740993}`, nil); res.Output != `{"a": 9007199254740993}` {
		t.Errorf("got %+v", res)
	}
	nothing := dash.RawConfigured(func(cfg []byte) (func(*dash.Call, []byte) ([]byte, error), error) {
		return func(*dash.Call, []byte) ([]byte, error) { return nil, nil }, nil
	})
	if res := dashtest.Run(nothing, `{}`, &dashtest.Options{Config: `{"x":1}`}); res.Status != 0 || res.Output != "" {
		t.Errorf("got %+v", res)
	}
}

func TestRefusedOutputFailsTheTask(t *testing.T) {
	bad := dash.Raw(func(*dash.Call, []byte) ([]byte, error) { return []byte(`[1]`), nil })
	res := dashtest.Run(bad, `{}`, nil)
	if res.Status != 1 || res.Failure.Code != "invalid" || !strings.Contains(res.Failure.Message, "want a JSON object") {
		t.Errorf("got %+v", res.Failure)
	}
	kept := dash.Raw(func(*dash.Call, []byte) ([]byte, error) {
		return []byte(`{}`), &dash.Failure{Code: "findings", Message: "two", KeepOutput: true}
	})
	res = dashtest.Run(kept, `{}`, &dashtest.Options{Refuse: map[string]dash.Errno{"output_write": dash.TooLarge}})
	if res.Failure.Code != "too_large" || !strings.Contains(res.Failure.Message, "findings: two") {
		t.Errorf("got %+v", res.Failure)
	}
}

func TestCallAsksTheHost(t *testing.T) {
	node := dash.Func(func(c *dash.Call, _ in) (out, error) {
		meta, err := c.Meta()
		if err != nil {
			return out{}, err
		}
		first := c.Now()
		if d := c.Now().Sub(first); d <= 0 {
			t.Errorf("the clock stands still")
		}
		if err := errors.Join(c.RouteTo("b"), c.RouteSend("c", map[string]int{"n": 1})); err != nil {
			return out{}, err
		}
		c.Logf(dash.Info, "attempt %d", meta.Attempt)
		c.Logf(dash.Debug, "not kept")
		return out{Greeting: first.Format(time.RFC3339)}, nil
	})
	res := dashtest.Run(node, `{}`, &dashtest.Options{
		Meta: dash.Meta{Attempt: 3, Workflow: strings.Repeat("long", 500)}, LogLevel: dash.Info,
	})
	want := dashtest.Result{
		Started: true, Output: `{"greeting":"2026-01-01T00:00:00Z"}`, Routes: []string{"b"},
		Sends: []dashtest.Send{{Node: "c", Input: `{"n":1}`}}, Log: []dashtest.Line{{Level: dash.Info, Text: "attempt 3"}},
	}
	if got, want := fmt.Sprintf("%+v", res), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRefusalsAreTyped(t *testing.T) {
	for _, fn := range []string{"meta_read", "random", "route_to", "route_send"} {
		node := dash.Func(func(c *dash.Call, _ in) (out, error) {
			calls := map[string]func() error{
				"meta_read":  func() error { _, err := c.Meta(); return err },
				"random":     func() error { return c.Random(make([]byte, 4)) },
				"route_to":   func() error { return c.RouteTo("x") },
				"route_send": func() error { return c.RouteSend("x", 1) },
			}
			err := calls[fn]()
			var e *dash.Error
			if !errors.Is(err, dash.Denied) || !errors.As(err, &e) || e.Func != fn || e.Text == "" {
				t.Errorf("%s: got %v, want a *dash.Error that is Denied with the host's text", fn, err)
			}
			return out{}, nil
		})
		dashtest.Run(node, `{}`, &dashtest.Options{Refuse: map[string]dash.Errno{fn: dash.Denied}})
	}
}

func TestEveryErrnoHasItsName(t *testing.T) {
	want := map[dash.Errno]string{
		1: "invalid", 2: "not_found", 3: "denied", 4: "conflict", 5: "too_large", 6: "limited", 7: "unavailable",
		8: "timeout", 10: "full", 11: "corrupt", 12: "unsupported", 13: "internal", 14: "pending",
		9: "internal (errno 9)", 99: "internal (errno 99)",
	}
	for e, text := range want {
		if e.Error() != text {
			t.Errorf("errno %d: got %q, want %q", e, e.Error(), text)
		}
	}
}

func TestServeTakesOneNode(t *testing.T) {
	node := dash.Serve(dash.Func(greet))
	defer func() {
		if recover() == nil {
			t.Error("a second Serve did not panic")
		}
	}()
	dash.Serve(node)
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "q\"b\\n\n\t\r\x00\x1f\x7f", "\xff\xfe", "é\u2028😀", "\xe2\x82", "a\xf0\x9f\x98"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := dash.AppendString([]byte("x"), s)
		var back string
		if err := json.Unmarshal(got[1:], &back); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var oracle string
		if err := json.Unmarshal(quoted, &oracle); err != nil || oracle != back {
			t.Fatalf("got %q, encoding/json gives %q (%v)", back, oracle, err)
		}
		if b := dash.AppendString(nil, []byte(s)); string(b) != string(got[1:]) {
			t.Fatalf("bytes give %q, string %q", b, got[1:])
		}
	})
}
