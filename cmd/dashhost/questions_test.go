package main

import (
	"testing"

	"github.com/dashhost/dashhost/host"
)

// TestQuestionsInOrder: by node, task and number, the tenth task after the second.
func TestQuestionsInOrder(t *testing.T) {
	got := inOrder([]host.Question{
		{ID: "6", Node: "b", Path: "10"}, {ID: "5", Node: "b", Path: "2", N: 1}, {ID: "3", Node: "b"}, {ID: "1", Node: "a", Path: "7"},
		{ID: "4", Node: "b", Path: "2"}, {ID: "2", Node: "a", Path: "8"},
	})
	ids := ""
	for _, q := range got {
		ids += q.ID
	}
	if ids != "123456" {
		t.Errorf("order %s", ids)
	}
}

func TestQuestionText(t *testing.T) {
	for _, c := range []struct {
		q    host.Question
		want string
	}{
		{host.Question{Kind: "before", Node: "n", If: "size(a)  >\n0", Channel: "c"}, "before n, if size(a) > 0, for channel c"},
		{host.Question{Kind: "after"}, "after"},
		{host.Question{Kind: "inside", Node: "n", Path: "3", Text: []byte(`"Really?"`)}, "inside n[3]: Really?"},
		{host.Question{Kind: "inside", Node: "n", Text: []byte(`{"ask": 9007199254740993}`)}, `inside n: {"ask": 9007199254740993}`},
	} {
		if got := questionText(&c.q); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
