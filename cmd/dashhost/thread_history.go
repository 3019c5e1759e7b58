package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// historyRow is a checkpoint as `thread history --json` prints it, one a line.
type historyRow struct {
	Checkpoint string           `json:"checkpoint"`
	Parent     string           `json:"parent,omitempty"`
	Namespace  string           `json:"namespace,omitempty"`
	Step       int              `json:"step"`
	Source     string           `json:"source"`
	Status     string           `json:"status"`
	Graph      string           `json:"graph"`
	Branch     string           `json:"branch"`
	Time       int64            `json:"time_us"`
	Done       []host.TaskEnd   `json:"done"`
	Next       []host.NextTask  `json:"next"`
	Errors     []*host.Error    `json:"errors,omitempty"`
	Loss       *checkpoint.Loss `json:"accepted_loss,omitempty"`
}

func (a *app) threadHistoryCommand() *cobra.Command {
	var newest bool
	var limit int
	c := &cobra.Command{
		Use:               "history THREAD",
		Short:             "List the checkpoints of a thread, oldest first",
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			if limit < 0 {
				return &usageError{Text: "--limit " + strconv.Itoa(limit) + ": less than 0"}
			}
			return a.withThread(c.Context(), args[0], false, func(s *checkpoint.Store, info *checkpoint.ThreadInfo) error {
				return a.printHistory(c.Context(), s, info, newest, limit)
			})
		},
	}
	c.Flags().BoolVar(&newest, "newest", false, "newest first")
	c.Flags().IntVar(&limit, "limit", 0, "print at most `N` checkpoints, 0 for all")
	return c
}

// printHistory prints as much as can be read, and returns the first error.
func (a *app) printHistory(ctx context.Context, s *checkpoint.Store, info *checkpoint.ThreadInfo, newest bool, limit int) error {
	var h history
	var fault error
	for rec, err := range s.Records(ctx, info.Thread) {
		if err == nil {
			err = h.add(rec)
		}
		if err != nil {
			fault = firstOf(fault, err)
			if errors.Is(err, checkpoint.ErrDamaged) {
				continue // what comes after a damaged record can still be read
			}
			break
		}
		if !newest && len(h.rows) == limit && limit > 0 {
			break
		}
	}
	if newest {
		slices.Reverse(h.rows)
	}
	if limit > 0 {
		h.rows = h.rows[:min(limit, len(h.rows))]
	}
	a.printHistoryRows(h.rows)
	return fault
}

// history gathers the checkpoints of a thread from its records, oldest first.
type history struct {
	rows []*historyRow
	loss *checkpoint.Loss           // of the claim before the next row
	done map[stepKey][]host.TaskEnd // that have a record of their own, before that of their step
}

type stepKey struct {
	namespace, branch string
	step              int
}

func (h *history) add(rec *checkpoint.Record) error {
	switch rec.Kind {
	case checkpoint.KindClaim:
		loss, err := rec.Loss()
		if err != nil {
			return err
		}
		h.loss = loss
	case checkpoint.KindTaskDone:
		t, err := host.DescribeTask(rec)
		if err != nil {
			return err
		}
		if h.done == nil {
			h.done = make(map[stepKey][]host.TaskEnd)
		}
		k := stepKey{rec.Namespace, t.Branch, t.Step}
		h.done[k] = append(h.done[k], t.TaskEnd)
	case checkpoint.KindStep:
		step, err := host.DescribeStep(rec)
		if err != nil {
			return err
		}
		k := stepKey{rec.Namespace, step.Branch, step.Number}
		h.rows = append(h.rows, &historyRow{
			Checkpoint: rec.ID, Parent: rec.Parent, Namespace: rec.Namespace, Step: step.Number, Source: step.Source, Status: step.Status,
			Graph: step.Graph, Branch: step.Branch, Time: rec.Time, Done: append(h.done[k], step.Done...), Next: step.Next, Errors: step.Errors, Loss: h.loss,
		})
		delete(h.done, k)
		h.loss = nil
	}
	return nil
}

func (a *app) printHistoryRows(rows []*historyRow) {
	table := [][]string{{"CHECKPOINT", "STEP", "SOURCE", "TIME", "RAN", "NEXT"}}
	for _, r := range rows {
		if a.flags.json {
			a.printJSON(r)
			continue
		}
		table = append(table, []string{r.Checkpoint, strconv.Itoa(r.Step), r.Source, timeText(r.Time), endsText(r.Done), nextText(r.Next)})
	}
	if !a.flags.json {
		a.table(table)
	}
}

// endsText is what ran in a step: "split 12ms, secrets x4 30ms" with the longest of several.
func endsText(ends []host.TaskEnd) string {
	longest := map[string]time.Duration{}
	tasks := map[string]int{}
	var names []string
	for _, e := range ends {
		if tasks[e.Node]++; tasks[e.Node] == 1 {
			names = append(names, e.Node)
		}
		longest[e.Node] = max(longest[e.Node], e.Duration)
	}
	for i, n := range names {
		names[i] = timesText(n, tasks[n]) + " " + durationText(longest[n])
	}
	return orDash(strings.Join(names, ", "))
}

// nextText is a frontier: "secrets x101, report".
func nextText(next []host.NextTask) string {
	tasks := map[string]int{}
	var names []string
	for _, n := range next {
		if _, known := tasks[n.Node]; !known {
			names = append(names, n.Node)
		}
		tasks[n.Node] += n.Tasks
	}
	for i, n := range names {
		names[i] = timesText(n, tasks[n])
	}
	return orDash(strings.Join(names, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
