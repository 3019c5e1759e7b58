package filestore

import (
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

func FuzzColumns(f *testing.F) {
	f.Add(appendColumns(nil, "thread", []*driver.Record{
		{Kind: driver.KindClaim, Owner: "o", Time: 1},
		{Kind: driver.KindStep, Namespace: "ns", ID: "id", Parent: "p", Task: "t", Attrs: []driver.Attr{{Name: "a", Value: "b"}}, Time: 2, Due: 3, Events: 4, Flags: 1, Codec: 1, Size: 5, Body: []byte("xyz")},
	}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseColumns(b)
		if err != nil {
			return
		}
		if c.thread == "" || len(c.recs) == 0 || len(c.recs) != len(c.lengths) || len(c.recs) > len(b) {
			t.Fatalf("%d records, %d lengths of %d bytes", len(c.recs), len(c.lengths), len(b))
		}
		if c.bodies(b) == nil {
			again, err := parseColumns(appendColumns(nil, c.thread, c.recs))
			if err != nil || len(again.recs) != len(c.recs) {
				t.Fatalf("what was parsed does not encode: %v", err)
			}
		}
	})
}

func FuzzIndex(f *testing.F) {
	s := &store{table: table.New()}
	s.cur = cursor{seg: &segment{head: head{number: 2}}, off: firstFrame, seq: 9}
	s.table.Apply("t", &driver.Record{Kind: driver.KindClaim, Owner: "o", Time: 1, Seq: 1, FirstEvent: 1, Epoch: 1}, table.Ref{Segment: 1, Offset: 1024})
	s.table.Apply("t", &driver.Record{Kind: driver.KindStep, Namespace: "n", ID: "i", Time: 1, Seq: 2, FirstEvent: 1, Epoch: 1, Attrs: []driver.Attr{{Name: "a", Value: "b"}}}, table.Ref{Segment: 2, Offset: 1024})
	b := encodeIndex(s)
	f.Add(b[len(indexMagic) : len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseIndex(b)
		if err != nil {
			return
		}
		n := 0
		for _, name := range x.table.Names() {
			n += len(x.table.Get(name).Refs)
			x.table.Get(name).Info()
		}
		if n > len(b) {
			t.Fatalf("%d places out of %d bytes", n, len(b))
		}
	})
}
