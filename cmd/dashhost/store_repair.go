package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
)

// repairReport is what store repair --json prints.
type repairReport struct {
	Store    string         `json:"store"`
	Done     bool           `json:"done"` // false: this is what would be
	Places   []*placeRow    `json:"places"`
	Repaired []*repairedRow `json:"repaired,omitempty"`
	Deleted  []string       `json:"deleted,omitempty"`
	Left     []*lossRow     `json:"left,omitempty"` // damaged as before
}

type repairedRow struct {
	Thread string           `json:"thread"`
	Loss   *checkpoint.Loss `json:"loss"`
}

// consentError says that something that cannot be undone needs a yes.
type consentError struct{ What string }

// Error implements error.
func (e *consentError) Error() string { return e.What + ": nothing was changed without a yes" }

func (a *app) storeRepairCommand() *cobra.Command {
	var yes, gone, dry bool
	var thread string
	c := &cobra.Command{
		Use:   "repair",
		Short: "Let damaged threads go on without what cannot be read",
		Long: `Let damaged threads go on without what cannot be read: each from its newest complete checkpoint, with a record of what was
given up. The damaged bytes are kept aside in the folder "quarantine" of the store.

What would be given up is shown first, and asked about; --yes does not ask. Off a terminal it is needed. If a backup has
what is lost, restore that instead: repairing makes the loss final. The exit code is 4 if something stays damaged.`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			o := &checkpoint.RepairOptions{Thread: thread, DeleteGone: gone}
			return cut(a.withStore(ctx, !dry, func(s *checkpoint.Store) error { return a.repair(ctx, s, o, yes, dry) }), "repair", "run it again, it goes on")
		},
	}
	f := c.Flags()
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	f.BoolVar(&dry, "dry-run", false, "only show what would be given up")
	f.BoolVar(&gone, "delete-gone", false, "delete threads of which no complete checkpoint is left")
	f.StringVarP(&thread, "thread", "t", "", "repair only `THREAD`")
	_ = c.RegisterFlagCompletionFunc("thread", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeThread(c, nil, word)
	})
	return c
}

func (a *app) repair(ctx context.Context, s *checkpoint.Store, o *checkpoint.RepairOptions, yes, dry bool) error {
	if o.Thread != "" {
		if err := known(ctx, s, []string{o.Thread}); err != nil {
			return err
		}
	}
	o.Progress = a.gauge("checking", bytesText).show
	r, err := s.Repair(ctx, o)
	a.talk.clear()
	if err != nil {
		return err
	}
	out := a.repairOf(r)
	if len(out.Left) == 0 && !hasNew(out.Places) {
		a.tellRepair(out)
		a.talk.linef("sound     nothing to repair in %s", out.Store)
		return nil
	}
	if dry {
		a.tellRepair(out)
		return &damagedStoreError{Store: out.Store, Threads: len(out.Left), Places: len(out.Places)}
	}
	if !yes {
		if !a.flags.json {
			a.tellRepair(out)
		}
		if err := a.consent(ctx, "repair", "give up what is said above"); err != nil {
			return err
		}
	}
	o.Consent, o.Progress = true, a.gauge("repairing", bytesText).show
	r, err = s.Repair(ctx, o)
	a.talk.clear()
	if err != nil {
		return err
	}
	out = a.repairOf(r)
	out.Done = true
	a.tellRepair(out)
	if len(out.Left) > 0 {
		return &damagedStoreError{Store: out.Store, Threads: len(out.Left)}
	}
	return nil
}

func hasNew(places []*placeRow) bool {
	for _, p := range places {
		if !p.Accepted {
			return true
		}
	}
	return false
}

func (a *app) repairOf(r *checkpoint.RepairReport) *repairReport {
	out := &repairReport{Store: storeName(a.scene.store), Places: placeRows(r.Places), Deleted: r.Deleted}
	for _, t := range r.Repaired {
		out.Repaired = append(out.Repaired, &repairedRow{t.Thread, t.Loss})
	}
	for _, d := range r.Left {
		out.Left = append(out.Left, &lossRow{Thread: d.Thread, Blob: d.Blob, Lost: lostText(d), Gone: d.Gone})
	}
	return out
}

func (a *app) tellRepair(r *repairReport) {
	if a.flags.json {
		a.printJSON(r)
		return
	}
	if !r.Done {
		a.printPlaces(r.Places)
	}
	for _, t := range r.Repaired {
		text := "nothing was lost"
		if t.Loss != nil {
			text = t.Loss.String()
		}
		a.printf("%-9s thread %q: %s\n", "repaired", t.Thread, visible(text))
	}
	for _, t := range r.Deleted {
		a.printf("%-9s thread %q: no complete checkpoint was left\n", "deleted", t)
	}
	a.printLosses(r.Left)
}

// consent asks a person. Off a terminal nobody can say yes.
func (a *app) consent(ctx context.Context, what, question string) error {
	if !a.StdinTTY || !a.StderrTTY {
		return &consentError{What: what}
	}
	a.talk.print(question + "? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- line
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case line := <-answer:
		if line = strings.ToLower(strings.TrimSpace(line)); line == "y" || line == "yes" {
			return nil
		}
	}
	return &consentError{What: what}
}
