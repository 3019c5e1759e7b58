package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

func (a *app) storeExportCommand() *cobra.Command {
	var threads []string
	var out string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write threads as lines of JSON",
		Long: `Write threads, with the graphs and modules they need, as lines of JSON: one a record, with a digest a thread, and a last line
that says how many there were. It is a form to read, to compare and to keep; "dashhost store import" takes it into any store.

Damaged threads are left out, and the exit code is 4. Deleted ones are not written.`,
		Example: `  dashhost store export --output threads.jsonl
  dashhost store export --thread pr-42 | zstd > pr-42.jsonl.zst`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.withStore(ctx, false, func(s *checkpoint.Store) error { return a.export(ctx, s, threads, out) }), "export", "run it again")
		},
	}
	a.threadFlag(c, &threads)
	c.Flags().StringVarP(&out, "output", "o", "-", "write to `FILE`, which must not be there yet; - is stdout")
	return c
}

func (a *app) export(ctx context.Context, s *checkpoint.Store, threads []string, out string) error {
	if err := known(ctx, s, threads); err != nil {
		return err
	}
	o := &checkpoint.CopyOptions{Threads: threads}
	if out != "-" { // a terminal may show both
		o.Progress = a.gauge("writing", recordsText).show
	}
	if threads != nil {
		o.Blobs = host.Blobs
	}
	var r *checkpoint.CopyReport
	write := func(w io.Writer) (err error) {
		r, err = checkpoint.Export(ctx, w, s, o)
		return err
	}
	if out == "-" {
		if err := write(a.stdout); err != nil {
			return err
		}
		a.talk.clear()
		return a.tellMoved("exported", &moved{}, r)
	}
	if err := newFile("export", out, write); err != nil {
		return err
	}
	a.talk.clear()
	m := &moved{From: storeName(a.scene.store), To: out}
	err := a.tellMoved("exported", m, r)
	if a.flags.json {
		a.printJSON(m)
	}
	return err
}
