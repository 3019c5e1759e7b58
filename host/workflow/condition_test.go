package workflow

import (
	"errors"
	"strings"
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
