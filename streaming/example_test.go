package streaming_test

import (
	"context"
	"fmt"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// A program publishes events into memory, closes, and looks at what became of them.
func Example() {
	ctx := context.Background()
	sink := memsink.New(nil)
	p, err := streaming.New(sink, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := p.Stream("lifecycle", &streaming.StreamOptions{Events: 100, Overflow: streaming.Reject})
	if err != nil {
		fmt.Println(err)
		return
	}
	for seq := range uint64(2) {
		err := s.Publish(ctx, &streaming.Event{
			Type: streaming.TypeNodeEnd, Thread: "pr-42", Node: "secrets", Seq: seq + 1,
			ID: streaming.LifecycleID("store id", 0, "pr-42", seq+1),
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	report, err := p.Close(ctx)
	fmt.Println(report, err)

	d := streaming.NewDecoder(0)
	defer d.Close()
	var e streaming.Event
	for _, r := range sink.Records() {
		if err := d.Decode(&r.Record, &e); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Thread, e.Seq, e.Type, e.Node)
	}
	// Output:
	// stream lifecycle: produced 2, delivered 2, spooled 0, dropped 0 <nil>
	// pr-42 1 node_end secrets
	// pr-42 2 node_end secrets
}
