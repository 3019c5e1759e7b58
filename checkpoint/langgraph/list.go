package langgraph

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
)

// A page of a list ends at the first of these.
const (
	pageTuples = 256
	pageBytes  = 4 << 20 // of its line, about
)

type listReply struct {
	Tuples []*tuple `json:"tuples"`
	Cursor *cursor  `json:"cursor,omitempty"`
}

// listing is a page in the making.
type listing struct {
	q     *request
	after *cursor // in the thread that is read; nil from the start
	left  int64   // how many tuples are still wanted
	size  int
	out   listReply
}

func (s *Server) list(ctx context.Context, q *request) (any, error) {
	l := &listing{q: q, after: q.Cursor, left: s.page}
	l.out.Tuples = []*tuple{}
	if q.Limit != nil {
		l.left = min(l.left, *q.Limit)
	}
	if l.left <= 0 {
		return &l.out, nil
	}
	if q.Thread != nil {
		name, err := thread("thread", q.Thread)
		if err == nil {
			err = s.listThread(ctx, l, name)
		}
		return &l.out, err
	}
	f := checkpoint.Filter{Prefix: threadPrefix, Limit: 256}
	if l.after != nil { // the thread of the cursor is not finished
		if err := s.listThread(ctx, l, threadPrefix+l.after.Thread); err != nil || l.out.Cursor != nil {
			return &l.out, err
		}
		f.After, l.after = threadPrefix+l.after.Thread, nil
	}
	return &l.out, s.eachThread(ctx, f, func(name string) (more bool, err error) {
		err = s.listThread(ctx, l, name)
		return l.out.Cursor == nil, err
	})
}

// eachThread yields the names of threads, read in portions, so that no list of all threads is kept.
func (s *Server) eachThread(ctx context.Context, f checkpoint.Filter, yield func(name string) (more bool, err error)) error {
	for {
		var names []string
		for info, err := range s.store.Threads(ctx, &f) {
			if err != nil {
				return err
			}
			names = append(names, info.Thread)
		}
		for _, name := range names {
			if more, err := yield(name); err != nil || !more {
				return err
			}
		}
		if len(names) < f.Limit {
			return nil
		}
		f.After = names[len(names)-1]
	}
}

// place is a checkpoint of a thread, in the order of a list.
type place struct {
	ns string
	s  *space
	n  *node
}

// listThread adds the checkpoints of one thread. When the page is full, the cursor says so.
func (s *Server) listThread(ctx context.Context, l *listing, name string) error {
	before := *l
	return s.view(ctx, name, func(r *reader, x *index) error {
		*l = before // from the start again, if the thread was written anew in between
		if x == nil {
			return nil
		}
		for _, p := range l.places(x) {
			h, err := r.header(p.n)
			if err != nil {
				return err
			}
			if ok, err := h.has(l.q.Filter); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
			t, err := r.tuple(p.ns, p.s, p.n, h)
			if err != nil {
				return err
			}
			l.out.Tuples = append(l.out.Tuples, t)
			l.size += t.size()
			if l.left--; l.left == 0 || l.size >= pageBytes {
				l.out.Cursor = &cursor{Thread: t.Thread, ID: t.ID, NS: t.NS}
				return nil
			}
		}
		return nil
	})
}

// places are the checkpoints that the request may mean, by id descending, then by namespace.
func (l *listing) places(x *index) []place {
	var all []place
	for ns, s := range x.spaces {
		if l.q.NS != nil && ns != *l.q.NS {
			continue
		}
		for _, id := range s.ids {
			if l.q.CheckpointID != "" && id != l.q.CheckpointID || l.q.Before != "" && id >= l.q.Before {
				continue
			}
			if l.after != nil && order(id, ns, l.after.ID, l.after.NS) <= 0 {
				continue
			}
			all = append(all, place{ns, s, s.nodes[id]})
		}
	}
	slices.SortFunc(all, func(a, b place) int { return order(a.n.id, a.ns, b.n.id, b.ns) })
	return all
}

func order(id, ns, otherID, otherNS string) int {
	return cmp.Or(strings.Compare(otherID, id), strings.Compare(ns, otherNS))
}
