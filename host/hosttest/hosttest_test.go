package hosttest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/hosttest"
)

// reported runs a test body and returns what it would report.
func reported(t *testing.T, body func(t hosttest.T)) []string {
	t.Helper()
	r := &recorder{dir: t.TempDir()}
	r.do(func() { body(r) })
	return r.failures
}

var accepted = []byte(`{"country":"SE","price":250}`)

// TestCheckSeesEveryDifference: what Check does not report would pass for ever.
func TestCheckSeesEveryDifference(t *testing.T) {
	for _, c := range []struct {
		want *hosttest.Want
		says []string // one text per report; nil = all is well
	}{
		{nil, nil},
		{&hosttest.Want{Output: ` "accept" `}, nil},
		{&hosttest.Want{State: map[string]string{"score": "2", "order": `{"price":250, "country":"SE"}`, "approval": ""}}, nil},
		{&hosttest.Want{Output: `"refuse"`}, []string{`got "accept"`}},
		{&hosttest.Want{Output: `accept`}, []string{`want accept`}},
		{&hosttest.Want{Status: "failed"}, []string{"done, want failed"}},
		{&hosttest.Want{Code: "broken"}, []string{"done, want failed (broken)"}},
		{&hosttest.Want{State: map[string]string{"score": "3"}}, []string{"channel score"}},
		{&hosttest.Want{State: map[string]string{"approval": "null"}}, []string{"channel approval"}},
		{&hosttest.Want{State: map[string]string{"score": ""}}, []string{"channel score"}},
		{&hosttest.Want{Events: []string{"run_start"}}, []string{"node_end decide"}},
		{&hosttest.Want{Events: []string{}}, []string{"node_end decide"}},
		{&hosttest.Want{Status: "waiting", Output: "0", State: map[string]string{"score": "0", "order": "0"}}, []string{"run:", "output:", "channel order", "channel score"}},
	} {
		got := reported(t, func(t hosttest.T) {
			hosttest.Run(t, orderManifest, &hosttest.Options{Nodes: orderNodes(), Input: accepted}).Check(t, c.want)
		})
		if len(got) != len(c.says) {
			t.Errorf("%+v: reports %q, want %d", c.want, got, len(c.says))
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.says[i]) {
				t.Errorf("%+v: reports %q, want %q in it", c.want, got[i], c.says[i])
			}
		}
	}
}

func TestCheckOfAFailure(t *testing.T) {
	nodes := orderNodes()
	nodes["decide"] = func(*host.Task) error { return &host.Error{Code: "broken", Message: "no"} }
	out := hosttest.Run(t, orderManifest, &hosttest.Options{Nodes: nodes, Input: accepted})
	out.Check(t, &hosttest.Want{Code: "broken", State: map[string]string{"score": "2"}})
	got := reported(t, func(t hosttest.T) { out.Check(t, nil) })
	if len(got) != 1 || !strings.Contains(got[0], "node decide: broken: no") {
		t.Errorf("reports %q", got)
	}
}

// TestWhatCannotStart: the test fails at once, and says why.
func TestWhatCannotStart(t *testing.T) {
	for what, c := range map[string]struct {
		body func(t hosttest.T)
		says string
	}{
		"no manifest": {func(t hosttest.T) { hosttest.Run(t, "testdata/none.yaml", nil) }, "none.yaml"},
		"no nodes":    {func(t hosttest.T) { hosttest.Run(t, orderManifest, nil) }, "order.yaml:14"},
		"no input":    {func(t hosttest.T) { hosttest.Run(t, orderManifest, &hosttest.Options{Nodes: orderNodes()}) }, "no input"},
		"bad input": {func(t hosttest.T) {
			hosttest.Run(t, orderManifest, &hosttest.Options{Nodes: orderNodes(), Input: []byte(`{}`)})
		}, "schema"},
		"no module":  {func(t hosttest.T) { hosttest.RunModule(t, "testdata/none.wasm", "", nil) }, "none.wasm"},
		"nil node":   {func(t hosttest.T) { hosttest.RunNode(t, nil, "", nil) }, "native"},
		"bad fields": {func(t hosttest.T) { hosttest.RunNode(t, byName, "", &hosttest.NodeOptions{Fields: "colour: red"}) }, "colour"},
		"no thread":  {func(t hosttest.T) { hosttest.New(t, nil).Resume("nobody", nil) }, "nobody"},
	} {
		got := reported(t, c.body)
		if len(got) != 1 || !strings.Contains(got[0], c.says) {
			t.Errorf("%s: reports %q, want %q", what, got, c.says)
		}
	}
}

func byName(t *host.Task) error { return t.Write(t.Input()) }

const asking = `version: 1
name: ask
input: {channel: items}
output: {channel: said}
channels: {items: {}, said: {reduce: append}}
nodes:
  ask:  {native: ask, each: {over: items}, writes: [said], interrupts: true}
edges: [{from: START, to: ask}]
`

// ask asks twice, each time for its item.
func ask(t *host.Task) error {
	first, err := t.Ask([]byte(`"first"`))
	if err != nil {
		return err
	}
	second, err := t.Ask([]byte(`"second"`))
	if err != nil {
		return err
	}
	return t.Write(fmt.Appendf(nil, `{"said":[%s,%s]}`, first, second))
}

// TestAnswers: each answer goes to the first question that it fits, over any number of rounds.
func TestAnswers(t *testing.T) {
	answers := []hosttest.Answer{
		{Path: "1", Value: `"b1"`},
		{Node: "ask", Path: "0", Value: `"a1"`},
		{Path: "0", Value: `"a2"`},
		{Path: "1", Value: `"b2"`},
	}
	manifest := hosttest.Manifest(t, asking)
	o := &hosttest.Options{Nodes: host.Nodes{"ask": ask}, Input: []byte(`[1,2]`), Answers: answers}
	for range 5 { // in whatever order the two ask
		hosttest.Run(t, manifest, o).Check(t, &hosttest.Want{Output: `["a1","a2","b1","b2"]`})
	}
	if answers[0].Path != "1" || len(o.Answers) != 4 {
		t.Errorf("the script was changed: %+v", answers)
	}

	// One answer too few: the run waits, in whichever round.
	o.Answers = answers[:3]
	h := hosttest.New(t, nil)
	out := h.Run(manifest, o)
	out.Check(t, &hosttest.Want{Status: "waiting"})
	if len(out.Questions) != 1 || out.Questions[0].Path != "1" {
		t.Errorf("open: %+v", out.Questions)
	}
	// The next process answers the rest.
	h.Restart()
	o.Answers = answers[3:]
	h.Resume("test", o).Check(t, &hosttest.Want{Output: `["a1","a2","b1","b2"]`})

	// One too many fails the test.
	got := reported(t, func(t hosttest.T) {
		hosttest.Run(t, orderManifest, &hosttest.Options{
			Nodes: orderNodes(), Input: accepted, Answers: []hosttest.Answer{{Node: "decide", Value: "true"}},
		})
	})
	if len(got) != 1 || !strings.Contains(got[0], "for node decide") {
		t.Errorf("reports %q", got)
	}
}

// TestTraceDoesNotDependOnSpeed: the tasks of a step end in any order, the lines are the same.
func TestTraceDoesNotDependOnSpeed(t *testing.T) {
	manifest := hosttest.Manifest(t, `version: 1
name: each
input: {channel: items}
channels: {items: {}, done: {reduce: append}}
nodes: {a: {native: a, each: {over: items}, writes: [done], retry: {attempts: 2, on: [again]}}}
edges: [{from: START, to: a}]
run: {parallel: 12}
`)
	const n = 12
	var want []string
	for round := range 10 {
		turn := make([]chan struct{}, n+1) // task i ends after task i+1, or before, by turns
		for i := range turn {
			turn[i] = make(chan struct{})
		}
		node := func(task *host.Task) error {
			var i int
			if _, err := fmt.Sscan(task.Path(), &i); err != nil {
				return err
			}
			if task.Attempt() == 1 && i%3 == 0 {
				return &host.Error{Code: "again", Message: "once"}
			}
			after, mine := i, i+1
			if round%2 == 0 {
				after, mine = n-i-1, n-i
			}
			if after > 0 {
				<-turn[after]
			}
			close(turn[mine])
			return task.Write([]byte(`{"done":[` + task.Path() + `]}`))
		}
		items := "[0" + strings.Repeat(",0", n-1) + "]"
		out := hosttest.Run(t, manifest, &hosttest.Options{Nodes: host.Nodes{"a": node}, Input: []byte(items)})
		out.Check(t, &hosttest.Want{State: map[string]string{"done": "[0,1,2,3,4,5,6,7,8,9,10,11]"}, Events: want})
		if want = out.Trace(); !slices.Contains(want, "node_retry a[9]: again") {
			t.Fatalf("trace %q", want)
		}
	}
}

// TestRestartKeepsTheThread: what the first process finished does not run again in the second.
func TestRestartKeepsTheThread(t *testing.T) {
	h := hosttest.New(t, nil)
	nodes := orderNodes()
	nodes["decide"] = func(*host.Task) error { return errors.New("broken") }
	h.Run(orderManifest, &hosttest.Options{Nodes: nodes, Input: accepted}).Check(t, &hosttest.Want{Code: "failed"})
	h.Restart()
	nodes = orderNodes()
	nodes["price"] = func(*host.Task) error { t.Error("price ran again"); return nil }
	out := h.Resume("test", &hosttest.Options{Nodes: nodes})
	out.Check(t, &hosttest.Want{Output: `"accept"`, Events: []string{"node_end decide", "step 2", "run_end"}})
	// A new turn on the same thread starts with the state of the last one.
	out = h.Run(orderManifest, &hosttest.Options{Nodes: orderNodes(), Input: accepted})
	out.Check(t, &hosttest.Want{State: map[string]string{"score": "4"}})
}

func TestRunModule(t *testing.T) {
	const misbehave = "../../guest/testdata/misbehave.wasm"
	hosttest.RunModule(t, misbehave, "\x03", nil).Check(t, &hosttest.Want{Code: "trap"})
	hosttest.RunModule(t, misbehave, "\x01", &hosttest.NodeOptions{Fields: "deadline: 50ms"}).Check(t, &hosttest.Want{Code: "deadline"})
	out := hosttest.RunModule(t, "../../guest/testdata/echo.wasm", "grüße\n", nil)
	out.Check(t, &hosttest.Want{Output: "grüße\n"})
}
