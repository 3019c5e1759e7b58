package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// placeRow is a damaged place as fsck and repair print it as JSON.
type placeRow struct {
	File     string `json:"file"`
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length,omitempty"`
	Thread   string `json:"thread,omitempty"`
	Blob     string `json:"blob,omitempty"`
	Record   uint64 `json:"record,omitempty"` // sequence number of what stood there
	Reason   string `json:"reason"`
	Suspect  bool   `json:"suspect,omitempty"`
	Accepted bool   `json:"accepted,omitempty"` // it costs nothing any more
}

// lossRow is a thread or blob that is damaged, as fsck and repair print it as JSON.
type lossRow struct {
	Thread string   `json:"thread,omitempty"`
	Blob   string   `json:"blob,omitempty"`
	Needed []string `json:"needed_by,omitempty"` // threads that need the blob
	Lost   string   `json:"lost"`
	Gone   bool     `json:"gone,omitempty"` // no complete step is left
}

// fsckReport is what store fsck --json prints.
type fsckReport struct {
	Store   string            `json:"store"`
	Sound   bool              `json:"sound"`
	Places  []*placeRow       `json:"places"`
	Threads []*lossRow        `json:"damaged"`
	Stats   *checkpoint.Stats `json:"-"`
}

// damagedStoreError says that a store is damaged: what exactly was printed before.
type damagedStoreError struct {
	Store   string
	Threads int
	Places  int
}

// Error implements error.
func (e *damagedStoreError) Error() string {
	text := fmt.Sprintf("store %s: damaged", e.Store)
	if e.Places > 0 {
		text += " in " + count(e.Places, "place")
	}
	if e.Threads > 0 {
		text += ", with a loss for " + count(e.Threads, "thread or blob")
	}
	return strings.Replace(text, "thread or blobs", "threads or blobs", 1)
}

// Is makes it the store's own ErrDamaged.
func (e *damagedStoreError) Is(target error) bool { return target == checkpoint.ErrDamaged }

func (a *app) storeFsckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fsck",
		Short: "Read everything the store keeps and check it",
		Long: `Read everything the store keeps and check it, graphs and modules that threads need included. Each damaged place is printed
with file, offset and thread, then what is lost of each thread. Nothing is changed, and threads may run meanwhile. The exit
code is 4 if anything is damaged.`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.withWhole(ctx, a.fsck), "fsck", "nothing was changed")
		},
	}
}

// withWhole is withStore for maintenance: a store that may only be read is looked at as well as that goes.
func (a *app) withWhole(ctx context.Context, f func(context.Context, *checkpoint.Store) error) error {
	run := func(s *checkpoint.Store) error { return f(ctx, s) }
	err := a.withStore(ctx, true, run)
	if errors.Is(err, fs.ErrPermission) {
		return a.withStore(ctx, false, run)
	}
	return err
}

func (a *app) fsck(ctx context.Context, s *checkpoint.Store) error {
	r, err := s.Verify(ctx, &checkpoint.VerifyOptions{Progress: a.gauge("checking", bytesText).show})
	if err != nil {
		return err
	}
	out := &fsckReport{Store: storeName(a.scene.store), Sound: r.Sound(), Places: placeRows(r.Places), Threads: []*lossRow{}}
	for _, d := range r.Threads {
		out.Threads = append(out.Threads, &lossRow{Thread: d.Thread, Blob: d.Blob, Lost: lostText(d), Gone: d.Gone})
	}
	blobs, err := damagedBlobs(ctx, s)
	if err != nil {
		return err
	}
	out.Threads = append(out.Threads, blobs...)
	out.Sound = out.Sound && len(blobs) == 0
	if out.Stats, err = s.Stats(ctx); err != nil {
		return err
	}
	a.talk.clear()
	return a.tellFsck(out)
}

func placeRows(places []*checkpoint.DamageError) []*placeRow {
	rows := []*placeRow{}
	for _, p := range places {
		rows = append(rows, &placeRow{p.File, p.Offset, p.Length, p.Thread, p.Blob, p.Record, p.Reason, p.Suspect, p.Accepted})
	}
	return rows
}

// lostText is what a thread has lost.
func lostText(d *checkpoint.DamageError) string {
	if d.Lost != "" {
		return d.Lost
	}
	return "the newest checkpoint is complete"
}

// damagedBlobs looks at the graphs that threads run now, and at their modules.
func damagedBlobs(ctx context.Context, s *checkpoint.Store) ([]*lossRow, error) {
	users := map[string][]string{} // by graph
	for info, err := range s.Threads(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if d := info.Attrs["digest"]; d != "" {
			users[d] = append(users[d], info.Thread)
		}
	}
	var rows []*lossRow
	for graph, threads := range users {
		blobs, err := host.GraphBlobs(ctx, s, graph)
		if err != nil {
			return nil, err
		}
		for _, b := range blobs {
			_, err := s.Blob(ctx, b)
			if err == nil {
				continue
			}
			if !errors.Is(err, checkpoint.ErrDamaged) && !errors.Is(err, checkpoint.ErrNotFound) {
				return nil, err
			}
			rows = append(rows, &lossRow{Blob: b, Needed: threads, Lost: err.Error()})
		}
	}
	slices.SortFunc(rows, func(a, b *lossRow) int { return strings.Compare(a.Blob, b.Blob) })
	return rows, nil
}

func (a *app) tellFsck(r *fsckReport) error {
	if a.flags.json {
		a.printJSON(r)
	} else {
		a.printPlaces(r.Places)
		a.printLosses(r.Threads)
	}
	verdict := "sound"
	if !r.Sound {
		verdict = "damaged"
	}
	a.talk.linef("%-9s %s in %s: %s, %s, %s", "checked", bytesText(r.Stats.Bytes), count(r.Stats.Segments, "file"), count(int(r.Stats.Threads), "thread"),
		recordsText(r.Stats.Records), verdict)
	if r.Sound {
		return nil
	}
	return &damagedStoreError{Store: r.Store, Threads: len(r.Threads), Places: len(r.Places)}
}

// printPlaces prints damaged places, one a line.
func (a *app) printPlaces(places []*placeRow) {
	for _, p := range places {
		word := "damaged"
		switch {
		case p.Accepted:
			word = "accepted"
		case p.Suspect:
			word = "suspect"
		}
		where := fmt.Sprintf("%s offset %d", p.File, p.Offset)
		if p.Length > 0 {
			where += ", " + count(int(p.Length), "byte")
		}
		if p.Record > 0 {
			where += fmt.Sprintf(", record %d", p.Record)
		}
		switch {
		case p.Thread != "":
			where += fmt.Sprintf(" of thread %q", p.Thread)
		case p.Blob != "":
			where += ", blob " + p.Blob
		}
		a.printf("%-9s %s: %s\n", word, visible(where), visible(p.Reason))
	}
}

// neededShown is how many threads that need a blob are named.
const neededShown = 5

// printLosses prints what is lost of threads and blobs, one a line.
func (a *app) printLosses(losses []*lossRow) {
	for _, l := range losses {
		what := fmt.Sprintf("thread %q", l.Thread)
		if l.Blob != "" {
			what = "blob " + l.Blob
		}
		a.printf("%-9s %s: %s\n", "lost", visible(what), visible(l.Lost))
		if n := len(l.Needed); n > 0 {
			a.printf("%-9s by %s%s\n", "needed", visible(strings.Join(l.Needed[:min(n, neededShown)], ", ")), moreText(n-neededShown))
		}
	}
}

func moreText(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}
