package pgstore

import (
	"strconv"
	"strings"
)

// Columns of a batch, one slice each, as the function append takes them.

type threadColumnsOf struct {
	name, owner, minID, attrs                                           [][]byte
	claimed, deleted                                                    []bool
	version, prior, epoch, due, created, updated, records, events       []int64
	lastSeq, cancel, accepted, ordinal, firstSeq, dropped, firstOrdinal []int64
}

type headColumnsOf struct {
	thread, namespace, id  [][]byte
	seq, firstEvent, epoch []int64
}

type recordColumnsOf struct {
	thread, namespace, id, parent, task, owner, attrs, body       [][]byte
	seq, ordinal, epoch, firstEvent, time, due, events, size, sum []int64
	kind, codec                                                   []int16
	flags                                                         []int32
}

// arguments of the function append, in its order. staged is how many records of an import wait in their table.
func (b *batchState) arguments(staged int64) []any {
	t, h, ended, moved := b.threadArguments()
	r := b.recordArguments()
	return []any{
		t.name, t.version, t.prior, t.epoch, t.claimed, t.owner, t.deleted, t.minID, t.attrs, t.due, t.created, t.updated, t.records, t.events,
		t.lastSeq, t.cancel, t.accepted, t.ordinal, t.firstSeq, t.dropped, t.firstOrdinal,
		ended, moved,
		h.thread, h.namespace, h.id, h.seq, h.firstEvent, h.epoch,
		r.thread, r.seq, r.ordinal, r.epoch, r.firstEvent, r.kind, r.namespace, r.id, r.parent, r.task, r.owner, r.attrs, r.time,
		r.due, r.events, r.flags, r.codec, r.size, r.sum, r.body,
		staged,
	}
}

func (b *batchState) threadArguments() (t threadColumnsOf, h headColumnsOf, ended, moved [][]byte) {
	ended, moved = [][]byte{}, [][]byte{}
	h.thread, h.namespace, h.id = [][]byte{}, [][]byte{}, [][]byte{}
	h.seq, h.firstEvent, h.epoch = []int64{}, []int64{}, []int64{}
	for _, name := range b.changed() {
		th, st := b.table.Get(name), b.rows[name]
		key := []byte(name)
		if st.ended {
			ended = append(ended, key)
		}
		if st.moved {
			moved = append(moved, key)
		}
		for ns, head := range th.Heads {
			if head.Seq < provisional { // not of this batch
				continue
			}
			h.thread, h.namespace, h.id = append(h.thread, key), append(h.namespace, []byte(ns)), append(h.id, []byte(head.ID))
			h.seq, h.firstEvent, h.epoch = append(h.seq, int64(head.Seq)), append(h.firstEvent, int64(head.FirstEvent)), append(h.epoch, int64(head.Epoch))
		}
		t.name, t.owner, t.minID = append(t.name, key), append(t.owner, []byte(th.Owner)), append(t.minID, []byte(th.MinID))
		t.attrs = append(t.attrs, encodeAttrs(sortedAttrs(th.Attrs)))
		t.claimed, t.deleted = append(t.claimed, th.Claimed), append(t.deleted, th.Deleted)
		t.version = append(t.version, st.version+1)
		t.prior, t.epoch = append(t.prior, st.prior), append(t.epoch, int64(th.Epoch))
		t.due, t.created, t.updated = append(t.due, th.Due), append(t.created, th.Created), append(t.updated, th.Updated)
		t.records, t.events = append(t.records, st.records), append(t.events, int64(th.Events))
		t.lastSeq, t.cancel, t.accepted = append(t.lastSeq, int64(th.LastSeq)), append(t.cancel, int64(th.Cancel)), append(t.accepted, int64(th.Accepted))
		t.ordinal = append(t.ordinal, int64(th.Count))
		t.firstSeq, t.dropped, t.firstOrdinal = append(t.firstSeq, int64(st.first)), append(t.dropped, int64(th.Dropped)), append(t.firstOrdinal, int64(st.firstOrd))
	}
	return t, h, ended, moved
}

func (b *batchState) recordArguments() (c recordColumnsOf) {
	c.thread, c.seq = [][]byte{}, []int64{}
	for i, r := range b.recs {
		body := r.Body
		if body == nil {
			body = []byte{}
		}
		thread := b.threads[i]
		c.thread, c.namespace, c.id = append(c.thread, []byte(thread)), append(c.namespace, []byte(r.Namespace)), append(c.id, []byte(r.ID))
		c.parent, c.task, c.owner = append(c.parent, []byte(r.Parent)), append(c.task, []byte(r.Task)), append(c.owner, []byte(r.Owner))
		c.attrs, c.body = append(c.attrs, encodeAttrs(r.Attrs)), append(c.body, body)
		c.seq, c.ordinal = append(c.seq, int64(r.Seq)), append(c.ordinal, int64(r.Ordinal))
		c.epoch, c.firstEvent = append(c.epoch, int64(r.Epoch)), append(c.firstEvent, int64(r.FirstEvent))
		c.time, c.due, c.events = append(c.time, r.Time), append(c.due, r.Due), append(c.events, int64(r.Events))
		c.size, c.sum = append(c.size, r.Size), append(c.sum, int64(sum(thread, r)))
		c.kind, c.codec, c.flags = append(c.kind, int16(r.Kind)), append(c.codec, int16(r.Codec)), append(c.flags, int32(r.Flags))
	}
	return c
}

// recordColumns are the columns of records in the order of recordRows.
func recordColumns() []string {
	return strings.Split("thread, seq, ordinal, epoch, first_event, kind, namespace, id, parent, task, owner, attrs, time, due, events, flags, codec, size, sum, body", ", ")
}

// recordRows are the records as rows.
func (b *batchState) recordRows() [][]any {
	c := b.recordArguments()
	rows := make([][]any, len(b.recs))
	for i := range rows {
		rows[i] = []any{
			c.thread[i], c.seq[i], c.ordinal[i], c.epoch[i], c.firstEvent[i], c.kind[i], c.namespace[i], c.id[i], c.parent[i], c.task[i],
			c.owner[i], c.attrs[i], c.time[i], c.due[i], c.events[i], c.flags[i], c.codec[i], c.size[i], c.sum[i], c.body[i],
		}
	}
	return rows
}

// placeholders is $1, $2 and so on.
func placeholders(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(list, ", ")
}
