package dash_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	dash "github.com/dashhost/dashhost/sdk/go"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

type approval struct {
	By string `json:"by"`
	OK bool   `json:"ok"`
}

// deploy asks twice, the second time about the first answer.
func deploy(c *dash.Call, in in) (out, error) {
	var first approval
	if err := c.Ask(map[string]string{"deploy": in.Name + " <now>"}, &first); err != nil {
		return out{}, fmt.Errorf("deploy: %w", err)
	}
	var second json.RawMessage
	if err := c.Ask("really, "+first.By+"?", &second); err != nil {
		return out{}, err
	}
	return out{Greeting: fmt.Sprint(first.OK, " ", string(second))}, nil
}

func TestQuestionsEndTheTaskUntilTheyAreAnswered(t *testing.T) {
	const q1, q2 = `{"deploy":"x <now>"}`, `"really, ada?"`
	const a1, a2 = `{"by":"ada","ok":true}`, `9007199254740993`
	for _, c := range []struct {
		answers []string
		status  int32
		asked   string
		output  string
	}{
		{nil, 2, q1, ""},
		{[]string{a1}, 2, q1 + q2, ""},
		{[]string{a1, a2}, 0, q1 + q2, `{"greeting":"true 9007199254740993"}`},
	} {
		res := dashtest.Run(dash.Func(deploy), `{"name":"x"}`, &dashtest.Options{Answers: c.answers})
		if res.Status != c.status || strings.Join(res.Asked, "") != c.asked || res.Output != c.output || res.Failure != nil {
			t.Errorf("%d answers: got %+v", len(c.answers), res)
		}
	}
}

func TestAnUnansweredTaskIsInterruptedWhateverItReturns(t *testing.T) {
	for name, err := range map[string]error{"success": nil, "failure": dash.Fail("x", "y"), "kept": &dash.Failure{Code: "x", KeepOutput: true}} {
		node := dash.Func(func(c *dash.Call, _ in) (out, error) {
			if asked := c.Ask("?", nil); !errors.Is(asked, dash.Pending) {
				t.Errorf("%s: got %v, want Pending", name, asked)
			}
			return out{Greeting: "lost"}, err
		})
		if res := dashtest.Run(node, `{}`, nil); res.Status != 2 || res.Output != "" || res.Failure != nil {
			t.Errorf("%s: got %+v, want status 2 and nothing written", name, res)
		}
	}
}

func TestQuestionsThatCannotBeAsked(t *testing.T) {
	ask := func(question any, answer any) *dash.Node {
		return dash.Func(func(c *dash.Call, _ in) (out, error) { return out{}, c.Ask(question, answer) })
	}
	for name, c := range map[string]struct {
		node       *dash.Node
		options    dashtest.Options
		code, text string
		retryUS    int64
	}{
		"not granted":      {ask("?", nil), dashtest.Options{Refuse: map[string]dash.Errno{"interrupt": dash.Denied}}, "denied", "interrupt: denied", 0},
		"no JSON":          {ask(func() {}, nil), dashtest.Options{}, "failed", "unsupported type", 0},
		"wrong answer":     {ask("?", new(bool)), dashtest.Options{Answers: []string{`"yes"`}}, "bad_answer", "answer: ", -1},
		"answer not there": {ask("?", new(bool)), dashtest.Options{Answers: []string{`true`}, Refuse: map[string]dash.Errno{"answer_read": dash.NotFound}}, "not_found", "answer_read", 0},
	} {
		res := dashtest.Run(c.node, `{}`, &c.options)
		if f := res.Failure; res.Status != 1 || f == nil || f.Code != c.code || !strings.Contains(f.Message, c.text) || f.RetryUS != c.retryUS {
			t.Errorf("%s: got %+v %+v", name, res, f)
		}
	}
	if res := dashtest.Run(ask("?", nil), `{}`, &dashtest.Options{Answers: []string{"1"}}); res.Status != 0 {
		t.Errorf("answer that nobody reads: got %+v", res)
	}
}
