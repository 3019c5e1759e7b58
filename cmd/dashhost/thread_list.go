package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// Statuses of a thread, and of a run's result.
const (
	statusRunning   = "running"
	statusWaiting   = "waiting"
	statusStopped   = "stopped"
	statusFailed    = "failed"
	statusDone      = "done"
	statusCancelled = "cancelled"
	statusDamaged   = "damaged"
)

// statuses are those that a thread can be listed by, in the order in which help names them.
var statuses = []string{statusRunning, statusWaiting, statusStopped, statusFailed, statusDone, statusCancelled, statusDamaged}

// threadRow is a thread as `thread list --json` prints it, one a line.
type threadRow struct {
	Thread   string `json:"thread"`
	Status   string `json:"status"`
	Workflow string `json:"workflow"` // name
	Digest   string `json:"digest,omitempty"`
	Step     int    `json:"step"`
	Created  int64  `json:"created_us"`
	Updated  int64  `json:"updated_us"`
	Due      int64  `json:"due_us,omitempty"`
	Records  int64  `json:"records"`
	Epoch    uint64 `json:"epoch"`
}

func rowOf(info *checkpoint.ThreadInfo) *threadRow {
	step, _ := strconv.Atoi(info.Attrs["step"]) // absent before the first step: 0
	return &threadRow{
		Thread: info.Thread, Status: host.ThreadStatus(info), Workflow: info.Attrs["graph"], Digest: info.Attrs["digest"], Step: step,
		Created: info.Created, Updated: info.Updated, Due: info.Due, Records: info.Records, Epoch: info.Epoch,
	}
}

func (a *app) threadListCommand() *cobra.Command {
	var status []string
	var limit int
	c := &cobra.Command{
		Use:     "list [PREFIX]",
		Aliases: []string{"ls"},
		Short:   "List threads",
		Args:    args("[PREFIX]"),
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range status {
				if !slices.Contains(statuses, s) {
					return &usageError{Text: fmt.Sprintf("--status %s: not one of %s", s, strings.Join(statuses, ", "))}
				}
			}
			if limit < 0 {
				return &usageError{Text: fmt.Sprintf("--limit %d: less than 0", limit)}
			}
			prefix := ""
			if len(args) > 0 {
				prefix = args[0]
			}
			return a.withStore(c.Context(), false, func(s *checkpoint.Store) error {
				return a.listThreads(c, s, prefix, status, limit)
			})
		},
	}
	c.Flags().StringSliceVar(&status, "status", nil, "only threads that are `STATUS`, or one of several with commas: "+strings.Join(statuses, ", "))
	c.Flags().IntVar(&limit, "limit", 0, "print at most `N` threads, 0 for all")
	_ = c.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(statuses, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) listThreads(c *cobra.Command, s *checkpoint.Store, prefix string, status []string, limit int) error {
	rows := [][]string{{"THREAD", "STATUS", "WORKFLOW", "STEP", "UPDATED", "RECORDS"}}
	for info, err := range s.Threads(c.Context(), &checkpoint.Filter{Prefix: prefix}) {
		if err != nil {
			return err
		}
		r := rowOf(info)
		if len(status) > 0 && !slices.Contains(status, r.Status) {
			continue
		}
		if a.flags.json {
			a.printJSON(r)
		}
		rows = append(rows, []string{r.Thread, r.Status, r.Workflow, strconv.Itoa(r.Step), timeText(r.Updated), strconv.FormatInt(r.Records, 10)})
		if a.stdout.err != nil || len(rows)-1 == limit {
			break
		}
	}
	switch {
	case len(rows) == 1:
		a.talk.linef("no threads match in %s", storeName(a.scene.store))
	case !a.flags.json:
		a.table(rows)
	}
	return nil
}
