package openurl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

const manifest = `
version: 1
name: count
input:    {channel: n}
channels: {n: {reduce: add}}
nodes:    {more: {native: more, writes: [n]}}
edges:    [{from: START, to: more}]
`

// Two runs of a program leave two threads behind; another process lists them and reads their state.
func ExampleStore() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "openurl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	url := "file:" + filepath.Join(dir, "store")
	if err := count(ctx, dir, url, "a", "b"); err != nil {
		log.Fatal(err)
	}

	s, err := openurl.Store(ctx, url, &openurl.Options{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	for t, err := range s.Threads(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		_, state, err := s.State(ctx, t.Thread, "", "")
		if err != nil {
			log.Fatal(err)
		}
		for channel, value := range host.Channels(state) {
			fmt.Printf("%s is %s: %s = %s\n", t.Thread, host.ThreadStatus(t), channel, value)
		}
	}
	// Output:
	// a is done: n = 42
	// b is done: n = 42
}

// count runs the manifest once for each thread.
func count(ctx context.Context, dir, url string, threads ...string) (err error) {
	path := filepath.Join(dir, "workflow.yaml")
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		return err
	}
	h, err := host.New(&host.Options{Store: url, OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
		return openurl.Store(ctx, url, nil)
	}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	g, err := h.Load(ctx, path, &host.LoadOptions{Nodes: host.Nodes{
		"more": func(t *host.Task) error { return t.Write([]byte(`{"n":2}`)) },
	}})
	if err != nil {
		return err
	}
	for _, thread := range threads {
		run, err := h.Start(ctx, g, []byte("40"), &host.RunOptions{Thread: thread})
		if err != nil {
			return err
		}
		if _, err := run.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
