package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/openurl"
)

// backupReport is what store backup and restore print as JSON.
type backupReport struct {
	From string `json:"from"`
	To   string `json:"to"`
	*checkpoint.BackupReport
	Places []*placeRow `json:"places,omitempty"` // damaged
}

func (a *app) storeBackupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the store into one file while threads run on",
		Long: `Write all that the store keeps, as it is at one moment, into FILE, which must not be there yet; - is stdout. Threads run on
meanwhile. FILE is a tar archive with a manifest of digests at its end: one that was cut off or changed is refused by
"dashhost store restore". A backup of an encrypted store is encrypted; keep the key elsewhere.

A store that is damaged is backed up as it is, the damage is said, and the exit code is 4.`,
		Example: `  dashhost store backup /mnt/backup/$(date +%F).tar
  dashhost store backup - | ssh elsewhere 'cat > store.tar'`,
		Args: args("FILE"),
		RunE: func(c *cobra.Command, given []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.withWhole(ctx, func(ctx context.Context, s *checkpoint.Store) error { return a.backup(ctx, s, given[0]) }), "backup", "run it again")
		},
	}
}

func (a *app) backup(ctx context.Context, s *checkpoint.Store, to string) error {
	out := &backupReport{From: storeName(a.scene.store), To: to}
	write := func(w io.Writer) (err error) {
		out.BackupReport, err = s.Backup(ctx, w, a.gauge("writing", bytesText).show)
		return err
	}
	var err error
	if to == "-" {
		out.To = "stdout"
		err = write(a.stdout)
	} else {
		err = newFile("backup", to, write)
	}
	a.talk.clear()
	if err != nil {
		return err
	}
	// What was written is what is read here, and damage that nobody has met yet is found.
	r, err := s.Verify(ctx, &checkpoint.VerifyOptions{Progress: a.gauge("checking", bytesText).show})
	a.talk.clear()
	if err != nil {
		return err
	}
	for _, p := range r.Places {
		if !p.Accepted {
			out.Damage = append(out.Damage, p)
		}
	}
	return a.tellBackup("backed up", out, to != "-")
}

func (a *app) tellBackup(verb string, out *backupReport, stdout bool) error {
	out.Places = placeRows(out.Damage)
	if len(out.Places) == 0 {
		out.Places = nil
	}
	if a.flags.json && stdout {
		a.printJSON(out)
	}
	for _, d := range out.Damage {
		a.talk.linef("damaged   %s", visible(d.Error()))
	}
	a.talk.linef("%-9s %s to %s: %s in %s, up to record %d, incarnation %d", verb, out.From, out.To, bytesText(out.Bytes), count(out.Files, "file"), out.Records, out.Incarnation)
	if len(out.Damage) > 0 {
		return &damagedStoreError{Store: out.From, Places: len(out.Damage)}
	}
	return nil
}

func (a *app) storeRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a store of a backup",
		Long: `Make a store of what "dashhost store backup" wrote; FILE may be - for stdin. The store is made where --store, or the manifest,
says, and nothing must be there yet: a restore never overwrites. Everything is checked before the store gets its name; a
backup that is cut off or was changed restores nothing.

The store keeps its id, and its incarnation is raised, so that what is done from here on has other event ids than what the
original went on to do. Threads that ran when the backup was made can be resumed.`,
		Example: `  dashhost store restore /mnt/backup/2026-11-23.tar --store restored`,
		Args:    args("FILE"),
		RunE: func(c *cobra.Command, given []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.restore(ctx, given[0]), "restore", "nothing was made; run it again")
		},
	}
}

func (a *app) restore(ctx context.Context, from string) error {
	url, err := a.projectStore()
	if err != nil {
		return err
	}
	a.scene.store = url
	out := &backupReport{From: from, To: storeName(url)}
	in := a.Stdin
	if from == "-" {
		out.From = "stdin"
	} else {
		if err := checkFile("restore", from); err != nil {
			return err
		}
		f, err := os.Open(from)
		if err != nil {
			return &fileError{What: "restore", Path: from, Err: err}
		}
		defer f.Close()
		in = bufio.NewReaderSize(f, 1<<20)
	}
	out.BackupReport, err = openurl.Restore(ctx, url, in, a.gauge("restoring", bytesText).show)
	a.talk.clear()
	var path *fs.PathError
	if errors.Is(err, fs.ErrExist) && errors.As(err, &path) {
		return &fileError{What: "restore", Path: path.Path, Err: fs.ErrExist}
	}
	if err != nil {
		return err
	}
	return a.tellBackup("restored", out, true)
}
