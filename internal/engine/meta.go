package engine

import (
	"encoding/json"
	"fmt"

	"github.com/dashhost/dashhost/checkpoint"
)

// Statuses of a thread, in attribute AttrStatus of its newest record.
const (
	StatusRunning   = "running"
	StatusWaiting   = "waiting"
	StatusStopped   = "stopped"
	StatusFailed    = "failed"
	StatusDone      = "done"
	StatusCancelled = "cancelled"
)

// Names of the attributes that the engine gives its records.
const (
	AttrStatus = "status"
	AttrGraph  = "graph"  // name of the workflow
	AttrDigest = "digest" // digest of the graph, "sha256:..."
	AttrStep   = "step"
	AttrSource = "source"
	AttrNext   = "next" // entries of the frontier: "0" = nothing is left to do
)

// Sources of a step record.
const (
	SourceInput   = "input"   // a new turn
	SourceLoop    = "loop"    // a superstep
	SourceUpgrade = "upgrade" // the thread goes on with another graph
	SourceFork    = "fork"    // the thread goes on from an earlier checkpoint
	SourceUpdate  = "update"  // somebody changed channels
	SourceCancel  = "cancel"  // somebody ended the run; nothing is due any more
)

// StepMeta is the Meta of a step record, as JSON.
type StepMeta struct {
	Branch string    `json:"branch"`
	Step   int       `json:"step"`
	Source string    `json:"source"`
	Graph  string    `json:"graph"`            // digest
	Status string    `json:"status"`           // of the thread after this record
	Done   []Ended   `json:"done,omitempty"`   // tasks whose end this record is
	Next   []Pending `json:"next,omitempty"`   // the frontier
	After  []int     `json:"after,omitempty"`  // interrupts of the graph to look at before the next step
	Errors []*Error  `json:"errors,omitempty"` // verdicts (KeepOutput) and handled errors of this step
}

// Ended says how a task ended well.
type Ended struct {
	Node     string `json:"node"`
	Path     string `json:"path,omitempty"`
	Attempt  int    `json:"attempt"`
	Duration int64  `json:"us"`             // microseconds
	Live     uint32 `json:"live,omitempty"` // live events that it sent
}

// Pending is an entry of the frontier.
type Pending struct {
	Node  string `json:"node"`
	Path  string `json:"path,omitempty"`  // of a sent task
	Defer bool   `json:"defer,omitempty"` // waits until nothing else is due
	Each  *int   `json:"each,omitempty"`  // number of tasks, paths "0", "1", ...
	Part  int    `json:"part,omitempty"`  // private input: index into Parts, from 1
	Error bool   `json:"error,omitempty"` // the input is the error of another task
}

// TaskMeta is the Meta of task_done and task_failed records.
type TaskMeta struct {
	Branch string     `json:"branch"`
	Step   int        `json:"step"`
	Ended             // task_done, and the attempt of task_failed
	Output int        `json:"output,omitempty"` // index into Parts, from 1; 0 = none
	Sends  []SendMeta `json:"sends,omitempty"`
	Error  *Error     `json:"error,omitempty"` // task_failed; task_done with a verdict
	Final  bool       `json:"final,omitempty"` // task_failed: there is no further attempt
	Copy   bool       `json:"copy,omitempty"`  // written again behind an upgrade; makes no event
}

// SendMeta is a Send inside a record.
type SendMeta struct {
	Node string `json:"node"`
	Part int    `json:"part,omitempty"` // input: index into Parts, from 1; 0 = route_to
}

// ReleaseMeta is the Meta of release records.
type ReleaseMeta struct {
	Branch string `json:"branch"`
	Step   int    `json:"step"` // the step that would be next
	Status string `json:"status"`
	Error  *Error `json:"error,omitempty"`
}

// mustJSON encodes one of the types above, none of which can fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return b
}

// DecodeStep reads the Meta of a step record.
func DecodeStep(r *checkpoint.Record) (*StepMeta, error) { return decodeMeta[StepMeta](r) }

// DecodeTask reads the Meta of a task_done or task_failed record.
func DecodeTask(r *checkpoint.Record) (*TaskMeta, error) { return decodeMeta[TaskMeta](r) }

// DecodeRelease reads the Meta of a release record that the engine wrote.
func DecodeRelease(r *checkpoint.Record) (*ReleaseMeta, error) { return decodeMeta[ReleaseMeta](r) }

func decodeMeta[T any](r *checkpoint.Record) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(r.Meta, v); err != nil {
		return nil, fmt.Errorf("thread %s: record %d: metadata: %w", r.Thread, r.Seq, err)
	}
	return v, nil
}

// part returns Parts[i-1] of r.
func part(r *checkpoint.Record, i int) ([]byte, error) {
	if i < 1 || i > len(r.Parts) {
		return nil, fmt.Errorf("thread %s: record %d: metadata names part %d of %d", r.Thread, r.Seq, i, len(r.Parts))
	}
	return r.Parts[i-1], nil
}
