package host

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// Step is what the record of a superstep says, for programs that show what a store keeps.
type Step struct {
	Branch string    // ULID of the run that made it
	Number int       // 0 = the input of the first turn
	Source string    // "input", "loop", "upgrade", "fork", "update", "cancel" or "accepted_loss"
	Graph  string    // digest, "sha256:..."
	Status string    // of the thread after this step, unless a later record says otherwise
	Done   []TaskEnd // in this record; siblings that ended earlier have records of their own, see DescribeTask
	Next   []NextTask
	Errors []*engine.Error // of tasks that failed and did not fail the run
}

// TaskEnd is a task that is done.
type TaskEnd struct {
	Node     string        `json:"node"`
	Path     string        `json:"path,omitempty"` // which task of the node, "" if it is the only one
	Attempt  int           `json:"attempt"`
	Duration time.Duration `json:"duration_ns"`
}

// NextTask is what a node has to do in the next step.
type NextTask struct {
	Node  string `json:"node"`
	Path  string `json:"path,omitempty"` // of a task that another node sent
	Tasks int    `json:"tasks"`
	Defer bool   `json:"defer,omitempty"` // waits until nothing else is due
}

// DescribeStep reads a record of kind checkpoint.KindStep. The error says that its metadata is not what this version writes.
func DescribeStep(r *checkpoint.Record) (*Step, error) {
	m, err := engine.DecodeStep(r)
	if err != nil {
		return nil, err
	}
	s := &Step{
		Branch: m.Branch, Number: m.Step, Source: m.Source, Graph: m.Graph, Status: m.Status,
		Done: make([]TaskEnd, 0, len(m.Done)), Next: make([]NextTask, 0, len(m.Next)), Errors: m.Errors,
	}
	for _, d := range m.Done {
		s.Done = append(s.Done, taskEnd(d))
	}
	if r.AcceptLoss { // it stands where the step that it continues does, and made nothing
		s.Source, s.Done, s.Errors = "accepted_loss", s.Done[:0], nil
	}
	for _, p := range m.Next {
		n := NextTask{Node: p.Node, Path: p.Path, Tasks: 1, Defer: p.Defer}
		if p.Each != nil {
			n.Tasks = *p.Each
		}
		s.Next = append(s.Next, n)
	}
	return s, nil
}

func taskEnd(e engine.Ended) TaskEnd {
	return TaskEnd{Node: e.Node, Path: e.Path, Attempt: e.Attempt, Duration: time.Duration(e.Duration) * time.Microsecond}
}

// TaskRecord is what the record of one task says.
type TaskRecord struct {
	TaskEnd
	Branch string
	Step   int           // that the task belongs to
	Failed bool          // this attempt did; the others are done
	Err    *engine.Error // why, also of a task that is done with a verdict
}

// DescribeTask reads a record of kind checkpoint.KindTaskDone or KindTaskFailed. The error says that its metadata is not what this
// version writes.
func DescribeTask(r *checkpoint.Record) (*TaskRecord, error) {
	m, err := engine.DecodeTask(r)
	if err != nil {
		return nil, err
	}
	return &TaskRecord{TaskEnd: taskEnd(m.Ended), Branch: m.Branch, Step: m.Step, Failed: r.Kind == checkpoint.KindTaskFailed, Err: m.Error}, nil
}

// Tail is what happened after the newest step of a thread.
type Tail struct {
	Done []TaskEnd     // tasks of the next step that are done already
	Err  *engine.Error // the newest error: of the run, else of a task; nil if there is none
}

// DescribeTail reads what was recorded after head, the newest step of its thread. Damaged records are passed over: whether the
// thread is damaged, its checkpoint.ThreadInfo says.
func DescribeTail(ctx context.Context, s *checkpoint.Store, head *checkpoint.Record) (*Tail, error) {
	t := &Tail{Done: []TaskEnd{}}
	for r, err := range s.Tail(ctx, head) {
		if errors.Is(err, checkpoint.ErrDamaged) {
			continue
		}
		if err != nil {
			return t, err
		}
		if err := t.add(r); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *Tail) add(r *checkpoint.Record) error {
	switch r.Kind {
	case checkpoint.KindTaskDone, checkpoint.KindTaskFailed:
		m, err := DescribeTask(r)
		if err != nil {
			return err
		}
		if m.Failed {
			t.Err = m.Err
		} else {
			t.Done = append(t.Done, m.TaskEnd)
		}
	case checkpoint.KindRelease:
		if len(r.Meta) == 0 {
			return nil
		}
		m, err := engine.DecodeRelease(r)
		if err != nil {
			return err
		}
		if m.Error != nil {
			t.Err = m.Error
		}
	}
	return nil
}

// hiddenEntry starts the names of entries that are not channels: no channel of a manifest can be called so.
const hiddenEntry = ":"

// Channels yields the channels of a stored state with their values as raw JSON, sorted by name, without the entries that the
// engine keeps for itself.
func Channels(s checkpoint.State) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, name := range s.Names() {
			if strings.HasPrefix(name, hiddenEntry) {
				continue
			}
			if v, ok := s.Get(name); ok && !yield(name, v) {
				return
			}
		}
	}
}
