package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// threadView is what thread show --json prints.
type threadView struct {
	*threadRow
	Checkpoint string            `json:"checkpoint,omitempty"`
	Branch     string            `json:"branch,omitempty"`
	Bytes      int64             `json:"state_bytes"`
	Channels   []string          `json:"channels"`
	Next       []host.NextTask   `json:"next"`
	Done       []host.TaskEnd    `json:"done_of_next"`        // tasks of the next step that are done already
	Questions  []host.Question   `json:"questions,omitempty"` // that wait for an answer
	Error      *host.Error       `json:"error,omitempty"`
	Holder     *checkpoint.Owner `json:"holder,omitempty"`
	Damage     string            `json:"damage,omitempty"`
	Loss       string            `json:"accepted_loss,omitempty"` // what was given up, the newest time
	Command    string            `json:"command,omitempty"`       // to type next
}

func (a *app) threadShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show THREAD",
		Short:             "Show where a thread stands, its last error and what to do next",
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withThread(c.Context(), args[0], false, func(s *checkpoint.Store, info *checkpoint.ThreadInfo) error {
				v, err := viewOf(c.Context(), s, info)
				if v == nil {
					return err
				}
				v.Command = a.nextFor(v.Thread, statusToGoOn(info, v.Status), v.Questions)
				if a.flags.json {
					a.printJSON(v)
				} else {
					a.printThread(v)
				}
				return err
			})
		},
	}
}

// viewOf collects what there is to say. With damage it says what can still be read, and returns the damage too.
func viewOf(ctx context.Context, s *checkpoint.Store, info *checkpoint.ThreadInfo) (*threadView, error) {
	v := &threadView{threadRow: rowOf(info), Loss: info.Attrs[checkpoint.AttrLoss]}
	if info.Claimed && info.Alive {
		v.Holder = &info.Holder
	}
	var fault error
	if info.Damage != nil {
		fault = v.damaged(info.Damage)
	}
	head, state, err := s.State(ctx, info.Thread, "", "")
	if errors.Is(err, checkpoint.ErrNotFound) {
		return v, fault // claimed, and nothing was recorded yet
	}
	if damage := (*checkpoint.DamageError)(nil); errors.As(err, &damage) {
		fault = v.damaged(damage)
	}
	if head == nil {
		return v, firstOf(fault, err)
	}
	for name, raw := range host.Channels(state) {
		v.Channels = append(v.Channels, name)
		v.Bytes += int64(len(raw))
	}
	step, err := host.DescribeStep(head)
	if err != nil {
		return v, firstOf(fault, err)
	}
	v.Checkpoint, v.Branch, v.Next = head.ID, step.Branch, step.Next
	tail, err := host.DescribeTail(ctx, s, head)
	v.Done, v.Error = tail.Done, tail.Err
	if v.Status == statusWaiting {
		open, errOpen := host.Questions(ctx, s, info.Thread)
		v.Questions, err = inOrder(open), firstOf(err, errOpen)
	}
	// Reading it all is what finds damage that the index does not know of.
	for _, errRead := range s.Records(ctx, info.Thread) {
		if damage := (*checkpoint.DamageError)(nil); fault == nil && errors.As(errRead, &damage) {
			fault = v.damaged(damage)
		}
		err = firstOf(err, errRead)
	}
	return v, firstOf(fault, err)
}

func (v *threadView) damaged(d *checkpoint.DamageError) error {
	v.Status, v.Damage = statusDamaged, d.Error()
	return d
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printThread(v *threadView) {
	rows := [][]string{{"thread", v.Thread}, {"status", v.Status}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, visible(value)})
		}
	}
	add("workflow", strings.TrimSpace(v.Workflow+" "+v.Digest))
	add("step", strconv.Itoa(v.Step))
	add("checkpoint", v.Checkpoint)
	add("created", timeText(v.Created))
	add("updated", timeText(v.Updated))
	if v.Due != 0 {
		add("due", timeText(v.Due))
	}
	add("state", bytesText(v.Bytes)+" in "+count(len(v.Channels), "channel"))
	add("channels", strings.Join(v.Channels, ", "))
	if len(v.Next) > 0 {
		add("next", nextText(v.Next))
	}
	if len(v.Done) > 0 {
		add("done of it", endsText(v.Done))
	}
	for i := range v.Questions {
		q := &v.Questions[i]
		add("question", q.ID+"  "+questionText(q))
	}
	if v.Error != nil {
		add("error", v.Error.Error())
		for _, c := range v.Error.Cause {
			add("  cause", c)
		}
	}
	add("damage", v.Damage)
	add("lost", v.Loss)
	if v.Holder != nil {
		add("held by", "pid "+strconv.Itoa(v.Holder.PID)+" on "+v.Holder.Host)
	}
	add("records", strconv.FormatInt(v.Records, 10))
	add("command", v.Command)
	a.table(rows)
}
