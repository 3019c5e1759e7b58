package filesink_test

import (
	"context"
	"fmt"
	"os"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/filesink"
)

// Events go into a folder and are read back, from behind a position if one was kept.
func ExampleReader() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	sink, err := filesink.Open(dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := streaming.New(sink, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := p.Stream("live", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, text := range []string{"Hello, ", "world"} {
		if err := s.Publish(ctx, &streaming.Event{Type: streaming.TypeToken, Thread: "t", Node: "n", Attempt: 1, N: uint32(i), Text: text}); err != nil {
			fmt.Println(err)
		}
	}
	if _, err := p.Close(ctx); err != nil {
		fmt.Println(err)
	}

	d := streaming.NewDecoder(0)
	defer d.Close()
	var after filesink.Position
	for range 2 { // each time one event, from behind the one before
		r := filesink.NewReader(dir, &filesink.ReaderOptions{After: after})
		for entry, err := range r.All(ctx) {
			if err != nil {
				fmt.Println(err)
				continue
			}
			var e streaming.Event
			if err := d.Decode(&entry.Record, &e); err != nil {
				fmt.Println(err)
				continue
			}
			fmt.Printf("%s: %q\n", entry.Stream, e.Text)
			break
		}
		after = r.Position()
	}
	// Output:
	// live: "Hello, "
	// live: "world"
}
