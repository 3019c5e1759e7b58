package host_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/streaming/driver"
)

// deadSink takes nothing: each write waits until it is given up.
type deadSink struct{}

func (deadSink) Write(ctx context.Context, _ string, _ []driver.Record) (int, error) {
	<-ctx.Done()
	return 0, &driver.Error{Class: driver.Unavailable, Err: ctx.Err()}
}
func (deadSink) Flush(context.Context) error { return nil }
func (deadSink) Close() error                { return nil }

// TestCancelWithADeadSink: a stream that blocks slows the run down as its policy says, but cannot keep it from being
// cancelled.
func TestCancelWithADeadSink(t *testing.T) {
	h, err := host.New(&host.Options{OpenStream: func(context.Context, string) (driver.Sink, error) { return deadSink{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := h.Close(ended); err == nil {
			t.Error("close does not say that events were lost")
		}
	}()
	g := load(t, h, project(t, `
channels: {items: {}}
nodes:
  list: {native: list, writes: [items]}
  a: {native: a, each: {over: items}}
edges: [{from: START, to: list}, {from: list, to: a}]
stream: {url: "file:events", queue: 1, overflow: block, block_for: 50ms}
`), host.Nodes{
		"list": func(task *host.Task) error {
			return task.Write([]byte(`{"items":[1` + strings.Repeat(",1", 4999) + `]}`))
		},
		"a": func(*host.Task) error { return nil },
	})
	run, err := h.Start(t.Context(), g, []byte(`{}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for e := range run.Events() {
		if e.Type == host.EventStep { // 5000 events follow it
			run.Cancel()
			break
		}
	}
	if _, err := run.Wait(soon(t)); err != nil {
		t.Errorf("wait after cancel: %v", err)
	}
}

// TestSlowStoreHoldsUpNobody: while one store is being opened, runs on another one end and the host answers.
func TestSlowStoreHoldsUpNobody(t *testing.T) {
	opening, opened := make(chan struct{}), make(chan struct{})
	h := newHost(t, &host.Options{OpenStore: func(_ context.Context, url string) (*checkpoint.Store, error) {
		if strings.HasSuffix(url, "slow") {
			close(opening)
			<-opened
		}
		return checkpoint.New(memstore.New(), nil), nil
	}})
	nodes := host.Nodes{"a": func(*host.Task) error { return nil }}
	slow := load(t, h, project(t, one+"store: {url: \"file:slow\"}\n"), nodes)
	fast := load(t, h, project(t, one+"store: {url: \"file:fast\"}\n"), nodes)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		run, err := h.Start(t.Context(), slow, []byte(`1`), nil)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := run.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
	<-opening
	done := make(chan error, 1)
	go func() {
		run, err := h.Start(t.Context(), fast, []byte(`1`), nil)
		if err == nil {
			_, err = run.Wait(t.Context())
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
		close(opened)
	case <-soon(t).Done():
		t.Error("a run on another store hangs")
		close(opened)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
