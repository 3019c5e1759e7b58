package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
)

// A thread in a folder: claim it, append a step, wait until that is durable, release, read it again.
func ExampleStore() {
	dir, err := os.MkdirTemp("", "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	d, err := filestore.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	s := checkpoint.New(d, nil)
	defer s.Close()

	ctx := context.Background()
	c, err := s.Claim(ctx, "order-17", nil)
	if err != nil {
		log.Fatal(err)
	}
	commit, err := c.Append(ctx, &checkpoint.Record{
		Kind:  checkpoint.KindStep,
		Attrs: []checkpoint.Attr{{Name: "status", Value: "paid"}},
		Ops: []checkpoint.Op{
			{Kind: checkpoint.OpPut, Name: "price", Value: []byte(`250`)},
			{Kind: checkpoint.OpAppend, Name: "log", Value: []byte(`"ordered","paid"`)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := commit.Wait(ctx); err != nil { // acknowledged: it survives a crash from here on
		log.Fatal(err)
	}
	if err := c.Release(ctx, nil); err != nil {
		log.Fatal(err)
	}

	for t, err := range s.Threads(ctx, &checkpoint.Filter{Attrs: map[string]string{"status": "paid"}}) {
		if err != nil {
			log.Fatal(err)
		}
		_, state, err := s.State(ctx, t.Thread, "", "")
		if err != nil {
			log.Fatal(err)
		}
		for name, value := range state.All() {
			fmt.Printf("%s: %s = %s\n", t.Thread, name, value)
		}
	}
	// Output:
	// order-17: log = ["ordered","paid"]
	// order-17: price = 250
}
