package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// drops: what is below is gone, but for heads, what came after them, and what others must not notice.
func drops(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	d := again()
	var recs []*driver.Record
	at := func(r *driver.Record) uint64 {
		recs = append(recs, must(t, d, "t", driver.Expect{Epoch: 1}, r)...)
		return recs[len(recs)-1].Seq
	}
	recs = append(recs, must(t, d, "t", driver.Expect{}, claimRecord())...)
	in := func(ns string, kind driver.Kind, id string) *driver.Record {
		return &driver.Record{Kind: kind, Namespace: ns, ID: id, Time: 1, Events: 2, Attrs: []driver.Attr{{Name: "n", Value: id}}, Body: []byte(ns + id), Size: int64(len(ns + id))}
	}
	at(in("old", driver.KindStep, "1"))
	oldHead := at(in("old", driver.KindStep, "2"))
	at(in("old", driver.KindTaskDone, ""))
	at(in("", driver.KindStep, "1"))
	at(in("", driver.KindTaskDone, ""))
	at(in("none", driver.KindKV, "1"))
	below := at(in("", driver.KindStep, "2"))
	at(in("", driver.KindStep, "3"))
	at(in("", driver.KindTaskDone, ""))
	before, err := d.Thread(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Drop(ctx, "t", below); err != nil {
		t.Fatal(err)
	}
	var want []*driver.Record
	for _, r := range recs {
		if r.Seq >= below || r.Namespace == "old" && r.Seq >= oldHead || r.Namespace == "none" {
			want = append(want, r)
		}
	}
	check := func(d driver.Driver) {
		t.Helper()
		diff(t, "records that are left", collect(t, d, "t", driver.Query{AllNamespaces: true}), want)
		after, err := d.Thread(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		expected := *before
		expected.Records, expected.Dropped = int64(len(want)), below
		diff(t, "thread", after, &expected)
	}
	check(d)
	for _, again := range []uint64{below, below - 1, 0} {
		if err := d.Drop(ctx, "t", again); err != nil {
			t.Errorf("drop again below %d: %v", again, err)
		}
	}
	if err := d.Drop(ctx, "nobody", 5); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("drop of a thread that is not there: %v", err)
	}
	other := again()
	check(other)
	if m, ok := d.(driver.Maintenance); ok {
		rep, err := m.Prune(ctx, &driver.PruneOptions{Now: true})
		if err != nil || rep.After > rep.Before+64<<10 {
			t.Errorf("prune: %+v, %v", rep, err)
		}
	}
	check(d)
	check(other)
	if err := errors.Join(other.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	d = again()
	defer d.Close()
	check(d)
	// When a head moves on, what it was is dropped as well; and the claim of before is still good.
	moved := must(t, d, "t", driver.Expect{Epoch: 1, Heads: []driver.Head{{Namespace: "old", ID: "2"}}}, in("old", driver.KindStep, "3"))
	if got := collect(t, d, "t", driver.Query{Namespace: "old"}); len(got) != 1 || got[0].Seq != moved[0].Seq {
		t.Errorf("%d records of a namespace whose head was older than what was dropped, want its new head", len(got))
	}
	must(t, d, "t", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindTombstone, Time: 1})
	if err := d.Drop(ctx, "t", math.MaxUint64); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("drop of a deleted thread: %v", err)
	}
	must(t, d, "t", driver.Expect{Epoch: 2}, claimRecord())
	if th, err := d.Thread(ctx, "t"); err != nil || th.Dropped != 0 || th.Records != 1 {
		t.Errorf("a new generation: %+v, %v", th, err)
	}
}

// history appends n steps, each with an entry of its own, and returns their ids.
func history(t *testing.T, c *checkpoint.Claim, ns string, n, size int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		r := step(put(fmt.Sprint("k", i), strings.Repeat("v", size)))
		r.Namespace = ns
		save(t, c, r)
		if err := appendTask(c, ns); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func appendTask(c *checkpoint.Claim, ns string) error {
	_, err := c.Append(context.Background(), &checkpoint.Record{Kind: checkpoint.KindTaskDone, Namespace: ns, Task: "ab"})
	return err
}

// entries is how many entries the state at a step has.
func entries(t *testing.T, s *checkpoint.Store, ns, id string) int {
	t.Helper()
	_, st, err := s.State(context.Background(), "t", ns, id)
	if err != nil {
		t.Fatalf("state at %q of %q: %v", id, ns, err)
	}
	return st.Len()
}

// pruneKeeps: what is kept is whole, can be forked and resumed, in small threads and in ones with snapshots; the rest is gone.
func pruneKeeps(t *testing.T, open Open) {
	ctx := context.Background()
	for _, size := range []int{1, 5000} {
		again := open(t)
		s, other := checkpoint.New(again(), nil), checkpoint.New(again(), nil)
		c := claim(t, s, "t", nil)
		sub := history(t, c, "sub", 3, size)
		history(t, c, "one", 1, size)
		ids := history(t, c, "", 40, size)
		fork := step(put("fork", "1"))
		fork.Parent = ids[5]
		save(t, c, fork)
		after := step(put("after", "1"))
		save(t, c, after)
		dry, err := other.Prune(ctx, &checkpoint.PruneOptions{Thread: "t", KeepLast: 4, Now: true, DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		if entries(t, s, "", ids[0]) != 1 {
			t.Error("a dry run dropped something")
		}
		rep, err := other.Prune(ctx, &checkpoint.PruneOptions{Thread: "t", KeepLast: 4, Now: true})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Threads != 1 || rep.Steps != 40 || dry.Steps != rep.Steps || dry.Records != rep.Records {
			t.Errorf("size %d: %+v, dry run %+v; want 40 steps of one thread", size, rep, dry)
		}
		for _, s := range []*checkpoint.Store{s, other} {
			for id, want := range map[string]int{ids[38]: 39, ids[39]: 40, fork.ID: 7, after.ID: 8, "": 8} {
				if got := entries(t, s, "", id); got != want {
					t.Errorf("size %d: %d entries at %q, want %d", size, got, id, want)
				}
			}
			if got := entries(t, s, "sub", sub[2]); got != 3 {
				t.Errorf("size %d: %d entries in the other namespace, want 3", size, got)
			}
			for _, id := range []string{ids[0], ids[5], ids[37]} {
				if _, _, err := s.State(ctx, "t", "", id); !errors.Is(err, checkpoint.ErrNotFound) {
					t.Errorf("size %d: state at a dropped step: %v", size, err)
				}
			}
		}
		for ns, want := range map[string]int{"sub": 4, "one": 2} { // what it continues is dropped when it is not the head any more
			goesOn := step(put("more", "1"))
			goesOn.Namespace = ns
			save(t, c, goesOn)
			if got := entries(t, other, ns, ""); got != want {
				t.Errorf("size %d: %d entries of %q behind a head that was older than what was dropped, want %d", size, got, ns, want)
			}
		}
		twice, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 4})
		if err != nil || twice.Steps != 0 || twice.Threads != 0 {
			t.Errorf("prune again: %+v, %v", twice, err)
		}
		next := step(put("next", "1"))
		next.Parent = ids[38]
		save(t, c, next)
		if got := entries(t, other, "", next.ID); got != 40 {
			t.Errorf("size %d: %d entries at a fork of the oldest step that is kept, want 40", size, got)
		}
		if err := errors.Join(c.Release(ctx, nil), s.Close(), other.Close()); err != nil {
			t.Fatal(err)
		}
		s = checkpoint.New(again(), nil)
		c = claim(t, s, "t", nil)
		snap, err := c.Load(ctx, "")
		if err != nil || snap.Head.ID != next.ID || snap.State.Len() != 40 {
			t.Errorf("size %d: load after a reopen: %v", size, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// pruneByAge: younger ones are kept, whatever KeepLast says, and the newest always.
func pruneByAge(t *testing.T, open Open) {
	ctx := context.Background()
	now := time.Unix(1_800_000_000, 0)
	s := checkpoint.New(open(t)(), &checkpoint.Options{Now: func() time.Time { return now }})
	defer s.Close()
	c := claim(t, s, "t", nil)
	var ids []string
	for range 10 {
		r := step(put("x", "1"))
		save(t, c, r)
		ids = append(ids, r.ID)
		now = now.Add(time.Hour)
	}
	for _, test := range []struct {
		last int
		age  time.Duration
		want int64
	}{{0, 24 * time.Hour, 0}, {3, 5*time.Hour + time.Minute, 5}, {4, time.Hour, 1}, {0, time.Minute, 3}, {0, 0, 0}} {
		rep, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: test.last, MaxAge: test.age})
		if err != nil || rep.Steps != test.want {
			t.Errorf("keep %d, %v: %d steps dropped, %v; want %d", test.last, test.age, rep.Steps, err, test.want)
		}
	}
	if r, _, err := s.State(ctx, "t", "", ""); err != nil || r.ID != ids[9] {
		t.Errorf("the newest: %v", err)
	}
}

// pruneBlobs: what a thread needs stays, and what was put within a day; the rest goes, and can be put again.
func pruneBlobs(t *testing.T, open Open) {
	ctx := context.Background()
	now := time.Unix(1_800_000_000, 0)
	s := checkpoint.New(open(t)(), &checkpoint.Options{Now: func() time.Time { return now }})
	defer s.Close()
	claim(t, s, "t", nil)
	blob := func(text string) string {
		t.Helper()
		digest, c, err := s.PutBlob(ctx, []byte(text))
		if err == nil {
			err = c.Wait(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	needed, idle, again := blob("needed"), blob("idle"), blob("again")
	o := &checkpoint.PruneOptions{Now: true, Blobs: func(_ context.Context, _ *checkpoint.Store, thread string) ([]string, error) {
		return []string{needed}, nil
	}}
	prune := func(want int) {
		t.Helper()
		rep, err := s.Prune(ctx, o)
		if err != nil || rep.Blobs != want {
			t.Errorf("%d blobs pruned, %v; want %d", rep.Blobs, err, want)
		}
	}
	prune(0)
	now = now.Add(23 * time.Hour)
	blob("again")
	now = now.Add(2 * time.Hour)
	o.DryRun = true
	prune(1)
	o.DryRun = false
	prune(1)
	prune(0)
	for digest, want := range map[string]error{needed: nil, again: nil, idle: checkpoint.ErrNotFound} {
		if _, err := s.Blob(ctx, digest); !errors.Is(err, want) {
			t.Errorf("blob %s: %v, want %v", digest, err, want)
		}
	}
	if blob("idle") != idle {
		t.Error("put again, it has another digest")
	}
	if b, err := s.Blob(ctx, idle); err != nil || string(b) != "idle" {
		t.Errorf("put again: %q, %v", b, err)
	}
}

func pruneRefuses(t *testing.T, open Open) {
	ctx := context.Background()
	s := checkpoint.New(open(t)(), nil)
	for name, o := range map[string]*checkpoint.PruneOptions{"last": {KeepLast: -1}, "age": {MaxAge: -1}, "name": {KeepLast: 1, Thread: "\x01x"}} {
		if _, err := s.Prune(ctx, o); !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 1, Thread: "nobody"}); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("a thread that is not there: %v", err)
	}
	if rep, err := s.Prune(ctx, nil); err != nil || rep.Steps != 0 {
		t.Errorf("an empty store: %+v, %v", rep, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx, nil); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("a closed store: %v", err)
	}
}

// pruneWhileReading: a run goes on, others read its newest state and its history, and a third one prunes all the time.
func pruneWhileReading(t *testing.T, open Open) {
	ctx, cancel := context.WithCancel(context.Background())
	again := open(t)
	writer, reader, pruner := checkpoint.New(again(), nil), checkpoint.New(again(), nil), checkpoint.New(again(), nil)
	c := claim(t, writer, "t", nil)
	history(t, c, "", 2, 3000)
	var wg sync.WaitGroup
	until := func(f func() error) {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	until(func() error {
		_, st, err := reader.State(context.Background(), "t", "", "")
		if err == nil && st.Len() == 0 {
			err = errors.New("empty state")
		}
		return err
	})
	until(func() error {
		for _, err := range reader.Records(context.Background(), "t") {
			if err != nil {
				return err
			}
		}
		return nil
	})
	until(func() error {
		_, err := pruner.Prune(context.Background(), &checkpoint.PruneOptions{KeepLast: 2, Now: true})
		return err
	})
	history(t, c, "", 25, 3000)
	cancel()
	wg.Wait()
	if err := errors.Join(c.Release(context.Background(), nil), writer.Close(), reader.Close(), pruner.Close()); err != nil {
		t.Fatal(err)
	}
}

// statistics: what a store and a thread say of their size.
func statistics(t *testing.T, open Open) {
	ctx := context.Background()
	s := checkpoint.New(open(t)(), nil)
	defer s.Close()
	c := claim(t, s, "t", nil)
	history(t, c, "", 5, 10)
	gone := claim(t, s, "gone", nil)
	history(t, gone, "", 1, 10)
	if err := s.Delete(ctx, "gone", true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.PutBlob(ctx, []byte("blob")); err != nil {
		t.Fatal(err)
	}
	st, err := s.Stats(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if err != nil || st.Threads != 1 || st.Deleted != 1 || st.Reserved < 1 || st.Records < 12 || st.Bytes == 0 || st.Damaged != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	th, err := s.ThreadStats(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	if th.Records[checkpoint.KindStep] != 5 || th.Records[checkpoint.KindTaskDone] != 5 || th.Records[checkpoint.KindClaim] != 1 || th.Size == 0 || th.Oldest == 0 || th.Dropped {
		t.Errorf("%+v", th)
	}
	if _, err := s.ThreadStats(ctx, "nobody"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("a thread that is not there: %v", err)
	}
}
