package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// lesson09: one gapless sequence per thread, given out by the append, over restarts and generations.
func lesson09(t *testing.T, open Open) {
	again := open(t)
	next := uint64(1)
	for epoch := uint64(0); epoch < 4; epoch++ {
		d := again()
		c := claimRecord()
		c.Events = 2
		e := driver.Expect{Epoch: epoch}
		for i := range 5 {
			a, b := record(driver.KindStep, fmt.Sprintf("%d-%d", epoch, i)), record(driver.KindTaskDone, "")
			recs := []*driver.Record{a, b}
			if i == 0 {
				recs = []*driver.Record{c, a, b}
			}
			for _, r := range must(t, d, "t", e, recs...) {
				if r.FirstEvent != next {
					t.Fatalf("first event %d, want %d", r.FirstEvent, next)
				}
				next += uint64(r.Events)
			}
			must(t, d, "other", driver.Expect{AnyEpoch: true}, record(driver.KindCancel, ""))
			e.Epoch = epoch + 1
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func lists(t *testing.T, open Open) {
	again := open(t)
	d := again()
	for _, n := range []string{"b", "a", "ab", "abc", "z", "\x01blob/x", "ü", "gone"} {
		must(t, d, n, driver.Expect{}, claimRecord())
	}
	must(t, d, "ab", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindStep, ID: "1", Time: 5, Attrs: []driver.Attr{{Name: "status", Value: "done"}, {Name: "gone", Value: "x"}}})
	must(t, d, "ab", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindRelease, Time: 6, Attrs: []driver.Attr{{Name: "gone"}}})
	must(t, d, "gone", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTombstone, Time: 6})
	check := func() {
		t.Helper()
		for _, c := range []struct {
			f    driver.Filter
			want string
		}{
			{driver.Filter{}, "[a ab abc b z ü]"}, {driver.Filter{Prefix: "a"}, "[a ab abc]"}, {driver.Filter{Prefix: "a", After: "a"}, "[ab abc]"},
			{driver.Filter{After: "ab"}, "[abc b z ü]"}, {driver.Filter{After: "aba"}, "[abc b z ü]"}, {driver.Filter{Limit: 2}, "[a ab]"},
			{driver.Filter{Prefix: "q"}, "[]"}, {driver.Filter{Prefix: "b", After: "z"}, "[]"}, {driver.Filter{Attrs: map[string]string{"status": "done"}}, "[ab]"},
			{driver.Filter{Attrs: map[string]string{"status": "done", "x": "y"}}, "[]"}, {driver.Filter{Attrs: map[string]string{"gone": "x"}}, "[]"},
			{driver.Filter{Reserved: true}, "[\x01blob/x]"},
		} {
			names := []string{}
			for th, err := range d.Threads(context.Background(), c.f) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, th.Name)
			}
			if got := fmt.Sprint(names); got != c.want {
				t.Errorf("%+v: %s, want %s", c.f, got, c.want)
			}
		}
		th, err := d.Thread(context.Background(), "ab")
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "thread", *th, driver.Thread{
			Name: "ab", Epoch: 1, Owner: "me", Heads: []driver.Head{{ID: "1"}}, Attrs: []driver.Attr{{Name: "status", Value: "done"}},
			Created: 1, Updated: 6, Records: 3, LastSeq: th.LastSeq,
		})
	}
	check()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = again()
	defer d.Close()
	check()
}

func due(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	for i, n := range []string{"c", "b", "a", "never"} {
		must(t, d, n, driver.Expect{}, claimRecord())
		must(t, d, n, driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindStep, ID: "1", Time: 1, Due: []int64{30, 10, 20, 0}[i]})
	}
	check := func(before int64, limit int, want string) {
		t.Helper()
		list, err := d.Due(context.Background(), before, limit)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, th := range list {
			names = append(names, th.Name)
		}
		if fmt.Sprint(names) != want {
			t.Errorf("due before %d, at most %d: %v, want %s", before, limit, names, want)
		}
	}
	check(30, 10, "[b a c]")
	check(29, 10, "[b a]")
	check(30, 1, "[b]")
	check(30, 0, "[]")
	check(9, 10, "[]")
	must(t, d, "b", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTaskDone, Time: 1})
	check(15, 10, "[b]")
	must(t, d, "b", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindRelease, Time: 1, Due: 12})
	check(11, 10, "[]")
	must(t, d, "b", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindStep, ID: "2", Time: 1})
	check(30, 10, "[a c]")
	must(t, d, "a", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTombstone, Time: 1})
	check(30, 10, "[c]")
}

func tombstone(t *testing.T, open Open) {
	again := open(t)
	d := again()
	must(t, d, "t", driver.Expect{}, claimRecord())
	must(t, d, "t", driver.Expect{Epoch: 1}, record(driver.KindStep, "m"))
	must(t, d, "t", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTombstone, Time: 1})
	if _, err := do(d, "t", driver.Expect{Epoch: 1}, record(driver.KindTaskDone, "")); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("a late write: %v", err)
	}
	for range 2 {
		th, err := d.Thread(context.Background(), "t")
		if err != nil {
			t.Fatal(err)
		}
		diff(t, "deleted thread", *th, driver.Thread{Name: "t", Epoch: 2, Deleted: true, MinID: "m", Events: 3, LastSeq: th.LastSeq})
		if recs := collect(t, d, "t", driver.Query{AllNamespaces: true}); len(recs) > 0 {
			t.Errorf("%d records of a deleted thread", len(recs))
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = again()
	}
	defer d.Close()
	must(t, d, "t", driver.Expect{Epoch: 2, Empty: true}, claimRecord())
	if _, err := do(d, "t", driver.Expect{Epoch: 3}, record(driver.KindStep, "k")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("an id of before the delete: %v", err)
	}
	must(t, d, "t", driver.Expect{Epoch: 3}, record(driver.KindStep, "n"))
}

func handles(t *testing.T, open Open) {
	again := open(t)
	a, b := again(), again()
	defer a.Close()
	must(t, a, "t", driver.Expect{}, claimRecord())
	if _, err := do(b, "t", driver.Expect{}, claimRecord()); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("second claim of the same epoch: %v", err)
	}
	must(t, b, "t", driver.Expect{Epoch: 1}, claimRecord())
	if _, err := do(a, "t", driver.Expect{Epoch: 1}, record(driver.KindStep, "a")); !errors.Is(err, driver.ErrFenced) {
		t.Errorf("append of the first claim: %v", err)
	}
	for i := range 50 {
		must(t, b, "t", driver.Expect{Epoch: 2}, record(driver.KindStep, fmt.Sprintf("%03d", i)))
		must(t, a, "u", driver.Expect{AnyEpoch: true}, record(driver.KindCancel, ""))
		if n := len(collect(t, a, "t", driver.Query{AllNamespaces: true})); n != i+3 {
			t.Fatalf("the other handle sees %d records, want %d", n, i+3)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, a, "t", driver.Expect{Epoch: 2}, record(driver.KindStep, "x"))
	c := again()
	defer c.Close()
	diff(t, "a third handle", collect(t, c, "t", driver.Query{AllNamespaces: true}), collect(t, a, "t", driver.Query{AllNamespaces: true}))
}

func owners(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	a, b := again(), again()
	defer b.Close()
	oa, ok := a.(driver.Owners)
	if !ok {
		t.Skip("the driver has no owners")
	}
	ob := b.(driver.Owners)
	me, release, err := oa.Register(ctx, "a test")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want bool) {
		t.Helper()
		for _, o := range []driver.Owners{ob} {
			got, alive, err := o.Owner(ctx, me.ID)
			if err != nil || alive != want {
				t.Errorf("alive %v (%v), want %v", alive, err, want)
			}
			if want {
				diff(t, "owner", got, me)
			}
		}
	}
	check(true)
	check(true) // asking does not end it
	if err := release(); err != nil {
		t.Fatal(err)
	}
	check(false)
	for _, id := range []string{"", "never", "../lock", "01ARZ3NDEKTSV4RRFFQ69G5FAV"} {
		if _, alive, err := ob.Owner(ctx, id); alive || err != nil {
			t.Errorf("owner %q: alive %v, %v", id, alive, err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func concurrent(t *testing.T, open Open) {
	again := open(t)
	handles := []driver.Driver{again(), again()}
	const workers, each = 8, 30
	for g := range workers {
		must(t, handles[0], fmt.Sprint("own", g), driver.Expect{}, claimRecord())
	}
	var wg sync.WaitGroup
	for g := range workers {
		wg.Go(func() {
			d := handles[g%2]
			for i := range each {
				if _, err := do(d, fmt.Sprint("own", g), driver.Expect{Epoch: 1}, record(driver.KindStep, fmt.Sprintf("%04d", i))); err != nil {
					t.Error(err)
				}
				if _, err := do(d, "shared", driver.Expect{AnyEpoch: true}, record(driver.KindCancel, ""), record(driver.KindCancel, "")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, d := range handles {
		recs := collect(t, d, "shared", driver.Query{AllNamespaces: true})
		if len(recs) != workers*each*2 {
			t.Errorf("%d records of the shared thread, want %d", len(recs), workers*each*2)
		}
		for i, r := range recs {
			if r.FirstEvent != uint64(3*i+1) || i%2 == 1 && r.Seq != recs[i-1].Seq+1 {
				t.Fatalf("record %d: first event %d, sequence %d after %d", i, r.FirstEvent, r.Seq, recs[max(i-1, 0)].Seq)
			}
		}
		for g := range workers {
			if n := len(collect(t, d, fmt.Sprint("own", g), driver.Query{AllNamespaces: true})); n != each+1 {
				t.Errorf("%d records of thread %d, want %d", n, g, each+1)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func sizes(t *testing.T, open Open) {
	again := open(t)
	d := again()
	rnd := rand.New(rand.NewPCG(1, 2))
	var want []*driver.Record
	want = append(want, must(t, d, "t", driver.Expect{}, claimRecord())...)
	for _, n := range []int{0, 1, 7, 8, 127, 128, 129, 511, 512, 513, 4000, 4096, 100_000, 3 << 20} {
		for _, fill := range []byte{0, 1} { // zeros: what a disk that lost the write has too
			r := &driver.Record{Kind: driver.KindProgress, Time: 1, Size: int64(n), Body: bytes.Repeat([]byte{fill}, n)}
			if fill == 1 {
				for i := range r.Body {
					r.Body[i] = byte(rnd.Uint32()) & byte(rnd.Uint32())
				}
			}
			if n == 0 {
				r.Body = nil
			}
			want = append(want, must(t, d, "t", driver.Expect{Epoch: 1}, r)...)
		}
	}
	for range 2 {
		got := collect(t, d, "t", driver.Query{AllNamespaces: true})
		if len(got) != len(want) {
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
		for i, r := range got {
			if !bytes.Equal(r.Body, want[i].Body) {
				t.Errorf("record %d of %d bytes is not what was appended", i, len(want[i].Body))
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = again()
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, open Open) {
	ctx := context.Background()
	d := open(t)()
	c, err := d.Append(ctx, "t", driver.Expect{}, []*driver.Record{claimRecord()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if err := c.Wait(ctx); err != nil {
		t.Errorf("wait for what was written before Close: %v", err)
	}
	for what, err := range map[string]error{
		"append":  second(do(d, "t", driver.Expect{Epoch: 1}, claimRecord())),
		"thread":  second(d.Thread(ctx, "t")),
		"due":     second(d.Due(ctx, 1, 1)),
		"read":    first(d.Read(ctx, "t", driver.Query{})),
		"threads": first(d.Threads(ctx, driver.Filter{})),
	} {
		if !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s after Close: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func first[T any](seq func(func(T, error) bool)) (err error) {
	seq(func(_ T, e error) bool { err = e; return false })
	return err
}

func contexts(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	must(t, d, "t", driver.Expect{}, claimRecord())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for what, err := range map[string]error{
		"append":  second(d.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{record(driver.KindStep, "a")})),
		"thread":  second(d.Thread(ctx, "t")),
		"due":     second(d.Due(ctx, 1, 1)),
		"read":    first(d.Read(ctx, "t", driver.Query{})),
		"threads": first(d.Threads(ctx, driver.Filter{})),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context: %v", what, err)
		}
	}
	if n := len(collect(t, d, "t", driver.Query{AllNamespaces: true})); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}
