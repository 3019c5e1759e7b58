package kafkasink

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
	"github.com/dashhost/dashhost/streaming/memsink"
	"github.com/dashhost/dashhost/streaming/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake starts brokers in this process, with the topic "t" of three partitions.
func fake(t testing.TB, more ...kfake.Opt) (*kfake.Cluster, *Target) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, "t")}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &Target{Brokers: c.ListenAddrs(), Topic: "t"}
}

func openSink(t testing.TB, target *Target, o *Options) *Sink {
	t.Helper()
	s, err := Open(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t testing.TB, s *Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// readAll reads a topic to its end.
func readAll(t testing.TB, target *Target) []*Entry {
	t.Helper()
	r, err := NewReader(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	var all []*Entry
	for e, err := range r.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// suiteRecord is a record of sinktest's with what only its frame says, and the stream that it came over. A topic does not know
// streams, so each has a topic of its own in the suite.
func suiteRecord(t testing.TB, codec *eventpb.Codec, e *Entry, stream string) memsink.Record {
	t.Helper()
	m, err := codec.Decode(e.Record.Value)
	if err != nil {
		t.Fatal(e.Fault(err))
	}
	h := eventpb.HeaderOf(m)
	r := memsink.Record{Stream: stream, Record: e.Record}
	copy(r.ID[:], h.GetMessageId())
	if ms := h.GetTimestampUs() / 1000 * 1000; e.Record.Time != ms {
		t.Errorf("time of the record is %d, of the event %d", e.Record.Time, h.GetTimestampUs())
	}
	r.Time = h.GetTimestampUs()
	return r
}

// tagged writes the name of the stream in front of every key, as a topic does not keep it.
type tagged struct{ driver.Sink }

func (s tagged) Write(ctx context.Context, stream string, records []driver.Record) (int, error) {
	batch := make([]driver.Record, len(records))
	for i, r := range records {
		r.Headers = append([]driver.Header{{Key: "stream", Value: []byte(stream)}}, r.Headers...)
		batch[i] = r
	}
	return s.Sink.Write(ctx, stream, batch)
}

// suite opens sinks for sinktest, each on a new topic with one partition, so that the order of a stream can be seen whatever its keys.
func suite(target *Target, create func(t testing.TB, topic string)) sinktest.Open {
	topics := 0
	return func(t testing.TB) (driver.Sink, func() []memsink.Record) {
		topics++
		at := *target
		at.Topic = fmt.Sprintf("suite-%d-%d", time.Now().UnixMilli(), topics)
		create(t, at.Topic)
		s := openSink(t, &at, nil)
		return tagged{s}, func() []memsink.Record {
			codec := eventpb.NewCodec(nil)
			defer codec.Close()
			var all []memsink.Record
			for _, e := range readAll(t, &at) {
				stream := string(e.Record.Headers[0].Value)
				e.Record.Headers = e.Record.Headers[1:]
				all = append(all, suiteRecord(t, codec, e, stream))
			}
			return all
		}
	}
}

func TestConformance(t *testing.T) {
	_, target := fake(t)
	suiteOn(t, target)
}

func suiteOn(t *testing.T, target *Target) {
	sinktest.Run(t, suite(target, func(t testing.TB, topic string) { create(t, target, topic, 1, 2<<20) }))
}

// create makes a topic.
func create(t testing.TB, target *Target, topic string, partitions int32, maxBytes int) {
	t.Helper()
	opts, err := target.options(newWatch(), orSilent(nil))
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	createWith(t, cl, topic, partitions, maxBytes)
}

func createWith(t testing.TB, cl *kgo.Client, topic string, partitions int32, maxBytes int) {
	t.Helper()
	limit, adm := fmt.Sprint(maxBytes), kadm.NewClient(cl)
	r, err := adm.CreateTopic(t.Context(), partitions, 1, map[string]*string{"max.message.bytes": &limit}, topic)
	if err == nil {
		err = r.Err
	}
	if err != nil {
		t.Fatal(err)
	}
	for { // the broker that answers need not have heard of it yet
		d, err := adm.ListTopics(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		if d[topic].Err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// numbered makes events of threads, numbered as a log numbers them.
type numbered struct {
	threads int
	next    []uint64
}

func newNumbered(threads int) *numbered {
	return &numbered{threads: threads, next: make([]uint64, threads)}
}

// event is the nth event in all, of about 200 bytes.
func (g *numbered) event(n int) *streaming.Event {
	k := n % g.threads
	g.next[k]++
	thread := fmt.Sprintf("thread-%04d", k)
	return &streaming.Event{
		Type: streaming.TypeNodeEnd, Thread: thread, Run: "01KAR3ND9XJ2Q6W8T4V5Y7Z0AC", Node: "secrets", Step: 3, Attempt: 1, Seq: g.next[k],
		ID: streaming.LifecycleID("store", 0, thread, g.next[k]), Duration: 1_234_000,
		Trace: streaming.Trace{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}

// noise is bytes that do not get smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	b[0] = 0
	return b
}
