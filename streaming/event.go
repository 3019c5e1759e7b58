package streaming

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is something to be told. Publish copies what it needs before it returns, so an Event can be changed or used again; nothing in
// it is changed.
type Event struct {
	Type   Type   // required
	Name   string // TypeGuest: what the node calls it
	Thread string // required, not blank: events of one thread stay in order
	Run    string
	Node   string
	Path   string // of the task, where a node has several in one step
	Step   int
	// Task is the id of the task a live event comes from; zero if none.
	Task    [16]byte
	Attempt int
	N       uint32 // live: number within the attempt, from 0

	// Seq is the number of a lifecycle event within its thread, from 1; 0 marks a live event.
	Seq uint64
	// ID tells events apart. LifecycleID makes it for lifecycle events, so that it is the same when one is sent again; zero = a new one.
	ID [16]byte
	// Time is when it happened, in microseconds since 1970; 0 = now, by the publisher's clock, which never goes back. A time before
	// 1970 is sent as 1, and flagged.
	Time int64

	Duration   time.Duration // sent in microseconds
	Status     string        // of the thread after the event
	Checkpoint string        // id; required for TypeState
	Error      Error
	Text       string // TypeToken: what is shown to a person
	Label      string // TypeToken: which of the node's texts it belongs to
	Final      bool   // TypeToken: the text is complete
	Payload    []byte // JSON as it is, or nil; TypeState: the state
	Attrs      []Attr // further data; not for TypeToken

	Tenant string
	Trace  Trace
	// Clock is what was wrong with the clock, set by Decoder. An event to be published sets it if its Time is known to be doubtful.
	Clock ClockFault
}

// Type says what happened.
type Type string

// Types of events. The first group derives from the log, the second is told while a node runs.
const (
	TypeRunStart   Type = "run_start"  // the input is recorded
	TypeRunEnd     Type = "run_end"    // the run is done
	TypeRunError   Type = "run_error"  // the run failed
	TypeRunStop    Type = "run_stop"   // the run stopped before its end and can be resumed
	TypeNodeStart  Type = "node_start" // a task was scheduled
	TypeNodeEnd    Type = "node_end"   // a task is done
	TypeNodeRetry  Type = "node_retry" // an attempt failed, another follows
	TypeNodeError  Type = "node_error" // the last attempt failed
	TypeCheckpoint Type = "checkpoint" // a superstep is recorded
	TypeInterrupt  Type = "interrupt"  // a person is asked
	TypeAnswer     Type = "answer"     // the person answered
	TypeState      Type = "state"      // the whole state of a checkpoint, as payload

	TypeGuest    Type = "guest"    // a node told something under a name of its own
	TypeProgress Type = "progress" // a node says how far it is
	TypeWarning  Type = "warning"  // something is doubtful, and goes on
	TypeToken    Type = "token"    // a piece of text
	TypeError    Type = "error"    // a failure that is not the end of a node or run
)

// Error is why something failed. The zero Error is none.
type Error struct {
	Code      string
	Message   string
	Retryable bool
	Cause     []string // from the outermost to the root
}

func (e *Error) isZero() bool {
	return e.Code == "" && e.Message == "" && !e.Retryable && len(e.Cause) == 0
}

// Trace is the context an event was made in, in the forms of W3C. It travels beside the event as it is.
type Trace struct {
	Traceparent string
	Tracestate  string
	Baggage     string
}

// ClockFault says why the time of an event is not what the clock showed.
type ClockFault string

// What can be wrong with a clock.
const (
	ClockBefore1970 ClockFault = "before_1970"
	ClockBackward   ClockFault = "backward" // it showed less than before
)

// reserved begins the names of attributes that are made from fields of Event.
const reserved = "dash."

// Check returns what keeps an event from being published, an *EventError, or nil.
func (e *Event) Check() error {
	v := variantOf(e.Type)
	switch {
	case v.kind == 0:
		return &EventError{"Type", fmt.Sprintf("unknown: %q", string(e.Type))}
	case strings.TrimSpace(e.Thread) == "":
		return &EventError{"Thread", "blank"}
	case e.Type == TypeState && e.Checkpoint == "":
		return &EventError{"Checkpoint", "empty, and a state belongs to one"}
	case v.kind == kindToken && (len(e.Attrs) > 0 || e.Payload != nil):
		return &EventError{"Attrs", "a token carries neither attributes nor a payload"}
	case v.kind == kindToken && strings.Contains(e.Node, ":"):
		return &EventError{"Node", "contains \":\", which separates it from what follows in a token's request id"}
	case e.Step < 0 || e.Attempt < 0 || e.Duration < 0:
		return &EventError{"Step, Attempt, Duration", "less than 0"}
	}
	return e.checkText()
}

func (e *Event) checkText() error {
	for _, f := range [...]struct{ name, text string }{
		{"Thread", e.Thread}, {"Name", e.Name}, {"Run", e.Run}, {"Node", e.Node}, {"Path", e.Path}, {"Status", e.Status},
		{"Checkpoint", e.Checkpoint}, {"Error.Code", e.Error.Code}, {"Error.Message", e.Error.Message}, {"Text", e.Text},
		{"Label", e.Label}, {"Tenant", e.Tenant},
	} {
		if f.text != "" && !utf8.ValidString(f.text) {
			return &EventError{f.name, "not UTF-8"}
		}
	}
	if !utf8.Valid(e.Payload) {
		return &EventError{"Payload", "not UTF-8"}
	}
	for _, c := range e.Error.Cause {
		if !utf8.ValidString(c) {
			return &EventError{"Error.Cause", "not UTF-8"}
		}
	}
	for i := range e.Attrs {
		if err := e.Attrs[i].check(); err != nil {
			return err
		}
	}
	return nil
}
