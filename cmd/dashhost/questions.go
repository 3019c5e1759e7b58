package main

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// inOrder sorts questions as their tasks are, not as the tasks happened to ask.
func inOrder(open []host.Question) []host.Question {
	slices.SortStableFunc(open, func(a, b host.Question) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(len(a.Path), len(b.Path)), cmp.Compare(a.Path, b.Path), cmp.Compare(a.N, b.N))
	})
	return open
}

// tellQuestions says what a run waits for, one line a question.
func (a *app) tellQuestions(open []host.Question) {
	for i := range open {
		a.talk.linef("question  %s  %s", open[i].ID, visible(questionText(&open[i])))
	}
}

// questionText is who asks and what: `before report, if size(findings) > 0, for channel waivers` or `inside deploy[3]: Really?`.
func questionText(q *host.Question) string {
	text := q.Kind
	if q.Node != "" {
		text += " " + taskName(q.Node, q.Path)
	}
	if q.If != "" {
		text += ", if " + short(q.If, 200)
	}
	if q.Channel != "" {
		text += ", for channel " + q.Channel
	}
	if len(q.Text) > 0 {
		text += ": " + short(plainText(q.Text), 500)
	}
	return text
}

// plainText is the text of a JSON string, and other JSON as it is.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// nextFor is the command that a person would type next for a thread: "" while it runs.
func (a *app) nextFor(thread, status string, open []host.Question) string {
	if !lasts(a.scene.store) {
		return "" // nothing is kept that another process could look at
	}
	switch status {
	case statusRunning:
		return ""
	case statusDamaged:
		return a.command("resume", "--accept-loss", thread)
	case statusDone, statusCancelled:
		return a.command("thread state", "", thread)
	case statusWaiting:
		if len(open) > 0 {
			return a.command("resume", answerFlags(open), thread)
		}
	}
	return a.command("resume", "", thread)
}

// nextOf is nextFor as the thread stands now. It is only a hint: "" if it cannot be read.
func (a *app) nextOf(ctx context.Context, s *checkpoint.Store, thread string) string {
	info, err := s.Thread(ctx, thread)
	if err != nil {
		return ""
	}
	open, err := host.Questions(ctx, s, thread)
	if err != nil {
		return ""
	}
	return a.nextFor(thread, statusToGoOn(info, host.ThreadStatus(info)), inOrder(open))
}

// statusToGoOn is a thread's status as far as the next command depends on it: a run that failed with a verdict is done.
func statusToGoOn(info *checkpoint.ThreadInfo, status string) string {
	if status == statusFailed && host.ThreadFinished(info) {
		return statusDone
	}
	return status
}

// tellNext names the command to type next for a thread.
func (a *app) tellNext(ctx context.Context, s *checkpoint.Store, thread string) {
	if next := a.nextOf(ctx, s, thread); next != "" {
		a.talk.linef("next      %s", next)
	}
}

// nextLook is the command that shows what a finished run left behind.
func (a *app) nextLook(thread string) string {
	if !lasts(a.scene.store) {
		return ""
	}
	return a.command("thread show", "", thread)
}

// answerFlags are the flags that answer questions: JSON stands for what the person puts there.
func answerFlags(open []host.Question) string {
	if len(open) == 1 {
		return "--answer JSON"
	}
	var flags []string
	for i := range open {
		flags = append(flags, "--answer "+open[i].ID+"=JSON")
	}
	return strings.Join(flags, " ")
}
