package host_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashhost/dashhost/host"
)

// A second process must be able to use a store while another one runs many long
// threads in it: start a thread, give a finished one a new turn, list.

const (
	crowdThreads = "DASHHOST_CROWD" // how many long threads; make crowd sets 1000 and then time counts
	crowdLimit   = 200 * time.Millisecond
)

const crowdManifest = `
channels: {n: {reduce: add}}
nodes: {a: {native: a, writes: [n]}}
edges: [{from: START, to: a}, {from: a, when: [{if: "n < %d", to: a}, {to: END}]}]
`

// crowdRun is process A: threads that take a step each fifth of a second, for
// ever.
func crowdRun(dir string) error {
	ctx := context.Background()
	n, err := strconv.Atoi(os.Getenv(crowdThreads))
	if err != nil {
		return err
	}
	h, err := host.New(&host.Options{Store: "file:" + filepath.Join(dir, "store"), OpenStore: openStore})
	if err != nil {
		return err
	}
	g, err := h.Load(ctx, filepath.Join(dir, "workflow.yaml"), &host.LoadOptions{Nodes: host.Nodes{"a": func(t *host.Task) error {
		if t.Thread() != "finished" {
			select {
			case <-time.After(200 * time.Millisecond): // the work of a long thread
			case <-t.Context().Done():
			}
		}
		return t.Write([]byte(`{"n":1}`))
	}}})
	if err != nil {
		return err
	}
	runs := make(chan error, n)
	for i := range n {
		go func() {
			_, err := h.Start(ctx, g, []byte(`{}`), &host.RunOptions{Thread: fmt.Sprintf("long-%04d", i)})
			runs <- err
		}()
	}
	for range n {
		if err := <-runs; err != nil {
			return err
		}
	}
	fmt.Println("running")
	select {}
}

func TestSecondProcessIsNotHeldUp(t *testing.T) {
	threads, timed := os.Getenv(crowdThreads), true
	if threads == "" {
		threads, timed = "50", false
		t.Setenv(crowdThreads, threads)
	}
	dir := filepath.Dir(project(t, fmt.Sprintf(crowdManifest, 1_000_000)))
	a := child("crowd", dir)
	a.Stderr = os.Stderr
	out, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = a.Process.Kill()
		_ = a.Wait()
	}()
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("process A did not start")
	}

	short := project(t, fmt.Sprintf(crowdManifest, 3))
	var opened, started, turned, listed []time.Duration
	for round := range 7 {
		measure := func(to *[]time.Duration, f func()) {
			began := time.Now()
			f()
			*to = append(*to, time.Since(began))
		}
		var h *host.Host
		measure(&opened, func() {
			var err error
			if h, err = host.New(&host.Options{Store: "file:" + filepath.Join(dir, "store"), OpenStore: openStore}); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Store(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
		g := load(t, h, short, host.Nodes{"a": func(t *host.Task) error { return t.Write([]byte(`{"n":1}`)) }})
		thread := fmt.Sprintf("short-%d", round)
		for _, to := range []*[]time.Duration{&started, &turned} {
			measure(to, func() {
				run, err := h.Start(t.Context(), g, []byte(`{"n!":0}`), &host.RunOptions{Thread: thread})
				if res := wait(t, run, err); res.Status != "done" || res.Steps != 3 {
					t.Fatalf("%+v", res)
				}
			})
		}
		measure(&listed, func() {
			s, err := h.Store(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for info, err := range s.Threads(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(info.Thread, "long") {
					continue
				}
				if status := host.ThreadStatus(info); status != "running" {
					t.Errorf("%s is %s: %v", info.Thread, status, info.Damage)
				}
				n++
			}
			if strconv.Itoa(n) != threads {
				t.Fatalf("%d long threads are listed, want %s", n, threads)
			}
		})
		if err := h.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for what, d := range map[string][]time.Duration{"open": opened, "start and run 3 steps": started, "new turn of 3 steps": turned, "list": listed} {
		slices.Sort(d)
		median, worst := d[len(d)/2], d[len(d)-1]
		t.Logf("%s beside %s threads: median %v, worst %v", what, threads, median, worst)
		if timed && median > crowdLimit {
			t.Errorf("%s: median %v, want less than %v", what, median, crowdLimit)
		}
	}
}
