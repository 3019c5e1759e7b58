package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/capability"
	"github.com/dashhost/dashhost/internal/engine"
)

// Node is a Go function that does the work of a vertex. It may be called
// concurrently. An error that is not an *Error is reported with code "failed"
// and counts as retryable. A Node should return soon after the task's context
// is done; if it does not, it is left alone and what it does has no effect.
type Node func(*Task) error

// Nodes are the Go functions that a manifest may name with `native`.
type Nodes map[string]Node

// names is never nil: what it does not hold, a manifest must not use.
func (n Nodes) names() []string {
	out := []string{}
	for name, f := range n {
		if f != nil {
			out = append(out, name)
		}
	}
	return out
}

// Func makes a Node of a function from a JSON input to a JSON output. In gets
// the object with the channels that the node reads; Out gives an object of
// channels that it writes. Both use encoding/json.
func Func[In, Out any](f func(*Task, In) (Out, error)) Node {
	return func(t *Task) error {
		var in In
		if err := json.Unmarshal(t.Input(), &in); err != nil {
			return &Error{Code: codeInput, Message: "input: " + err.Error(), Final: true}
		}
		out, err := f(t, in)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e == nil || !e.KeepOutput) {
			return err
		}
		b, encodeErr := json.Marshal(out)
		if encodeErr != nil {
			return &Error{Code: engine.CodeOutput, Message: "output: " + encodeErr.Error(), Final: true}
		}
		if err := t.Write(b); err != nil {
			return err
		}
		return err
	}
}

const codeInput = "input" // a native node cannot decode its input

// Task is what a native node is given: its input and the same capabilities,
// under the same grants and limits, as a guest. Its methods are safe for
// concurrent use and have no effect once the attempt has ended.
type Task struct {
	ctx  context.Context //nolint:containedctx // a Task is the handle of one attempt
	task *engine.Task
	set  *capability.Set
	log  hclog.Logger
}

// Context is done when the attempt must end.
func (t *Task) Context() context.Context { return t.ctx }

// Input is the task's input: a JSON object, or plain bytes for a node with raw
// input. It must not be changed.
func (t *Task) Input() []byte { return t.task.Input }

// Config is the node's configuration as JSON, nil if there is none. It must not
// be changed.
func (t *Task) Config() []byte { return t.task.Node.Config }

// Thread is the thread's name.
func (t *Task) Thread() string { return t.task.Thread }

// Node is the name of the vertex.
func (t *Task) Node() string { return t.task.Node.Name }

// Path says which task of the node this is, "" if there is only one.
func (t *Task) Path() string { return t.task.Path }

// Step is the number of the superstep.
func (t *Task) Step() int { return t.task.Step }

// ID identifies the task as 32 hex digits, the same for every attempt and after
// a crash: a key to make an outside effect happen once.
func (t *Task) ID() string { return t.task.ID.String() }

// Attempt counts from 1.
func (t *Task) Attempt() int { return t.task.Attempt }

// Logger logs with the task's identity.
func (t *Task) Logger() hclog.Logger {
	return t.log.With("thread", t.Thread(), "node", t.Node(), "task", t.ID())
}

// Write sets the output: a JSON object of channel writes, or plain bytes for a
// node with raw output. A later call replaces an earlier one. The error is an
// *abi.Error that says what is wrong with b.
func (t *Task) Write(b []byte) error {
	if err := t.set.Enter(abi.FnOutputWrite, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.OutputWrite(b)
}

// RouteTo chooses the next node among those that the graph lets this one
// choose.
func (t *Task) RouteTo(node string) error {
	if err := t.set.Enter(abi.FnRouteTo, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.RouteTo([]byte(node))
}

// RouteSend starts a task of the node with an input of its own, as JSON.
func (t *Task) RouteSend(node string, item []byte) error {
	if err := t.set.Enter(abi.FnRouteSend, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.RouteSend([]byte(node), item)
}

// Emit tells an event of the node's own to the stream while the node runs, best
// effort: its type must be among the names of the telemetry grant, its payload
// is JSON. The error is an *abi.Error: abi.Full when there is no room.
func (t *Task) Emit(typ string, payload []byte) error {
	if err := t.set.Enter(abi.FnEventEmit, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.EventEmit([]byte(typ), payload)
}

// Stream tells a piece of text under a label, as Emit does.
func (t *Task) Stream(label, text string) error {
	if err := t.set.Enter(abi.FnStreamWrite, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.StreamWrite([]byte(label), []byte(text))
}

// Ask puts a question, as JSON, to whoever watches over the run, and returns
// the answer, as JSON. Until there is one it returns ErrPending, which the node
// should return: the task runs again, from its beginning, when the answer is
// there, and must ask the same questions in the same order. What the node did
// through the Task before is told to it again; other effects it repeats.
func (t *Task) Ask(question []byte) (answer []byte, err error) {
	if err := t.set.Enter(abi.FnInterrupt, abi.PhaseRun); err != nil {
		return nil, err
	}
	if _, err := t.set.Interrupt(question); err != nil {
		if abi.ErrnoOf(err) == abi.Pending {
			return nil, ErrPending
		}
		return nil, err
	}
	answer, err = t.set.Answer()
	return bytes.Clone(answer), err
}

// Now is the time: real with the clock grant, else the time recorded with the
// step, moving on by a microsecond with each reading, so that a repeated
// attempt sees the same.
func (t *Task) Now() time.Time { return time.UnixMicro(t.set.Now()) }

// Random fills b with random bytes. Without the random grant it fails.
func (t *Task) Random(b []byte) error {
	if err := t.set.Enter(abi.FnRandom, abi.PhaseRun); err != nil {
		return err
	}
	return t.set.Random(b)
}

// nativeNode runs a Go function.
type nativeNode struct {
	vertex
	run Node

	abandoned atomic.Int64
}

// grace is how long a native node may take to notice that its context is done.
const grace = 100 * time.Millisecond

// Run calls the function on a goroutine of its own, so that one that ignores
// its context cannot hold up the run.
func (n *nativeNode) Run(ctx context.Context, et *engine.Task) (engine.Outcome, error) {
	caller, deadline := ctx, n.deadline()
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	set := n.open(ctx, et, deadline)
	defer set.Close()
	t := &Task{ctx: ctx, task: et, set: set, log: n.host.log}
	ended := make(chan error, 1)
	go n.call(t, ended)

	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case late := <-ended:
			n.host.log.Debug("native node ended after its context", "node", n.node.Name, "error", late)
		case <-timer.C:
			set.Close()
			n.host.log.Warn("native node goes on although its context is done; what it does has no effect",
				"node", n.node.Name, "abandoned", n.abandoned.Add(1))
		}
		if caller.Err() != nil {
			return engine.Outcome{}, caller.Err()
		}
		return engine.Outcome{}, &Error{
			Code: "deadline", Message: fmt.Sprintf("limit deadline: the node took longer than %v", deadline),
			Hint: n.raise("deadline"), Retryable: true,
		}
	}
	o := set.Finish()
	switch {
	case o.Limit != nil:
		return engine.Outcome{}, &Error{Code: o.Limit.Limit, Message: o.Limit.Error()}
	case o.Diverged != "":
		return engine.Outcome{}, &Error{Code: codeDiverged, Message: o.Diverged, Final: true}
	case o.Ask != nil && (err == nil || errors.Is(err, ErrPending)):
		return outcome(o), nil
	case err == nil:
		return outcome(o), nil
	}
	var e *Error
	if errors.As(err, &e) {
		return outcome(o), e
	}
	var denied *abi.Error
	if errors.As(err, &denied) {
		return engine.Outcome{}, &Error{Code: denied.Errno.String(), Message: err.Error()}
	}
	return engine.Outcome{}, &Error{Code: codeFailed, Message: err.Error(), Retryable: true}
}

// call runs the function and sends how it ended, also if it panicked or ended
// its goroutine.
func (n *nativeNode) call(t *Task, ended chan<- error) {
	err := error(&Error{Code: engine.CodePanic, Message: "the node ended its goroutine (runtime.Goexit)"})
	defer func() {
		if p := recover(); p != nil {
			n.host.log.Error("native node panicked", "node", n.node.Name, "panic", p, "stack", string(debug.Stack()))
			err = &Error{Code: engine.CodePanic, Message: fmt.Sprint(p)}
		}
		ended <- err
	}()
	err = n.run(t)
}
