package main

import (
	"context"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/kafkasink"
)

// broker starts a broker with topics of three partitions, and says in $BROKER where it is: broker TOPIC...
func broker(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: broker TOPIC...")
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, args...))
	ts.Check(err)
	ts.Defer(c.Close)
	ts.Setenv("BROKER", c.ListenAddrs()[0])
}

// produce writes a record as it is: produce TOPIC KEY VALUE
func produce(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: produce TOPIC KEY VALUE")
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKER")))
	ts.Check(err)
	defer cl.Close()
	ts.Check(cl.ProduceSync(context.Background(), &kgo.Record{Topic: args[0], Key: []byte(args[1]), Value: []byte(args[2])}).FirstErr())
}

// publish sends ends of runs with the numbers that are given: publish TOPIC THREAD NUMBER...
func publish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: publish TOPIC THREAD NUMBER...")
	}
	ctx := context.Background()
	sink, err := kafkasink.Open(ctx, &kafkasink.Target{Brokers: []string{ts.Getenv("BROKER")}, Topic: args[0]}, nil)
	ts.Check(err)
	p, err := streaming.New(sink, nil)
	ts.Check(err)
	s, err := p.Stream("s", nil)
	ts.Check(err)
	for _, n := range args[2:] {
		seq, err := strconv.ParseUint(n, 10, 64)
		ts.Check(err)
		e := streaming.Event{Type: streaming.TypeRunEnd, Thread: args[1], Seq: seq, ID: streaming.LifecycleID("store", 0, args[1], seq)}
		ts.Check(s.Publish(ctx, &e))
	}
	_, err = p.Close(ctx)
	ts.Check(err)
}
