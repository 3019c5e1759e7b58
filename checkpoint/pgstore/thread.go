package pgstore

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// threadRow is a row of threads.
type threadRow struct {
	name                              []byte
	epoch                             int64
	claimed                           bool
	owner                             []byte
	deleted                           bool
	minID, attrs                      []byte
	due, created, updated             int64
	records, events, lastSeq, cancel  int64
	accepted, ordinal, first, dropped int64
	firstOrd, version                 int64
}

const threadColumns = "t.name, t.epoch, t.claimed, t.owner, t.deleted, t.min_id, t.attrs, t.due, t.created, t.updated, t.records, t.events, " +
	"t.last_seq, t.cancel, t.accepted, t.ordinal, t.first_seq, t.dropped, t.first_ordinal, t.version"

func (w *threadRow) targets() []any {
	return []any{
		&w.name, &w.epoch, &w.claimed, &w.owner, &w.deleted, &w.minID, &w.attrs, &w.due, &w.created, &w.updated, &w.records, &w.events,
		&w.lastSeq, &w.cancel, &w.accepted, &w.ordinal, &w.first, &w.dropped, &w.firstOrd, &w.version,
	}
}

// attributes decodes the attributes of the thread.
func (w *threadRow) attributes() ([]driver.Attr, error) {
	attrs, err := parseAttrs(w.attrs)
	if err != nil {
		return nil, &driver.Damage{Thread: string(w.name), File: threadsTable, Reason: err.Error()}
	}
	return attrs, nil
}

// state is the row as the rules of appends want it. Whether there are records is all that they ask of Refs.
func (w *threadRow) state() (*table.Thread, error) {
	attrs, err := w.attributes()
	if err != nil {
		return nil, err
	}
	th := &table.Thread{
		Name: string(w.name), Epoch: uint64(w.epoch), Claimed: w.claimed, Deleted: w.deleted, Owner: string(w.owner),
		Heads: map[string]table.Head{}, MinID: string(w.minID), Due: w.due, Created: w.created, Updated: w.updated,
		Events: uint64(w.events), LastSeq: uint64(w.lastSeq), Cancel: uint64(w.cancel), Count: uint32(w.ordinal),
		Accepted: uint64(w.accepted), Dropped: uint64(w.dropped), Attrs: map[string]string{},
	}
	for _, a := range attrs {
		th.Attrs[a.Name] = a.Value
	}
	if w.records > 0 {
		th.Refs = []table.Ref{{}}
	}
	return th, nil
}

// info is the row as callers of the driver want it.
func (w *threadRow) info(namespaces, ids [][]byte) (*driver.Thread, error) {
	attrs, err := w.attributes()
	if err != nil {
		return nil, err
	}
	t := &driver.Thread{
		Name: string(w.name), Epoch: uint64(w.epoch), Claimed: w.claimed, Owner: string(w.owner), Deleted: w.deleted,
		MinID: string(w.minID), Attrs: attrs, Due: w.due, Created: w.created, Updated: w.updated, Records: w.records,
		Events: uint64(w.events), LastSeq: uint64(w.lastSeq), Cancel: uint64(w.cancel), Accepted: uint64(w.accepted),
		Dropped: uint64(w.dropped), Reserved: table.Reserved(string(w.name)),
	}
	for i, ns := range namespaces {
		t.Heads = append(t.Heads, driver.Head{Namespace: string(ns), ID: string(ids[i])})
	}
	return t, nil
}

// withHeads selects threads with their heads as two arrays.
const withHeads = "SELECT " + threadColumns + `, h.namespaces, h.ids FROM {{schema}}.threads t CROSS JOIN LATERAL (
	SELECT coalesce(array_agg(namespace ORDER BY namespace), '{}') AS namespaces, coalesce(array_agg(id ORDER BY namespace), '{}') AS ids
	FROM {{schema}}.heads WHERE thread = t.name) h `

// list runs a query that begins with withHeads.
func (s *store) list(ctx context.Context, query string, args ...any) ([]*driver.Thread, error) {
	var out []*driver.Thread
	err := s.read(ctx, func(ctx context.Context, c *pgx.Conn) error {
		out = out[:0]
		rows, err := c.Query(ctx, s.sql(query), args...)
		if err != nil {
			return err
		}
		var w threadRow
		var namespaces, ids [][]byte
		_, err = pgx.ForEachRow(rows, append(w.targets(), &namespaces, &ids), func() error {
			t, err := w.info(namespaces, ids)
			if err != nil {
				return err
			}
			out = append(out, t)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	s.addDamage(out)
	return out, nil
}

// Thread implements driver.Driver.
func (s *store) Thread(ctx context.Context, thread string) (*driver.Thread, error) {
	ts, err := s.list(ctx, withHeads+"WHERE t.name = $1", []byte(thread))
	if err != nil {
		return nil, err
	}
	if len(ts) == 0 {
		return nil, driver.ErrNotFound
	}
	return ts[0], nil
}

// listPage is how many threads one query returns.
const listPage = 500

// Threads implements driver.Driver.
func (s *store) Threads(ctx context.Context, f driver.Filter) iter.Seq2[*driver.Thread, error] {
	return func(yield func(*driver.Thread, error) bool) {
		after, left := f.After, f.Limit
		for {
			limit := listPage
			if f.Limit > 0 {
				limit = min(limit, left)
			}
			ts, err := s.threadsPage(ctx, f, after, limit)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, t := range ts {
				if !yield(t, nil) {
					return
				}
			}
			if left -= len(ts); len(ts) < limit || f.Limit > 0 && left == 0 {
				return
			}
			after = ts[len(ts)-1].Name
		}
	}
}

// threadsPage returns at most limit threads after a name.
func (s *store) threadsPage(ctx context.Context, f driver.Filter, after string, limit int) ([]*driver.Thread, error) {
	query := strings.Builder{}
	query.WriteString(withHeads + `WHERE NOT t.deleted AND t.name > $1 AND t.name >= $2 AND substring(t.name FROM 1 FOR $3) = $2 AND ` + reserved + ` = $4`)
	args := []any{[]byte(after), []byte(f.Prefix), len(f.Prefix), f.Reserved}
	for n, v := range f.Attrs {
		want := ">"
		if args = append(args, encodeAttrs([]driver.Attr{{Name: n, Value: v}})); v == "" { // it has none of that name
			want, args[len(args)-1] = "=", []byte(attrName(n))
		}
		fmt.Fprintf(&query, " AND position($%d::bytea IN t.attrs) %s 0", len(args), want)
	}
	if end, ok := prefixEnd(f.Prefix); ok {
		args = append(args, end)
		fmt.Fprintf(&query, " AND t.name < $%d", len(args))
	}
	args = append(args, limit)
	fmt.Fprintf(&query, " ORDER BY t.name LIMIT $%d", len(args))
	return s.list(ctx, query.String(), args...)
}

// prefixEnd is the least name that is greater than all that begin with prefix; there is none behind a prefix of bytes 0xff.
func prefixEnd(prefix string) ([]byte, bool) {
	b := []byte(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xff {
			b[i]++
			return b[:i+1], true
		}
	}
	return nil, false
}

// reserved says of a thread whether it is no user's.
const reserved = `(substring(t.name FROM 1 FOR 1) = '\x01'::bytea)`

// Due implements driver.Driver.
func (s *store) Due(ctx context.Context, before int64, limit int) ([]*driver.Thread, error) {
	return s.list(ctx, withHeads+"WHERE t.due > 0 AND t.due <= $1 AND NOT "+reserved+" ORDER BY t.due, t.name LIMIT $2", before, max(limit, 0))
}

// addDamage sets the Damage of threads that this handle has found damaged.
func (s *store) addDamage(ts []*driver.Thread) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range ts {
		if d := s.damaged[t.Name]; d != nil && (d.Seq == 0 || d.Seq >= t.Accepted) {
			own := *d
			t.Damage = &own
		}
	}
}

// found notes that a record cannot be read, unless that was accepted, and returns the damage as a caller gets it.
func (s *store) found(d *driver.Damage, accepted uint64) *driver.Damage {
	own := *d
	if d.Seq != 0 && d.Seq < accepted {
		own.Accepted = true
		return &own
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.damaged[d.Thread] == nil {
		s.damaged[d.Thread] = &own
	}
	return d
}
