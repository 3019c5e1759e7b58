package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
)

func (a *app) storeCopyCommand() *cobra.Command {
	var threads []string
	var plain bool
	c := &cobra.Command{
		Use:   "copy [FROM] TO",
		Short: "Copy threads from one store into another",
		Long: `Copy threads, with the graphs and modules they need, from the store FROM into the store TO, of any kind. Each record keeps its
id, time, event number, epoch and place in its thread. FROM is the manifest's store if only TO is named.

A thread arrives whole or not at all, and is compared by digest once it is there. A copy that was interrupted is simply run
again. If any thread is in TO already with another history, or was deleted there, nothing is copied. Deleted threads are not
copied; damaged ones are left out, and the exit code is 4.

With --key a new TO is encrypted, whether FROM is or not.`,
		Example: `  dashhost store copy .dashhost/store /mnt/archive/store
  dashhost store copy --thread pr-42 file:a file:b`,
		Args: func(c *cobra.Command, given []string) error {
			if len(given) == 1 {
				return nil
			}
			return args("FROM TO")(c, given)
		},
		RunE: func(c *cobra.Command, given []string) error {
			from, err := a.copySource(given)
			if err != nil {
				return err
			}
			to := storeURL(given[len(given)-1], ".")
			if from == to || storeDir(to) != "" && sameFile(storeDir(from), storeDir(to)) {
				return &usageError{Text: "store copy: " + storeName(to) + " is source and target"}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.copyStore(ctx, from, to, threads, plain), "copy", "what is there is whole; run it again, it goes on with what is missing")
		},
	}
	a.threadFlag(c, &threads)
	c.Flags().BoolVar(&plain, "plain", false, "do not encrypt TO: --key is for FROM only")
	return c
}

// copySource is the store to copy from: the first of two arguments, or the project's.
func (a *app) copySource(given []string) (string, error) {
	if len(given) == 1 {
		return a.projectStore()
	}
	if a.flags.store != "" {
		return "", &usageError{Text: "store copy: two sources: " + given[0] + " and --store " + a.flags.store, Hints: []string{"name one"}}
	}
	return storeURL(given[0], "."), nil
}

func (a *app) copyStore(ctx context.Context, from, to string, threads []string, plain bool) (err error) {
	a.scene.store = from
	src, err := a.openThere(ctx, from, &openurl.Options{ReadOnly: true, PlainToo: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if err := known(ctx, src, threads); err != nil {
		return err
	}
	if plain {
		a.masters = &masters{}
	}
	dst, err := a.openTarget(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	o := &checkpoint.CopyOptions{Threads: threads, Progress: a.gauge("copying", recordsText).show}
	if threads != nil {
		o.Blobs = host.Blobs
	}
	r, err := checkpoint.Copy(ctx, dst, src, o)
	a.talk.clear()
	if err != nil {
		return err
	}
	m := &moved{From: storeName(from), To: storeName(to)}
	err = a.tellMoved("copied", m, r)
	if a.flags.json {
		a.printJSON(m)
	}
	return err
}
