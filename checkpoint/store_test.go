package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

func put(name, value string) checkpoint.Op {
	return checkpoint.Op{Kind: checkpoint.OpPut, Name: name, Value: []byte(value)}
}

func add(name, value string) checkpoint.Op {
	return checkpoint.Op{Kind: checkpoint.OpAppend, Name: name, Value: []byte(value)}
}

func TestClaimLoadAppendRelease(t *testing.T) {
	ctx := context.Background()
	s := checkpoint.New(memstore.New(), nil)
	defer s.Close()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !c.New() || c.Crashed() {
		t.Errorf("new %v, crashed %v", c.New(), c.Crashed())
	}
	want := ""
	for i := range 300 {
		e := strings.Repeat("x", 1000)
		step := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{add("list", fmt.Sprintf("%q", e)), put("n", fmt.Sprint(i))}, Events: 2}
		if _, err := c.Append(ctx, step, &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "aa"}); err != nil {
			t.Fatal(err)
		}
		if step.FirstEvent != uint64(2*i+1) {
			t.Fatalf("first event %d", step.FirstEvent)
		}
		want += fmt.Sprintf(",%q", e)
	}
	snap, err := c.Load(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := snap.State.Get("list")
	if string(v) != "["+want[1:]+"]" {
		t.Error("the list is not what was appended")
	}
	if len(snap.Tail) != 1 || snap.Tail[0].Kind != checkpoint.KindTaskDone {
		t.Errorf("tail %v", snap.Tail)
	}
	if _, err := s.Claim(ctx, "t", nil); !errors.Is(err, checkpoint.ErrBusy) {
		t.Errorf("second claim: %v", err)
	}
	c2, err := s.Claim(ctx, "t", &checkpoint.ClaimOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep}); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("append of the old claim: %v", err)
	}
	if err := c2.Release(ctx, nil); err != nil {
		t.Fatal(err)
	}
}
