package main

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// eventLog reads the lifecycle events of a store, or of one thread of it, in the order of the store's log.
type eventLog struct {
	store  *checkpoint.Store
	thread string // "" = all
	seen   map[string]seen
}

// seen is how far a thread was read.
type seen struct {
	epoch   uint64 // of the thread and
	records int64  // how many it had: as long as both are the same, there is nothing to read
	seq     uint64 // of the last record
	step    time.Time
}

// next yields the events that were recorded since the call before. After an error that Is checkpoint.ErrDamaged it goes on
// with what comes after the damage.
func (l *eventLog) next(ctx context.Context) iter.Seq2[*eventRow, error] {
	return func(yield func(*eventRow, error) bool) {
		threads, err := l.changed(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		m := merge{log: l}
		defer m.close()
		for rec, err := range m.records(ctx, threads) {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			if !l.events(rec, yield) {
				return
			}
		}
	}
}

// changed lists the threads with records that were not read, oldest first.
func (l *eventLog) changed(ctx context.Context) ([]*checkpoint.ThreadInfo, error) {
	var changed []*checkpoint.ThreadInfo
	add := func(info *checkpoint.ThreadInfo) {
		if was := l.seen[info.Thread]; info.Records != was.records || info.Epoch != was.epoch {
			changed = append(changed, info)
		}
	}
	if l.thread != "" {
		info, err := l.store.Thread(ctx, l.thread)
		if errors.Is(err, checkpoint.ErrNotFound) {
			return nil, nil // deleted since
		}
		if err != nil {
			return nil, err
		}
		add(info)
		return changed, nil
	}
	for info, err := range l.store.Threads(ctx, nil) {
		if err != nil {
			return nil, err
		}
		add(info)
	}
	slices.SortStableFunc(changed, func(a, b *checkpoint.ThreadInfo) int { return cmp.Compare(a.Created, b.Created) })
	return changed, nil
}

// events yields those of a record. A step's duration is the time since the step before it of its thread.
func (l *eventLog) events(rec *checkpoint.Record, yield func(*eventRow, error) bool) bool {
	was := l.seen[rec.Thread]
	was.seq = rec.Seq
	events, err := host.RecordEvents(rec)
	if err != nil {
		l.seen[rec.Thread] = was
		return yield(nil, err)
	}
	for i := range events {
		e := &events[i]
		if e.Type == host.EventStep {
			if !was.step.IsZero() {
				e.Duration = e.Time.Sub(was.step)
			}
			was.step = e.Time
		}
		l.seen[rec.Thread] = was
		if !yield(rowOfEvent(e), nil) {
			return false
		}
	}
	l.seen[rec.Thread] = was
	return true
}

// merge puts the records of several threads into one order, that of their Seq. A thread is opened when the others have come to
// the time it was created at, so as many are open as were in use at one time.
type merge struct {
	log  *eventLog
	open heads
}

// head is an open thread and the next record of it.
type head struct {
	rec  *checkpoint.Record
	next func() (*checkpoint.Record, error, bool)
	stop func()
}

func (m *merge) records(ctx context.Context, threads []*checkpoint.ThreadInfo) iter.Seq2[*checkpoint.Record, error] {
	return func(yield func(*checkpoint.Record, error) bool) {
		for len(threads) > 0 || len(m.open) > 0 {
			if len(threads) > 0 && (len(m.open) == 0 || threads[0].Created <= m.open[0].rec.Time) {
				h := m.start(ctx, threads[0])
				threads = threads[1:]
				if !m.advance(h, false, yield) {
					return
				}
				continue
			}
			h := m.open[0]
			if !yield(h.rec, nil) || !m.advance(h, true, yield) {
				return
			}
		}
	}
}

func (m *merge) start(ctx context.Context, info *checkpoint.ThreadInfo) *head {
	was := m.log.seen[info.Thread]
	was.epoch, was.records = info.Epoch, info.Records
	m.log.seen[info.Thread] = was
	h := &head{}
	h.next, h.stop = iter.Pull2(m.log.store.Records(ctx, info.Thread))
	return h
}

// advance takes the next unread record of a thread, which is in the heap or comes into it, and yields the errors on the way.
func (m *merge) advance(h *head, inHeap bool, yield func(*checkpoint.Record, error) bool) bool {
	for {
		rec, err, ok := h.next()
		switch {
		case !ok:
			if inHeap {
				heap.Pop(&m.open)
			}
			h.stop()
			return true
		case errors.Is(err, checkpoint.ErrNotFound):
			continue // deleted since
		case err != nil:
			if !yield(nil, err) {
				h.stop()
				return false
			}
			continue
		case rec.Seq <= m.log.seen[rec.Thread].seq:
			continue
		}
		h.rec = rec
		if inHeap {
			heap.Fix(&m.open, 0)
		} else {
			heap.Push(&m.open, h)
		}
		return true
	}
}

func (m *merge) close() {
	for _, h := range m.open {
		h.stop()
	}
}

// heads is a heap of open threads, the one with the oldest record first.
type heads []*head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return h[i].rec.Seq < h[j].rec.Seq }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop implements heap.Interface.
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
