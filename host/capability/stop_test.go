package capability

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/host/workflow"
)

// TestLongWorkIsGivenUp: what a guest gives is not looked at to its end once the call must stop, and nothing of it is kept.
func TestLongWorkIsGivenUp(t *testing.T) {
	long := append(bytes.Repeat([]byte(" "), 4*longWork), "{}"...)
	for _, raw := range []string{"", "out"} {
		s := New(&Config{Node: &workflow.Node{Name: "n", RawOut: raw, Interrupts: true}, Routes: []string{"next"}})
		ctx, cancel := context.WithCancel(t.Context())
		s.Begin(ctx)
		if err := s.OutputWrite(long); err != nil {
			t.Fatalf("raw %q: %v", raw, err)
		}
		if err := s.RouteSend([]byte("next"), long); err != nil {
			t.Fatal(err)
		}
		s.out.Output, s.out.Sends = nil, nil
		cancel()
		if err := s.OutputWrite(long); !errors.Is(err, context.Canceled) {
			t.Errorf("raw %q: output_write: %v", raw, err)
		}
		if err := s.RouteSend([]byte("next"), long); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Errorf("route_send: %v", err)
		}
		if _, err := s.Interrupt(long); err == nil {
			t.Error("interrupt: a question is asked")
		}
		if o := s.Finish(); o.Output != nil || o.Sends != nil || o.Ask != nil {
			t.Errorf("kept %d bytes, %d sends, %v", len(o.Output), len(o.Sends), o.Ask)
		}
	}
}
