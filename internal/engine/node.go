package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/dashhost/dashhost/host/workflow"
)

// Node does the work of one vertex of the graph.
type Node interface {
	// Run does one attempt. It is called concurrently, for tasks of one node
	// too, and must return soon after ctx is done. The Outcome counts when the
	// error is nil or an *Error with KeepOutput. An error that is not an *Error
	// is reported with code "internal" and not retried by default.
	Run(ctx context.Context, t *Task) (Outcome, error)
}

// NodeFunc is a function as a Node.
type NodeFunc func(ctx context.Context, t *Task) (Outcome, error)

// Run calls f.
func (f NodeFunc) Run(ctx context.Context, t *Task) (Outcome, error) { return f(ctx, t) }

// TaskID is the identity of a task: the same for every attempt and after a
// crash.
type TaskID [16]byte

func (id TaskID) String() string { return hex.EncodeToString(id[:]) }

// Task is what a node is given. It must not be changed.
type Task struct {
	Thread, Namespace string
	Branch            string // ULID of the input, fork or update that it descends from; also the run's id
	Step              int    // number of the superstep
	Node              *workflow.Node
	Path              string // which task of the node in this step; "" unless there may be several
	ID                TaskID
	Attempt           int   // from 1
	Time              int64 // microseconds since 1970: when the step was recorded
	Input             []byte

	Asked []Asked // what earlier attempts asked, with the answers, in order
	Calls []byte  // Ask.Calls of the last of them
}

// Outcome is what a node made of its task.
type Outcome struct {
	// Output is a JSON object of channel writes, or the plain bytes of one
	// channel for a node with raw output. Nil writes nothing. The engine keeps
	// the slice.
	Output []byte
	// Sends are the node's own routing decisions, in order.
	Sends []Send
	// Live is how many live events the attempt sent; the end of the task tells it.
	Live uint32
	// Fuel is what the attempt used, in units, however it ended: it counts also with an error.
	Fuel uint64
	// Ask ends the attempt with a question; nothing else counts then. When it is
	// answered the task runs again, with the question and the answer in Asked.
	Ask *Ask
}

// Send is one call of route_to or route_send.
type Send struct {
	Node  string
	Input []byte // JSON; nil for route_to
}

// newTaskID hashes the parts with their lengths, so no two lists of parts give
// the same bytes.
func newTaskID(thread, namespace, branch string, step int, node, path string) TaskID {
	b := make([]byte, 0, 256)
	str := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	str(thread)
	str(namespace)
	str(branch)
	b = binary.AppendUvarint(b, uint64(step))
	str(node)
	str(path)
	sum := sha256.Sum256(b)
	return TaskID(sum[:16])
}

// Clock is where the engine takes the time from.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or earlier with ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now returns the time.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep waits for d.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
