package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dashhost/dashhost/host"
)

// eventRow is an event as `events --json` prints it, one a line.
type eventRow struct {
	Thread     string      `json:"thread"`
	Seq        uint64      `json:"seq"`
	Type       string      `json:"type"`
	Time       int64       `json:"time_us"`
	Run        string      `json:"run"`
	Step       int         `json:"step"`
	Node       string      `json:"node,omitempty"`
	Path       string      `json:"path,omitempty"`
	Attempt    int         `json:"attempt,omitempty"`
	Tasks      int         `json:"tasks,omitempty"` // of the step that comes next
	Duration   int64       `json:"duration_us,omitempty"`
	Checkpoint string      `json:"checkpoint,omitempty"`
	Status     string      `json:"status,omitempty"`
	Question   string      `json:"question,omitempty"`
	Error      *host.Error `json:"error,omitempty"`
}

func (a *app) printEvent(e *host.Event) {
	if a.flags.json {
		a.printJSON(&eventRow{
			Thread: e.Thread, Seq: e.Seq, Type: e.Type, Time: e.Time.UnixMicro(), Run: e.Run, Step: e.Step, Node: e.Node, Path: e.Path,
			Attempt: e.Attempt, Tasks: e.Tasks, Duration: e.Duration.Microseconds(), Checkpoint: e.Checkpoint, Status: e.Status,
			Question: e.Question, Error: e.Err,
		})
		return
	}
	line := fmt.Sprintf("%s  %s  %4d  %-10s  %s", e.Time.UTC().Format("2006-01-02 15:04:05.000Z"), visible(e.Thread), e.Seq, e.Type, visible(eventText(e)))
	a.printf("%s\n", strings.TrimRight(line, " "))
}

// eventText is what an event tells beside its type.
func eventText(e *host.Event) string {
	var words []string
	add := func(s string) {
		if s != "" {
			words = append(words, s)
		}
	}
	if e.Node != "" {
		add(taskName(e.Node, e.Path))
	}
	if e.Type == host.EventStep {
		add(fmt.Sprintf("%d", e.Step))
	}
	if e.Attempt > 1 || e.Type == host.EventNodeRetry {
		add(fmt.Sprintf("attempt %d", e.Attempt))
	}
	if e.Duration > 0 {
		add(durationText(e.Duration))
	}
	switch e.Type {
	case host.EventStep:
		add(e.Checkpoint)
	case host.EventRunStop:
		add(e.Status)
	}
	add(e.Question)
	if e.Err != nil {
		add(e.Err.Code + ": " + short(e.Err.Message, 200))
	}
	return strings.Join(words, "  ")
}

// patience is how long following waits before it looks at the store again. It is longer when looking takes long, so that it
// never takes more than a small part of the machine from those it watches.
const patience = 200 * time.Millisecond

// followEvents prints what comes until ctx ends.
func (a *app) followEvents(ctx context.Context, log *eventLog, f *eventFlags) (err error) {
	wait := patience
	for a.stdout.err == nil {
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		began := time.Now()
		_, bad := a.printEvents(ctx, log, f)
		if ctx.Err() == nil {
			err = firstOf(err, bad)
		}
		wait = max(patience, 10*time.Since(began))
	}
	return err
}
