package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dashhost/dashhost/host"
)

// eventRow is an event as `events --json` prints it, one a line, from the store's log or from a stream.
type eventRow struct {
	Thread     string      `json:"thread"`
	Seq        uint64      `json:"seq,omitempty"` // absent: told while a node ran
	Type       string      `json:"type"`
	Time       int64       `json:"time_us"`
	Run        string      `json:"run,omitempty"`
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

	// Of what a node told while it ran.
	N       uint32          `json:"n,omitempty"` // number within the attempt
	Name    string          `json:"name,omitempty"`
	Label   string          `json:"label,omitempty"`
	Text    string          `json:"text,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`

	// Of a topic.
	Partition *int32 `json:"partition,omitempty"`
	Offset    *int64 `json:"offset,omitempty"`
	Order     string `json:"order,omitempty"` // repeated, late, after_gap; absent: in order
}

// rowOfEvent is an event of the log.
func rowOfEvent(e *host.Event) *eventRow {
	return &eventRow{
		Thread: e.Thread, Seq: e.Seq, Type: e.Type, Time: e.Time.UnixMicro(), Run: e.Run, Step: e.Step, Node: e.Node, Path: e.Path,
		Attempt: e.Attempt, Tasks: e.Tasks, Duration: e.Duration.Microseconds(), Checkpoint: e.Checkpoint, Status: e.Status,
		Question: e.Question, Error: e.Err,
	}
}

func (a *app) printEvent(r *eventRow) {
	if a.flags.json {
		a.printJSON(r)
		return
	}
	seq := "-"
	if r.Seq > 0 {
		seq = fmt.Sprint(r.Seq)
	}
	at := time.UnixMicro(r.Time).UTC().Format("2006-01-02 15:04:05.000Z")
	line := fmt.Sprintf("%s  %s  %4s  %-10s  %s", at, visible(r.Thread), seq, r.Type, visible(r.text()))
	a.printf("%s\n", strings.TrimRight(line, " "))
}

// text is what an event tells beside its type.
func (r *eventRow) text() string {
	var words []string
	add := func(s string) {
		if s != "" {
			words = append(words, s)
		}
	}
	if r.Node != "" {
		add(taskName(r.Node, r.Path))
	}
	if r.Type == host.EventStep {
		add(fmt.Sprint(r.Step))
	}
	if r.Attempt > 1 || r.Type == host.EventNodeRetry {
		add(fmt.Sprintf("attempt %d", r.Attempt))
	}
	if r.Duration > 0 {
		add(durationText(time.Duration(r.Duration) * time.Microsecond))
	}
	switch r.Type {
	case host.EventStep:
		add(r.Checkpoint)
	case host.EventRunStop:
		add(r.Status)
	}
	add(r.Question)
	add(r.Name)
	add(r.Label)
	add(short(r.Text, 200))
	add(short(string(r.Payload), 200))
	if r.Order != "" {
		add("(" + strings.ReplaceAll(r.Order, "_", " ") + ")")
	}
	if r.Error != nil {
		add(r.Error.Code + ": " + short(r.Error.Message, 200))
	}
	return strings.Join(words, "  ")
}
