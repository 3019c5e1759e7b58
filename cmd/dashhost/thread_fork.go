package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// branched is what thread fork --json and thread update --json print.
type branched struct {
	Thread     string `json:"thread"`
	Checkpoint string `json:"checkpoint"`
	Next       string `json:"next"` // command line
}

func (a *app) threadForkCommand() *cobra.Command {
	var o host.ForkOptions
	c := &cobra.Command{
		Use:   "fork THREAD",
		Short: "Go back to a checkpoint of a thread and begin a new branch there",
		Long: `Go back to a checkpoint of a thread and begin a new branch there. What was recorded since stays in the history; the new
branch has a checkpoint of its own, and "dashhost resume THREAD" runs on from it. Tasks of that step run again, also those
that were done. CHECKPOINT is an id from "thread history", or the beginning of one.`,
		Example: `  dashhost thread history pr-42
  dashhost thread fork pr-42 --checkpoint 01JD2M`,
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			return a.branch(c.Context(), args[0], "forked", func(ctx context.Context, h *host.Host, thread string) (string, error) {
				return h.Fork(ctx, thread, &o)
			})
		},
	}
	c.Flags().StringVar(&o.Checkpoint, "checkpoint", "", "begin at `CHECKPOINT` (default: the newest)")
	return c
}

// branch lets f make a new head of a thread, and says what to type next.
func (a *app) branch(ctx context.Context, name, done string, f func(ctx context.Context, h *host.Host, thread string) (string, error)) error {
	return a.withHostOn(ctx, name, func(h *host.Host, info *checkpoint.ThreadInfo) error {
		id, err := f(ctx, h, info.Thread)
		if err != nil {
			return err
		}
		s, err := h.Store(ctx)
		if err != nil {
			return err
		}
		next := a.nextOf(ctx, s, info.Thread)
		if a.flags.json {
			a.printJSON(&branched{Thread: info.Thread, Checkpoint: id, Next: next})
		}
		a.talk.linef("%-9s %s: the newest checkpoint is now %s", done, info.Thread, id)
		a.talk.linef("next      %s", next)
		return nil
	})
}

// withHostOn opens a host on the project's store for f, to change one thread, found by its name or the beginning of it.
func (a *app) withHostOn(ctx context.Context, name string, f func(*host.Host, *checkpoint.ThreadInfo) error) error {
	url, err := a.projectStore()
	if err != nil {
		return err
	}
	a.scene.store = url
	if err := a.checkStore(ctx, url); err != nil {
		return err
	}
	return a.withHost(ctx, url, func(h *host.Host) error {
		s, err := h.Store(ctx)
		if err != nil {
			return err
		}
		info, err := findThread(ctx, s, name)
		if err != nil {
			return err
		}
		a.scene.thread = info.Thread
		return f(h, info)
	})
}
