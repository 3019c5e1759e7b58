package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
)

// ifExists are the values of --if-exists.
var ifExists = []string{host.IfExistsFail, host.IfExistsResume, host.IfExistsSkip}

// runFlags are those of run.
type runFlags struct {
	input    inputFlags
	thread   string
	ifExists string
	dryRun   bool
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [MANIFEST]",
		Short: "Run a workflow to its end",
		Long: `Run a workflow to its end. The output goes to stdout. Each step is kept in the store before the next one begins,
so a run that was killed goes on with "dashhost resume THREAD".

A thread that is done can be run again: the new input starts a new turn on its state. SIGTERM or one interrupt lets the
run stop at the end of the step in progress (exit code 5), a second interrupt cancels what runs (exit code 130).`,
		Example: `  dashhost run
  git diff main... | dashhost run gate/workflow.yaml --input - --thread pr-42
  dashhost run --input-json '{"n": 1}' --dry-run`,
		Args:              args("[MANIFEST]"),
		ValidArgsFunction: completeManifest,
		RunE: func(c *cobra.Command, args []string) error {
			f.input.hasFile, f.input.hasJSON = c.Flags().Changed("input"), c.Flags().Changed("input-json")
			if err := f.check(c.Flags().Changed("thread")); err != nil {
				return err
			}
			if f.dryRun {
				return a.dryRun(c.Context(), args, &f)
			}
			return a.startRun(c.Context(), args, &f)
		},
	}
	fl := c.Flags()
	fl.StringVarP(&f.input.file, "input", "i", "", "read the input from `FILE`, - for stdin (default: what the manifest says)")
	fl.StringVar(&f.input.json, "input-json", "", "take `JSON` as the input")
	fl.StringVarP(&f.thread, "thread", "t", "", "run on the thread called `NAME` (default: a new unique one)")
	fl.StringVar(&f.ifExists, "if-exists", "", "do `WHAT` if the thread exists: "+strings.Join(ifExists, ", ")+" (default: a new turn if it is done, else fail)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "say what would be run and write nothing")
	_ = c.RegisterFlagCompletionFunc("if-exists", cobra.FixedCompletions(ifExists, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("thread", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeThread(c, nil, word)
	})
	return c
}

func (f *runFlags) check(threadSet bool) error {
	if threadSet && f.thread == "" {
		return &usageError{Text: "--thread: the name is empty", Hints: []string{"leave the flag out for a new unique name"}}
	}
	if f.ifExists != "" && !slices.Contains(ifExists, f.ifExists) {
		return &usageError{Text: "--if-exists " + f.ifExists + ": not one of " + strings.Join(ifExists, ", ")}
	}
	return f.input.check()
}

func (a *app) startRun(parent context.Context, args []string, f *runFlags) error {
	path, err := a.findManifest(args)
	if err != nil {
		return err
	}
	url := a.storeForRun(path)
	ctx, signals, done := a.interruptible(parent)
	defer done()
	return a.withHost(ctx, url, func(h *host.Host) error {
		g, err := a.loadGraph(ctx, h, path)
		if err != nil {
			return err
		}
		input, err := a.readInput(ctx, &f.input, g.Workflow())
		if err != nil {
			return err
		}
		r, err := h.Start(ctx, g, input, &host.RunOptions{Thread: f.thread, IfExists: f.ifExists, InputJSON: f.input.hasJSON})
		if err != nil {
			return err
		}
		return a.follow(ctx, r, signals)
	})
}

// withHost opens a host on the store at url for f and closes it after. Then it says what became of the events that were sent.
func (a *app) withHost(ctx context.Context, url string, f func(*host.Host) error) (err error) {
	a.scene.store = url
	stream, err := a.streamURL()
	if err != nil {
		return err
	}
	signers, err := a.signers()
	if err != nil {
		return err
	}
	h, err := host.New(&host.Options{
		Logger:   a.logger(),
		CacheDir: a.cacheDir(),
		Compile:  a.compiler(),
		Signers:  signers,
		Store:    url,
		OpenStore: func(ctx context.Context, url string) (*checkpoint.Store, error) {
			return a.open(ctx, url, &openurl.Options{Owner: "dashhost"})
		},
		Stream: stream,
		OpenStream: func(ctx context.Context, url string) (driver.Sink, error) {
			return openurl.Stream(ctx, url, &openurl.Options{Logger: a.logger().Named("kafka"), Getenv: a.Getenv})
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, h.Close(context.WithoutCancel(ctx)))
		a.tellStreams(h.StreamReport())
	}()
	return f(h)
}

// tellStreams says what became of the events of a run.
func (a *app) tellStreams(r streaming.Report) {
	if len(r.Streams) == 0 {
		return
	}
	total := r.Total()
	a.talk.linef("events    %s", total.String())
	if total.Dropped > 0 {
		a.talk.linef("%s %s did not reach the stream; the store's log has those of the run itself", a.talk.paint(yellow, "warning:"), count(int(total.Dropped), "event"))
	}
}
