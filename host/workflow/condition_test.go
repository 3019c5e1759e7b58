package workflow

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

func conditionChannels() []*Channel {
	return []*Channel{
		{Name: "files", Reduce: ReduceAppend}, {Name: "findings", Reduce: ReduceAppend}, {Name: "waivers", Reduce: ReduceMerge},
		{Name: "n", Reduce: ReduceAdd}, {Name: "x", Reduce: ReduceValue}, {Name: "m", Reduce: ReduceMax},
	}
}

func TestConditionEval(t *testing.T) {
	state := map[string]string{
		"files":    ` [ {"path":"a\"]","n":9007199254740993} , {"path":"b","tags":["x","y"],"o":{"k":[]}} ]`,
		"findings": `[{"id":"f1","severity":"high"},{"id":"f2","severity":"low"}]`,
		"waivers":  `{"f1":{"by":"me"}}`,
		"n":        `18446744073709551615`,
		"x":        `1.0`,
	}
	cases := []struct {
		source string
		want   string // true | false | error text
	}{
		{`size(files) == 2`, "true"},
		{`files.size() == 2 && files[1].path == "b"`, "true"},
		{`files[0].n == 9007199254740993`, "true"},
		{`files[0].n == 9007199254740992`, "false"},
		{`files[0].n > 9007199254740992`, "true"},
		{`files[0].path == "a\"]"`, "true"},
		{`n == 18446744073709551615u`, "true"},
		{`n > 1`, "true"},
		{`n > 1.5`, "true"},
		{`x == 1`, "true"},
		{`x < 2 && x > 0.5`, "true"},
		{`m == null`, "true"},
		{`findings.exists(f, f.severity == 'high' && !(f.id in waivers))`, "false"},
		{`findings.exists(f, f.severity == 'low' && !(f.id in waivers))`, "true"},
		{`findings.filter(f, f.severity == 'high').size() == 1`, "true"},
		{`findings.map(f, f.id) == ["f1", "f2"]`, "true"},
		{`["f1", "f2"] == findings.map(f, f.id)`, "true"},
		{`files[1].tags == ["x", "y"] && ["x", "y"] == files[1].tags`, "true"},
		{`"y" in files[1].tags`, "true"},
		{`files[1].o == {"k": []}`, "true"},
		{`{"k": []} == files[1].o`, "true"},
		{`files[1].o != {"k": [1]}`, "true"},
		{`waivers.exists(k, k == "f1") && waivers.size() == 1`, "true"},
		{`has(files[0].tags)`, "false"},
		{`has(files[1].tags)`, "true"},
		{`size(files[1].tags + files[1].tags) == 4`, "true"},
		{`size(files[1].tags + ["z"]) == 3 && size(["z"] + files[1].tags) == 3`, "true"},
		{`type(files) == list && type(waivers) == map`, "true"},
		{`waivers["f1"].by == "me"`, "true"},
		{`1 in waivers`, "false"},
		{`files == files && waivers == waivers`, "true"},
		{`files != findings`, "true"},
		{`files[7].path == "a"`, "index out of bounds"},
		{`files[0].nope == 1`, "no such key"},
		{`x`, "expected true or false, got double"},
		{`x + 1 > 1`, "no such overload"},
	}
	for _, c := range cases {
		cond, err := CompileCondition(c.source, conditionChannels())
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		got, err := cond.Eval(func(ch string) []byte {
			if s, ok := state[ch]; ok {
				return []byte(s)
			}
			return nil
		})
		switch {
		case err != nil:
			var ce *ConditionError
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.source, err, c.want)
			}
		case map[bool]string{true: "true", false: "false"}[got] != c.want:
			t.Errorf("%s = %v, want %s", c.source, got, c.want)
		}
	}
}

// TestConcurrentUse is for the race detector: conditions and schemas are shared
// by all runs of a graph.
func TestConcurrentUse(t *testing.T) {
	c, err := CompileCondition("files.exists(f, f.n == 9007199254740993)", conditionChannels())
	if err != nil {
		t.Fatal(err)
	}
	s, err := CompileSchema([]byte(`{"type":"array","items":{"required":["n"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	state := []byte(`[{"n":1},{"n":9007199254740993}]`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if ok, err := c.Eval(func(string) []byte { return state }); !ok || err != nil {
					t.Error(ok, err)
				}
				if err := s.Check(state); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestConditionErrors(t *testing.T) {
	_, err := CompileCondition("nope == 1", conditionChannels())
	var ce *ConditionError
	if !errors.As(err, &ce) || ce.Source != "nope == 1" {
		t.Errorf("err = %v", err)
	}
	g := mustParse(t, "version: 1\nchannels: {x: {}}\nnodes: {a: {native: f}}\nedges:\n  - {from: START, to: a}\n  - {from: a, when: [{if: x.y == 1, to: a}, {to: END}]}\n", nil)
	_, err = g.Edges[1].When[0].If.Eval(func(string) []byte { return nil })
	if !errors.As(err, &ce) || ce.Pos != (Pos{"w.yaml", 6, 27}) {
		t.Errorf("err = %v at %v", err, ce.Pos)
	}
}
