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
// so a lost connection or a deadlock only means to begin again. The contexts of the callers counted while they waited for their
// turn; from here on time limits do.
func (s *store) write(batch []*request) {
	err := s.use(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
		for {
			err := s.transact(ctx, c, batch)
			if err == nil || !retry(err) {
				return err
			}
		}
	})
	switch {
	case err == nil:
	case len(batch) == 1 || errors.As(err, new(*ConnectError)):
		for _, r := range batch {
			r.err = err
		}
	default: // what the server refuses of one is no fault of the others
		for _, r := range batch {
			s.write([]*request{r})
		}
	}
}

// errUnknown is the answer to a batch that may have been written.
func errUnknown(err error) error { return fmt.Errorf("%w: %w", driver.ErrUnknown, err) }

// transact writes a batch in one transaction. An error means that nothing was written, and that it may be tried again if it is one
// that passes; an outcome that is not known is in the err of each append.
//
// Two flights of messages: the first locks the rows of the threads, in the order of their names, and reads them; the second
// writes, commits, and waits until that is durable. The first is left out if this handle knows all of the threads, and the
// server refuses the second if that is out of date.
func (s *store) transact(ctx context.Context, c *pgx.Conn, batch []*request) error {
	b := s.remember(batch)
	fast := b != nil
	if !fast {
		b = &batchState{s: s, table: table.New(), rows: map[string]*threadState{}}
		if err := b.load(ctx, c, batch); err != nil {
			return rollback(c, err)
		}
	}
	if all := b.decide(batch); fast && !all {
		s.forget(batch) // refused, or there already: that must be said of what is there now
		return s.transact(ctx, c, batch)
	}
	if len(b.recs) == 0 {
		return b.flushOnly(ctx, c, batch)
	}
	base, err := b.send(ctx, c, fast, 0)
	if err != nil {
		s.forget(batch)
	}
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
		_ = c.Close(ctx) // the server rolls back what has no client
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
	version  int64
	prior    int64 // its last_seq when it was read
	records  int64
	first    uint64
	firstOrd uint32
	touched  bool // by a record of the batch
	ended    bool // by a tombstone of the batch
	moved    bool // a head that was kept for being one
}

// load begins the transaction, locks the threads of the batch and reads them and their heads.
func (b *batchState) load(ctx context.Context, c *pgx.Conn, batch []*request) error {
	names := make([][]byte, len(batch))
	for i, r := range batch {
		names[i] = []byte(r.thread)
	}
	q := &pgx.Batch{}
	q.Queue(begin)
	q.Queue(b.s.sql("SELECT "+threadColumns+" FROM {{schema}}.threads t WHERE t.name = ANY ($1) ORDER BY t.name FOR UPDATE"), names)
	q.Queue(b.s.sql("SELECT thread, namespace, id, seq, first_event, epoch FROM {{schema}}.heads WHERE thread = ANY ($1)"), names)
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

const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

// first is the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
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
		b.put(th)
		b.rows[th.Name] = &threadState{version: w.version, prior: w.lastSeq, records: w.records, first: uint64(w.first), firstOrd: uint32(w.firstOrd)}
		return nil
	})
	return err
}

// put takes in a thread with the damage that this handle has found.
func (b *batchState) put(th *table.Thread) {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if d := b.s.damaged[th.Name]; d != nil && (d.Seq == 0 || d.Seq >= th.Accepted) {
		th.Damage = d
	}
	b.table.Put(th)
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

// decide applies the rules to each append in turn. What one writes the next one sees. all: each of them writes.
func (b *batchState) decide(batch []*request) (all bool) {
	all = true
	for _, r := range batch {
		r.err, r.cancel = nil, 0
		if th := b.table.Get(r.thread); th != nil && !r.expect.AnyEpoch && b.s.ownerLost(th, r.recs) {
			r.err, all = fmt.Errorf("%w: the lease of this process has ended", driver.ErrFenced), false
			continue
		}
		done, err := b.table.Check(r.thread, r.expect, r.recs)
		switch {
		case err != nil:
			r.err, all = err, false
		case done || len(r.recs) == 0:
			all = false
		default:
			b.add(r)
		}
		if th := b.table.Get(r.thread); th != nil {
			r.cancel = th.Cancel
		}
	}
	return all
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

// send writes, commits and waits for the disk, and begins the transaction before if it is fast. After an error that Is not ErrUnknown nothing was written.
func (b *batchState) send(ctx context.Context, c *pgx.Conn, fast bool, staged int64) (base uint64, err error) {
	q := &pgx.Batch{}
	args := b.arguments(staged)
	if fast {
		q.Queue(begin)
	}
	q.Queue(b.s.sql("SELECT {{schema}}.append("+placeholders(len(args))+")"), args...)
	q.Queue("COMMIT")
	q.Queue(b.s.sql("SELECT {{schema}}.flush()"))
	res := c.SendBatch(ctx, q)
	if fast {
		if _, err := res.Exec(); err != nil {
			_ = res.Close()
			return 0, err
		}
	}
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

// number gives records the numbers that the server gave them, and remembers the threads.
func (b *batchState) number(base uint64, batch []*request) {
	for _, r := range batch {
		real(&r.cancel, base)
		for _, rec := range r.recs {
			if r.err == nil {
				real(&rec.Seq, base)
			}
		}
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	for name, st := range b.rows {
		th := b.table.Get(name)
		if th.Damage == nil {
			delete(b.s.damaged, name)
		}
		b.s.learn(th, st, base)
	}
}

// real makes a provisional number the one that the server gave.
func real(n *uint64, base uint64) {
	if *n >= provisional {
		*n += base - provisional
	}
}

// changed are the threads that the batch writes, in order.
func (b *batchState) changed() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(b.rows)), func(n string) bool { return !b.rows[n].touched })
}
