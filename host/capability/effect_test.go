package capability

import (
	"slices"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

// The key that the ABI's text gives as its example.
func TestIdempotencyKeyOfTheSpec(t *testing.T) {
	if got, want := IdempotencyKey(someTask, abi.EffectHTTP, 0), "2f31f65167309dfc27cab24f2ae81622"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The n-th effect of a kind has the same key in every attempt, whatever else the node does in between, and
// no two effects share one.
func TestEffectsAreNumberedByKind(t *testing.T) {
	take := func(s *Set, kind abi.Effect) string {
		key, err := s.Effect(kind)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first, second := open(grantAll), open(grantAll)
	var keys, again []string
	for range 3 {
		for kind := abi.EffectNone + 1; kind < abi.EffectCount; kind++ {
			keys = append(keys, take(first, kind))
		}
	}
	for kind := abi.EffectNone + 1; kind < abi.EffectCount; kind++ {
		for range 3 {
			for _, f := range abi.Functions() { // reads, logs and refused calls take no number
				if f.Grant != abi.GrantInterrupts { // an open question ends all effects
					_ = through(second, f.ID, abi.PhaseRun)
				}
			}
			again = append(again, take(second, kind))
		}
	}
	slices.Sort(keys)
	slices.Sort(again)
	if !slices.Equal(keys, again) {
		t.Error("keys depend on what else the node does")
	}
	if len(slices.Compact(keys)) != 3*int(abi.EffectCount-1) {
		t.Error("two effects share a key")
	}
	if other := open(func(c *Config) { c.Task[0] = 1 }); slices.Contains(keys, take(other, abi.EffectHTTP)) {
		t.Error("two tasks share a key")
	}
}

func TestEffectsAreLimited(t *testing.T) {
	s := open(func(c *Config) {
		grantAll(c)
		c.Node.Limits.Effects = 100
	})
	var wg sync.WaitGroup
	got := make([]int, 4)
	for i := range got {
		wg.Go(func() {
			for range 100 {
				if _, err := s.Effect(abi.EffectKV); err == nil {
					got[i]++
				} else if abi.ErrnoOf(err) != abi.Limited {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := got[0] + got[1] + got[2] + got[3]; n != 100 {
		t.Errorf("%d effects, limit is 100", n)
	}
	for _, id := range []abi.FuncID{abi.FnKVPut, abi.FnKVDelete} {
		if err := s.Enter(id, abi.PhaseRun); abi.ErrnoOf(err) != abi.Limited {
			t.Errorf("Enter(%v) = %v", id, err)
		}
	}
	if err := s.Enter(abi.FnKVGet, abi.PhaseRun); err != nil {
		t.Errorf("a read is limited too: %v", err)
	}
	if err := s.Enter(abi.FnHTTPFetch, abi.PhaseRun); err != nil {
		t.Errorf("another kind is limited too: %v", err)
	}
	for _, kind := range []abi.Effect{abi.EffectNone, abi.EffectCount, 255} {
		if _, err := s.Effect(kind); abi.ErrnoOf(err) != abi.Invalid {
			t.Errorf("Effect(%d) = %v", kind, err)
		}
	}
	d := New(&Config{Node: &workflow.Node{Name: "x"}})
	for range abi.DefaultEffects {
		if _, err := d.Effect(abi.EffectHTTP); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Effect(abi.EffectHTTP); abi.ErrnoOf(err) != abi.Limited {
		t.Errorf("over the default: %v", err)
	}
}
