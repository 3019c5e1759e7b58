package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// TestKeep: whatever a thread did and whenever Keep is called, the newest checkpoints that the rule names have the states they had,
// and a claim finds head and tail as if nothing had been dropped.
func TestKeep(t *testing.T) {
	ctx := context.Background()
	n, dropped := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		n++
		d := memstore.New()
		if n%3 == 0 {
			var err error
			if d, err = filestore.Open(fmt.Sprint(t.TempDir(), "/", n), nil); err != nil {
				rt.Fatal(err)
			}
		}
		s := checkpoint.New(d, nil)
		defer s.Close()
		rule := checkpoint.KeepRule{Last: rapid.IntRange(1, 20).Draw(rt, "last")}
		var ids, states []string
		state := map[string]string{} // by id
		for range rapid.IntRange(1, 6).Draw(rt, "claims") {
			c, err := s.Claim(ctx, "t", nil)
			if err != nil {
				rt.Fatal(err)
			}
			for range rapid.IntRange(0, 60).Draw(rt, "records") {
				r := &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "cafe"}
				if rapid.IntRange(0, 3).Draw(rt, "kind") > 0 {
					value := fmt.Sprintf(`"%d%s"`, len(ids), strings.Repeat("z", rapid.SampledFrom([]int{0, 100, 9000}).Draw(rt, "size")))
					before := ""
					if len(ids) > 0 {
						before = state[ids[len(ids)-1]]
					}
					r = &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{add("l", value)}}
					if kept := ids[max(len(ids)-rule.Last, 0):]; len(kept) > 0 && rapid.IntRange(0, 9).Draw(rt, "fork") == 0 {
						r.Parent = rapid.SampledFrom(kept).Draw(rt, "from")
						before = state[r.Parent]
					}
					states = append(states, before+","+value)
				}
				if _, err := c.Append(ctx, r); err != nil {
					rt.Fatal(err)
				}
				if r.Kind == checkpoint.KindStep {
					ids = append(ids, r.ID)
					state[r.ID] = states[len(states)-1]
				}
			}
			keep(rt, s, rule, &dropped) // while it runs
			if err := c.Release(ctx, nil); err != nil {
				rt.Fatal(err)
			}
			keep(rt, s, rule, &dropped)
			for _, id := range ids[max(len(ids)-rule.Last, 0):] {
				_, st, err := s.State(ctx, "t", "", id)
				if err != nil {
					rt.Fatalf("state at %s, one of the newest %d of %d: %v", id, rule.Last, len(ids), err)
				}
				if v, _ := st.Get("l"); string(v) != "["+state[id][1:]+"]" {
					rt.Fatalf("state at %s is not what it was", id)
				}
			}
		}
	})
	if dropped == 0 {
		t.Error("nothing was ever dropped")
	}
}

func keep(t *rapid.T, s *checkpoint.Store, rule checkpoint.KeepRule, dropped *int64) {
	count := func() (n int64) {
		for r, err := range s.Records(context.Background(), "t") {
			if err != nil {
				t.Fatal(err)
			}
			if r.Kind == checkpoint.KindStep {
				n++
			}
		}
		return n
	}
	before := count()
	gone, err := s.Keep(context.Background(), "t", rule)
	if err != nil {
		t.Fatal(err)
	}
	if after := count(); before-after != gone || gone > 0 && after < int64(rule.Last) {
		t.Fatalf("%d checkpoints before, %d after, %d dropped; %d are to be kept", before, after, gone, rule.Last)
	}
	*dropped += gone
}

// TestKeepTail: what came after the head is what a resume needs: it stays, whatever is dropped; and rules by age look at ages.
func TestKeepTail(t *testing.T) {
	ctx := context.Background()
	now := time.Now()
	s := checkpoint.New(memstore.New(), &checkpoint.Options{Now: func() time.Time { return now }})
	defer s.Close()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	fill := `"` + strings.Repeat("f", 70_000) + `"`
	for range 200 {
		now = now.Add(time.Hour)
		if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{put("x", fill)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindInterrupt, Task: "a"}, &checkpoint.Record{Kind: checkpoint.KindAnswer, Task: "a"}, &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "b"}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Keep(ctx, "t", checkpoint.KeepRule{}); err != nil || n != 0 {
		t.Errorf("without a rule %d were dropped: %v", n, err)
	}
	if n, err := s.Keep(ctx, "t", checkpoint.KeepRule{For: 300 * time.Hour}); err != nil || n != 0 {
		t.Errorf("%d that are young were dropped: %v", n, err)
	}
	if n, err := s.Keep(ctx, "t", checkpoint.KeepRule{Last: 2, For: 50*time.Hour + time.Minute}); err != nil || n < 145 || n > 150 {
		t.Errorf("%d of 150 older ones were dropped: %v", n, err)
	}
	if n, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 1}); err != nil || n.Steps == 0 {
		t.Errorf("%+v, %v", n, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = s.Claim(ctx, "t", nil); err != nil {
		t.Fatal(err)
	}
	snap, err := c.Load(ctx, "")
	if err != nil || len(snap.Tail) != 4 || snap.Tail[0].Kind != checkpoint.KindInterrupt || snap.Tail[3].Kind != checkpoint.KindClaim {
		t.Errorf("%v: %+v", err, snap)
	}
	if _, err := s.Keep(ctx, "nobody", checkpoint.KeepRule{Last: 1}); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Error(err)
	}
}
