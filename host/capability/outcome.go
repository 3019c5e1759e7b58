package capability

import (
	"errors"
	"fmt"
	"time"

	"github.com/dashhost/dashhost/abi"
)

// Outcome is what a node produced during one attempt. Whether it counts is for the caller to decide: by
// the status the node returned, and by what ended the call.
type Outcome struct {
	// Output is the text of the last output_write that was accepted, nil if there was none.
	Output []byte
	// Writes are the members of Output in its order, nil for a node with raw output.
	Writes []Write
	// Routes are the targets of route_to, each once, in the order of their first mention.
	Routes []string
	// Sends are the tasks asked for by route_send, in order.
	Sends []Send
	// Failure is what the last accepted fail said, nil if there was none.
	Failure *Failure
	// Ask is the question that the attempt ended with, nil if there is none. Nothing else counts then.
	Ask *Ask
	// Diverged says how the node did not repeat what it did before a question, "" if it did. The attempt has
	// failed then.
	Diverged string
	// Limit is set when the node broke a limit that ends the call: the attempt has failed whatever the
	// node returned.
	Limit *LimitError
	// Live counts what the node told while it ran.
	Live uint32
	// LogDropped counts the bytes of log messages and lines that went over the limit.
	LogDropped int64
}

// Write is one member of an output.
type Write struct {
	Channel string
	Replace bool   // the member was called "channel!": the value replaces what the channel holds
	Value   []byte // checked JSON, a view of Output
}

// Send is one task started by route_send.
type Send struct {
	Node string
	Item []byte // checked JSON
}

// Failure is what a node said with fail.
type Failure struct {
	Code       string // "failed" unless the node gave one
	Message    string
	Details    []byte        // checked JSON, nil if none
	KeepOutput bool          // the output counts although the node failed
	Final      bool          // not to be tried again
	After      time.Duration // not to be tried again before; 0: as the retry policy says
}

// ErrClosed is returned by every method that is called after the attempt has ended. A guest cannot see
// it, because none of its code runs then; a native node can. Its number is abi.Denied.
var ErrClosed = fmt.Errorf("%w: %w", errEnded, &abi.Error{Errno: abi.Denied, Text: "the capability handle is closed"})

var errEnded = errors.New("the attempt has ended")

// LimitError is returned by OutputWrite for an output over the node's limit. It ends the call. Its number
// is abi.TooLarge.
type LimitError struct {
	Limit string // name of the limit as in abi.Limits
	Max   int64  // bytes
	Got   int64  // bytes
	Field string // field of the manifest that raises it
	Place string // "file:line:col" of that field, "" when unknown
}

func (e *LimitError) Error() string {
	text := fmt.Sprintf("limit %s: %d bytes exceeds %d (raise %s", e.Limit, e.Got, e.Max, e.Field)
	if e.Place != "" {
		text += " at " + e.Place
	}
	return text + ")"
}

// Unwrap gives the *abi.Error that the node sees.
func (e *LimitError) Unwrap() error { return &abi.Error{Errno: abi.TooLarge, Text: e.Error()} }
