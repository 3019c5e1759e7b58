package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// importer is d as an importer. A driver need not be one: the test is skipped then.
func importer(t *testing.T, d driver.Driver) driver.Importer {
	t.Helper()
	i, ok := d.(driver.Importer)
	if !ok {
		t.Skip("the driver is no driver.Importer")
	}
	return i
}

// foreign is a thread as another store has numbered it: it was claimed three times, something of its begin was pruned, and one
// record accepted a loss. more are appended to make it large.
func foreign(more int) []*driver.Record {
	recs := []*driver.Record{
		{Kind: driver.KindSnapshot, ID: "a0", Namespace: "n", Time: 10, FirstEvent: 7, Epoch: 3, Body: []byte("snap")},
		{Kind: driver.KindStep, ID: "a1", Parent: "a0", Namespace: "n", Time: 11, Events: 4, FirstEvent: 7, Epoch: 3, Due: 99, Body: []byte("one"), Size: 3, Attrs: []driver.Attr{{Name: "status", Value: "running"}}},
		{Kind: driver.KindClaim, Owner: "o2", Time: 12, FirstEvent: 11, Epoch: 4, Flags: driver.FlagAcceptLoss},
		{Kind: driver.KindStep, ID: "a2", Parent: "a1", Namespace: "n", Time: 13, Events: 1, FirstEvent: 11, Epoch: 4, Flags: driver.FlagAcceptLoss, Codec: driver.CodecZstd, Size: 1, Body: []byte{1, 2, 3}},
		{Kind: driver.KindClaim, Owner: "o5", Time: 12, Events: 1, FirstEvent: 40, Epoch: 9},
	}
	for i := range more {
		recs = append(recs, &driver.Record{
			Kind: driver.KindTaskDone, Namespace: "n", Task: fmt.Sprint(i), Time: 20 + int64(i), Events: uint32(i % 3), FirstEvent: 41 + uint64(i/3*3) + uint64(i%3*(i%3-1)/2),
			Epoch: 9, Body: make([]byte, i%700), Size: int64(i % 700),
		})
	}
	return recs
}

func yielded(recs []*driver.Record) iter.Seq2[*driver.Record, error] {
	return func(yield func(*driver.Record, error) bool) {
		for _, r := range recs {
			own := *r
			own.Seq, own.Ordinal = 12345, 678 // of the other store
			if !yield(&own, nil) {
				return
			}
		}
	}
}

// imported compares a thread with what was imported, but for the numbers that the driver gives.
func imported(t *testing.T, d driver.Driver, thread string, want []*driver.Record) {
	t.Helper()
	got := collect(t, d, thread, driver.Query{AllNamespaces: true})
	if len(got) != len(want) {
		t.Fatalf("%d records of %q, want %d", len(got), thread, len(want))
	}
	last := uint64(0)
	for i, r := range got {
		own := *r
		own.Seq, own.Ordinal = want[i].Seq, want[i].Ordinal
		own.Body, own.Attrs = append(want[i].Body[:0:0], r.Body...), append(want[i].Attrs[:0:0], r.Attrs...) // nil if that is what was given
		if !reflect.DeepEqual(&own, want[i]) {
			diff(t, fmt.Sprintf("record %d of %q", i, thread), &own, want[i])
			t.FailNow()
		}
		if r.Seq <= last || r.Ordinal != uint32(i+1) {
			t.Fatalf("record %d of %q has Seq %d after %d, ordinal %d", i, thread, r.Seq, last, r.Ordinal)
		}
		last = r.Seq
	}
}

func importKeepsNumbers(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	d := again()
	recs := foreign(5000)
	if err := importer(t, d).Import(ctx, "t", yielded(recs)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time after reopening
		imported(t, d, "t", recs)
		th, err := d.Thread(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		end := recs[len(recs)-1]
		diff(t, "thread", *th, driver.Thread{
			Name: "t", Epoch: 9, Claimed: true, Owner: "o5", Heads: []driver.Head{{Namespace: "n", ID: "a2"}}, Attrs: []driver.Attr{{Name: "status", Value: "running"}},
			Created: 10, Updated: end.Time, Records: int64(len(recs)), Events: end.FirstEvent - 1 + uint64(end.Events), LastSeq: th.LastSeq, Accepted: th.Accepted,
		})
		if th.Accepted == 0 {
			t.Error("a record that accepted a loss does not count")
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = again()
	}
	defer d.Close()
	if _, err := do(d, "t", driver.Expect{Epoch: 8}, record(driver.KindProgress, "")); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("an append of an epoch before the last: %v", err)
	}
	end := recs[len(recs)-1]
	out := must(t, d, "t", driver.Expect{Epoch: 9, Heads: []driver.Head{{Namespace: "n", ID: "a2"}}}, record(driver.KindStep, "a3"))
	if want := end.FirstEvent + uint64(end.Events); out[0].FirstEvent != want || out[0].Epoch != 9 || out[0].Ordinal != uint32(len(recs)+1) {
		t.Errorf("the record after: event %d, epoch %d, ordinal %d, want %d, 9, %d", out[0].FirstEvent, out[0].Epoch, out[0].Ordinal, want, len(recs)+1)
	}
}

func importIsAllOrNothing(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	d := again()
	recs := foreign(4000)
	stop := errors.New("the source ends here")
	cut := func(thread string) iter.Seq2[*driver.Record, error] {
		return func(yield func(*driver.Record, error) bool) {
			for r, err := range yielded(recs[:3000]) {
				if !yield(r, err) {
					return
				}
			}
			other := again()
			defer other.Close()
			absent(t, d, thread)
			absent(t, other, thread)
			yield(nil, stop)
		}
	}
	if err := importer(t, d).Import(ctx, "t", cut("t")); !errors.Is(err, stop) {
		t.Fatalf("import from a source with an error: %v", err)
	}
	absent(t, d, "t")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = again()
	defer d.Close()
	absent(t, d, "t")
	if err := importer(t, d).Import(ctx, "t", yielded(recs)); err != nil { // as if nothing had been
		t.Fatal(err)
	}
	imported(t, d, "t", recs)
	if err := importer(t, d).Import(ctx, "u", cut("u")); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	out := must(t, d, "u", driver.Expect{}, claimRecord())
	if out[0].Epoch != 1 || out[0].FirstEvent != 1 || out[0].Ordinal != 1 {
		t.Errorf("the first record after an import that ended early: %+v", out[0])
	}
	if n := len(collect(t, d, "u", driver.Query{AllNamespaces: true})); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

// absent checks that there is no such thread, whichever way one looks.
func absent(t *testing.T, d driver.Driver, thread string) {
	t.Helper()
	if th, err := d.Thread(context.Background(), thread); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("thread %q is there: %+v, %v", thread, th, err)
	}
	for th, err := range d.Threads(context.Background(), driver.Filter{}) {
		if err != nil || th.Name == thread {
			t.Errorf("in the list: %v, %v", th, err)
		}
	}
	due, err := d.Due(context.Background(), 1<<60, 10)
	if err != nil || slices.ContainsFunc(due, func(th *driver.Thread) bool { return th.Name == thread }) {
		t.Errorf("due: %v, %v", due, err)
	}
	for r, err := range d.Read(context.Background(), thread, driver.Query{AllNamespaces: true}) {
		if !errors.Is(err, driver.ErrNotFound) {
			t.Fatalf("read: %v, %v", r, err)
		}
	}
}

func importConflicts(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	d, other := again(), again()
	defer d.Close()
	defer other.Close()
	recs := foreign(3000)
	must(t, d, "there", driver.Expect{}, claimRecord())
	must(t, d, "deleted", driver.Expect{}, claimRecord())
	must(t, d, "deleted", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTombstone, Time: 6})
	for _, name := range []string{"there", "deleted"} {
		if err := importer(t, d).Import(ctx, name, yielded(recs)); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("import of a thread that is %s: %v", name, err)
		}
	}
	between := func(f func()) iter.Seq2[*driver.Record, error] {
		return func(yield func(*driver.Record, error) bool) {
			for i, r := range recs {
				if i == len(recs)-1 {
					f()
				}
				if own := *r; !yield(&own, nil) {
					return
				}
			}
		}
	}
	err := importer(t, d).Import(ctx, "t", between(func() { must(t, other, "t", driver.Expect{}, claimRecord()) }))
	if !errors.Is(err, driver.ErrConflict) {
		t.Errorf("import of a thread that somebody begins meanwhile: %v", err)
	}
	if got := collect(t, d, "t", driver.Query{AllNamespaces: true}); len(got) != 1 || got[0].Owner != "me" {
		t.Errorf("their record is not what is there: %d records", len(got))
	}
	err = importer(t, d).Import(ctx, "u", between(func() {
		if err := importer(t, other).Import(ctx, "u", yielded(recs)); err != nil {
			t.Error(err)
		}
	}))
	if !errors.Is(err, driver.ErrConflict) {
		t.Errorf("two imports of one thread at once: %v", err)
	}
	imported(t, d, "u", recs)
}
