package langgraph

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dashhost/dashhost/checkpoint"
)

// done is the ok of what has nothing to say.
type done struct{}

func durable(ctx context.Context, c *checkpoint.Commit) rest {
	return func() (any, error) { return done{}, c.Wait(ctx) }
}

// put appends a checkpoint with the values of its new versions.
func (s *Server) put(ctx context.Context, q *request) (rest, error) {
	name, err := thread("thread", q.Thread)
	if err != nil {
		return nil, err
	}
	r, err := checkpointRecord(q)
	if err != nil {
		return nil, err
	}
	c, err := s.store.Put(ctx, name, r)
	if err != nil {
		return nil, err
	}
	return durable(ctx, c), nil
}

// checkpointRecord checks a put and makes its record.
func checkpointRecord(q *request) (*checkpoint.Record, error) {
	m := q.Checkpoint
	if m == nil {
		return nil, faultf(codeInvalid, "checkpoint: is missing")
	}
	ns, err := namespace(q.NS)
	if err == nil {
		err = required("checkpoint: id", m.ID, checkpoint.MaxID)
	}
	if err == nil {
		err = name("checkpoint: parent", m.Parent, checkpoint.MaxID)
	}
	if err == nil {
		err = m.Value.check("checkpoint")
	}
	if err == nil {
		err = m.Metadata.check("metadata")
	}
	if err != nil {
		return nil, err
	}
	h := &header{parent: m.Parent, checkpoint: m.Value, metadata: m.Metadata, versions: map[string]string{}}
	if m.Fields == nil {
		m.Fields = map[string]json.RawMessage{}
	}
	if h.fields, err = json.Marshal(m.Fields); err != nil {
		return nil, faultf(codeInvalid, "fields: %v", err)
	}
	if len(h.fields) > maxFields {
		return nil, faultf(codeTooLarge, "fields: %d bytes, the limit is %d", len(h.fields), maxFields)
	}
	for channel, raw := range m.Versions {
		if err := required("channel", channel, checkpoint.MaxName); err != nil {
			return nil, err
		}
		if h.versions[channel], err = version(channel, raw); err != nil {
			return nil, err
		}
	}
	ops, err := valueOps(q.Values)
	if err != nil {
		return nil, err
	}
	return h.record(ns, m.ID, ops), nil
}

// valueOps are the ops of the values of new versions.
func valueOps(values []valueMessage) ([]checkpoint.Op, error) {
	ops := make([]checkpoint.Op, 0, len(values))
	seen := map[string]bool{}
	for _, v := range values {
		if err := required("channel", v.Channel, checkpoint.MaxName); err != nil {
			return nil, err
		}
		ver, err := version(v.Channel, v.Version)
		if err != nil {
			return nil, err
		}
		op := checkpoint.Op{Kind: checkpoint.OpDel, Name: entry(v.Channel, ver)}
		if len(op.Name) > checkpoint.MaxName {
			return nil, faultf(codeTooLarge, "channel %q with its version: %d bytes, the limit is %d", v.Channel, len(op.Name), checkpoint.MaxName)
		}
		if seen[op.Name] {
			return nil, faultf(codeInvalid, "channel %q: two values for version %s", v.Channel, ver)
		}
		seen[op.Name] = true
		if v.Value != nil {
			if err := v.Value.check("channel " + v.Channel); err != nil {
				return nil, err
			}
			op.Kind, op.Value = checkpoint.OpPut, encodeValue(v.Value)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// putWrites appends what a task wrote. The checkpoint may come later.
func (s *Server) putWrites(ctx context.Context, q *request) (rest, error) {
	thread, err := thread("thread", q.Thread)
	if err != nil {
		return nil, err
	}
	ns, err := namespace(q.NS)
	if err == nil {
		err = required("checkpoint_id", q.CheckpointID, checkpoint.MaxID)
	}
	if err == nil {
		err = required("task", q.Task, maxTask)
	}
	if err == nil {
		err = name("path", q.Path, maxPath)
	}
	if err == nil && len(q.Writes) > maxWrites {
		err = faultf(codeTooLarge, "writes: %d, the limit is %d", len(q.Writes), maxWrites)
	}
	if err != nil {
		return nil, err
	}
	for _, w := range q.Writes {
		if w.Index < -maxWrites || w.Index > maxWrites {
			return nil, faultf(codeInvalid, "write to %q: index %d is not within %d of 0", w.Channel, w.Index, maxWrites)
		}
		if err := required("channel", w.Channel, maxTask); err != nil {
			return nil, err
		}
		if err := w.Value.check("write to " + w.Channel); err != nil {
			return nil, err
		}
	}
	if len(q.Writes) == 0 {
		return ended(nil)
	}
	w := &taskWrites{task: q.Task, path: q.Path, writes: q.Writes}
	c, err := s.store.Put(ctx, thread, w.record(ns, q.CheckpointID))
	if err != nil {
		return nil, err
	}
	return durable(ctx, c), nil
}

// namespace checks a request's ns, absent is "".
func namespace(ns *string) (string, error) {
	if ns == nil {
		return "", nil
	}
	return *ns, name("ns", *ns, checkpoint.MaxNamespace)
}

func (s *Server) deleteThread(ctx context.Context, q *request) (rest, error) {
	name, err := thread("thread", q.Thread)
	if err != nil {
		return nil, err
	}
	return ended(s.delete(ctx, name))
}

// delete ends a thread. One that is not there is deleted already.
func (s *Server) delete(ctx context.Context, thread string) error {
	if err := s.store.Delete(ctx, thread, false); !errors.Is(err, checkpoint.ErrNotFound) {
		return err
	}
	return nil
}

// ended is a write that is durable already.
func ended(err error) (rest, error) {
	if err != nil {
		return nil, err
	}
	return func() (any, error) { return done{}, nil }, nil
}

// Portions of a copy: each is one append.
const (
	copyRecords = 4 << 10
	copyBytes   = 64 << 20
)

// copyThread puts the records of one thread to another, as they are and in their order. What the other holds stays, unless it has the
// same checkpoint ids.
func (s *Server) copyThread(ctx context.Context, q *request) (rest, error) {
	from, err := thread("from", q.From)
	if err != nil {
		return nil, err
	}
	to, err := thread("to", q.To)
	if err != nil {
		return nil, err
	}
	var epoch, last uint64
	err = s.view(ctx, from, func(_ *reader, x *index) error {
		if x == nil || x.count() == 0 {
			return faultf(codeNotFound, "thread %q: not found", *q.From)
		}
		epoch, last = x.epoch, x.last
		return nil
	})
	if err != nil || from == to {
		return ended(err)
	}
	return ended(s.copyRecords(ctx, from, to, epoch, last))
}

// copyRecords copies the records of one generation of a thread, up to last.
func (s *Server) copyRecords(ctx context.Context, from, to string, epoch, last uint64) error {
	var recs []*checkpoint.Record
	size := 0
	flush := func() error {
		if len(recs) == 0 {
			return nil
		}
		c, err := s.store.Put(ctx, to, recs...)
		if err != nil {
			return err
		}
		recs, size = recs[:0], 0
		return c.Wait(ctx)
	}
	for r, err := range s.store.RecordsBetween(ctx, from, 0, last) {
		if err == nil && r.Epoch > epoch || errors.Is(err, checkpoint.ErrNotFound) {
			return faultf(codeConflict, "thread %q: it was deleted or written anew while it was copied", from[len(threadPrefix):])
		}
		if err != nil {
			return err
		}
		if r.Kind != checkpoint.KindKV {
			continue
		}
		n := recordSize(r)
		if len(recs) == copyRecords || len(recs) > 0 && size+n > copyBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		recs, size = append(recs, plain(r)), size+n
	}
	return flush()
}

// plain is a record that was read, as it was given to Put.
func plain(r *checkpoint.Record) *checkpoint.Record {
	return &checkpoint.Record{Kind: r.Kind, Namespace: r.Namespace, ID: r.ID, Attrs: r.Attrs, Ops: r.Ops, Meta: r.Meta, Parts: r.Parts}
}

func recordSize(r *checkpoint.Record) int {
	n := len(r.Meta)
	for _, op := range r.Ops {
		n += len(op.Name) + len(op.Value)
	}
	for _, p := range r.Parts {
		n += len(p)
	}
	return n
}
