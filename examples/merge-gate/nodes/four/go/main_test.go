package main

import (
	"testing"

	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

func TestBlanksAreFound(t *testing.T) {
	input := `{"files":[{"path":"é","size":9007199254740993,"added":[{"line":7,"text":"x\u3000\t\r\ny\r\n \n"}]}]}`
	want := `{"found":[{"path":"é","line":7,"column":2,"excerpt":"x　\t","size":9007199254740993},` +
		`{"path":"é","line":9,"column":1,"excerpt":" ","size":9007199254740993}]}`
	if res := dashtest.Run(node, input, &dashtest.Options{Config: `{"to":"found"}`}); res.Output != want {
		t.Errorf("got  %s\nwant %s (%+v)", res.Output, want, res.Failure)
	}
	if res := dashtest.Run(node, `{}`, &dashtest.Options{Config: `{}`}); res.Started {
		t.Error("started without a channel")
	}
}
