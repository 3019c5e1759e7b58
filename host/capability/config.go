package capability

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/host/workflow"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// TaskID identifies a task. All its attempts share it.
type TaskID [16]byte

// String gives the ID as 32 lower-case hex digits.
func (t TaskID) String() string { return hex.EncodeToString(t[:]) }

// Config says what one attempt of a task may see and do. A Set keeps the slices and never writes to them.
type Config struct {
	// Node gives name, declared writes, raw output, configuration, limits and grants. Required. A module
	// that is called outside a graph gets a Node made for it: with RawOut set its output is not checked.
	Node *workflow.Node
	Task TaskID
	Meta Meta
	// Input is what input_read gives.
	Input []byte
	// Routes are the targets that the graph lets this node choose: node names and workflow.End.
	Routes []string
	// StepTime is the time recorded with the step, in microseconds since 1970. Virtual time starts here.
	StepTime int64
	// Deadline ends real sleeps. Zero: only their context does.
	Deadline time.Time
	// Clock is the real time, which the clock grant shows. Nil: the machine's.
	Clock Clock
	// Random fills b with what the random grant gives. Many sets may call it at once. Nil: bytes that nobody can
	// foresee.
	Random func(b []byte)
	// Asked are the questions of earlier attempts of the task that have been answered, in order, and Calls what
	// the last of them ended with (Ask.Calls). Only for nodes that may ask.
	Asked []Asked
	Calls []byte
	// Live gets what the node tells while it runs. Nil: event_emit and stream_write are unsupported.
	Live Live
	// Logger gets what the node logs. Nil: nothing is kept and log_enabled says no.
	Logger hclog.Logger
}

// Clock is real time.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or earlier with an error when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// Meta is what meta_read tells a node about its task, beside task id and node name.
type Meta struct {
	Workflow    string
	Thread      string
	Run         string
	Attempt     int           // from 1
	Superstep   uint64        // number of the step in its branch
	Deadline    time.Duration // how long the call may take
	Traceparent string        // left out when empty
}

// appendJSON appends the object that meta_read gives.
func (m *Meta) appendJSON(dst []byte, task TaskID, node string) []byte {
	text := func(name, value string) {
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = append(rawjson.AppendString(dst, value), ',')
	}
	dst = append(dst, '{')
	text("workflow", m.Workflow)
	text("thread", m.Thread)
	text("run", m.Run)
	text("node", node)
	text("task", task.String())
	if m.Traceparent != "" {
		text("traceparent", m.Traceparent)
	}
	dst = strconv.AppendInt(append(dst, `"attempt":`...), int64(m.Attempt), 10)
	dst = strconv.AppendUint(append(dst, `,"superstep":`...), m.Superstep, 10)
	dst = strconv.AppendInt(append(dst, `,"deadline_us":`...), m.Deadline.Microseconds(), 10)
	return append(dst, '}')
}
