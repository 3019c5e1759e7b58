package pgstore

import (
	"context"
	"errors"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// Import implements driver.Importer. The records go to a temporary table of the session while they come, so nobody waits for where
// they come from; in the end they move in one append, which holds the log for as long as the server copies them.
func (s *store) Import(ctx context.Context, thread string, recs iter.Seq2[*driver.Record, error]) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.ErrReadOnly
	}
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.classify(err)
	}
	defer c.Release()
	i := &importing{s: s, thread: thread, conn: c.Conn(), table: table.New()}
	if err := i.run(ctx, recs); err != nil {
		return rollback(i.conn, err)
	}
	return nil
}

// importing is an import on its way.
type importing struct {
	s      *store
	thread string
	conn   *pgx.Conn
	table  *table.Table

	chunk []*driver.Record
	size  int64
	count uint64
}

func (i *importing) run(ctx context.Context, recs iter.Seq2[*driver.Record, error]) error {
	if err := i.begin(ctx); err != nil {
		return i.s.classify(err)
	}
	for r, err := range recs {
		if err != nil {
			return err
		}
		if int64(len(r.Body)) > maxAppend {
			return &driver.TooLarge{What: "record", Max: maxAppend, Got: int64(len(r.Body))}
		}
		own := *r // the numbers are ours, the buffers its
		i.number(&own)
		i.chunk = append(i.chunk, &own)
		if i.size += int64(len(r.Body)) + recordCost; i.size > batchBytes {
			if err := i.stage(ctx); err != nil {
				return i.s.classify(err)
			}
		}
	}
	if err := i.stage(ctx); err != nil {
		return i.s.classify(err)
	}
	return i.finish(ctx)
}

// begin looks whether the thread is free, and makes the table. The transaction may last as long as the other store takes.
func (i *importing) begin(ctx context.Context) error {
	for _, stmt := range []string{
		"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		"SET LOCAL idle_in_transaction_session_timeout = 0",
		"SET LOCAL lock_timeout = 0",
		"CREATE TEMPORARY TABLE staged (LIKE {{schema}}.records INCLUDING STORAGE) ON COMMIT DROP",
	} {
		if _, err := i.conn.Exec(ctx, i.s.sql(stmt)); err != nil {
			return err
		}
	}
	var taken bool
	if err := i.conn.QueryRow(ctx, i.s.sql("SELECT EXISTS (SELECT FROM {{schema}}.threads WHERE name = $1)"), []byte(i.thread)).Scan(&taken); err != nil || !taken {
		return err
	}
	return driver.ErrConflict
}

// number gives a record its provisional number and takes in what follows from it.
func (i *importing) number(r *driver.Record) {
	i.table.NumberImport(i.thread, []*driver.Record{r}, provisional+i.count, 0)
	r.Ordinal = uint32(i.count) + 1
	i.table.Import(i.thread, r, table.Ref{}, true)
	i.count++
}

// stage writes what was gathered to the temporary table.
func (i *importing) stage(ctx context.Context) error {
	b := &batchState{s: i.s, recs: i.chunk, threads: make([]string, len(i.chunk))}
	for j := range b.threads {
		b.threads[j] = i.thread
	}
	args := b.recordRows()
	i.chunk, i.size = nil, 0
	_, err := i.conn.CopyFrom(ctx, pgx.Identifier{"pg_temp", "staged"}, recordColumns(), pgx.CopyFromRows(args))
	return err
}

// finish moves the records and makes the thread.
func (i *importing) finish(ctx context.Context) error {
	th := i.table.Get(i.thread)
	if th == nil { // no record: no thread
		_, err := i.conn.Exec(ctx, "ROLLBACK")
		return err
	}
	b := &batchState{s: i.s, table: i.table, rows: map[string]*threadState{}}
	b.rows[i.thread] = &threadState{records: int64(len(th.Refs)), first: provisional, firstOrd: 1, touched: true}
	_, err := b.send(ctx, i.conn, false, int64(i.count))
	switch {
	case retry(err):
		return driver.ErrConflict
	case errors.Is(err, driver.ErrUnknown):
		return err
	}
	return i.s.classify(err)
}
