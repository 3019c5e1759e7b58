package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// A page is what one query of Read returns: rows, and bodies as long as they fit.
const (
	firstPage = 16
	lastPage  = 512
	pageBytes = 4 << 20
)

// Read implements driver.Driver. It holds no connection while the caller looks at a record. What is appended after the first page
// was read is not among the records.
func (s *store) Read(ctx context.Context, thread string, q driver.Query) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		r := &reader{s: s, thread: thread, q: q}
		if err := r.begin(ctx); err != nil {
			yield(nil, err)
			return
		}
		for limit := firstPage; !r.done; limit = min(2*limit, lastPage) {
			page, err := r.next(ctx, limit)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				if !r.take(ctx, &page[i], yield) {
					return
				}
			}
		}
		r.look(ctx, nil, yield)
	}
}

// reader goes through the records of a thread, in pages. It looks at every row between the first and the last that are asked for,
// wanted or not: their ordinals tell whether one is missing.
type reader struct {
	s      *store
	thread string
	q      driver.Query

	accepted uint64
	low      int64 // Seq of the first row to look at, and of the last
	high     int64
	done     bool

	dropped    int64 // records below are read only if they are not before the head of their namespace
	namespaces [][]byte
	heads      []int64 // Seq of the head, by namespaces
	oldest     int64   // of heads

	solid   int64  // from this Seq on no record may be missing
	before  uint32 // ordinal of the record in front of the first row to look at that is not below solid
	last    *row   // looked at before
	highest int64  // Seq of the thread's newest record, if it is asked for, else -1
}

// begin reads what the thread is now.
func (r *reader) begin(ctx context.Context) error {
	from, to := clamp(r.q.From), clamp(r.q.To)
	if to == 0 {
		to = math.MaxInt64
	}
	var first, firstOrd, newest, records int64
	var before *int64
	err := r.s.read(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, r.s.sql(`SELECT t.first_seq, t.dropped, t.first_ordinal, t.last_seq, t.accepted, t.records, r.ordinal, h.*
			FROM {{schema}}.threads t CROSS JOIN LATERAL (
				SELECT coalesce(array_agg(namespace), '{}'), coalesce(array_agg(seq), '{}'), coalesce(min(seq), 0) FROM {{schema}}.heads WHERE thread = t.name AND t.dropped > 0) h
			LEFT JOIN LATERAL (
				SELECT ordinal FROM {{schema}}.records WHERE thread = t.name AND seq >= greatest(t.first_seq, t.dropped) AND seq < $2
				ORDER BY seq DESC LIMIT 1) r ON true
			WHERE t.name = $1`), []byte(r.thread), from).
			Scan(&first, &r.dropped, &firstOrd, &newest, &r.accepted, &records, &before, &r.namespaces, &r.heads, &r.oldest)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return driver.ErrNotFound
	}
	if err != nil {
		return err
	}
	r.low, r.high, r.solid = max(first, from), min(newest, to), max(first, r.dropped)
	if r.before = uint32(firstOrd - 1); before != nil {
		r.before = uint32(*before)
	}
	r.done = records == 0 || r.low > r.high
	if r.highest = -1; !r.done && to >= newest {
		r.highest = newest
	}
	return nil
}

func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// next reads a page. A body that does not fit ends it: the next one begins with that row.
func (r *reader) next(ctx context.Context, limit int) ([]row, error) {
	order := "ASC"
	if r.q.Reverse {
		order = "DESC"
	}
	query := r.s.sql(`SELECT ` + rowColumns + `, wanted, length, CASE WHEN wanted AND (before = 0 OR before + length <= $7) THEN body END
		FROM (SELECT *, octet_length(body)::bigint AS length,
			coalesce(sum(octet_length(body)) FILTER (WHERE wanted) OVER (ORDER BY seq ` + order + ` ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS before
			FROM (SELECT *, ($4 = 0 OR (1 << kind) & $4 <> 0) AND ($5::bytea IS NULL OR namespace = $5 OR (1 << kind) & $8 <> 0)
					AND (seq >= $9 OR seq >= CASE WHEN (1 << kind) & $8 <> 0 THEN $10 ELSE coalesce(($12::bigint[])[array_position($11::bytea[], namespace)], 0) END) AS wanted
				FROM {{schema}}.records WHERE thread = $1 AND seq >= $2 AND seq <= $3 ORDER BY seq ` + order + ` LIMIT $6) AS page) AS sized
		ORDER BY seq ` + order)
	var ns []byte
	if !r.q.AllNamespaces {
		ns = []byte(r.q.Namespace)
	}
	var page []row
	err := r.s.read(ctx, func(ctx context.Context, c *pgx.Conn) error {
		page = make([]row, 0, limit)
		rows, err := c.Query(ctx, query, []byte(r.thread), r.low, r.high, int32(r.q.Kinds), ns, limit, int64(pageBytes), int32(driver.ThreadKinds),
			r.dropped, r.oldest, r.namespaces, r.heads)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w row
			if err := rows.Scan(append(w.targets(), &w.wanted, &w.length, &w.body)...); err != nil {
				return err
			}
			page = append(page, w)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	full := len(page) == limit
	for i := range page {
		if page[i].wanted && page[i].body == nil {
			page, full = page[:i], true
			break
		}
	}
	if r.done = !full; full {
		if last := page[len(page)-1].seq; r.q.Reverse {
			r.high = last - 1
		} else {
			r.low = last + 1
		}
		r.done = r.low > r.high
	}
	return page, nil
}

// take looks at a row and yields its record if it is wanted.
func (r *reader) take(ctx context.Context, w *row, yield func(*driver.Record, error) bool) bool {
	if !r.look(ctx, w, yield) {
		return false
	}
	kept := *w
	kept.body = nil
	r.last = &kept
	if !w.wanted {
		return true
	}
	rec, err := w.record(r.thread)
	if err != nil {
		return yield(nil, r.damage(w.seq, w.length, err.Error()))
	}
	return yield(rec, nil)
}

// look reports records that are missing between the row looked at before and w, which is nil after the last. What was dropped
// since we began, and pruned, is not missing.
func (r *reader) look(ctx context.Context, w *row, yield func(*driver.Record, error) bool) bool {
	seq, reason := r.missing(w)
	if reason == "" {
		return true
	}
	before, firstOrd := r.solid, int64(0)
	err := r.s.read(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, r.s.sql("SELECT greatest(first_seq, dropped, $2), first_ordinal FROM {{schema}}.threads WHERE name = $1"), []byte(r.thread), r.solid).
			Scan(&r.solid, &firstOrd)
	})
	if err != nil {
		yield(nil, err)
		return false
	}
	if r.solid > before { // dropped since we began
		r.before = uint32(firstOrd - 1)
		if seq, reason = r.missing(w); reason == "" {
			return true
		}
	}
	return yield(nil, r.damage(seq, 0, reason))
}

// missing says what is missing in front of w, or behind it when reading backwards. It knows that from ordinals.
func (r *reader) missing(w *row) (seq int64, reason string) {
	switch {
	case r.last == nil && r.q.Reverse || w == nil && !r.q.Reverse: // at the end of the thread
		if at := cmp.Or(w, r.last); r.highest >= r.solid && (at == nil || at.seq != r.highest) {
			return r.highest, "the newest record of the thread is missing"
		}
		return 0, ""
	case r.q.Reverse:
		return r.gap(w, r.last)
	}
	return r.gap(r.last, w)
}

// gap looks at two neighbours. The first is nil if there is none.
func (r *reader) gap(a, b *row) (seq int64, reason string) {
	if b.seq < r.solid {
		return 0, ""
	}
	before := r.before
	if a != nil && a.seq >= r.solid {
		before = uint32(a.ordinal)
	}
	if n := uint32(b.ordinal) - before - 1; n != 0 {
		return b.seq - 1, fmt.Sprintf("%d records of the thread are missing before record %d", n, b.seq)
	}
	return 0, ""
}

func (r *reader) damage(seq, length int64, reason string) error {
	d := &driver.Damage{
		Thread: r.thread, File: r.s.set.schema + "." + recordsTable, Offset: seq, Length: length, Seq: uint64(seq), Reason: reason,
	}
	return r.s.found(d, r.accepted)
}
