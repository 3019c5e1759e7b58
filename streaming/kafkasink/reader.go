package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming/driver"
)

// Entry is a record as it was read. Its bytes belong to whoever got it. The id of the event is in the value; Record.ID is zero, and
// Record.Time has milliseconds.
type Entry struct {
	Topic     string
	Partition int32
	Offset    int64
	// Turn counts how often a group gave this partition to the reader: between two turns others may have read it. 0 without a group.
	Turn   uint32
	Record driver.Record
}

// Fault is an error about an entry, with its place.
func (e *Entry) Fault(err error) *RecordError {
	return &RecordError{Topic: e.Topic, Partition: e.Partition, Offset: e.Offset, Err: err}
}

// RecordError says which record cannot be read. Reading goes on after it. It is ErrRecord; Unwrap gives what is wrong.
type RecordError struct {
	Topic     string
	Partition int32
	Offset    int64
	Err       error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("topic %s, partition %d, offset %d: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

// Is makes errors.Is(err, ErrRecord) true.
func (e *RecordError) Is(target error) bool { return target == ErrRecord }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// ReaderOptions say where a Reader begins and when it stops.
type ReaderOptions struct {
	Start Start
	// Follow goes on with what comes until the context ends. Default: up to what is there when reading begins.
	Follow bool
	// Group is the name of a consumer group. Its members share the partitions; a new one begins at Start, others where the group is.
	// An entry is committed after the loop body has finished with it. Default: none, all partitions.
	Group string
	// Patience is how long nothing may come from the brokers before a Reader that does not follow gives up. Default 30 s.
	Patience time.Duration
	// Logger also gets a warning when brokers go away while a Reader follows. Default: silent.
	Logger hclog.Logger
}

// Reader reads a topic while others write to it. It is used by one goroutine at a time.
type Reader struct {
	t     *Target
	o     ReaderOptions
	watch *watch
	turns turns
	pos   map[int32]int64 // what comes next, by partition
	ends  map[int32]int64 // where it stops; when following, what is known to be there
	read  int64
	came  time.Time // when something came last
	grown time.Time // when it was looked for new partitions
	away  bool      // it was said that no broker answers
}

// NewReader returns a reader of a topic; nothing is asked of brokers before All or Partitions. o may be nil. The error is ErrOptions.
func NewReader(t *Target, o *ReaderOptions) (*Reader, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	r := &Reader{t: t, watch: newWatch(), pos: map[int32]int64{}, ends: map[int32]int64{}}
	if o != nil {
		r.o = *o
	}
	if r.o.Patience <= 0 {
		r.o.Patience = 30 * time.Second
	}
	r.o.Logger = orSilent(r.o.Logger)
	return r, nil
}

// Progress says how many entries were read and how many are still to come, of what is known to be there.
func (r *Reader) Progress() (read, left int64) {
	for p, end := range r.ends {
		if at, known := r.pos[p]; known {
			left += max(0, end-at)
		}
	}
	return r.read, left
}

// Partitions asks what the topic holds now, by number.
func (r *Reader) Partitions(ctx context.Context) ([]Partition, error) {
	cl, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all, err := partitions(ctx, cl, r.t.topic(), r.o.Group)
	if err != nil {
		return nil, err
	}
	var list []Partition
	for _, p := range all {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b Partition) int { return int(a.Partition) - int(b.Partition) })
	return list, nil
}

// open makes a client and looks whether the topic is there.
func (r *Reader) open(ctx context.Context, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := r.t.options(r.watch, r.o.Logger)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if _, err := lookAt(ctx, cl, r.t.topic(), r.watch); err != nil {
		cl.Close()
		return nil, err
	}
	return cl, nil
}

// All gives the entries: those of one partition in their order. Errors stand between entries, and whoever ranges decides whether to go
// on: data that the topic has lost, and what a broker says. The last error is that of ctx when it ends, or why nothing more can be
// read: ErrTopic, ErrDenied, ErrConnect, ErrUnreachable. After All has ended it may be called again and, without a group, goes on.
func (r *Reader) All(ctx context.Context) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		cl, err := r.begin(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.end(ctx, cl)
		r.came = time.Now()
		for !r.finished() {
			if !r.poll(ctx, cl, yield) {
				return
			}
			if r.o.Follow && r.o.Group == "" && time.Since(r.grown) > growWait {
				r.grow(ctx, cl)
			}
		}
	}
}

// grow begins with partitions that are new, at their first record.
func (r *Reader) grow(ctx context.Context, cl *kgo.Client) {
	r.grown = time.Now()
	d, err := lookAt(ctx, cl, r.t.topic(), r.watch)
	if err != nil {
		return // poll will say so if it lasts
	}
	at := map[int32]kgo.Offset{}
	for n := range d.Partitions {
		if _, known := r.pos[n]; !known {
			r.pos[n], at[n] = 0, kgo.NewOffset().AtStart()
		}
	}
	if len(at) > 0 {
		cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.t.topic(): at})
	}
}

// begin finds out where to begin and to end, and starts fetching.
func (r *Reader) begin(ctx context.Context) (*kgo.Client, error) {
	look, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	defer look.Close()
	topic := r.t.topic()
	all, err := partitions(ctx, look, topic, r.o.Group)
	if err != nil {
		return nil, err
	}
	from, err := r.o.Start.positions(ctx, look, topic, all)
	if err != nil {
		return nil, err
	}
	for n, p := range all {
		r.ends[n] = p.Next
		_, known := r.pos[n]
		switch {
		case p.Committed >= 0:
			r.pos[n] = p.Committed
		case !known || r.o.Group != "":
			r.pos[n] = from[n]
		}
	}
	opts := []kgo.Opt{
		kgo.FetchMaxBytes(maxFetch), kgo.FetchMaxPartitionBytes(maxFetch / 8), kgo.FetchMaxWait(fetchWait), kgo.MaxConcurrentFetches(2),
		kgo.MaxDecompressBatchBytes(maxBatch), kgo.KeepControlRecords(),
	}
	switch {
	case r.o.Group != "":
		r.turns.reset()
		opts = append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(r.o.Start.offset()))
		opts = append(opts, r.group(topic)...)
	default:
		at := map[int32]kgo.Offset{}
		for n := range all {
			if r.o.Follow || r.pos[n] < r.ends[n] {
				at[n] = kgo.NewOffset().At(r.pos[n])
			}
		}
		opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}))
	}
	return r.open(ctx, opts...)
}

const (
	maxFetch  = 16 << 20  // bytes of an answer of a broker
	maxBatch  = 128 << 20 // bytes of a batch after decompression
	maxPoll   = 5000      // records that are handed out before partitions may go to others
	fetchWait = time.Second
	growWait  = 5 * time.Second
	pollWait  = 500 * time.Millisecond // after which a reader looks whether it has finished
)

// finished says whether everything up to the ends was read.
func (r *Reader) finished() bool {
	if r.o.Follow {
		return false
	}
	mine := func(int32) bool { return true }
	if r.o.Group != "" {
		var joined bool
		if mine, joined = r.turns.mine(r.pos); !joined {
			return false
		}
	}
	for n, end := range r.ends {
		if mine(n) && r.pos[n] < end {
			return false
		}
	}
	return true
}

// poll gives out what a fetch brought; false ends the reading.
func (r *Reader) poll(ctx context.Context, cl *kgo.Client, yield func(*Entry, error) bool) bool {
	wait, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	fetches := cl.PollRecords(wait, maxPoll)
	defer cl.AllowRebalance()
	going := true
	if fetches.NumRecords() > 0 {
		r.came = time.Now()
	}
	fetches.EachError(func(_ string, n int32, err error) {
		if going {
			going = r.fault(ctx, n, err, yield)
		}
	})
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if r.o.Follow && p.HighWatermark > r.ends[p.Partition] {
			r.ends[p.Partition] = p.HighWatermark
		}
		for _, k := range p.Records {
			if !going {
				return
			}
			if going = r.give(k, yield); going && r.o.Group != "" {
				cl.MarkCommitRecords(k)
			}
		}
	})
	return going
}

// give hands out a record, unless it came after reading began.
func (r *Reader) give(k *kgo.Record, yield func(*Entry, error) bool) bool {
	if !r.o.Follow && k.Offset >= r.ends[k.Partition] && r.o.Group == "" {
		return true
	}
	r.pos[k.Partition] = k.Offset + 1
	if k.Attrs.IsControl() {
		return true
	}
	r.read++
	e := &Entry{
		Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Turn: r.turns.of(k.Partition),
		Record: driver.Record{Time: k.Timestamp.UnixMicro(), Key: k.Key, Value: k.Value},
	}
	for _, h := range k.Headers {
		e.Record.Headers = append(e.Record.Headers, driver.Header{Key: h.Key, Value: h.Value})
	}
	return yield(e, nil)
}

// fault hands out an error; false ends the reading.
func (r *Reader) fault(ctx context.Context, n int32, err error, yield func(*Entry, error) bool) bool {
	var lost *kgo.ErrDataLoss
	topic := r.t.topic()
	switch {
	case ctx.Err() != nil:
		yield(nil, ctx.Err())
		return false
	case isEnd(err) && (r.o.Follow || time.Since(r.came) < r.o.Patience):
		r.warn()
		return true
	case isEnd(err):
		_, left := r.Progress()
		if last := r.watch.lastError(); last != nil {
			err = last
		}
		yield(nil, fmt.Errorf("topic %s: %w for %v, with %d records still to come: %w", topic, ErrUnreachable, r.o.Patience, left, err))
		return false
	case errors.As(err, &lost):
		return yield(nil, fmt.Errorf("topic %s, partition %d: %w", topic, n, err))
	}
	yield(nil, explain(err, topic, 0, r.watch.lastError()))
	return false
}

// warn says once that brokers went away, and once that they are back.
func (r *Reader) warn() {
	switch err := r.watch.lastError(); {
	case err != nil && !r.away:
		r.o.Logger.Warn("no broker answers", "topic", r.t.topic(), "error", err)
		r.away = true
	case err == nil && r.away:
		r.o.Logger.Warn("connected again", "topic", r.t.topic())
		r.away = false
	}
}

// end commits what was read and leaves the group.
func (r *Reader) end(ctx context.Context, cl *kgo.Client) {
	if r.o.Group == "" {
		cl.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	if err := cl.CommitMarkedOffsets(ctx); err != nil {
		r.o.Logger.Warn("what was read last is not committed, and will be read again", "group", r.o.Group, "error", err)
	}
	cl.CloseAllowingRebalance()
}
