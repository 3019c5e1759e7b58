package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// benchRow is one measure beside its yardstick.
type benchRow struct {
	Name      string   `json:"name"`
	Unit      string   `json:"unit"` // "us" a time, less is better; "1/s" a rate, more is better
	Ours      spread   `json:"ours"`
	Yardstick string   `json:"yardstick,omitempty"`
	Beside    *spread  `json:"beside,omitempty"`
	Ratio     *spread  `json:"ratio,omitempty"` // of ours to the yardstick, round by round
	Goal      *float64 `json:"goal,omitempty"`  // for the median ratio: at most for times, at least for rates
}

// spread is what rounds gave.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(rounds []float64) spread {
	s := slices.Sorted(slices.Values(rounds))
	m := s[len(s)/2]
	if len(s)%2 == 0 {
		m = (s[len(s)/2-1] + m) / 2
	}
	return spread{m, s[0], s[len(s)-1]}
}

// benchReport is what bench --json prints.
type benchReport struct {
	Version string      `json:"version"`
	System  string      `json:"system"`
	CPUs    int         `json:"cpus"`
	Folder  string      `json:"folder"`
	Rows    []*benchRow `json:"rows"`
	Seconds float64     `json:"seconds"`
}

const benchRounds = 5

// bench is one run of the command.
type bench struct {
	app   *app
	ctx   context.Context //nolint:containedctx // of the whole life of what has it
	dir   string          // a folder of its own
	slice time.Duration   // how long one side of one round takes
	rows  []*benchRow
}

func (a *app) benchCommand() *cobra.Command {
	var dir string
	var total time.Duration
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure store and engine on this machine, each figure beside a yardstick",
		Long: `Measure store and engine on this machine: an append by one thread beside a bare fdatasync, appends by many threads and
processes beside a bare group commit on one file, a durable superstep, a superstep in memory. Both sides take turns, in five
rounds; the table has the median, and the least and the greatest. Ratios are what can be compared between machines: a disk
whose speed changes, or another program that works, shows in how far the rounds differ.

The figures are those of the disk that --dir is on. What is written is removed at the end.`,
		Example: `  dashhost bench
  dashhost bench --dir /var/lib/dashhost --json`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			if total < 100*time.Millisecond || total > time.Hour {
				return &usageError{Text: "bench: --for " + total.String() + ": from 100ms to 1h"}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return cut(a.bench(ctx, dir, total), "bench", "what was written is removed")
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "measure the disk that `DIR` is on")
	c.Flags().DurationVar(&total, "for", 20*time.Second, "take about `DURATION`")
	_ = c.MarkFlagDirname("dir")
	return c
}

func (a *app) bench(ctx context.Context, dir string, total time.Duration) (err error) {
	begun := time.Now()
	temp, err := os.MkdirTemp(dir, ".dashhost-bench-")
	if err != nil {
		return &fileError{What: "bench", Path: dir, Err: err}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	b := &bench{app: a, ctx: ctx, dir: temp}
	parts := []func() error{b.oneThread, b.superstep, b.threads, b.processes, b.inMemory}
	b.slice = total / benchRounds / 2 / time.Duration(2+len(threadCounts)+len(processCounts))
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	a.talk.clear()
	a.tellBench(&benchReport{
		Version: buildVersion().Version, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Folder: dir, Rows: b.rows,
		Seconds: time.Since(begun).Seconds(),
	})
	return nil
}

// add measures a row in rounds. Each gives the figure of ours and, if the row has a yardstick, that.
func (b *bench) add(row *benchRow, round func() (ours, beside float64, err error)) error {
	b.app.talk.progressf("measuring %s", row.Name)
	var mine, theirs, ratios []float64
	for range benchRounds {
		x, y, err := round()
		if ctxErr := b.ctx.Err(); ctxErr != nil {
			return ctxErr
		}
		if err != nil {
			return fmt.Errorf("bench: %s: %w", row.Name, err)
		}
		mine, theirs, ratios = append(mine, x), append(theirs, y), append(ratios, x/y)
	}
	row.Ours = spreadOf(mine)
	if row.Yardstick != "" {
		s, r := spreadOf(theirs), spreadOf(ratios)
		row.Beside, row.Ratio = &s, &r
	}
	b.rows = append(b.rows, row)
	return nil
}

// inTurns is a round of times: each call of ours, which does that many things, and one of the yardstick take turns, so that a disk
// whose speed changes is the same for both.
func (b *bench) inTurns(things int, ours, beside func() error) func() (x, y float64, err error) {
	return func() (x, y float64, err error) {
		var n, mine, theirs time.Duration
		for n = 0; mine+theirs < 2*b.slice; n++ {
			begun := time.Now()
			if err := cmp.Or(b.ctx.Err(), ours()); err != nil {
				return 0, 0, err
			}
			middle := time.Now()
			mine += middle.Sub(begun)
			if beside == nil {
				continue
			}
			if err := beside(); err != nil {
				return 0, 0, err
			}
			theirs += time.Since(middle)
		}
		each := float64(n) * float64(things) * float64(time.Microsecond)
		return float64(mine) / each, float64(theirs) / each, nil
	}
}

// atOnce is a round of rates: calls of ours by many goroutines, then those of the yardstick.
func (b *bench) atOnce(ours, beside []func() error) func() (x, y float64, err error) {
	return func() (x, y float64, err error) {
		if x, err = together(b.ctx, b.slice, ours); err != nil {
			return 0, 0, err
		}
		y, err = together(b.ctx, b.slice, beside)
		return x, y, err
	}
}

func (a *app) tellBench(r *benchReport) {
	if a.flags.json {
		a.printJSON(r)
		return
	}
	rows := [][]string{{"MEASURE", "OURS", "", "BESIDE", "", "RATIO", "", "GOAL"}}
	for _, row := range r.Rows {
		cells := []string{row.Name, figure(row.Ours.Median, row.Unit), rangeText(row.Ours, row.Unit), "", "", "", "", ""}
		if row.Beside != nil {
			cells[3], cells[4] = row.Yardstick+" "+figure(row.Beside.Median, row.Unit), rangeText(*row.Beside, row.Unit)
			cells[5], cells[6] = fmt.Sprintf("%.2f", row.Ratio.Median), fmt.Sprintf("%.2f..%.2f", row.Ratio.Min, row.Ratio.Max)
		}
		if row.Goal != nil {
			word := "<="
			if row.Unit == unitRate {
				word = ">="
			}
			cells[7] = fmt.Sprintf("%s %.2f", word, *row.Goal)
		}
		for len(cells) > 0 && cells[len(cells)-1] == "" {
			cells = cells[:len(cells)-1]
		}
		rows = append(rows, cells)
	}
	a.table(rows)
	a.talk.linef("measured  in %s on %s, %d processors, in %.0f s; median and range of %d rounds", r.Folder, r.System, r.CPUs, r.Seconds, benchRounds)
	if noisy := slices.MaxFunc(r.Rows, func(x, y *benchRow) int { return cmp.Compare(x.noise(), y.noise()) }); noisy.noise() > 2 {
		a.talk.linef("noisy     %s: its rounds differ by a factor of %.1f; something else used the disk or the processors", noisy.Name, noisy.noise())
	}
}

// noise is by which factor the rounds of a row differ.
func (r *benchRow) noise() float64 {
	if r.Ratio != nil {
		return r.Ratio.Max / r.Ratio.Min
	}
	return r.Ours.Max / r.Ours.Min
}

// The units of figures.
const (
	unitTime = "us"
	unitRate = "1/s"
)

func figure(v float64, unit string) string {
	if unit == unitTime {
		return durationText(time.Duration(v * float64(time.Microsecond)))
	}
	if v >= 10_000 {
		return fmt.Sprintf("%.1fk/s", v/1000)
	}
	return fmt.Sprintf("%.0f/s", v)
}

func rangeText(s spread, unit string) string { return figure(s.Min, unit) + ".." + figure(s.Max, unit) }

func goal(v float64) *float64 { return &v }
