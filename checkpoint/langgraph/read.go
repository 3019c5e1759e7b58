package langgraph

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/dashhost/dashhost/checkpoint"
)

// reader reads records of one thread while its index stands still.
type reader struct {
	store  *checkpoint.Store
	thread string
	ctx    context.Context //nolint:containedctx // lives for one view
	recent *recent         // nil: there is no such thread
}

// record reads the record with a Seq that the index has. errMoved: it is not there any more.
func (r *reader) record(seq uint64) (*checkpoint.Record, error) {
	if rec := r.recent.get(seq); rec != nil {
		return rec, nil
	}
	for rec, err := range r.store.RecordsBetween(r.ctx, r.thread, seq, seq) {
		if errors.Is(err, checkpoint.ErrNotFound) {
			break
		}
		if err == nil {
			r.recent.add(rec)
		}
		return rec, err
	}
	return nil, errMoved
}

func (r *reader) header(n *node) (*header, error) {
	rec, err := r.record(n.seq)
	if err != nil {
		return nil, err
	}
	return parseHeader(rec.Meta)
}

// tuple puts a checkpoint together.
func (r *reader) tuple(ns string, s *space, n *node, h *header) (*tuple, error) {
	t := &tuple{
		Thread: r.thread[len(threadPrefix):], NS: ns, ID: n.id, Parent: n.parent, Checkpoint: h.checkpoint, Metadata: h.metadata,
		Values: []valueMessage{}, Writes: []writeMessage{},
	}
	type wanted struct {
		channel, name string
		seq           uint64
	}
	var want []wanted
	for channel, version := range h.versions {
		name := entry(channel, version)
		if from, ok := s.resolve(n, name); ok && !from.empty {
			want = append(want, wanted{channel, name, from.seq})
		}
	}
	slices.SortFunc(want, func(a, b wanted) int { return cmp.Or(cmp.Compare(b.seq, a.seq), cmp.Compare(a.channel, b.channel)) })
	for _, w := range want {
		v, err := r.value(w.name, w.seq)
		if err != nil {
			return nil, err
		}
		t.Values = append(t.Values, valueMessage{Channel: w.channel, Value: v})
	}
	slices.SortFunc(t.Values, func(a, b valueMessage) int { return cmp.Compare(a.Channel, b.Channel) })
	var err error
	t.Writes, err = r.writes(n)
	return t, err
}

// value reads an entry from the record that holds it.
func (r *reader) value(name string, seq uint64) (*typed, error) {
	rec, err := r.record(seq)
	if err != nil {
		return nil, err
	}
	for _, op := range rec.Ops {
		if op.Name == name {
			return decodeValue(op.Value)
		}
	}
	return nil, errMoved
}

// writes are those that count of a checkpoint, in the order in which LangGraph applies them.
func (r *reader) writes(n *node) ([]writeMessage, error) {
	type key struct {
		task  string
		index int64
	}
	type write struct {
		path string
		writeMessage
	}
	all := map[key]write{}
	for _, seq := range n.writes {
		rec, err := r.record(seq)
		if err != nil {
			return nil, err
		}
		w, err := parseWrites(rec)
		if err != nil {
			return nil, err
		}
		for _, m := range w.writes {
			k := key{w.task, m.Index}
			if _, there := all[k]; !there || m.Index < 0 {
				all[k] = write{w.path, m}
			}
		}
	}
	sorted := make([]write, 0, len(all))
	for _, w := range all {
		sorted = append(sorted, w)
	}
	slices.SortFunc(sorted, func(a, b write) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.Task, b.Task), cmp.Compare(a.Index, b.Index))
	})
	out := make([]writeMessage, len(sorted))
	for i, w := range sorted {
		out[i] = w.writeMessage
		out[i].Index = 0 // said by the order
	}
	return out, nil
}

// view calls f with a reader of the thread and its index, nil if there is no such thread.
func (s *Server) view(ctx context.Context, thread string, f func(*reader, *index) error) error {
	return s.cache.view(ctx, thread, func(x *index) error {
		r := &reader{store: s.store, thread: thread, ctx: ctx}
		if x != nil {
			r.recent = x.recent
		}
		return f(r, x)
	})
}

// namespace is the space of a request's ns, absent is "".
func (x *index) namespace(ns *string) (string, *space) {
	if x == nil {
		return "", nil
	}
	if ns == nil {
		return "", x.spaces[""]
	}
	return *ns, x.spaces[*ns]
}

type tupleReply struct {
	Tuple *tuple `json:"tuple"`
}

func (s *Server) getTuple(ctx context.Context, q *request) (any, error) {
	name, err := thread("thread", q.Thread)
	if err != nil {
		return nil, err
	}
	var out tupleReply
	err = s.view(ctx, name, func(r *reader, x *index) error {
		ns, space := x.namespace(q.NS)
		n := space.find(q.CheckpointID)
		if n == nil {
			out.Tuple = nil
			return nil
		}
		h, err := r.header(n)
		if err == nil {
			out.Tuple, err = r.tuple(ns, space, n, h)
		}
		return err
	})
	return &out, err
}

type historyReply struct {
	Channels []channelHistory `json:"channels"`
}

// deltaHistory walks from a checkpoint to its root: what was written to each channel since the nearest ancestor that has a value.
func (s *Server) deltaHistory(ctx context.Context, q *request) (any, error) {
	name, err := thread("thread", q.Thread)
	if err != nil {
		return nil, err
	}
	var out historyReply
	err = s.view(ctx, name, func(r *reader, x *index) error {
		out.Channels = make([]channelHistory, len(q.Channels))
		open := map[int]bool{}
		for i, c := range q.Channels {
			out.Channels[i] = channelHistory{Channel: c, Writes: []writeMessage{}}
			open[i] = true
		}
		_, space := x.namespace(q.NS)
		n := space.find(q.CheckpointID)
		if n == nil {
			return nil
		}
		var err error
		space.ancestors(n, func(a *node) bool {
			err = r.history(space, a, out.Channels, open)
			return err == nil && len(open) > 0
		})
		for i := range out.Channels {
			slices.Reverse(out.Channels[i].Writes)
		}
		return err
	})
	return &out, err
}

// history adds what an ancestor says of the channels that are open: its writes, newest first, and its value, which closes one.
func (r *reader) history(s *space, a *node, channels []channelHistory, open map[int]bool) error {
	h, err := r.header(a)
	if err != nil {
		return err
	}
	writes, err := r.writes(a)
	if err != nil {
		return err
	}
	for i := range channels {
		c := &channels[i]
		if !open[i] {
			continue
		}
		for _, w := range slices.Backward(writes) {
			if w.Channel == c.Channel {
				c.Writes = append(c.Writes, w)
			}
		}
		v, ok := h.versions[c.Channel]
		if !ok {
			continue
		}
		if from, ok := s.resolve(a, entry(c.Channel, v)); ok && !from.empty {
			if c.Seed, err = r.value(entry(c.Channel, v), from.seq); err != nil {
				return err
			}
			delete(open, i)
		}
	}
	return nil
}
