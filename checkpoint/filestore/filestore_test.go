package filestore

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

func TestReopen(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir() + "/s"
	for round := range 5 {
		d, err := Open(dir, &Options{SegmentSize: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		s := checkpoint.New(d, nil)
		for th := range 3 {
			c, err := s.Claim(ctx, fmt.Sprint("t", th), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				m, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Events: 3, Ops: []checkpoint.Op{
					{Kind: checkpoint.OpAppend, Name: "l", Value: fmt.Appendf(nil, `"%d-%d-%0300d"`, round, i, i)}}})
				if err != nil {
					t.Fatal(err)
				}
				if i%30 == 0 {
					if err := m.Wait(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
			snap, err := c.Load(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			if snap.Head.FirstEvent != uint64((round*100+99)*3+1) {
				t.Errorf("first event %d", snap.Head.FirstEvent)
			}
			if err := c.Release(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Verified(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func Verified(dir string) error {
	d, err := Open(dir, &Options{ReadOnly: true})
	if err != nil {
		return err
	}
	var found error
	err = d.(driver.Maintenance).Verify(context.Background(), func(d *driver.Damage) { found = d }, nil)
	return errors.Join(found, err, d.Close())
}
