package hosttest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/hosttest"
)

// TestClockWakesWhoIsDue: after any sleeps and steps, those and only those sleep whose time has not come.
func TestClockWakesWhoIsDue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := hosttest.NewClock()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		sleeps := rapid.SliceOfN(rapid.IntRange(1, 20), 0, 8).Draw(rt, "sleeps")
		woken := make([]chan error, len(sleeps))
		for i, s := range sleeps {
			woken[i] = make(chan error, 1)
			wg.Go(func() { woken[i] <- c.Sleep(ctx, time.Duration(s)*time.Second) })
		}
		if err := c.Await(ctx, len(sleeps)); err != nil {
			rt.Fatal(err)
		}
		now := 0
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 9), 0, 5).Draw(rt, "steps") {
			now += step
			c.Advance(time.Duration(step) * time.Second)
		}
		if got := c.Now(); !got.Equal(hosttest.Epoch().Add(time.Duration(now) * time.Second)) {
			rt.Errorf("after %d s the clock shows %v", now, got)
		}
		for i, s := range sleeps {
			if s > now {
				continue
			}
			if err := <-woken[i]; err != nil {
				rt.Errorf("sleep of %d s: %v", s, err)
			}
		}
		cancel()
		wg.Wait()
		for i, s := range sleeps {
			if s <= now {
				continue
			}
			if err := <-woken[i]; !errors.Is(err, context.Canceled) {
				rt.Errorf("sleep of %d s ended after %d s: %v", s, now, err)
			}
		}
	})
}

func TestClockEdges(t *testing.T) {
	c := hosttest.NewClock()
	for _, d := range []time.Duration{0, -time.Hour} {
		if err := c.Sleep(t.Context(), d); err != nil {
			t.Errorf("sleep of %v: %v", d, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep with a context that has ended: %v", err)
	}
	if err := c.Await(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("await of nobody: %v", err)
	}
	if err := c.Await(ctx, 0); err != nil {
		t.Errorf("await of none: %v", err)
	}
}

// TestBackOffByHand: attempts come exactly when the policy says, doubling.
func TestBackOffByHand(t *testing.T) {
	clock := hosttest.NewClock()
	h := hosttest.New(t, clock)
	manifest := hosttest.Manifest(t, `version: 1
name: retry
input: {channel: v}
channels: {v: {}}
nodes: {a: {native: a, writes: [v], retry: {attempts: 3, initial: 10s, factor: 2, max: 1h, jitter: 0, on: [unavailable]}}}
edges: [{from: START, to: a}]
`)
	node := failing(2, "unavailable", func(task *host.Task) error { return task.Write([]byte(`{"v":"up"}`)) })
	run := h.Start(manifest, &hosttest.Options{Nodes: host.Nodes{"a": node}, Input: []byte(`0`)})
	for _, d := range []time.Duration{10 * time.Second, 20 * time.Second} {
		if err := clock.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(d - time.Nanosecond) // not yet
		if err := clock.Await(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Nanosecond)
	}
	out := h.Wait(run, nil)
	out.Check(t, &hosttest.Want{
		State:  map[string]string{"v": `"up"`},
		Events: []string{"run_start", "node_start a", "node_retry a: unavailable", "node_retry a: unavailable", "node_end a", "step 1", "run_end"},
	})
	if end := out.Events[len(out.Events)-1].Time; !end.Equal(hosttest.Epoch().Add(30 * time.Second)) {
		t.Errorf("the run ended at %v", end.UTC())
	}
}
