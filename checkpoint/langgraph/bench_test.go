package langgraph

import (
	"fmt"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
)

// BenchmarkGetTuple reads the newest checkpoint of a thread of 200, whose 20 channels stand in as many records: from the server's memory,
// and by a server that has not seen the thread.
func BenchmarkGetTuple(b *testing.B) {
	d, err := filestore.Open(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	store := checkpoint.New(d, nil)
	defer store.Close()
	c := connect(b, New(store, nil))
	versions := obj{}
	for i := range 200 {
		channel, parent := fmt.Sprint("channel", i%20), ""
		if i > 0 {
			parent = fmt.Sprintf("%05d", i-1)
		}
		versions[channel] = fmt.Sprintf("%032d", i)
		c.ok(b, putOf("t", "", fmt.Sprintf("%05d", i), parent, obj{"step": i}, versions,
			[]obj{{"channel": channel, "version": versions[channel], "value": val(fmt.Sprintf("%01000d", i))}}), nil)
	}
	b.Run("seen", func(b *testing.B) {
		for b.Loop() {
			c.ok(b, obj{"op": "get_tuple", "thread": "t"}, nil)
		}
	})
	c.close(b)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			c := connect(b, New(store, nil))
			c.ok(b, obj{"op": "get_tuple", "thread": "t"}, nil)
			c.close(b)
		}
	})
}
