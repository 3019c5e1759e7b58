package kafkasink

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming/driver"
)

// write is one call of Write. It holds copies, as the client may still use them after the call was left.
type write struct {
	stream  string
	records []kgo.Record
	ids     [][16]byte
	done    chan struct{} // closed with taken and err

	// Guarded by Sink.mu until done is closed.
	taken   int // of records: acknowledged, as are all before
	err     error
	sending bool // a part of it is on its way
	left    bool // nobody waits for it
	over    bool // done is closed
}

func newWrite(stream string, records []driver.Record) *write {
	w := &write{stream: stream, records: make([]kgo.Record, len(records)), ids: make([][16]byte, len(records)), done: make(chan struct{})}
	size, headers := 0, 0
	for i := range records {
		size += records[i].Size()
		headers += len(records[i].Headers)
	}
	text, all := make([]byte, 0, size), make([]kgo.RecordHeader, 0, headers)
	keep := func(b []byte) []byte {
		from := len(text)
		text = append(text, b...)
		return text[from:len(text):len(text)]
	}
	for i := range records {
		r, k := &records[i], &w.records[i]
		w.ids[i] = r.ID
		k.Timestamp = time.UnixMicro(r.Time)
		k.Value = keep(r.Value)
		if len(r.Key) > 0 {
			k.Key = keep(r.Key)
		}
		from := len(all)
		for _, h := range r.Headers {
			all = append(all, kgo.RecordHeader{Key: h.Key, Value: keep(h.Value)})
		}
		k.Headers = all[from:len(all):len(all)]
	}
	return w
}

// part is what of a write goes in one round.
type part struct {
	w        *write
	from, to int
}

// run sends what is written, in rounds, until the sink is closed and the queue empty.
func (s *Sink) run() {
	defer close(s.stopped)
	for {
		parts, open := s.next()
		if len(parts) == 0 {
			if !open {
				return
			}
			<-s.wake
			continue
		}
		r := s.send(parts)
		for _, p := range parts {
			s.settle(r, p)
		}
	}
}

// next takes from the queue as much as a round holds; open is false if nothing will follow.
func (s *Sink) next() (parts []part, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending = s.sending[:0]
	count, size, n := 0, 0, 0
	for n < len(s.queue) {
		w := s.queue[n]
		if w.left && !w.over {
			w.finish(w.taken, nil)
		}
		if w.over { // a part of it failed, or nobody waits for the rest
			n++
			continue
		}
		to := w.taken
		for to < len(w.records) && count < s.o.Records {
			if size += recordSize(&w.records[to]); size > s.o.Bytes && count > 0 {
				break
			}
			to++
			count++
		}
		if to > w.taken || len(w.records) == 0 {
			w.sending = to > w.taken
			parts = append(parts, part{w, w.taken, to})
			s.sending = append(s.sending, w)
		}
		if to < len(w.records) {
			break // the rest of it comes next
		}
		n++
	}
	s.queue = append(s.queue[:0], s.queue[n:]...)
	return parts, !s.closing
}

// recordSize is how the client counts.
func recordSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// round is a set of records that are handed to the client together, before the first one leaves, and of which every one has an
// outcome before the next round begins. The client fails whatever waits behind a failed record of the same partition. So of the records
// with one key that a round has, the acknowledged ones are always the first, and sending the others again keeps the order.
type round struct {
	count   int
	reached bool // a broker was connected at some time

	mu     sync.Mutex
	failed map[*kgo.Record]error
}

// send is one round.
func (s *Sink) send(parts []part) *round {
	r := &round{failed: map[*kgo.Record]error{}}
	for _, p := range parts {
		r.count += p.to - p.from
	}
	if r.count == 0 {
		return r
	}
	began := s.watch.now()
	s.mu.Lock()
	s.began = began
	s.mu.Unlock()
	// The client's own timeout counts from a record's timestamp, which is the time of the event and may be long ago.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer time.AfterFunc(s.o.Timeout, cancel).Stop()
	var pending atomic.Int64
	pending.Store(int64(r.count))
	done := make(chan struct{})
	promise := func(k *kgo.Record, err error) {
		if err != nil {
			r.mu.Lock()
			r.failed[k] = err
			r.mu.Unlock()
		}
		if pending.Add(-1) == 0 {
			close(done)
		}
	}
	for _, p := range parts {
		have := s.ahead[p.w.stream]
		for i := p.from; i < p.to; i++ {
			if have[p.w.ids[i]] {
				delete(have, p.w.ids[i])
				promise(nil, nil)
				continue
			}
			p.w.records[i].Context = nil // of an earlier round
			s.cl.TryProduce(ctx, &p.w.records[i], promise)
		}
	}
	// An error means that the client was closed, and then the promises are kept with one.
	_ = s.cl.Flush(context.Background())
	<-done
	r.reached = s.watch.reached(began)
	return r
}

// settle says what became of a part of a write.
func (s *Sink) settle(r *round, p part) {
	w := p.w
	for i := p.from; i < p.to; i++ {
		err := r.failed[&w.records[i]]
		if err == nil {
			continue
		}
		if class := classify(err, r.reached); r.count > 1 && (class == driver.TooLarge || class == driver.Permanent) {
			// It failed with its batch, and perhaps another record of that is to blame.
			alone := s.send([]part{{w, i, i + 1}})
			if err = alone.failed[&w.records[i]]; err == nil {
				delete(r.failed, &w.records[i])
				continue
			}
			s.fail(alone, p, i, err, r)
			return
		}
		s.fail(r, p, i, err, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case p.to == len(w.records):
		if w.left {
			s.keepAhead(w, w.taken, p.to, nil)
		}
		w.finish(p.to, nil)
	case w.left:
		s.keepAhead(w, w.taken, p.to, nil)
		w.finish(w.taken, nil)
	default:
		w.taken, w.sending = p.to, false // it is still the first of the queue
	}
}

// fail ends a write at record i; all is the round that the others were in.
func (s *Sink) fail(r *round, p part, i int, err error, all *round) {
	w := p.w
	s.mu.Lock()
	defer s.mu.Unlock()
	from := i + 1
	if w.left {
		from = w.taken
	}
	class := classify(err, r.reached)
	if s.keepAhead(w, from, p.to, all.failed) && class == driver.Unavailable {
		class = driver.Unknown // of what comes after it
	}
	if errors.Is(err, kgo.ErrClientClosed) && !r.reached {
		err = errNotSent
	}
	w.finish(i, &driver.Error{Class: class, Err: explain(err, s.topic, s.o.Timeout, s.watch.lastError())})
	if errors.Is(err, kerr.UnknownTopicID) {
		s.cl.PurgeTopicsFromProducing(s.topic) // it was deleted and made anew
	}
}

// keepAhead remembers which records of a write are in the topic although it did not take them, for when they are written again. It
// says whether there are any. What is never written again is forgotten when too much has come together.
func (s *Sink) keepAhead(w *write, from, to int, failed map[*kgo.Record]error) bool {
	ids := s.ahead[w.stream]
	if ids == nil || len(ids) > s.o.Records {
		ids = map[[16]byte]bool{}
		s.ahead[w.stream] = ids
	}
	some := false
	for i := from; i < to; i++ {
		if failed[&w.records[i]] == nil && w.ids[i] != [16]byte{} {
			ids[w.ids[i]], some = true, true
		}
	}
	return some
}

// finish ends a write, under Sink.mu.
func (w *write) finish(taken int, err error) {
	w.taken, w.err, w.over = taken, err, true
	close(w.done)
}
