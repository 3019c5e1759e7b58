package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/filesink"
	"github.com/dashhost/dashhost/streaming/kafkasink"
)

// liveTypes are the types of what nodes tell while they run: only a stream has it.
var liveTypes = []string{
	string(streaming.TypeGuest), string(streaming.TypeToken), string(streaming.TypeProgress), string(streaming.TypeWarning), string(streaming.TypeError),
}

// messageTypes are those of messages that are no events of a run.
var messageTypes = []string{
	string(streaming.TypeState), "state_diff", "tool_execution", "metrics", "event_batch", "execution_trace",
}

// streamURL is where events go, or come from: of the flag, else of the environment, "" if neither says.
func (a *app) streamURL() (string, error) {
	s := a.setting(a.flags.stream, "DASHHOST_STREAM")
	if s == "" {
		return "", nil
	}
	url := storeURL(s, ".")
	if isTopic(url) {
		_, _, err := kafkasink.ParseURL(url, a.Getenv)
		return url, err
	}
	if storeDir(url) == "" && url != "mem:" {
		return "", &usageError{Text: "stream " + openurl.Redact(s) + ": nothing here can open it",
			Hints: []string{"a stream is a folder, file:DIR, kafka://HOST:PORT/TOPIC or mem:", "it comes from --stream or DASHHOST_STREAM"}}
	}
	return url, nil
}

// streamArg takes the stream from the operands of a command, if the first is one.
func (a *app) streamArg(args []string) (rest []string, err error) {
	if len(args) == 0 || !isTopic(args[0]) && !strings.HasPrefix(args[0], "file:") {
		if len(args) > 1 {
			return nil, &usageError{Text: "stream " + openurl.Redact(args[0]) + ": expected file:DIR or kafka://HOST:PORT/TOPIC before the name of a thread"}
		}
		return args, nil
	}
	if a.flags.stream != "" && a.flags.stream != args[0] {
		return nil, &usageError{Text: "two streams: an operand and --stream", Hints: []string{"name one"}}
	}
	a.flags.stream = args[0]
	return args[1:], nil
}

// streamEvents prints the events of a stream.
func (a *app) streamEvents(ctx context.Context, url string, f *eventFlags) error {
	if isTopic(url) {
		return a.topicEvents(ctx, url, f)
	}
	if err := f.topicOnly(); err != nil {
		return err
	}
	dir := storeDir(url)
	if dir == "" {
		return &usageError{Text: "stream " + url + " is gone with the process that wrote it", Hints: []string{"name a folder: --stream DIR"}}
	}
	o := filesink.ReaderOptions{Since: f.start.micros()}
	if f.follow {
		o.Follow = patience
	} else if _, err := os.Stat(dir); err != nil {
		return &fileError{What: "stream", Path: dir, Err: err}
	}
	told, err := a.printRows(ctx, streamRows(ctx, filesink.NewReader(dir, &o)), f)
	if f.follow && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	if told == 0 && err == nil {
		a.talk.linef("no events match in %s", dir)
	}
	return err
}

// streamRows yields what a reader gives. What cannot be read is an error between the rows.
func streamRows(ctx context.Context, r *filesink.Reader) iter.Seq2[*eventRow, error] {
	return func(yield func(*eventRow, error) bool) {
		dec := streaming.NewDecoder(0)
		defer dec.Close()
		for entry, err := range r.All(ctx) {
			var row *eventRow
			if err == nil {
				var e streaming.Event
				if err = dec.Decode(&entry.Record, &e); err == nil {
					row = rowOfStream(&e)
				} else {
					err = fmt.Errorf("stream: writer %s: record %d: %w", entry.Writer, entry.Number, err)
				}
			}
			if torn := (*filesink.TornError)(nil); errors.As(err, &torn) {
				continue // its writer died there, and it was not delivered: nothing is missing
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// rowOfStream is an event of a stream. A checkpoint is the step that it ends, as the log tells it.
func rowOfStream(e *streaming.Event) *eventRow {
	r := &eventRow{
		Thread: e.Thread, Seq: e.Seq, Type: string(e.Type), Time: e.Time, Run: e.Run, Step: e.Step, Node: e.Node, Path: e.Path, Attempt: e.Attempt,
		Duration: e.Duration.Microseconds(), Checkpoint: e.Checkpoint, Status: e.Status,
		N: e.N, Name: e.Name, Label: e.Label, Text: strings.ToValidUTF8(e.Text, "\ufffd"),
	}
	if e.Type == streaming.TypeCheckpoint {
		r.Type = host.EventStep
	}
	if len(e.Payload) > 0 {
		r.Payload = append(r.Payload, e.Payload...)
		if checkJSON(r.Payload) != nil { // of another producer
			r.Payload = []byte(jsonText(hex.EncodeToString(e.Payload)))
		}
	}
	for _, attr := range e.Attrs {
		if attr.Name == "question" {
			r.Question = attr.Value.Str()
		}
	}
	if e.Error.Code != "" || e.Error.Message != "" {
		r.Error = &host.Error{
			Code: e.Error.Code, Message: e.Error.Message, Node: e.Node, Path: e.Path, Attempt: e.Attempt, Duration: e.Duration,
			Retryable: e.Error.Retryable, Cause: e.Error.Cause,
		}
	}
	return r
}
