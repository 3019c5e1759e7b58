package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// Identity implements driver.Maintenance.
func (s *store) Identity() ([16]byte, uint64) { return s.id, s.inc }

// Stats implements driver.Maintenance. Bytes are those of the tables, what is free in them among it.
func (s *store) Stats(ctx context.Context) (*driver.Stats, error) {
	st := &driver.Stats{Version: version, Free: -1}
	err := s.read(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, s.sql(`SELECT count(*) FILTER (WHERE NOT deleted AND NOT `+reserved+`), count(*) FILTER (WHERE deleted AND NOT `+reserved+`), count(*) FILTER (WHERE `+reserved+`),
				coalesce(sum(records), 0)::bigint, `+dataSize+`, pg_indexes_size('{{schema}}.records') + pg_total_relation_size('{{schema}}.heads'),
				(SELECT count(*) FROM {{schema}}.owners WHERE lease_until > clock_timestamp())
			FROM {{schema}}.threads t`)).Scan(&st.Threads, &st.Deleted, &st.Reserved, &st.Records, &st.Bytes, &st.Index, &st.Owners)
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	st.Damaged = int64(len(s.damaged))
	s.mu.Unlock()
	return st, nil
}

const dataSize = `pg_table_size('{{schema}}.records') + pg_table_size('{{schema}}.threads')`

// unwantedRows are records that nobody can read: of generations before, dropped, or of no thread.
const unwantedRows = `FROM {{schema}}.records r LEFT JOIN {{schema}}.threads t ON t.name = r.thread
	WHERE t.name IS NULL OR r.seq < t.first_seq OR t.dropped > 0 AND {{schema}}.unwanted(r, t.dropped)`

// pruneRows is how many rows one transaction of Prune deletes: others wait for the threads in it.
const pruneRows = 1000

// Prune implements driver.Maintenance. Rows are deleted a few at a time, and what they took is free for new ones after a VACUUM,
// which PruneOptions.Now runs and the server does by itself otherwise. Owners that have been dead for a week and hold nothing go too.
func (s *store) Prune(ctx context.Context, o *driver.PruneOptions) (*driver.PruneReport, error) {
	if o == nil {
		o = &driver.PruneOptions{}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly && !o.DryRun {
		return nil, driver.ErrReadOnly
	}
	rep := &driver.PruneReport{}
	var rows, bytes int64
	err := s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, s.sql("SELECT count(*), coalesce(sum(pg_column_size(r.*)), 0)::bigint, "+dataSize+" "+unwantedRows)).Scan(&rows, &bytes, &rep.Before)
	})
	if rep.After = rep.Before; err != nil {
		return nil, err
	}
	if o.DryRun {
		rep.After -= bytes
		return rep, nil
	}
	for done, n := int64(0), int64(1); n > 0; done += n {
		if o.Progress != nil {
			o.Progress(min(done, rows), rows)
		}
		if n, err = s.pruneSome(ctx); err != nil {
			return nil, err
		}
	}
	return rep, s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.Exec(ctx, s.sql(`DELETE FROM {{schema}}.owners o WHERE lease_until < clock_timestamp() - interval '7 days'
			AND NOT EXISTS (SELECT FROM {{schema}}.threads t WHERE t.claimed AND t.owner = o.id)`)); err != nil {
			return err
		}
		if o.Now {
			if _, err := c.Exec(ctx, s.sql("VACUUM {{schema}}.records, {{schema}}.threads, {{schema}}.heads")); err != nil {
				return err
			}
		}
		return c.QueryRow(ctx, s.sql("SELECT "+dataSize)).Scan(&rep.After)
	})
}

func (s *store) pruneSome(ctx context.Context) (deleted int64, err error) {
	err = s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		tag, err := c.Exec(ctx, s.sql("DELETE FROM {{schema}}.records d USING (SELECT r.thread, r.seq "+unwantedRows+" LIMIT $1) u WHERE d.thread = u.thread AND d.seq = u.seq"), pruneRows)
		deleted = tag.RowsAffected()
		return err
	})
	return deleted, err
}

// Verify implements driver.Maintenance. It reads every record that can be read, and compares threads with theirs.
func (s *store) Verify(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	st, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	done := int64(0)
	for _, f := range []driver.Filter{{}, {Reserved: true}} {
		for t, err := range s.Threads(ctx, f) {
			if err != nil {
				return err
			}
			n, err := s.verifyThread(ctx, t, report)
			if err != nil {
				return err
			}
			if done += n; p != nil {
				p(min(done, st.Bytes), st.Bytes)
			}
		}
	}
	return nil
}

// verifyThread reads a thread and returns how many bytes that were.
func (s *store) verifyThread(ctx context.Context, t *driver.Thread, report func(*driver.Damage)) (size int64, err error) {
	heads := map[string]string{}
	count, last := int64(0), uint64(0)
	sound := true
	for r, err := range s.Read(ctx, t.Name, driver.Query{AllNamespaces: true, To: t.LastSeq}) {
		var d *driver.Damage
		if errors.As(err, &d) {
			report(d)
			sound = false
			continue
		}
		if err != nil {
			return size, err
		}
		size += int64(len(r.Body)) + recordCost
		count, last = count+1, r.Seq
		if r.Kind == driver.KindStep {
			heads[r.Namespace] = r.ID
		}
	}
	if !sound {
		return size, nil
	}
	now, err := s.Thread(ctx, t.Name)
	if err != nil || now.LastSeq != t.LastSeq || now.Dropped != t.Dropped { // it has gone on since
		return size, err
	}
	reason := ""
	for _, h := range t.Heads {
		if heads[h.Namespace] != h.ID {
			reason = fmt.Sprintf("namespace %q: the head is said to be %q, the newest step is %q", h.Namespace, h.ID, heads[h.Namespace])
		}
	}
	switch {
	case reason != "":
	case len(heads) != len(t.Heads):
		reason = fmt.Sprintf("%d namespaces have a head, %d have steps", len(t.Heads), len(heads))
	case count != t.Records || count > 0 && last != t.LastSeq && !table.Reserved(t.Name):
		reason = fmt.Sprintf("%d records up to %d are said to be there, %d up to %d are", t.Records, t.LastSeq, count, last)
	}
	if reason != "" {
		d := &driver.Damage{Thread: t.Name, File: s.set.schema + "." + threadsTable, Reason: reason}
		report(s.found(d, t.Accepted))
	}
	return size, nil
}

// Repair implements driver.Maintenance. There are no copies and nothing that is derived: the server keeps both for itself.
func (s *store) Repair(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	return s.Verify(ctx, report, p)
}
