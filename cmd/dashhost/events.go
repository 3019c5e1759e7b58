package main

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// lifecycleTypes are those that a store's log gives, in the order in which help names them.
var lifecycleTypes = []string{
	host.EventRunStart, host.EventRunEnd, host.EventRunError, host.EventRunStop, host.EventNodeStart, host.EventNodeEnd,
	host.EventNodeRetry, host.EventNodeError, host.EventStep, host.EventInterrupt, host.EventAnswer,
}

// eventFlags are those of events.
type eventFlags struct {
	thread string
	from   uint64
	nodes  []string
	types  []string
	follow bool
	since  string
	start  since
	group  string
	lag    bool
}

func eventTypes() []string { return slices.Concat(lifecycleTypes, liveTypes, messageTypes) }

func (a *app) eventsCommand() *cobra.Command {
	var f eventFlags
	c := &cobra.Command{
		Use:   "events [STREAM] [THREAD]",
		Short: "Print what happened in threads, and with --follow what happens",
		Long: `Print the lifecycle events of all threads, or of one, in the order in which they were recorded: starts and ends of runs
and nodes, steps, questions and answers. They are read from the store's log, so they are there for every run, also for one that
another process has in hand; an event is told once it can no longer be lost. The events of a thread are numbered from 1 without
gaps, and keep their numbers.

If STREAM, --stream or DASHHOST_STREAM names a folder or a topic of Kafka that runs sent their events to, that is read instead;
THREAD is then the whole name. It has what nodes told while they ran too, without a number: guest, token, progress, warning, error.
A topic may also have messages of other producers.

Of a topic all partitions are read. A record that cannot be read is told with its place, and the others follow; so is a gap in the
numbers of a thread. An event that is there again, as its sender did not know whether it had been written, is marked: "repeated".

With --follow it goes on until it is interrupted.`,
		Example: `  dashhost events pr-42
  dashhost events pr-42 --from 17 --json
  dashhost events --follow --type run_end,run_error,interrupt
  dashhost events --stream .dashhost/events --type guest
  dashhost events kafka://broker:9092/dashstream-events --since 15m --json
  dashhost events kafka://broker:9092/dashstream-events --group audit --follow
  dashhost events kafka://broker:9092/dashstream-events --group audit --lag`,
		Args:              args("[STREAM] [THREAD]"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			args, err := a.streamArg(args)
			if err != nil {
				return err
			}
			if err := f.check(args, c.Flags().Changed("thread")); err != nil {
				return err
			}
			return a.events(c.Context(), &f)
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on with what happens from now on")
	fl.Uint64Var(&f.from, "from", 0, "leave out the events of a thread before its event number `N`")
	fl.StringVarP(&f.thread, "thread", "t", "", "the same as THREAD")
	fl.StringSliceVar(&f.nodes, "node", nil, "only events of the node called `NAME`, or one of several with commas")
	fl.StringSliceVar(&f.types, "type", nil, "only events of `TYPE`, or one of several with commas: "+strings.Join(eventTypes(), ", "))
	fl.StringVar(&f.since, "since", "", "begin at `WHERE`: start, now, a time as 2026-01-31T15:04:05Z, how long ago as 15m, and of a topic offset:N")
	fl.StringVar(&f.group, "group", "", "share the partitions of a topic with others of the consumer group `NAME`, and go on where it was")
	fl.BoolVar(&f.lag, "lag", false, "print how many records each partition of a topic has that --group has not read, or that there are")
	_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(eventTypes(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("thread", func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return a.completeThread(c, nil, word)
	})
	return c
}

func (f *eventFlags) check(args []string, named bool) error {
	switch {
	case len(args) > 0 && named && args[0] != f.thread:
		return &usageError{Text: "two threads: " + args[0] + " and --thread " + f.thread, Hints: []string{"name one"}}
	case len(args) > 0:
		f.thread, named = args[0], true
	}
	if named && f.thread == "" {
		return &usageError{Text: "thread: the name is empty", Hints: []string{"dashhost thread list"}}
	}
	for _, t := range f.types {
		if !slices.Contains(eventTypes(), t) {
			return &usageError{Text: fmt.Sprintf("--type %s: not one of %s", t, strings.Join(eventTypes(), ", "))}
		}
	}
	var err error
	f.start, err = parseSince(f.since, time.Now())
	return err
}

// topicOnly is an error if a flag was given that has a meaning for topics only.
func (f *eventFlags) topicOnly() error {
	for _, given := range [...]struct {
		flag string
		set  bool
	}{{"--group", f.group != ""}, {"--lag", f.lag}, {"--since offset:N", f.start.offset > 0}} {
		if given.set {
			return &usageError{Text: given.flag + ": only a topic of Kafka has that", Hints: []string{"dashhost events kafka://HOST:PORT/TOPIC " + given.flag}}
		}
	}
	return nil
}

// wants says whether the flags let an event through.
func (f *eventFlags) wants(e *eventRow) bool {
	return (f.thread == "" || e.Thread == f.thread) && e.Time >= f.start.micros() && e.Seq >= f.from && (len(f.nodes) == 0 || slices.Contains(f.nodes, e.Node)) && (len(f.types) == 0 || slices.Contains(f.types, e.Type))
}

func (a *app) events(parent context.Context, f *eventFlags) error {
	ctx, done := a.untilSignal(parent)
	defer done()
	url, err := a.streamURL()
	if err != nil {
		return err
	}
	if url != "" {
		return a.streamEvents(ctx, url, f)
	}
	if err := f.topicOnly(); err != nil {
		return err
	}
	return a.withStore(ctx, false, func(s *checkpoint.Store) error {
		if f.thread != "" {
			info, err := findThread(ctx, s, f.thread)
			if err != nil {
				return err
			}
			f.thread, a.scene.thread = info.Thread, info.Thread
		}
		log := eventLog{store: s, thread: f.thread, seen: make(map[string]seen)}
		told, err := a.printRows(ctx, log.next(ctx), f)
		switch {
		case f.follow && ctx.Err() != nil:
			return nil //nolint:nilerr // whoever follows ends it by an interrupt
		case f.follow:
			return firstOf(err, a.followEvents(ctx, &log, f))
		}
		if told == 0 && err == nil {
			a.talk.linef("no events match in %s", storeName(a.scene.store))
		}
		if f.thread != "" {
			a.tellNext(ctx, s, f.thread)
		}
		return err
	})
}

// printRows prints the events that the flags let through, as far as they can be read, and says how many that was. The error is
// the first that it met.
func (a *app) printRows(ctx context.Context, rows iter.Seq2[*eventRow, error], f *eventFlags) (told int, err error) {
	for r, bad := range rows {
		if bad != nil {
			err = firstOf(err, bad)
			continue
		}
		if !f.wants(r) {
			continue
		}
		told++
		a.printEvent(r)
		if a.stdout.err != nil || ctx.Err() != nil {
			break // nobody reads any more
		}
	}
	return told, err
}

// patience is how long following waits before it looks again. It is longer when looking takes long, so that it never takes more
// than a small part of the machine from those it watches.
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
		_, bad := a.printRows(ctx, log.next(ctx), f)
		if ctx.Err() == nil {
			err = firstOf(err, bad)
		}
		wait = max(patience, 10*time.Since(began))
	}
	return err
}
