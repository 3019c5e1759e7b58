package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
)

func (a *app) storeImportCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Take threads that store export wrote into the store",
		Long: `Take threads that "dashhost store export" wrote into the store, which is made if it is not there. FILE may be - for stdin. It is
taken exactly as it was written: anything else is an error with the number of the line. A file is checked as a whole before
the first thread is made.

A thread arrives whole or not at all. One that is there already with the same history is left alone; one with another history
is an error. An import that was interrupted is simply run again.`,
		Args: args("FILE"),
		RunE: func(c *cobra.Command, given []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.importFile(ctx, given[0], check), "import", "what is there is whole; run it again, it goes on with what is missing")
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only check the file")
	return c
}

func (a *app) importFile(ctx context.Context, path string, check bool) (err error) {
	m := &moved{From: path}
	in, stdin := a.Stdin, path == "-"
	if stdin {
		m.From = "stdin"
	} else {
		if err := checkFile("import", path); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return &fileError{What: "import", Path: path, Err: err}
		}
		defer f.Close()
		in = f
	}
	var r *checkpoint.CopyReport
	if check || !stdin {
		r, err = checkpoint.CheckExport(ctx, in, &checkpoint.ImportOptions{Progress: a.counting("checking")})
		if err != nil {
			return a.notRead(m.From, err)
		}
	}
	verb := "checked"
	if !check {
		verb = "imported"
		if f, ok := in.(io.Seeker); ok && !stdin {
			if _, err := f.Seek(0, io.SeekStart); err != nil {
				return &fileError{What: "import", Path: path, Err: err}
			}
		}
		if r, err = a.importInto(ctx, in, m); err != nil {
			return a.notRead(m.From, err)
		}
	}
	a.talk.clear()
	err = a.tellMoved(verb, m, r)
	if a.flags.json {
		a.printJSON(m)
	}
	return err
}

func (a *app) importInto(ctx context.Context, in io.Reader, m *moved) (r *checkpoint.CopyReport, err error) {
	url, err := a.projectStore()
	if err != nil {
		return nil, err
	}
	a.scene.store, m.To = url, storeName(url)
	s, err := a.openTarget(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return checkpoint.Import(ctx, s, in, &checkpoint.ImportOptions{Progress: a.counting("importing")})
}

// counting shows how many records went by.
func (a *app) counting(what string) func(int64) {
	g := a.gauge(what, recordsText)
	return func(n int64) { g.show(n, 0) }
}

// notRead puts the name of the file in front of what is wrong with it.
func (a *app) notRead(path string, err error) error {
	if errors.Is(err, checkpoint.ErrSyntax) {
		return &fileError{What: "import", Path: path, Err: err}
	}
	return err
}
