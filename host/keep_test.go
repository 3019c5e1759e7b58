package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// TestKeepWhenARunEnds: turn after turn on one thread, what the manifest does not keep goes, and the thread goes on as if all were
// there.
func TestKeepWhenARunEnds(t *testing.T) {
	const turns = 120
	for _, keep := range []string{"", "store: {keep: {last: 5}}"} {
		h := newHost(t, nil)
		type text struct {
			Text string `json:"text"`
		}
		g := load(t, h, project(t, `
input: {channel: text}
output: {channel: text}
channels: {text: {}}
nodes: {same: {native: same, reads: [text], writes: [text]}}
edges: [{from: START, to: same}]
`+keep), host.Nodes{"same": host.Func(func(_ *host.Task, in text) (text, error) { return in, nil })})
		for i := range turns {
			in := fmt.Sprintf("%q", strings.Repeat(fmt.Sprint(i%10), 5000))
			r, err := h.Start(t.Context(), g, []byte(in), &host.RunOptions{Thread: "t"})
			if res := wait(t, r, err); res.Status != "done" || string(res.Output) != in {
				t.Fatalf("turn %d: %s, %d bytes", i, res.Status, len(res.Output))
			}
		}
		s, err := h.Store(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for r, err := range s.Records(t.Context(), "t") {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind == checkpoint.KindStep {
				steps++
				if _, _, err := s.State(t.Context(), "t", "", r.ID); err != nil {
					t.Errorf("a checkpoint that is kept: %v", err)
				}
			}
		}
		if keep == "" && steps != 2*turns || keep != "" && (steps < 5 || steps > 100) {
			t.Errorf("%q: %d checkpoints after %d turns", keep, steps, turns)
		}
	}
}
