package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming/driver"
)

// Sink writes to a topic; it implements driver.Sink. What Write took, the brokers have acknowledged.
type Sink struct {
	cl       *kgo.Client
	topic    string
	o        Options
	watch    *watch
	maxBatch atomic.Int32  // bytes
	stopped  chan struct{} // closed when the goroutine that sends has ended
	alone    chan struct{} // closed when the sink is being closed and nobody waits for what is still on its way

	// ahead are, by stream, ids that brokers have although the last Write did not take them. Only the goroutine that sends uses it.
	ahead map[string]map[[16]byte]bool

	mu       sync.Mutex
	queue    []*write
	sending  []*write      // those of the round that is under way
	began    moment        // the round began
	wake     chan struct{} // holds one
	closing  bool
	deserted bool // alone is closed
}

// defaultMaxBatch is what brokers accept unless they are told otherwise.
const defaultMaxBatch = 1_048_588

// Open returns a sink for a topic. It waits up to 10 seconds for a broker to say that the topic is there: the error is ErrTopic,
// ErrDenied or ErrConnect if it says otherwise or cannot be talked to, and ErrOptions for what cannot be meant. If no broker answers
// at all the sink is opened, as they may come back: Write then says so. o may be nil.
func Open(ctx context.Context, t *Target, o *Options) (*Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{
		topic: t.topic(), o: o.withDefaults(), watch: newWatch(), stopped: make(chan struct{}), alone: make(chan struct{}),
		ahead: map[string]map[[16]byte]bool{}, wake: make(chan struct{}, 1),
	}
	s.maxBatch.Store(defaultMaxBatch)
	opts, err := t.options(s.watch, s.o.Logger)
	if err != nil {
		return nil, err
	}
	if s.cl, err = kgo.NewClient(append(opts, s.options()...)...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if _, err := lookAt(ctx, s.cl, s.topic, s.watch); lasting(err) {
		s.cl.Close()
		return nil, err
	} else if err != nil {
		s.o.Logger.Warn("events wait", "topic", s.topic, "brokers", t.Brokers, "error", err)
	} else {
		s.learnLimit(ctx)
	}
	go s.run()
	return s, nil
}

// options are those of a producer whose records leave only while run flushes; see round.
func (s *Sink) options() []kgo.Opt { return append(s.producing(), kgo.ManualFlushing()) }

// producing are the options of any producer for this topic.
func (s *Sink) producing() []kgo.Opt {
	codecs := []kgo.CompressionCodec{kgo.NoCompression()}
	switch s.o.Compression {
	case Zstd:
		codecs = []kgo.CompressionCodec{kgo.ZstdCompression(), kgo.Lz4Compression(), kgo.NoCompression()}
	case LZ4:
		codecs = []kgo.CompressionCodec{kgo.Lz4Compression(), kgo.NoCompression()}
	}
	return []kgo.Opt{
		kgo.DefaultProduceTopic(s.topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerBatchCompression(codecs...),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return s.maxBatch.Load() }),
		kgo.MaxBufferedRecords(s.o.Records), kgo.MaxBufferedBytes(s.o.Bytes),
		kgo.ProduceRequestTimeout(requestTimeout), kgo.AllowIdempotentProduceCancellation(),
	}
}

// learnLimit asks how large a batch the topic takes. A broker need not tell; then the usual is assumed, and what is too large after
// all it says itself.
func (s *Sink) learnLimit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	configs, err := kadm.NewClient(s.cl).DescribeTopicConfigs(ctx, s.topic)
	if err != nil {
		s.o.Logger.Debug("the topic's limits are not known", "error", err)
		return
	}
	for _, c := range configs {
		for _, v := range c.Configs {
			var n int32
			if v.Key != "max.message.bytes" || v.Value == nil {
				continue
			}
			if _, err := fmt.Sscan(*v.Value, &n); err == nil {
				s.maxBatch.Store(min(max(n, 1<<10), int32(min(s.o.Bytes, 1<<30))))
			}
		}
	}
}

// Write implements driver.Sink: it returns when brokers have acknowledged the records, or will not. If ctx ends before, the records
// that were not handed to the client yet are Unavailable, the others Unknown.
func (s *Sink) Write(ctx context.Context, stream string, records []driver.Record) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.refuse(err)
	}
	w := newWrite(stream, records)
	if err := s.put(w); err != nil {
		return 0, err
	}
	select {
	case <-w.done:
		return w.taken, w.err
	case <-ctx.Done():
		return s.leave(w, ctx.Err())
	}
}

// refuse is what Write returns for a context that has ended before.
func (s *Sink) refuse(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return driver.ErrClosed
	}
	return &driver.Error{Class: driver.Unavailable, Err: err}
}

// put makes a write wait for its turn.
func (s *Sink) put(w *write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return driver.ErrClosed
	}
	s.queue = append(s.queue, w)
	s.rouse()
	return nil
}

func (s *Sink) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// leave returns from a write that goes on without anybody waiting.
func (s *Sink) leave(w *write, err error) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.over {
		return w.taken, w.err
	}
	w.left = true
	class := driver.Unavailable
	if w.sending && s.watch.reached(s.began) {
		class = driver.Unknown
	}
	s.hurry()
	return w.taken, &driver.Error{Class: class, Err: fmt.Errorf("topic %s: %w", s.topic, err)}
}

// hurry ends Close if nobody waits for anything. It is called under mu.
func (s *Sink) hurry() {
	if !s.closing || s.deserted {
		return
	}
	for _, w := range slices.Concat(s.queue, s.sending) {
		if !w.left && !w.over {
			return
		}
	}
	if len(s.sending) > 0 {
		s.deserted = true
		close(s.alone)
	}
}

// Flush implements driver.Sink. There is only something to wait for if a Write was left by its context.
func (s *Sink) Flush(ctx context.Context) error {
	w := newWrite("", nil)
	if err := s.put(w); err != nil {
		return err
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		_, err := s.leave(w, ctx.Err())
		return err
	}
}

// Close implements driver.Sink. It lets the calls of Write and Flush that wait finish, for twice Options.Timeout at most. What was left
// by a call that came back is given up: it has been told.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return driver.ErrClosed
	}
	s.closing = true
	s.hurry()
	s.rouse()
	s.mu.Unlock()
	t := time.NewTimer(2 * s.o.Timeout)
	defer t.Stop()
	var err error
	select {
	case <-s.stopped:
	case <-s.alone:
	case <-t.C:
		err = &driver.Error{Class: driver.Unknown, Err: fmt.Errorf("topic %s: %w after %v while closing", s.topic, ErrTimeout, 2*s.o.Timeout)}
	}
	s.cl.Close()
	<-s.stopped
	return err
}

// Stats says how a sink is doing.
type Stats struct {
	Waiting     int           // writes whose turn has not come
	Records     int64         // handed to the client and not acknowledged
	Bytes       int64         // of these
	Connections int           // to brokers
	Throttled   time.Duration // that brokers made the client wait so far
	LastError   error         // of the newest attempt to connect, nil if it worked
}

// Stats returns how the sink is doing now.
func (s *Sink) Stats() Stats {
	s.mu.Lock()
	waiting := len(s.queue)
	s.mu.Unlock()
	live, _ := s.watch.connections()
	return Stats{
		Waiting: waiting, Records: s.cl.BufferedProduceRecords(), Bytes: s.cl.BufferedProduceBytes(), Connections: live,
		Throttled: time.Duration(s.watch.throttled.Load()), LastError: s.watch.lastError(),
	}
}

var errNotSent = errors.New("the sink was closed before the record was sent")
