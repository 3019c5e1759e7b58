package pgstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// provisional is the first of the numbers that records have until the server gives them theirs: it adds what they are above it.
const provisional = 1 << 62

// write deals with a batch and sets err of each of its appends. Until the last flight of messages nothing can have been written,
// so a lost connection or a deadlock only means to begin again.
func (s *store) write(batch []*request) {
	err := s.use(s.ctx, func(ctx context.Context, c *pgx.Conn) error {
		for {
			err := s.transact(ctx, c, batch)
			if err == nil || !retry(err) {
				return err
			}
		}
	})
	if err == nil {
		return
	}
	for _, r := range batch {
		r.err = err
	}
}

// errUnknown is the answer to a batch that may have been written.
func errUnknown(err error) error { return fmt.Errorf("%w: %w", driver.ErrUnknown, err) }

// transact writes a batch in one transaction. An error means that nothing was written, and that it may be tried again if it is one
// that passes; an outcome that is not known is in the err of each append.
//
// Two flights of messages: the first takes the rows of the threads, in the order of their names, and reads them; the second
// writes, commits, and waits until that is durable.
func (s *store) transact(ctx context.Context, c *pgx.Conn, batch []*request) error {
	b := &batchState{s: s, table: table.New(), rows: map[string]*threadState{}}
	if err := b.load(ctx, c, batch); err != nil {
		return rollback(c, err)
	}
	b.decide(batch)
	if len(b.recs) == 0 {
		return b.flushOnly(ctx, c, batch)
	}
	base, err := b.send(ctx, c, 0)
	switch {
	case err == nil:
		b.number(base, batch)
		return nil
	case errors.Is(err, driver.ErrUnknown):
		for _, r := range batch { // those too that only compared: with what the batch was to write
			if r.err == nil {
				r.err = err
			}
		}
		return nil
	}
	return rollback(c, err)
}

const rollbackTime = 2 * time.Second

// rollback ends the transaction of c, whose statement failed with err.
func rollback(c *pgx.Conn, err error) error {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTime)
	defer cancel()
	if _, e := c.Exec(ctx, "ROLLBACK"); e != nil {
		c.Close(ctx) // the server rolls back what has no client
	}
	return err
}

// batchState is a batch between its two flights.
type batchState struct {
	s       *store
	table   *table.Table
	rows    map[string]*threadState
	recs    []*driver.Record // to be written, in their order
	threads []string         // of recs
}

// threadState is what the rules of appends do not know of a thread.
type threadState struct {
	prior    int64 // its last_seq when it was read
	records  int64
	first    uint64
	firstOrd uint32
	touched  bool // by a record of the batch
	ended    bool // by a tombstone of the batch
	moved    bool // a head that was kept for being one
}

// load begins the transaction, locks the threads of the batch and reads what the rules need of them.
func (b *batchState) load(ctx context.Context, c *pgx.Conn, batch []*request) error {
	names, threads, namespaces, whole := b.wanted(batch)
	q := &pgx.Batch{}
	q.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	q.Queue(b.s.sql("SELECT "+threadColumns+" FROM {{schema}}.threads t WHERE t.name = ANY ($1) ORDER BY t.name FOR UPDATE"), names)
	q.Queue(b.s.sql(`SELECT thread, namespace, id, seq, first_event, epoch FROM {{schema}}.heads WHERE (thread, namespace) IN (SELECT * FROM unnest($1::bytea[], $2::bytea[]))
		UNION SELECT thread, namespace, id, seq, first_event, epoch FROM {{schema}}.heads WHERE thread = ANY ($3)`), threads, namespaces, whole)
	res := c.SendBatch(ctx, q)
	_, err := res.Exec()
	if err == nil {
		err = b.loadThreads(res)
	}
	if err == nil {
		err = b.loadHeads(res)
	}
	return first(err, res.Close())
}

// first is the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted is what a batch asks of the tables: its threads, the pairs of thread and namespace whose heads count, and the threads of
// which all do.
func (b *batchState) wanted(batch []*request) (names, threads, namespaces, whole [][]byte) {
	names, threads, namespaces, whole = [][]byte{}, [][]byte{}, [][]byte{}, [][]byte{}
	for _, r := range batch {
		name := []byte(r.thread)
		names = append(names, name)
		seen := map[string]bool{}
		for _, h := range r.expect.Heads {
			seen[h.Namespace] = true
		}
		for _, rec := range r.recs {
			switch rec.Kind {
			case driver.KindStep:
				seen[rec.Namespace] = true
			case driver.KindTombstone:
				whole = append(whole, name)
			}
		}
		for ns := range seen {
			threads, namespaces = append(threads, name), append(namespaces, []byte(ns))
		}
	}
	return names, threads, namespaces, whole
}

func (b *batchState) loadThreads(res pgx.BatchResults) error {
	rows, err := res.Query()
	if err != nil {
		return err
	}
	var w threadRow
	_, err = pgx.ForEachRow(rows, w.targets(), func() error {
		th, err := w.state()
		if err != nil {
			return err
		}
		b.s.mu.Lock()
		if d := b.s.damaged[th.Name]; d != nil && (d.Seq == 0 || d.Seq >= th.Accepted) {
			th.Damage = d
		}
		b.s.mu.Unlock()
		b.table.Put(th)
		b.rows[th.Name] = &threadState{prior: w.lastSeq, records: w.records, first: uint64(w.first), firstOrd: uint32(w.firstOrd)}
		return nil
	})
	return err
}

func (b *batchState) loadHeads(res pgx.BatchResults) error {
	rows, err := res.Query()
	if err != nil {
		return err
	}
	var thread, ns, id []byte
	var seq, event, epoch int64
	_, err = pgx.ForEachRow(rows, []any{&thread, &ns, &id, &seq, &event, &epoch}, func() error {
		if th := b.table.Get(string(thread)); th != nil {
			th.Heads[string(ns)] = table.Head{ID: string(id), Seq: uint64(seq), FirstEvent: uint64(event), Epoch: uint64(epoch)}
		}
		return nil
	})
	return err
}

// decide applies the rules to each append in turn. What one writes the next one sees.
func (b *batchState) decide(batch []*request) {
	for _, r := range batch {
		r.err, r.cancel = nil, 0
		if th := b.table.Get(r.thread); th != nil && !r.expect.AnyEpoch && b.s.ownerLost(th, r.recs) {
			r.err = fmt.Errorf("%w: the lease of this process has ended", driver.ErrFenced)
			continue
		}
		done, err := b.table.Check(r.thread, r.expect, r.recs)
		switch {
		case err != nil:
			r.err = err
		case !done && len(r.recs) > 0:
			b.add(r)
		}
		if th := b.table.Get(r.thread); th != nil {
			r.cancel = th.Cancel
		}
	}
}

// add takes the records of an append.
func (b *batchState) add(r *request) {
	st := b.rows[r.thread]
	if st == nil {
		st = &threadState{}
		b.rows[r.thread] = st
	}
	st.touched = true
	b.table.Number(r.thread, r.recs, provisional+uint64(len(b.recs)))
	for _, rec := range r.recs {
		if th := b.table.Get(r.thread); th != nil && rec.Kind == driver.KindStep && th.Dropped > 0 {
			old := th.Heads[rec.Namespace].Seq
			st.moved = st.moved || old < th.Dropped || old >= provisional
		}
		b.table.Apply(r.thread, rec, table.Ref{})
		b.recs, b.threads = append(b.recs, rec), append(b.threads, r.thread)
		if st.records++; rec.Kind == driver.KindTombstone {
			st.records, st.ended, st.moved = 0, true, false
			st.first, st.firstOrd = rec.Seq+1, rec.Ordinal+1
		} else if rec.Ordinal == 1 {
			st.first, st.firstOrd = rec.Seq, 1
		}
	}
}

// send writes, commits and waits for the disk. After an error that Is not ErrUnknown nothing was written.
func (b *batchState) send(ctx context.Context, c *pgx.Conn, staged int64) (base uint64, err error) {
	q := &pgx.Batch{}
	args := b.arguments(staged)
	q.Queue(b.s.sql("SELECT {{schema}}.append("+placeholders(len(args))+")"), args...)
	q.Queue("COMMIT")
	q.Queue(b.s.sql("SELECT {{schema}}.flush()"))
	res := c.SendBatch(ctx, q)
	var number int64
	if err := res.QueryRow().Scan(&number); errors.As(err, new(*pgconn.PgError)) {
		_ = res.Close() // the same error: nothing of what follows was executed
		return 0, err
	} else if err != nil {
		_ = res.Close()
		return 0, errUnknown(b.s.classify(err))
	}
	_, err = res.Exec()
	if err == nil {
		_, err = res.Exec()
	}
	if err = first(err, res.Close()); err != nil {
		return 0, errUnknown(b.s.classify(err))
	}
	return uint64(number), nil
}

// flushOnly ends a transaction that has nothing to write. Who compares, or appends what is there already, waits for what was
// written before.
func (b *batchState) flushOnly(ctx context.Context, c *pgx.Conn, batch []*request) error {
	q := &pgx.Batch{}
	q.Queue("COMMIT")
	if slices.ContainsFunc(batch, func(r *request) bool { return r.err == nil }) {
		q.Queue(b.s.sql("SELECT {{schema}}.flush()"))
	}
	return c.SendBatch(ctx, q).Close()
}

// number gives records the numbers that the server gave them.
func (b *batchState) number(base uint64, batch []*request) {
	real := func(n *uint64) {
		if *n >= provisional {
			*n += base - provisional
		}
	}
	for _, r := range batch {
		real(&r.cancel)
		for _, rec := range r.recs {
			if r.err == nil {
				real(&rec.Seq)
			}
		}
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	for _, name := range b.threads {
		if th := b.table.Get(name); th.Damage == nil {
			delete(b.s.damaged, name)
		}
	}
}

// changed are the threads that the batch writes, in order.
func (b *batchState) changed() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.rows)), func(n string) bool { return !b.rows[n].touched })
}
