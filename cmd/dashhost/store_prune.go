package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// pruneReport is what store prune --json prints.
type pruneReport struct {
	Store    string   `json:"store"`
	DryRun   bool     `json:"dry_run,omitempty"`
	KeepLast int      `json:"keep_last,omitempty"`
	KeepFor  string   `json:"keep_for,omitempty"`
	Threads  int      `json:"threads"`     // that lost checkpoints
	Steps    int64    `json:"checkpoints"` // dropped
	Records  int64    `json:"records"`     // dropped
	Blobs    int      `json:"blobs"`       // that nothing needs any more
	Segments int      `json:"files"`       // removed
	Before   int64    `json:"bytes_before"`
	After    int64    `json:"bytes_after"`
	Moved    int64    `json:"bytes_moved"`
	Damaged  []string `json:"damaged,omitempty"` // left as they are
}

func (a *app) storePruneCommand() *cobra.Command {
	o := &checkpoint.PruneOptions{}
	c := &cobra.Command{
		Use:   "prune",
		Short: "Drop old checkpoints and give back the space of what was deleted",
		Long: `Drop checkpoints that are not to be kept, and give back the space of what was dropped or deleted. A checkpoint is kept if it is
among the --keep-last newest of its thread, or younger than --keep-for; without flags the manifest's store.keep says so, and
without that all are kept. The newest one always is, with the tasks, questions and answers that a resume needs.

Threads may run meanwhile. Files are rewritten where little of them is left that is wanted; --now rewrites all that hold
anything that is not.`,
		Example: `  dashhost store prune --dry-run --keep-last 10
  dashhost store prune --keep-last 100 --keep-for 720h --now`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.KeepLast < 0 || o.MaxAge < 0 {
				return &usageError{Text: "store prune: --keep-last and --keep-for must not be negative"}
			}
			if !c.Flags().Changed("keep-last") && !c.Flags().Changed("keep-for") {
				if err := a.keepOfManifest(c.Context(), o); err != nil {
					return err
				}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.withStore(ctx, !o.DryRun, func(s *checkpoint.Store) error { return a.prune(ctx, s, o) }), "prune", "nothing was lost; run it again, it goes on")
		},
	}
	f := c.Flags()
	f.IntVar(&o.KeepLast, "keep-last", 0, "keep the newest `N` checkpoints of each thread")
	f.DurationVar(&o.MaxAge, "keep-for", 0, "keep checkpoints that are younger than `DURATION`, such as 720h")
	f.StringVarP(&o.Thread, "thread", "t", "", "drop checkpoints of `THREAD` only")
	f.BoolVar(&o.Now, "now", false, "rewrite every file that holds anything that is not wanted")
	f.BoolVar(&o.DryRun, "dry-run", false, "change nothing, say what would be")
	_ = c.RegisterFlagCompletionFunc("thread", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeThread(c, nil, word)
	})
	return c
}

// keepOfManifest takes what the manifest says, if there is one.
func (a *app) keepOfManifest(ctx context.Context, o *checkpoint.PruneOptions) error {
	path, explicit, err := a.manifestPath("")
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); os.IsNotExist(err) && !explicit {
		return nil
	}
	if err := checkManifest(path); err != nil {
		return err
	}
	g, _, err := a.readManifest(ctx, path, false)
	if err != nil {
		return err
	}
	o.KeepLast, o.MaxAge = g.Store.KeepLast, g.Store.KeepFor
	return nil
}

func (a *app) prune(ctx context.Context, s *checkpoint.Store, o *checkpoint.PruneOptions) error {
	if o.Thread != "" {
		if err := known(ctx, s, []string{o.Thread}); err != nil {
			return err
		}
	}
	o.Blobs = host.Blobs
	o.Progress = a.gauge("pruning", func(n int64) string { return fmt.Sprint(n) }).show
	r, err := s.Prune(ctx, o)
	a.talk.clear()
	if r == nil {
		return err
	}
	out := &pruneReport{
		Store: storeName(a.scene.store), DryRun: o.DryRun, KeepLast: o.KeepLast, Threads: r.Threads, Steps: r.Steps, Records: r.Records, Blobs: r.Blobs,
		Segments: r.Segments, Before: r.Before, After: r.After, Moved: r.Moved,
	}
	if o.MaxAge > 0 {
		out.KeepFor = o.MaxAge.String()
	}
	for _, d := range r.Damaged {
		out.Damaged = append(out.Damaged, d.Error())
		a.talk.linef("damaged   %s", visible(d.Error()))
	}
	if err != nil {
		return err
	}
	if a.flags.json {
		a.printJSON(out)
	} else {
		a.tellPrune(out, o.MaxAge)
	}
	if len(r.Damaged) > 0 {
		return &leftOutError{Damaged: r.Damaged}
	}
	return nil
}

func (a *app) tellPrune(r *pruneReport, maxAge time.Duration) {
	dropped, freed := "dropped", "freed"
	if r.DryRun {
		dropped, freed = "to drop", "to free"
	}
	if r.KeepLast == 0 && maxAge == 0 {
		a.talk.linef("%-9s no checkpoint: neither flags nor manifest say what to keep", dropped)
	} else {
		a.talk.linef("%-9s %s of %s, %s", dropped, count(int(r.Steps), "checkpoint"), count(r.Threads, "thread"), recordsText(r.Records))
	}
	if r.Blobs > 0 {
		a.talk.linef("%-9s %s that nothing needs", dropped, count(r.Blobs, "blob"))
	}
	a.talk.linef("%-9s %s in %s; the log has %s, %s copied", freed, bytesText(max(r.Before-r.After, 0)), count(r.Segments, "file"), bytesText(r.After), bytesText(r.Moved))
}
