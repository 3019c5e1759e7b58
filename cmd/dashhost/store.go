package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/openurl"
)

func (a *app) storeCommand() *cobra.Command {
	c := a.group("store", "Check, repair, shrink, copy, back up and serve what the store keeps")
	c.Long = `The store keeps the history of all threads. These commands act on it as a whole; --store names another one than the
manifest's. A store that is damaged makes them end with exit code 4.`
	c.AddCommand(a.storeKeygenCommand(), a.storeRekeyCommand())
	c.AddCommand(a.storeFsckCommand(), a.storeRepairCommand(), a.storeStatsCommand(), a.storePruneCommand())
	c.AddCommand(a.storeBackupCommand(), a.storeRestoreCommand(), a.storeCopyCommand(), a.storeExportCommand(), a.storeImportCommand())
	c.AddCommand(a.storeLanggraphCommand())
	return c
}

// gauge shows on a terminal how far long work has come.
type gauge struct {
	talk  *talk
	what  string
	text  func(int64) string
	begun time.Time
	shown time.Time
}

func (a *app) gauge(what string, text func(int64) string) *gauge {
	return &gauge{talk: a.talk, what: what, text: text, begun: time.Now()}
}

// show is told how much is done of how much; a total of 0 is not known.
func (g *gauge) show(done, total int64) {
	now := time.Now()
	if now.Sub(g.begun) < slow || now.Sub(g.shown) < slow/5 {
		return
	}
	g.shown = now
	if total == 0 {
		g.talk.progressf("%-9s %s", g.what, g.text(done))
		return
	}
	g.talk.progressf("%-9s %3d%%  %s of %s", g.what, min(done*100/max(total, 1), 100), g.text(done), g.text(total))
}

func recordsText(n int64) string { return count(int(n), "record") }

// cutError is work on a store that a signal ended.
type cutError struct {
	What string
	Hint string // how to go on
}

// Error implements error.
func (e *cutError) Error() string { return e.What + ": stopped before the end" }

// cut makes an error of work that was cancelled one that says how to go on.
func cut(err error, what, hint string) error {
	if errors.Is(err, context.Canceled) {
		return &cutError{What: what, Hint: hint}
	}
	return err
}

// openTarget opens a store to write to, which is made if it is not there.
func (a *app) openTarget(ctx context.Context, url string) (*checkpoint.Store, error) {
	return a.open(ctx, url, &openurl.Options{})
}

// moved is what store copy, export and import print as JSON.
type moved struct {
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	Threads int      `json:"threads"`
	Blobs   int      `json:"blobs"`
	Records int64    `json:"records"`
	Present int      `json:"present"` // threads and blobs that were there already, the same
	Running []string `json:"running,omitempty"`
	Damaged []string `json:"damaged,omitempty"` // left out
}

// tellMoved prints what a copy, export or import did. Threads that were left out make the exit code 4.
func (a *app) tellMoved(verb string, m *moved, r *checkpoint.CopyReport) error {
	m.Threads, m.Blobs, m.Records, m.Present, m.Running = r.Threads, r.Blobs, r.Records, r.Present, r.Running
	for _, d := range r.Damaged {
		m.Damaged = append(m.Damaged, d.Error())
		a.talk.linef("damaged   %s", visible(d.Error()))
	}
	for _, t := range r.Running {
		a.talk.linef("running   %s: taken as far as it had come", t)
	}
	text := fmt.Sprintf("%-9s %s, %s, %s", verb, count(r.Threads, "thread"), count(r.Blobs, "blob"), recordsText(r.Records))
	if r.Present > 0 {
		text += fmt.Sprintf("; %d were there already", r.Present)
	}
	a.talk.linef("%s", text)
	if len(r.Damaged) > 0 {
		return &leftOutError{Damaged: r.Damaged}
	}
	return nil
}

// leftOutError says that damaged threads were not taken along.
type leftOutError struct{ Damaged []*checkpoint.DamageError }

// Error implements error.
func (e *leftOutError) Error() string {
	return count(len(e.Damaged), "damaged thread or blob") + " left out: " + e.Damaged[0].Error()
}

// Unwrap returns the damage.
func (e *leftOutError) Unwrap() []error {
	errs := make([]error, len(e.Damaged))
	for i, d := range e.Damaged {
		errs[i] = d
	}
	return errs
}

// threadFlag adds --thread, which may be repeated.
func (a *app) threadFlag(c *cobra.Command, names *[]string) {
	c.Flags().StringArrayVarP(names, "thread", "t", nil, "only `THREAD`, by its whole name; may be repeated")
	_ = c.RegisterFlagCompletionFunc("thread", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeThread(c, nil, word)
	})
}

// known checks names of threads before anything is written.
func known(ctx context.Context, s *checkpoint.Store, names []string) error {
	for _, n := range slices.Compact(slices.Sorted(slices.Values(names))) {
		_, err := s.Thread(ctx, n)
		if errors.Is(err, checkpoint.ErrNotFound) {
			return &threadNotFoundError{Prefix: n}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
