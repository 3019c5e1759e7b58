package kafkasink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/streaming/driver"
)

// numberedRecord is the nth record of a thread, which the tests find again by its value.
func numberedRecord(n int, key string) driver.Record {
	return driver.Record{ID: [16]byte{1, byte(n >> 8), byte(n)}, Time: time.Now().UnixMicro(), Key: []byte(key), Value: fmt.Appendf(nil, "\x00%s %d", key, n)}
}

func batchOf(n int) (batch []driver.Record) {
	for i := range n {
		batch = append(batch, numberedRecord(i, fmt.Sprint("k", i%7)))
	}
	return batch
}

// values are what a topic has, by key in their order.
func values(t testing.TB, target *Target) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, e := range readAll(t, target) {
		all[string(e.Record.Key)] = append(all[string(e.Record.Key)], string(e.Record.Value))
	}
	return all
}

// onceEach checks that a topic has every record once, in the order of its key.
func onceEach(t testing.TB, target *Target, batch []driver.Record) {
	t.Helper()
	want := map[string][]string{}
	for _, r := range batch {
		want[string(r.Key)] = append(want[string(r.Key)], string(r.Value))
	}
	if got := values(t, target); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the topic has\n%q, want\n%q", got, want)
	}
}

// onceWhatArrived checks that a topic has every record, in the order of its key, and once what was there already. Whoever was told "unknown"
// and wrote the others again may find them twice.
func onceWhatArrived(t testing.TB, target *Target, batch []driver.Record, arrived map[string][]string) {
	t.Helper()
	want := map[string][]string{}
	for _, r := range batch {
		want[string(r.Key)] = append(want[string(r.Key)], string(r.Value))
	}
	got := values(t, target)
	for key, all := range got {
		if len(arrived[key]) > 0 {
			continue
		}
		seen := map[string]bool{}
		got[key] = slices.DeleteFunc(all, func(v string) bool {
			again := seen[v]
			seen[v] = true
			return again
		})
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the topic has\n%q, want\n%q", got, want)
	}
}

// An answer of a broker has a class, and an error of ours around it.
func TestClasses(t *testing.T) {
	for _, c := range []struct {
		answer *kerr.Error
		class  driver.Class
		is     error
	}{
		{kerr.MessageTooLarge, driver.TooLarge, kerr.MessageTooLarge},
		{kerr.InvalidTimestamp, driver.Permanent, kerr.InvalidTimestamp},
		{kerr.InvalidRecord, driver.Permanent, kerr.InvalidRecord},
		{kerr.PolicyViolation, driver.Permanent, kerr.PolicyViolation},
		{kerr.TopicAuthorizationFailed, driver.Unavailable, ErrDenied},
		{kerr.ClusterAuthorizationFailed, driver.Unavailable, ErrDenied},
		{kerr.NotEnoughReplicasAfterAppend, driver.Unknown, ErrTimeout},
		{kerr.RequestTimedOut, driver.Unknown, ErrTimeout},
		{kerr.NotEnoughReplicas, driver.Unknown, ErrTimeout}, // perhaps an earlier try was written
	} {
		t.Run(c.answer.Message, func(t *testing.T) {
			t.Parallel()
			cluster, target := fake(t)
			s := openSink(t, target, &Options{Timeout: time.Second})
			defer shut(t, s)
			fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: c.answer, Count: -1})
			n, err := s.Write(t.Context(), "s", batchOf(1))
			if n != 0 || driver.ClassOf(err) != c.class || !errors.Is(err, c.is) {
				t.Errorf("%d taken, %v, want %v that is %v", n, err, c.class, c.is)
			}
			fault.Remove()
			if n, err := s.Write(t.Context(), "s", batchOf(1)); n != 1 || err != nil {
				t.Errorf("after the fault: %d taken, %v", n, err)
			}
		})
	}
}

// Without a connection nothing was written, and that is known.
func TestUnreachableIsUnavailable(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := &Target{Brokers: []string{nobody.Addr().String()}, Topic: "t"}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	s := openSink(t, target, &Options{Timeout: time.Second})
	n, err := s.Write(t.Context(), "s", batchOf(3))
	if n != 0 || driver.ClassOf(err) != driver.Unavailable || !errors.Is(err, ErrTimeout) {
		t.Errorf("%d taken, %v, want unavailable and ErrTimeout", n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if n, err := s.Write(ctx, "s", batchOf(3)); n != 0 || driver.ClassOf(err) != driver.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("left by its context: %d taken, %v, want unavailable", n, err)
	}
	shut(t, s)
	if took := time.Since(began); took > 800*time.Millisecond {
		t.Errorf("closing took %v, though nobody waits", took)
	}
	if st := s.Stats(); st.Connections != 0 || st.LastError == nil {
		t.Errorf("stats: %+v", st)
	}
}

// The time of an event says nothing about how long it may take to arrive.
func TestTimeOfTheEventIsNoDeadline(t *testing.T) {
	_, target := fake(t)
	s := openSink(t, target, &Options{Timeout: 2 * time.Second})
	old := numberedRecord(1, "k")
	old.Time = 1
	if n, err := s.Write(t.Context(), "s", []driver.Record{old}); n != 1 || err != nil {
		t.Errorf("an event of 1970: %d taken, %v", n, err)
	}
	shut(t, s)
	gone, away := fake(t)
	s = openSink(t, away, &Options{Timeout: time.Second})
	gone.Close()
	early := numberedRecord(1, "k")
	early.Time = time.Now().Add(1000 * time.Hour).UnixMicro()
	began := time.Now()
	if n, err := s.Write(t.Context(), "s", []driver.Record{early}); n != 0 || err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("an event of the future: %d taken, %v, after %v", n, err, time.Since(began))
	}
	shut(t, s)
}

// While a partition fails, what others took is not sent twice, and its class says that part of the batch is there. What is refused for
// good was never written; a partition without a leader may get one when the time is up, and then the client's last try and ours both arrive.
func TestOnePartitionFails(t *testing.T) {
	for _, answer := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.TopicAuthorizationFailed} {
		t.Run(answer.Message, func(t *testing.T) {
			t.Parallel()
			cluster, target := fake(t)
			s := openSink(t, target, &Options{Timeout: time.Second})
			defer shut(t, s)
			fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: answer, Count: -1})
			batch := batchOf(70)
			n, err := s.Write(t.Context(), "s", batch)
			if err == nil || driver.ClassOf(err) != driver.Unknown || n >= 70 {
				t.Fatalf("%d taken, %v, want unknown", n, err)
			}
			arrived := values(t, target)
			if len(arrived) == 0 {
				t.Fatal("no other partition took anything")
			}
			fault.Remove()
			if more, err := s.Write(t.Context(), "s", batch[n:]); err != nil || more != 70-n {
				t.Fatalf("%d more taken, %v", more, err)
			}
			if answer == kerr.NotLeaderForPartition {
				onceWhatArrived(t, target, batch, arrived)
			} else {
				onceEach(t, target, batch)
			}
		})
	}
}

// A Write that is left goes on; when it is written again, what arrived meanwhile is not sent twice.
func TestWriteIsLeftAndTriedAgain(t *testing.T) {
	cluster, target := fake(t)
	s := openSink(t, target, nil)
	defer shut(t, s)
	batch := batchOf(50)
	if _, err := s.Write(t.Context(), "s", batch[:1]); err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	var held atomic.Bool
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		held.Store(true)
		cluster.SleepControl(func() { <-gate })
		return nil, nil, false
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	n, err := s.Write(ctx, "s", batch[1:])
	if n != 0 || driver.ClassOf(err) != driver.Unknown || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%d taken, %v, want unknown", n, err)
	}
	if !held.Load() {
		t.Fatal("the broker was not asked")
	}
	close(gate)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Write(t.Context(), "s", batch[1:]); n != 49 || err != nil {
		t.Fatalf("again: %d taken, %v", n, err)
	}
	onceEach(t, target, batch)
}

// Records that a broker refuses, among others: each is found, and the others are there once and in order.
func TestRefusedRecordsAmongOthers(t *testing.T) {
	cluster, target := fake(t)
	for p := range int32(3) {
		cluster.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{p}, Err: kerr.InvalidRecord, Count: -1,
			When: func(r kmsg.Request) bool { return hasBad(r.(*kmsg.ProduceRequest), p) },
		})
	}
	topics := 0
	rapid.Check(t, func(rt *rapid.T) {
		topics++
		at := *target
		at.Topic = fmt.Sprint("refused-", topics)
		if err := cluster.CreateTopic(at.Topic, 3, nil); err != nil {
			t.Fatal(err)
		}
		s := openSink(t, &at, &Options{Compression: None, Records: rapid.IntRange(1, 40).Draw(rt, "records")})
		defer shut(t, s)
		var all, good []driver.Record
		var bad, refused []int
		for i := range rapid.IntRange(1, 60).Draw(rt, "n") {
			r := numberedRecord(i, fmt.Sprint("k", rapid.IntRange(0, 5).Draw(rt, "key")))
			if rapid.IntRange(0, 9).Draw(rt, "bad") == 0 {
				r.Value = append(r.Value, "BAD"...)
				bad = append(bad, i)
			} else {
				good = append(good, r)
			}
			all = append(all, r)
		}
		for at := 0; at < len(all); {
			to := min(len(all), at+rapid.IntRange(1, 30).Draw(rt, "batch"))
			n, err := s.Write(t.Context(), "s", all[at:to])
			if at += n; err == nil {
				continue
			}
			if driver.ClassOf(err) != driver.Permanent {
				rt.Fatalf("record %d: %v", at, err)
			}
			refused = append(refused, at)
			at++
		}
		if fmt.Sprint(refused) != fmt.Sprint(bad) {
			rt.Fatalf("refused %v, want %v", refused, bad)
		}
		onceEach(t, &at, good)
	})
}

// hasBad says whether a batch for a partition has a record that ends in BAD.
func hasBad(r *kmsg.ProduceRequest, partition int32) bool {
	for _, topic := range r.Topics {
		for _, p := range topic.Partitions {
			if p.Partition == partition && bytes.Contains(p.Records, []byte("BAD")) {
				return true
			}
		}
	}
	return false
}

// A broker that answers nothing holds neither Write nor Close longer than it may.
func TestCloseDoesNotHang(t *testing.T) {
	cluster, target := fake(t)
	s := openSink(t, target, &Options{Timeout: time.Second})
	gate := make(chan struct{})
	t.Cleanup(func() { close(gate) })
	asked := make(chan struct{}, 10)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		asked <- struct{}{}
		cluster.SleepControl(func() { <-gate })
		return nil, nil, false
	})
	result := make(chan error)
	go func() {
		_, err := s.Write(context.Background(), "s", batchOf(5))
		result <- err
	}()
	<-asked
	began := time.Now()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	if err := <-result; driver.ClassOf(err) != driver.Unknown {
		t.Errorf("write: %v, want unknown", err)
	}
	if err := <-closed; err != nil {
		t.Logf("close: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("closing took %v", took)
	}
}

// Leaders move between brokers while events flow.
func TestLeadersMove(t *testing.T) {
	cluster, target := fake(t, kfake.NumBrokers(3))
	s := openSink(t, target, nil)
	batch := batchOf(3000)
	for at := 0; at < len(batch); at += 100 {
		if at%500 == 0 {
			cluster.ShufflePartitionLeaders()
		}
		if n, err := s.Write(t.Context(), "s", batch[at:at+100]); n != 100 || err != nil {
			t.Fatalf("%d taken, %v", n, err)
		}
	}
	shut(t, s)
	onceEach(t, target, batch)
}
