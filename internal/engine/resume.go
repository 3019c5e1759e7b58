package engine

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host/workflow"
)

// pastTask is what the log knows of a task whose step is not complete.
type pastTask struct {
	attempts int // that failed
	end      *checkpoint.Record
	meta     *TaskMeta // of end
	writes   []Write
	output   []byte
	sends    []Send
}

// readTail takes up what was recorded after the newest step: tasks that ended,
// attempts that failed, and owners that went away without releasing.
func (r *Run) readTail(tail []*checkpoint.Record) error {
	r.past = make(map[TaskID]*pastTask)
	crashes := 0
	for _, rec := range tail {
		switch rec.Kind {
		case checkpoint.KindClaim:
			crashes++ // unless the owner before it released
		case checkpoint.KindRelease:
			crashes--
		case checkpoint.KindInterrupt:
			if err := r.readQuestion(rec); err != nil {
				return err
			}
		case checkpoint.KindAnswer:
			if err := r.readAnswer(rec); err != nil {
				return err
			}
		case checkpoint.KindTaskDone, checkpoint.KindTaskFailed:
			if err := r.readTask(rec); err != nil {
				return err
			}
		}
	}
	r.crashes = max(crashes, 0)
	return nil
}

func (r *Run) readTask(rec *checkpoint.Record) error {
	m, err := DecodeTask(rec)
	if err != nil {
		return err
	}
	if m.Branch != r.branch || m.Step != r.step+1 {
		return nil // of a branch that was left
	}
	raw, err := hex.DecodeString(rec.Task)
	if err != nil || len(raw) != len(TaskID{}) {
		return fmt.Errorf("thread %s: record %d: task id %q is not 32 hex digits", rec.Thread, rec.Seq, rec.Task)
	}
	p := r.past[TaskID(raw)]
	if p == nil {
		p = &pastTask{}
		r.past[TaskID(raw)] = p
	}
	if rec.Kind == checkpoint.KindTaskFailed {
		p.attempts = max(p.attempts, m.Attempt)
		if !m.Final {
			return nil
		}
	}
	n := r.graph.Node(m.Node)
	if n == nil {
		return fmt.Errorf("thread %s: record %d: the graph has no node %s", rec.Thread, rec.Seq, m.Node)
	}
	if rec.Kind == checkpoint.KindTaskFailed && !m.Error.KeepOutput && n.OnError == "" && r.cfg.UserGrant {
		return nil // a person asks for another try
	}
	return p.finish(r.graph, n, rec, m)
}

// finish notes that the task has its final result in rec.
func (p *pastTask) finish(g *workflow.Graph, n *workflow.Node, rec *checkpoint.Record, m *TaskMeta) error {
	p.end, p.meta = rec, m
	if m.Output > 0 {
		out, err := part(rec, m.Output)
		if err != nil {
			return err
		}
		writes, bad := takeOutput(g, n, out)
		if bad != nil {
			return fmt.Errorf("thread %s: record %d: stored output of node %s: %w", rec.Thread, rec.Seq, m.Node, bad)
		}
		p.output, p.writes = out, writes
	}
	for _, s := range m.Sends {
		send := Send{Node: s.Node}
		if s.Part > 0 {
			in, err := part(rec, s.Part)
			if err != nil {
				return err
			}
			send.Input = in
		}
		p.sends = append(p.sends, send)
	}
	return nil
}

// restore gives a task of the step what the log knows about it.
func (p *pastTask) restore(t *taskRun) {
	t.task.Attempt = p.attempts
	if p.end == nil {
		return
	}
	t.finished, t.recorded = true, true
	t.task.Attempt = p.meta.Attempt
	t.took = time.Duration(p.meta.Duration) * time.Microsecond
	t.err, t.output, t.writes, t.sends = p.meta.Error, p.output, p.writes, p.sends
}

// countCrashes charges an attempt for each owner that died during the step to
// every task it left unfinished, and grants new ones if a person asked.
func (r *Run) countCrashes(tasks []*taskRun) {
	for _, t := range tasks {
		if t.finished {
			continue
		}
		t.task.Attempt += r.crashes
		if r.cfg.UserGrant {
			t.budget += t.task.Attempt
		}
	}
	r.crashes, r.past = 0, nil
}
