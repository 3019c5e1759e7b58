package langgraph

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dashhost/dashhost/checkpoint"
)

// Strategies of prune.
const (
	keepLatest = "keep_latest"
	deleteAll  = "delete"
)

// counters is the member of a checkpoint's fields that names the channels whose value is made of writes since a snapshot.
const counters = "counters_since_delta_snapshot"

func (s *Server) prune(ctx context.Context, q *request) (rest, error) {
	if q.Strategy != keepLatest && q.Strategy != deleteAll {
		return nil, faultf(codeInvalid, "strategy %q: not one of %s, %s", q.Strategy, keepLatest, deleteAll)
	}
	names := make([]string, len(q.Threads))
	for i := range q.Threads {
		var err error
		if names[i], err = thread("threads", &q.Threads[i]); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		var err error
		if q.Strategy == deleteAll {
			err = s.delete(ctx, name)
		} else {
			err = s.remove(ctx, name, latest)
		}
		if err != nil {
			return nil, err
		}
	}
	return ended(nil)
}

func (s *Server) deleteForRuns(ctx context.Context, q *request) (rest, error) {
	runs := map[string]bool{}
	for _, id := range q.Runs {
		if err := required("runs", id, maxTask); err != nil {
			return nil, err
		}
		runs[id] = true
	}
	if len(runs) == 0 {
		return ended(nil)
	}
	f := checkpoint.Filter{Prefix: threadPrefix, Limit: 256}
	return ended(s.eachThread(ctx, f, func(name string) (bool, error) {
		return true, s.remove(ctx, name, func(r *reader, x *index) (map[*node]bool, error) { return others(r, x, runs) })
	}))
}

// rewrites is how often remove tries to write a thread anew that others write to at the same time.
const rewrites = 3

// remove takes away the checkpoints that keep does not name. The thread is written anew without them, and deleted if none is left; if
// others put to it again and again meanwhile, a record hides them, and their bytes go with the next removal.
func (s *Server) remove(ctx context.Context, thread string, keep func(*reader, *index) (map[*node]bool, error)) error {
	for range s.rewrites {
		var recs []*checkpoint.Record
		var last uint64
		err := s.plan(ctx, thread, keep, func(r *reader, x *index, kept map[*node]bool) (err error) {
			last = x.last
			recs, err = survivors(r, x, kept)
			return err
		})
		if err != nil || last == 0 {
			return err
		}
		c, err := s.store.Rewrite(ctx, thread, last, recs...)
		if err == nil {
			return c.Wait(ctx)
		}
		if !errors.Is(err, checkpoint.ErrConflict) && !errors.Is(err, checkpoint.ErrNotFound) {
			return err
		}
	}
	var recs []*checkpoint.Record
	err := s.plan(ctx, thread, keep, func(_ *reader, x *index, kept map[*node]bool) error {
		recs = removals(x, kept)
		return nil
	})
	if err != nil || len(recs) == 0 {
		return err
	}
	c, err := s.store.Put(ctx, thread, recs...)
	if err != nil {
		return err
	}
	return c.Wait(ctx)
}

// plan asks keep what is to stay and hands that on, if there is anything to do.
func (s *Server) plan(ctx context.Context, thread string, keep func(*reader, *index) (map[*node]bool, error), do func(*reader, *index, map[*node]bool) error) error {
	return s.view(ctx, thread, func(r *reader, x *index) error {
		if x == nil {
			return nil
		}
		kept, err := keep(r, x)
		if err != nil || len(kept) == x.count() && !x.hidden {
			return err
		}
		return do(r, x, kept)
	})
}

// removals hide what is not kept: a record for each namespace.
func removals(x *index, kept map[*node]bool) (recs []*checkpoint.Record) {
	for ns, s := range x.spaces {
		var ids []string
		for id, n := range s.nodes {
			if n.live() && !kept[n] {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			recs = append(recs, removal(ns, ids))
		}
	}
	return recs
}

// count is how many checkpoints a thread has, those too of which there are only writes yet.
func (x *index) count() int {
	n := 0
	for _, s := range x.spaces {
		for _, c := range s.nodes {
			if c.live() {
				n++
			}
		}
	}
	return n
}

// latest are the newest checkpoints of each namespace, and those behind them that their delta channels are made of.
func latest(r *reader, x *index) (map[*node]bool, error) {
	kept := map[*node]bool{}
	for _, s := range x.spaces {
		top := s.newest()
		for _, n := range s.nodes {
			if n.seq == 0 && n.live() && (top == nil || n.id > top.id) {
				kept[n] = true // its checkpoint is yet to come
			}
		}
		if top == nil {
			continue
		}
		kept[top] = true
		h, err := r.header(top)
		if err != nil {
			return nil, err
		}
		open, err := h.deltaChannels()
		if err != nil {
			return nil, err
		}
		if err := r.keepHistory(s, top, h, open, kept); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// deltaChannels are those whose value is not in every checkpoint.
func (h *header) deltaChannels() (map[string]bool, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(h.fields, &fields); err != nil {
		return nil, fmt.Errorf("%w: fields: %w", errRecord, err)
	}
	var since map[string]json.RawMessage
	if raw := fields[counters]; raw != nil {
		if err := json.Unmarshal(raw, &since); err != nil {
			return nil, faultf(codeInvalid, "metadata: %s: %v", counters, err)
		}
	}
	channels := map[string]bool{}
	for c := range since {
		channels[c] = true
	}
	return channels, nil
}

// keepHistory keeps the ancestors of n back to where every open channel has a value.
func (r *reader) keepHistory(s *space, n *node, h *header, open map[string]bool, kept map[*node]bool) (err error) {
	has := func(n *node, h *header) bool {
		maps.DeleteFunc(open, func(c string, _ bool) bool {
			from, ok := s.resolve(n, entry(c, h.versions[c]))
			return ok && !from.empty
		})
		return len(open) == 0
	}
	if has(n, h) {
		return nil
	}
	s.ancestors(n, func(a *node) bool {
		kept[a] = true
		h, err = r.header(a)
		return err == nil && !has(a, h)
	})
	return err
}

// others are the checkpoints that no run of runs made.
func others(r *reader, x *index, runs map[string]bool) (map[*node]bool, error) {
	kept := map[*node]bool{}
	for _, s := range x.spaces {
		for _, n := range s.nodes {
			if n.seq == 0 {
				if n.live() {
					kept[n] = true
				}
				continue
			}
			h, err := r.header(n)
			if err != nil {
				return nil, err
			}
			var made struct {
				RunID any `json:"run_id"`
			}
			if err := json.Unmarshal(h.fields, &made); err != nil {
				return nil, fmt.Errorf("%w: fields: %w", errRecord, err)
			}
			if id, ok := made.RunID.(string); !ok || !runs[id] {
				kept[n] = true
			}
		}
	}
	return kept, nil
}

// survivors are the records of the kept checkpoints and of their writes, in their order. A checkpoint that needs a value that only a
// removed one held gets it.
func survivors(r *reader, x *index, kept map[*node]bool) ([]*checkpoint.Record, error) {
	var recs []*checkpoint.Record
	bySeq := map[*checkpoint.Record]uint64{}
	for _, s := range x.spaces {
		heir := heirs{space: s, kept: kept, given: map[string]bool{}}
		for _, n := range slices.SortedFunc(maps.Values(s.nodes), func(a, b *node) int { return cmp.Compare(a.seq, b.seq) }) {
			if !kept[n] {
				continue
			}
			if n.seq != 0 {
				rec, err := heir.record(r, n)
				if err != nil {
					return nil, err
				}
				recs, bySeq[rec] = append(recs, rec), n.seq
			}
			for _, seq := range n.writes {
				w, err := r.record(seq)
				if err != nil {
					return nil, err
				}
				w = plain(w)
				recs, bySeq[w] = append(recs, w), seq
			}
		}
	}
	slices.SortFunc(recs, func(a, b *checkpoint.Record) int { return cmp.Compare(bySeq[a], bySeq[b]) })
	return recs, nil
}

// heirs hands on the values of removed checkpoints of one namespace.
type heirs struct {
	space *space
	kept  map[*node]bool
	given map[string]bool // entries that a survivor has been given
}

// record is the record of a kept checkpoint with what it inherits.
func (h *heirs) record(r *reader, n *node) (*checkpoint.Record, error) {
	rec, err := r.record(n.seq)
	if err != nil {
		return nil, err
	}
	head, err := parseHeader(rec.Meta)
	if err != nil {
		return nil, err
	}
	rec = plain(rec)
	rec.Ops = slices.Clone(rec.Ops)
	for _, channel := range slices.Sorted(maps.Keys(head.versions)) {
		name := entry(channel, head.versions[channel])
		from, ok := h.space.resolve(n, name)
		if !ok || h.has(n, name, from) {
			continue
		}
		op := checkpoint.Op{Kind: checkpoint.OpDel, Name: name}
		if !from.empty {
			v, err := r.value(name, from.seq)
			if err != nil {
				return nil, err
			}
			op.Kind, op.Value = checkpoint.OpPut, encodeValue(v)
		}
		rec.Ops = append(rec.Ops, op)
		h.given[name] = true
	}
	return rec, nil
}

// has says whether n still finds the entry, and finds the same one, when the removed checkpoints are gone.
func (h *heirs) has(n *node, name string, from source) bool {
	all := h.space.values[name]
	if holder := h.space.nodes[from.id]; len(all) == 1 {
		return h.given[name] || h.kept[holder] && holder.seq == from.seq
	}
	// Several checkpoints put this version: the nearest ancestor's counts, so the way to it must stand.
	found := n.id == from.id && n.seq == from.seq
	h.space.ancestors(n, func(a *node) bool {
		found = found || h.kept[a] && a.id == from.id && a.seq == from.seq
		return !found && h.kept[a]
	})
	return found
}
