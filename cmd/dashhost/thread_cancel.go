package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// statusDeleted is what a thread is that is gone when its holder has stopped.
const statusDeleted = "deleted"

// cancelled is what thread cancel --json prints.
type cancelled struct {
	Thread string `json:"thread"`
	Status string `json:"status"`
	Asked  bool   `json:"asked"` // the process that held the thread, which stopped
}

// stillRunningError says that a process that was asked to stop has not done so in time.
type stillRunningError struct {
	Thread string
	Holder checkpoint.Owner
	Waited time.Duration
}

// Error implements error.
func (e *stillRunningError) Error() string {
	return fmt.Sprintf("thread %q: pid %d on %s was asked to stop, and still runs it after %s", e.Thread, e.Holder.PID, e.Holder.Host, durationText(e.Waited))
}

func (a *app) threadCancelCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use:   "cancel THREAD",
		Short: "End a run for good, also one that another process has in hand",
		Long: `End the run of a thread for good: it is cancelled and is not gone on with. A process that has the thread in hand is asked
to stop, which cancels its guests; the command waits until it has. What was recorded is kept, and "dashhost run --thread THREAD"
starts a new turn on it.`,
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			if wait < 0 {
				return &usageError{Text: "--wait " + wait.String() + ": less than 0"}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return a.withHostOn(ctx, args[0], func(h *host.Host, info *checkpoint.ThreadInfo) error {
				return a.cancelThread(ctx, h, info, wait)
			})
		},
	}
	c.Flags().DurationVar(&wait, "wait", 30*time.Second, "wait at most `DURATION` for a process that is asked to stop")
	return c
}

func (a *app) cancelThread(ctx context.Context, h *host.Host, info *checkpoint.ThreadInfo, wait time.Duration) error {
	s, err := h.Store(ctx)
	if err != nil {
		return err
	}
	a.scene.cancelling = true
	out := cancelled{Thread: info.Thread}
	end := time.NewTimer(wait)
	defer end.Stop()
	// A holder that stops for another reason leaves the run to be gone on with: then it is ended here.
	for !isOver(out.Status) {
		asked, err := h.Cancel(ctx, info.Thread)
		if ended := (*host.FinishedError)(nil); out.Asked && errors.As(err, &ended) {
			out.Status = ended.Status
			break
		}
		if err != nil {
			return err
		}
		if !asked {
			out.Status = statusCancelled
			break
		}
		if info, err = s.Thread(ctx, info.Thread); err != nil {
			return err
		}
		out.Asked = true
		a.talk.linef("asked     pid %d on %s to stop", info.Holder.PID, info.Holder.Host)
		if out.Status, err = stopped(ctx, s, info, wait, end.C); err != nil {
			return err
		}
	}
	if a.flags.json {
		a.printJSON(&out)
	}
	a.talk.linef("%-9s %s", out.Status, info.Thread)
	a.tellNext(ctx, s, info.Thread)
	return nil
}

// isOver says whether nothing is left to cancel.
func isOver(status string) bool {
	return status == statusCancelled || status == statusDone || status == statusDeleted
}

// look is how often a thread of another process is looked at: processes share a folder and nothing that could wake them.
const look = 50 * time.Millisecond

// stopped waits until nobody holds the thread and returns its status.
func stopped(ctx context.Context, s *checkpoint.Store, was *checkpoint.ThreadInfo, wait time.Duration, end <-chan time.Time) (string, error) {
	every := time.NewTicker(look)
	defer every.Stop()
	for {
		info, err := s.Thread(ctx, was.Thread)
		if errors.Is(err, checkpoint.ErrNotFound) {
			return statusDeleted, nil
		}
		if err != nil {
			return "", err
		}
		if !info.Claimed || !info.Alive || info.Epoch != was.Epoch {
			return host.ThreadStatus(info), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-end:
			return "", &stillRunningError{Thread: was.Thread, Holder: info.Holder, Waited: wait}
		case <-every.C:
		}
	}
}
