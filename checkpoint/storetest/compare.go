package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Compare gives the same random operations to several drivers and compares every answer of the others with that of the first:
// records, threads, lists, due times, and the identity of each error. Sequence numbers, which each driver gives out in its own
// way, are compared as the records that they belong to; ordinals, which count records of a driver's own making too, are not.
func Compare(t *testing.T, opens ...Open) {
	rapid.Check(t, func(rt *rapid.T) {
		c := &comparison{t: rt}
		for _, open := range opens {
			p := &player{again: open(t), index: map[uint64]int{}}
			p.d = p.again()
			c.players = append(c.players, p)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": c.append, "append2": c.append, "append3": c.append, "append4": c.append, "drop": c.drop, "import": c.imports,
			"prune": c.prune, "reopen": c.reopen, "read": c.read, "list": c.list, "due": c.due, "": c.check,
		})
		c.threads(rt)
		for _, p := range c.players {
			if err := p.d.Close(); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

// comparison is a random test of several drivers.
type comparison struct {
	t       *rapid.T
	players []*player
	n       int    // records made
	touched string // thread that the last operation may have changed, "" none
}

// player is one of the drivers.
type player struct {
	again func() driver.Driver
	d     driver.Driver
	seqs  []uint64       // of the records that were written, in their order
	index map[uint64]int // the inverse, from 1
}

// seq is the driver's number of a record: 0 none, else the i-th that was written.
func (p *player) seq(i int) uint64 {
	if i == 0 {
		return 0
	}
	return p.seqs[i-1]
}

// wrote notes the numbers of new records.
func (p *player) wrote(recs []*driver.Record) {
	for _, r := range recs {
		p.seqs = append(p.seqs, r.Seq)
		p.index[r.Seq] = len(p.seqs)
	}
}

// all lets every driver answer and compares the answers.
func (c *comparison) all(t *rapid.T, what string, ask func(*player) any) {
	var want any
	for i, p := range c.players {
		got := ask(p)
		if i == 0 {
			want = got
		} else if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%s: driver %d answers otherwise (-first +other):\n%s", what, i, d)
		}
	}
}

// identity is what an error Is.
func identity(err error) string {
	if err == nil {
		return "ok"
	}
	for _, known := range []error{
		driver.ErrNotFound, driver.ErrConflict, driver.ErrFenced, driver.ErrBusy, driver.ErrFull, driver.ErrUnknown, driver.ErrReadOnly,
		driver.ErrClosed, driver.ErrDamaged, driver.ErrTooLarge, driver.ErrVersion,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "another error"
}

var comparedThreads = []string{"a", "b", "a/b", "ü", "\x01kv/x"}

func drawThread(t *rapid.T) string { return rapid.SampledFrom(comparedThreads).Draw(t, "thread") }

// change draws a thread for an operation that may change it.
func (c *comparison) change(t *rapid.T) string {
	c.touched = drawThread(t)
	return c.touched
}

func drawNamespace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "n", "n|m:1"}).Draw(t, "namespace")
}

// record draws a record. Ids come from a small set that grows with the test, so that some are too old and some are there already.
func (c *comparison) record(t *rapid.T) *driver.Record {
	c.n++
	r := &driver.Record{
		Kind: rapid.SampledFrom([]driver.Kind{
			driver.KindStep, driver.KindStep, driver.KindStep, driver.KindTaskDone, driver.KindSnapshot, driver.KindCancel, driver.KindKV,
			driver.KindRelease, driver.KindProgress,
		}).Draw(t, "kind"),
		Namespace: drawNamespace(t), Time: int64(c.n), Events: rapid.Uint32Range(0, 3).Draw(t, "events"),
		Due: rapid.SampledFrom([]int64{0, 0, 5, 9}).Draw(t, "due"), Body: fmt.Append(nil, "body ", c.n),
	}
	r.Size = int64(len(r.Body))
	if r.Kind == driver.KindStep || r.Kind == driver.KindSnapshot {
		r.ID, r.Parent = fmt.Sprintf("%04d", max(0, c.n-rapid.IntRange(0, 3).Draw(t, "older"))), "p"
	}
	for range rapid.IntRange(0, 2).Draw(t, "attrs") {
		r.Attrs = append(r.Attrs, driver.Attr{
			Name: rapid.SampledFrom([]string{"s", "t", "s\x00"}).Draw(t, "name"), Value: rapid.SampledFrom([]string{"", "x", "x\x01s", "\x02"}).Draw(t, "value"),
		})
	}
	if rapid.IntRange(0, 20).Draw(t, "loss") == 0 {
		r.Flags = driver.FlagAcceptLoss
	}
	return r
}

// expectation is an Expect whose Last is a record.
type expectation struct {
	driver.Expect
	last int
}

func (c *comparison) append(t *rapid.T) {
	thread := c.change(t)
	e := c.expect(t, thread)
	var recs []*driver.Record
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		recs = append(recs, &driver.Record{Kind: driver.KindTombstone, Time: int64(c.n + 1)})
	case 1, 2:
		recs = append(recs, &driver.Record{Kind: driver.KindClaim, Owner: "o", Time: int64(c.n + 1), Events: 1})
	}
	if len(recs) == 0 || recs[0].Kind == driver.KindClaim {
		for range rapid.IntRange(0, 3).Draw(t, "records") {
			recs = append(recs, c.record(t))
		}
	}
	type answer struct {
		Err     string
		Cancel  int
		Numbers []driver.Record
	}
	c.all(t, fmt.Sprintf("append to %q", thread), func(p *player) any {
		expect := e.Expect
		expect.Last = p.seq(e.last)
		given := make([]*driver.Record, len(recs))
		for i, r := range recs {
			own := *r
			given[i] = &own
		}
		before, err := p.d.Thread(context.Background(), thread)
		if errors.Is(err, driver.ErrNotFound) {
			before, err = &driver.Thread{}, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		commit, err := p.d.Append(context.Background(), thread, expect, given)
		if err != nil {
			return answer{Err: identity(err)}
		}
		if err := commit.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(given) > 0 && given[len(given)-1].Seq > before.LastSeq && given[0].Ordinal != 0 {
			p.wrote(given)
		}
		a := answer{Err: "ok", Cancel: p.index[commit.Cancel]}
		for _, r := range given {
			a.Numbers = append(a.Numbers, driver.Record{Seq: uint64(p.index[r.Seq]), FirstEvent: r.FirstEvent, Epoch: r.Epoch})
		}
		return a
	})
}

// expect draws an expectation that is right more often than not.
func (c *comparison) expect(t *rapid.T, thread string) expectation {
	first := c.players[0]
	now, err := first.d.Thread(context.Background(), thread)
	if errors.Is(err, driver.ErrNotFound) {
		now, err = &driver.Thread{}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	e := expectation{Expect: driver.Expect{Epoch: now.Epoch, AnyEpoch: rapid.IntRange(0, 4).Draw(t, "any epoch") == 0}}
	switch rapid.IntRange(0, 11).Draw(t, "expect") {
	case 0:
		e.Epoch++
	case 1:
		e.Epoch = 0
	case 2:
		e.Empty = true
	case 3:
		e.Exists = true
	case 4:
		e.Heads = []driver.Head{{Namespace: drawNamespace(t), ID: "0001"}}
	case 5:
		e.Heads = []driver.Head{{Namespace: drawNamespace(t)}}
	case 6:
		e.Heads = now.Heads
	case 7:
		e.last = first.index[now.LastSeq]
	case 8:
		e.last = rapid.IntRange(0, len(first.seqs)).Draw(t, "last")
	case 9:
		e.AcceptLoss = true
	}
	return e
}

func (c *comparison) drop(t *rapid.T) {
	thread := c.change(t)
	below := rapid.IntRange(0, len(c.players[0].seqs)).Draw(t, "below")
	c.all(t, fmt.Sprintf("drop of %q", thread), func(p *player) any {
		return identity(p.d.Drop(context.Background(), thread, p.seq(below)))
	})
}

// imports gives each driver what another one has, under a new name or one that is taken.
func (c *comparison) imports(t *rapid.T) {
	from, to := drawThread(t), rapid.SampledFrom([]string{"a", "imported 1", "imported 2"}).Draw(t, "to")
	c.touched = to
	c.all(t, fmt.Sprintf("import of %q as %q", from, to), func(p *player) any {
		recs := slices.Collect(withoutErrors(p.d.Read(context.Background(), from, driver.Query{AllNamespaces: true})))
		if len(recs) == 0 {
			return nil
		}
		err := p.d.(driver.Importer).Import(context.Background(), to, func(yield func(*driver.Record, error) bool) {
			for _, r := range recs {
				if !yield(r, nil) {
					return
				}
			}
		})
		if err == nil {
			p.wrote(slices.Collect(withoutErrors(p.d.Read(context.Background(), to, driver.Query{AllNamespaces: true}))))
		}
		return identity(err)
	})
}

// withoutErrors is what a sequence yields without an error.
func withoutErrors[T any](seq iter.Seq2[T, error]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, err := range seq {
			if err == nil && !yield(v) {
				return
			}
		}
	}
}

func (c *comparison) prune(t *rapid.T) {
	defer c.threads(t)
	o := &driver.PruneOptions{Now: rapid.Bool().Draw(t, "now")}
	c.all(t, "prune", func(p *player) any {
		_, err := p.d.(driver.Maintenance).Prune(context.Background(), o)
		return identity(err)
	})
	c.all(t, "verify", func(p *player) any {
		var found []string
		err := p.d.(driver.Maintenance).Verify(context.Background(), func(d *driver.Damage) { found = append(found, d.Error()) }, nil)
		return append(found, identity(err))
	})
}

func (c *comparison) reopen(t *rapid.T) {
	for _, p := range c.players {
		if err := p.d.Close(); err != nil {
			t.Fatal(err)
		}
		p.d = p.again()
	}
	c.threads(t)
}

func (c *comparison) read(t *rapid.T) {
	thread := drawThread(t)
	q := driver.Query{
		Namespace: drawNamespace(t), AllNamespaces: rapid.Bool().Draw(t, "all"), Reverse: rapid.Bool().Draw(t, "reverse"),
		Kinds: rapid.SampledFrom([]driver.KindMask{0, 0, driver.Kinds(driver.KindStep), driver.Kinds(driver.KindClaim, driver.KindTaskDone)}).Draw(t, "kinds"),
	}
	n := len(c.players[0].seqs)
	from, to := rapid.IntRange(0, n).Draw(t, "from"), rapid.IntRange(0, n).Draw(t, "to")
	if rapid.Bool().Draw(t, "from the start") {
		from = 0
	}
	if rapid.Bool().Draw(t, "to the end") {
		to = 0
	}
	c.all(t, fmt.Sprintf("read of %q, %+v, %d to %d", thread, q, from, to), func(p *player) any {
		own := q
		own.From, own.To = p.seq(from), p.seq(to)
		return p.records(thread, own)
	})
}

// records reads a thread, with errors by their identity.
func (p *player) records(thread string, q driver.Query) (out []any) {
	for r, err := range p.d.Read(context.Background(), thread, q) {
		if err != nil {
			out = append(out, identity(err))
			continue
		}
		own := *r
		own.Seq, own.Ordinal = uint64(p.index[r.Seq]), 0
		out = append(out, own)
	}
	return out
}

// thread is what a driver says of a thread, with records instead of numbers.
func (p *player) thread(th *driver.Thread) driver.Thread {
	own := *th
	for _, n := range []*uint64{&own.LastSeq, &own.Cancel, &own.Accepted, &own.Dropped} {
		*n = uint64(p.index[*n])
	}
	return own
}

func (c *comparison) list(t *rapid.T) {
	f := driver.Filter{
		Prefix: rapid.SampledFrom([]string{"", "a", "a/", "\x01", "\xff"}).Draw(t, "prefix"), After: rapid.SampledFrom([]string{"", "a", "b", "zz"}).Draw(t, "after"),
		Limit: rapid.IntRange(0, 3).Draw(t, "limit"), Reserved: rapid.Bool().Draw(t, "reserved"),
	}
	if rapid.Bool().Draw(t, "by attribute") {
		f.Attrs = map[string]string{
			rapid.SampledFrom([]string{"s", "t", "s\x00", "no"}).Draw(t, "name"): rapid.SampledFrom([]string{"", "x", "x\x01s", "\x02"}).Draw(t, "value"),
		}
	}
	c.all(t, fmt.Sprintf("list %+v", f), func(p *player) any {
		var out []driver.Thread
		for th, err := range p.d.Threads(context.Background(), f) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, p.thread(th))
		}
		return out
	})
}

func (c *comparison) due(t *rapid.T) {
	before, limit := rapid.Int64Range(0, 10).Draw(t, "before"), rapid.IntRange(0, 3).Draw(t, "limit")
	c.all(t, "due", func(p *player) any {
		ts, err := p.d.Due(context.Background(), before, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []driver.Thread
		for _, th := range ts {
			out = append(out, p.thread(th))
		}
		return out
	})
}

// check compares the thread that the last operation may have changed.
func (c *comparison) check(t *rapid.T) {
	if c.touched != "" {
		c.thread(t, c.touched)
		c.touched = ""
	}
}

// threads compares every thread.
func (c *comparison) threads(t *rapid.T) {
	for _, name := range append(comparedThreads, "imported 1", "imported 2") {
		c.thread(t, name)
	}
}

// thread compares a thread and all of its records.
func (c *comparison) thread(t *rapid.T, name string) {
	c.all(t, fmt.Sprintf("thread %q", name), func(p *player) any {
		th, err := p.d.Thread(context.Background(), name)
		if err != nil {
			return identity(err)
		}
		return []any{p.thread(th), p.records(name, driver.Query{AllNamespaces: true})}
	})
}
