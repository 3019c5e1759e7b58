package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
)

func kv(id, value string) *checkpoint.Record {
	return &checkpoint.Record{
		Kind: checkpoint.KindKV, Namespace: "ns", ID: id, Task: "task", Attrs: []checkpoint.Attr{{Name: "graph", Value: "g"}},
		Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "v", Value: []byte(value)}}, Meta: []byte("meta"), Parts: [][]byte{[]byte("part")},
	}
}

// values lists what the records of a thread put, from one Seq to another.
func values(t *testing.T, s *checkpoint.Store, first, last uint64) string {
	t.Helper()
	var out string
	for r, err := range s.RecordsBetween(context.Background(), "t", first, last) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != checkpoint.KindKV || r.Namespace != "ns" || r.Task != "task" || string(r.Meta) != "meta" || len(r.Parts) != 1 {
			t.Errorf("not what was put: %+v", r)
		}
		out += fmt.Sprintf("%s=%s;", r.ID, r.Ops[0].Value)
	}
	return out
}

func putKV(t *testing.T, s *checkpoint.Store, recs ...*checkpoint.Record) {
	t.Helper()
	c, err := s.Put(context.Background(), "t", recs...)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// puts: no claim, no order of ids, the same id again, several at once; and what is no data is refused.
func puts(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	a, b := checkpoint.New(again(), nil), checkpoint.New(again(), nil)
	defer b.Close()
	c := claim(t, a, "t", nil)
	if err := c.Release(ctx, nil); err != nil {
		t.Fatal(err)
	}
	info, err := a.Thread(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	first := info.Last + 1
	putKV(t, a, kv("m", "1"), kv("k", "2"))
	putKV(t, b, kv("m", "3"))
	putKV(t, a, kv("m", "3"))
	if got, want := values(t, b, first, 0), "m=1;k=2;m=3;m=3;"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if info, err = b.Thread(ctx, "t"); err != nil || len(info.Head) > 0 || info.Attrs["graph"] != "g" {
		t.Errorf("%+v, %v", info, err)
	}
	if got, want := values(t, b, info.Last, info.Last), "m=3;"; got != want {
		t.Errorf("the last record: %s, want %s", got, want)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				c, err := []*checkpoint.Store{a, b}[i%2].Put(ctx, "t", kv(fmt.Sprint(i, j), "x"))
				if err == nil {
					err = c.Wait(ctx)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range b.RecordsBetween(ctx, "t", info.Last+1, 0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 80 {
		t.Errorf("%d of 80 records of concurrent puts", n)
	}
	for what, r := range map[string]*checkpoint.Record{
		"a step":             {Kind: checkpoint.KindStep, ID: "z"},
		"a claim":            {Kind: checkpoint.KindClaim},
		"an op without name": {Kind: checkpoint.KindKV, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut}}},
	} {
		if _, err := b.Put(ctx, "t", r); !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := b.Put(ctx, "t"); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
	if _, err := b.Put(ctx, "\x01t", kv("a", "1")); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("a reserved thread: %v", err)
	}
}

// rewrites: what was there or what is there now, and never over what somebody has put meanwhile.
func rewrites(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	a, b := checkpoint.New(again(), nil), checkpoint.New(again(), nil)
	defer b.Close()
	putKV(t, a, kv("a", "1"), kv("b", "2"), kv("c", "3"))
	before, err := a.Thread(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	putKV(t, b, kv("d", "4"))
	if _, err := a.Rewrite(ctx, "t", before.Last, kv("b", "2")); !errors.Is(err, checkpoint.ErrConflict) {
		t.Errorf("over a record that came meanwhile: %v", err)
	}
	if got, want := values(t, a, 0, 0), "a=1;b=2;c=3;d=4;"; got != want {
		t.Errorf("after a refused rewrite: %s, want %s", got, want)
	}
	if before, err = a.Thread(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	c, err := a.Rewrite(ctx, "t", before.Last, kv("b", "2"), kv("d", "4"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	putKV(t, b, kv("e", "5"))
	for _, s := range []*checkpoint.Store{a, b} {
		if got, want := values(t, s, 0, 0), "b=2;d=4;e=5;"; got != want {
			t.Errorf("after a rewrite: %s, want %s", got, want)
		}
	}
	after, err := b.Thread(ctx, "t")
	if err != nil || after.Epoch != before.Epoch+1 || after.Records != 3 {
		t.Errorf("%+v, %v; epoch %d before", after, err, before.Epoch)
	}
	held := claim(t, b, "t", nil)
	if _, err := a.Rewrite(ctx, "t", after.Last+1); !errors.Is(err, checkpoint.ErrBusy) {
		t.Errorf("of a claimed thread: %v", err)
	}
	if err := held.Release(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if after, err = a.Thread(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if c, err = a.Rewrite(ctx, "t", after.Last); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Thread(ctx, "t"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("after a rewrite without records: %v", err)
	}
	if _, err := b.Rewrite(ctx, "t", after.Last, kv("a", "1")); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("of a thread that is gone: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	putKV(t, b, kv("a", "1"))
	if got, want := values(t, b, 0, 0), "a=1;"; got != want {
		t.Errorf("begun again: %s, want %s", got, want)
	}
}
