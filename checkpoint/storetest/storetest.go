// Package storetest is the conformance suite of checkpoint drivers. A driver's test is
//
//	func TestConformance(t *testing.T) { storetest.Run(t, open) }
//	func TestModel(t *testing.T)       { storetest.Model(t, open) }
//
// The suite changes every buffer it gave to a call as soon as the call returned, so a driver that keeps one is found out.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Open makes an empty store and returns a function that opens it: each call as another process would.
type Open func(tb testing.TB) func() driver.Driver

// Run tests a driver.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		f    func(*testing.T, Open)
	}{
		{"ReadsBackWhatWasAppended", readsBack},
		{"Queries", queries},
		{"RefusesWhatIsNotExpected", refuses},
		{"StepTwiceIsOnce", twice},
		{"IdsGrow", idsGrow},
		{"Lesson09_EventNumbersAreGapless", lesson09},
		{"Lists", lists},
		{"DueThreads", due},
		{"Tombstone", tombstone},
		{"Drop", drops},
		{"PruneKeeps", pruneKeeps},
		{"PruneByAge", pruneByAge},
		{"PruneBlobs", pruneBlobs},
		{"PruneRefuses", pruneRefuses},
		{"PruneWhileReading", pruneWhileReading},
		{"Statistics", statistics},
		{"HandlesSeeEachOther", handles},
		{"Owners", owners},
		{"Concurrent", concurrent},
		{"Sizes", sizes},
		{"Closed", closed},
		{"Context", contexts},
		{"ImportKeepsNumbers", importKeepsNumbers},
		{"ImportIsAllOrNothing", importIsAllOrNothing},
		{"ImportConflicts", importConflicts},
		{"ClaimLife", claimLife},
		{"FoldAndFork", foldAndFork},
		{"Blobs", blobs},
		{"Delete", deletes},
		{"Put", puts},
		{"Rewrite", rewrites},
		{"Limits", limits},
		{"Lesson06_IdsAreUnique", lesson06},
	} {
		t.Run(c.name, func(t *testing.T) { c.f(t, open) })
	}
}

func record(kind driver.Kind, id string) *driver.Record {
	return &driver.Record{
		Kind: kind, Namespace: "ns|a:1", ID: id, Parent: "p", Task: "cafe", Attrs: []driver.Attr{{Name: "status", Value: "running"}, {Name: "x", Value: "\x00"}},
		Time: 1700000000000000, Due: 17, Events: 3, Codec: driver.CodecZstd, Size: 99, Body: []byte("body of " + id),
	}
}

func claimRecord() *driver.Record {
	return &driver.Record{Kind: driver.KindClaim, Owner: "me", Time: 1}
}

// do appends copies of recs and then changes what it gave, as a caller that reuses its buffers does.
func do(d driver.Driver, thread string, e driver.Expect, recs ...*driver.Record) ([]*driver.Record, error) {
	given := make([]*driver.Record, len(recs))
	for i, r := range recs {
		c := *r
		c.Body, c.Attrs = slices.Clone(r.Body), slices.Clone(r.Attrs)
		given[i] = &c
	}
	commit, err := d.Append(context.Background(), thread, e, given)
	out := make([]*driver.Record, len(recs))
	for i, g := range given {
		c := *recs[i]
		c.Seq, c.FirstEvent, c.Epoch, c.Ordinal = g.Seq, g.FirstEvent, g.Epoch, g.Ordinal
		out[i] = &c
		for j := range g.Body {
			g.Body[j] ^= 0xff
		}
		for j := range g.Attrs {
			g.Attrs[j] = driver.Attr{Name: "changed", Value: "changed"}
		}
		*g = driver.Record{}
	}
	if err == nil {
		err = commit.Wait(context.Background())
	}
	return out, err
}

func must(t *testing.T, d driver.Driver, thread string, e driver.Expect, recs ...*driver.Record) []*driver.Record {
	t.Helper()
	out, err := do(d, thread, e, recs...)
	if err != nil {
		t.Fatalf("append to %q: %v", thread, err)
	}
	return out
}

func collect(t *testing.T, d driver.Driver, thread string, q driver.Query) []*driver.Record {
	t.Helper()
	var out []*driver.Record
	for r, err := range d.Read(context.Background(), thread, q) {
		if err != nil {
			t.Fatalf("read of %q: %v", thread, err)
		}
		out = append(out, r)
	}
	return out
}

func diff(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func readsBack(t *testing.T, open Open) {
	again := open(t)
	d := again()
	want := must(t, d, "t", driver.Expect{}, claimRecord())
	for i := range 20 {
		step := record(driver.KindStep, fmt.Sprintf("id%02d", i))
		task := record(driver.KindTaskDone, "")
		task.Body = nil
		want = append(want, must(t, d, "t", driver.Expect{Epoch: 1}, step, task)...)
	}
	for i, r := range want {
		if r.Ordinal != uint32(i)+1 {
			t.Errorf("record %d of the thread has ordinal %d", i+1, r.Ordinal)
		}
	}
	all := driver.Query{AllNamespaces: true}
	diff(t, "records", collect(t, d, "t", all), want)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = again()
	defer d.Close()
	diff(t, "records after reopening", collect(t, d, "t", all), want)
	all.Reverse = true
	slices.Reverse(want)
	diff(t, "records backwards", collect(t, d, "t", all), want)
}

func queries(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	var recs []*driver.Record
	recs = append(recs, must(t, d, "t", driver.Expect{}, claimRecord())...)
	for i := range 9 {
		r := record([]driver.Kind{driver.KindStep, driver.KindTaskDone, driver.KindProgress}[i%3], fmt.Sprintf("id%d", i))
		r.Namespace = []string{"", "a", "b"}[i/3]
		recs = append(recs, must(t, d, "t", driver.Expect{Epoch: 1}, r)...)
	}
	recs = append(recs, must(t, d, "t", driver.Expect{Epoch: 1}, &driver.Record{Kind: driver.KindRelease, Time: 9})...)
	must(t, d, "other", driver.Expect{}, claimRecord())
	for _, q := range []driver.Query{
		{}, {Namespace: "a"}, {Namespace: "none"}, {AllNamespaces: true}, {Namespace: "b", Kinds: driver.Kinds(driver.KindStep)},
		{AllNamespaces: true, Kinds: driver.Kinds(driver.KindStep, driver.KindProgress), Reverse: true},
		{AllNamespaces: true, From: recs[3].Seq}, {AllNamespaces: true, To: recs[3].Seq}, {AllNamespaces: true, From: recs[2].Seq, To: recs[5].Seq, Reverse: true},
		{AllNamespaces: true, From: recs[5].Seq, To: recs[2].Seq}, {AllNamespaces: true, From: 1 << 60},
	} {
		var want []*driver.Record
		for _, r := range recs {
			thread := r.Kind == driver.KindClaim || r.Kind == driver.KindRelease
			if (q.AllNamespaces || thread || r.Namespace == q.Namespace) && (q.Kinds == 0 || q.Kinds.Has(r.Kind)) && r.Seq >= q.From && (q.To == 0 || r.Seq <= q.To) {
				want = append(want, r)
			}
		}
		if q.Reverse {
			slices.Reverse(want)
		}
		diff(t, fmt.Sprintf("%+v", q), collect(t, d, "t", q), want)
	}
	for _, err := range d.Read(context.Background(), "never", driver.Query{}) {
		if !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("read of a thread that never was: %v", err)
		}
	}
}

func refuses(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	must(t, d, "t", driver.Expect{}, claimRecord())
	step := record(driver.KindStep, "b")
	last := must(t, d, "t", driver.Expect{Epoch: 1}, step)[0].Seq
	before := len(collect(t, d, "t", driver.Query{AllNamespaces: true}))
	for _, c := range []struct {
		name string
		e    driver.Expect
		id   string
		want error
	}{
		{"older epoch", driver.Expect{}, "c", driver.ErrFenced},
		{"newer epoch", driver.Expect{Epoch: 2}, "c", driver.ErrFenced},
		{"other head", driver.Expect{Epoch: 1, Heads: []driver.Head{{Namespace: step.Namespace, ID: "a"}}}, "c", driver.ErrConflict},
		{"no head", driver.Expect{Epoch: 1, Heads: []driver.Head{{Namespace: step.Namespace}}}, "c", driver.ErrConflict},
		{"head of another namespace", driver.Expect{Epoch: 1, Heads: []driver.Head{{Namespace: "z", ID: "b"}}}, "c", driver.ErrConflict},
		{"lesser id", driver.Expect{Epoch: 1}, "a", driver.ErrConflict},
		{"not empty", driver.Expect{Epoch: 1, Empty: true}, "c", driver.ErrConflict},
		{"older last record", driver.Expect{Epoch: 1, Last: last - 1}, "c", driver.ErrConflict},
		{"newer last record", driver.Expect{AnyEpoch: true, Last: last + 1}, "c", driver.ErrConflict},
	} {
		// The second record would be fine: nothing of the append may be there.
		if _, err := do(d, "t", c.e, record(driver.KindStep, c.id), record(driver.KindProgress, "")); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := do(d, "ghost", driver.Expect{AnyEpoch: true, Exists: true}, record(driver.KindCancel, "")); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("a thread that must exist: %v", err)
	}
	if _, err := d.Thread(context.Background(), "ghost"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("a refused append left a thread: %v", err)
	}
	if after := len(collect(t, d, "t", driver.Query{AllNamespaces: true})); after != before {
		t.Errorf("%d records after refused appends, %d before", after, before)
	}
}

func twice(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	must(t, d, "t", driver.Expect{}, claimRecord())
	ns := record(driver.KindStep, "").Namespace
	e := driver.Expect{Epoch: 1, Heads: []driver.Head{{Namespace: ns}}}
	first := must(t, d, "t", e, record(driver.KindStep, "a"))
	second := must(t, d, "t", e, record(driver.KindStep, "a"))
	first[0].Ordinal = 0 // is given to what is written
	diff(t, "numbers of the second append", second, first)
	if n := len(collect(t, d, "t", driver.Query{Namespace: ns, Kinds: driver.Kinds(driver.KindStep)})); n != 1 {
		t.Errorf("%d steps, want 1", n)
	}
}

func idsGrow(t *testing.T, open Open) {
	d := open(t)()
	defer d.Close()
	must(t, d, "t", driver.Expect{}, claimRecord())
	if _, err := do(d, "t", driver.Expect{Epoch: 1}, record(driver.KindStep, "b"), record(driver.KindStep, "a")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("two steps of one append in the wrong order: %v", err)
	}
	must(t, d, "t", driver.Expect{Epoch: 1}, record(driver.KindStep, "chkpt9"))
	if _, err := do(d, "t", driver.Expect{Epoch: 1}, record(driver.KindStep, "chkpt10")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf(`"chkpt10" after "chkpt9": %v`, err)
	}
}
