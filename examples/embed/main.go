// Command embed is merge-gate inside a Go program: a graph of modules with one node that is a function of the program,
// its runs kept in a folder. Ctrl-C stops it after the tasks that run; started again, it goes on there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

func main() { os.Exit(command()) }

// command is main with an exit code: 5 for a run that was stopped.
func command() int {
	manifest := flag.String("manifest", "workflow.yaml", "the graph")
	dir := flag.String("dir", ".dashhost", "where runs and compiled modules are kept")
	thread := flag.String("thread", "change-1", "what the run belongs to: the same name goes on with the same run")
	input := flag.String("input", "../merge-gate/sample.patch", "the patch")
	flag.Parse()
	patch, err := os.ReadFile(*input)
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		return 1
	}
	interrupted, restore := signal.NotifyContext(context.Background(), os.Interrupt)
	defer restore()
	context.AfterFunc(interrupted, restore) // the second Ctrl-C ends the process, and that loses nothing either

	g := gate{
		manifest: *manifest, store: *dir + "/store", cache: *dir + "/cache", log: os.Stderr,
		nodes: host.Nodes{"policy": policy(owners{"deploy/": "the platform team"})},
	}
	res, err := g.run(context.Background(), interrupted, *thread, patch)
	if res != nil && res.Status != "stopped" { // a run that fails because of its findings has a report too
		_, printed := os.Stdout.Write(res.Output)
		err = errors.Join(err, printed)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "embed:", err)
		return 1
	case res.Status == "stopped":
		fmt.Fprintln(os.Stderr, "stopped: run the same command again to go on")
		return 5
	}
	return 0
}

// gate is how this program runs its graph.
type gate struct {
	manifest string
	store    string // folder of the runs
	cache    string // folder of compiled modules
	nodes    host.Nodes
	log      io.Writer // gets a line for each task
}

// run takes a patch through the graph. A thread that was stopped, failed or killed goes on
// where it was, one that is done gives its result again. When stop ends, the tasks that run are finished and no other
// is started; when ctx ends, they are interrupted.
func (g *gate) run(ctx, stop context.Context, thread string, patch []byte) (_ *host.Result, err error) {
	h, err := host.New(&host.Options{
		Store:    "file:" + g.store,
		CacheDir: g.cache,
		OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
			return openurl.Store(ctx, url, nil)
		},
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(context.WithoutCancel(ctx))) }()

	graph, err := h.Load(ctx, g.manifest, &host.LoadOptions{Nodes: g.nodes})
	if err != nil {
		return nil, err
	}
	run, err := h.Start(ctx, graph, patch, &host.RunOptions{Thread: thread, IfExists: host.IfExistsResume})
	if err != nil {
		return nil, err
	}
	ended := context.AfterFunc(stop, func() { _ = run.Drain(ctx) }) // how it ended, Wait says
	defer ended()
	for ev := range run.Events() {
		switch ev.Type {
		case host.EventNodeEnd:
			fmt.Fprintf(g.log, "step %d: %s\n", ev.Step, ev.Node)
		case host.EventNodeError:
			fmt.Fprintf(g.log, "step %d: %v\n", ev.Step, ev.Err)
		}
	}
	res, err := run.Wait(context.WithoutCancel(ctx))
	switch {
	case err != nil:
		return nil, err
	case res.Err != nil:
		return res, res.Err
	}
	return res, nil
}
