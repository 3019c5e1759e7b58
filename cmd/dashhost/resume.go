package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/host"
)

// resumeFlags are those of resume.
type resumeFlags struct {
	answer     []string
	pinned     bool
	upgrade    bool
	acceptLoss bool
	takeOver   bool
}

func (a *app) resumeCommand() *cobra.Command {
	var f resumeFlags
	c := &cobra.Command{
		Use:   "resume THREAD [MANIFEST]",
		Short: "Go on with a run that was stopped, failed or killed, or that waits for an answer",
		Long: `Go on with a run that was stopped, failed or killed, from its last step. Tasks that were done do not run again. THREAD
is the thread's name or the beginning of it.

A run that waits for an answer (exit code 3) says what it asks; "dashhost thread show THREAD" says it again. Each --answer
answers one question: ID is the question's id or the beginning of it and may be left out if only one is open. The answer is
JSON: the value itself, @FILE, or - for stdin. Tasks whose questions are all answered run, the others go on waiting.

The store keeps the graph and the modules that the thread was started with, so no files are needed. With MANIFEST, and
if that differs, the difference is shown and --pinned or --upgrade must say which of the two to go on with.`,
		Example: `  dashhost resume pr-42
  dashhost resume pr-42 --answer '{"5f2c": "a test key"}'
  dashhost resume pr-42 --answer 1b4e=true --answer 77a0=@reply.json
  dashhost resume pr-42 workflow.yaml --upgrade`,
		Args: args("THREAD [MANIFEST]"),
		ValidArgsFunction: func(c *cobra.Command, given []string, word string) ([]string, cobra.ShellCompDirective) {
			if len(given) == 1 {
				return completeManifest(c, nil, word)
			}
			return a.completeThread(c, given, word)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(len(args) > 1); err != nil {
				return err
			}
			return a.resumeRun(c.Context(), args[0], args[1:], &f)
		},
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.answer, "answer", nil, "answer an open question with `[ID=]JSON`, [ID=]@FILE or [ID=]- for stdin; may be repeated")
	fl.BoolVar(&f.pinned, "pinned", false, "go on with the graph that the thread was started with, although MANIFEST differs")
	fl.BoolVar(&f.upgrade, "upgrade", false, "go on with MANIFEST, and record that")
	fl.BoolVar(&f.acceptLoss, "accept-loss", false, "go on from the newest valid record of a damaged thread, and record what is lost")
	fl.BoolVar(&f.takeOver, "take-over", false, "go on although a process holds the thread; that one stops at its next step")
	return c
}

func (f *resumeFlags) check(manifest bool) error {
	switch {
	case f.pinned && f.upgrade:
		return &usageError{Text: "--pinned and --upgrade: both given", Hints: []string{"give one"}}
	case f.upgrade && !manifest:
		return &usageError{Text: "--upgrade: MANIFEST is missing", Hints: []string{"dashhost resume THREAD MANIFEST --upgrade"}}
	}
	return nil
}

func (a *app) resumeRun(parent context.Context, thread string, manifest []string, f *resumeFlags) error {
	var path string
	if len(manifest) > 0 {
		p, err := a.findManifest(manifest)
		if err != nil {
			return err
		}
		path = p
	}
	url, err := a.storeForResume(path)
	if err != nil {
		return err
	}
	if err := a.checkStore(parent, url); err != nil {
		return err
	}
	ctx, signals, done := a.interruptible(parent)
	defer done()
	answers, err := a.readAnswers(ctx, f.answer)
	if err != nil {
		return err
	}
	return a.withHost(ctx, url, func(h *host.Host) error {
		s, err := h.Store(ctx)
		if err != nil {
			return err
		}
		info, err := findThread(ctx, s, thread)
		if err != nil {
			return err
		}
		a.scene.thread = info.Thread
		if err := completeIDs(ctx, s, info.Thread, answers); err != nil {
			return err
		}
		c := compiling{talk: a.talk}
		o := &host.ResumeOptions{
			Progress: c.progress, Pinned: f.pinned, Upgrade: f.upgrade, AcceptLoss: f.acceptLoss, TakeOver: f.takeOver, Answers: answers,
		}
		if path != "" {
			if o.Graph, err = a.loadGraph(ctx, h, path); err != nil {
				return err
			}
		}
		r, err := h.Resume(ctx, info.Thread, o)
		c.end()
		if err != nil {
			return err
		}
		return a.follow(ctx, r, signals)
	})
}

// storeForResume is where the thread to go on with is kept.
func (a *app) storeForResume(manifest string) (url string, err error) {
	if manifest != "" && a.setting(a.flags.store, "DASHHOST_STORE") == "" {
		url, err = a.storeFromManifest(manifest, true)
	} else {
		url, err = a.projectStore()
	}
	return url, err
}
