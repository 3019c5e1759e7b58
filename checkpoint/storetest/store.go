package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
)

func step(ops ...checkpoint.Op) *checkpoint.Record {
	return &checkpoint.Record{Kind: checkpoint.KindStep, Ops: ops}
}

func put(name, value string) checkpoint.Op {
	return checkpoint.Op{Kind: checkpoint.OpPut, Name: name, Value: []byte(value)}
}

func add(name, value string) checkpoint.Op {
	return checkpoint.Op{Kind: checkpoint.OpAppend, Name: name, Value: []byte(value)}
}

func del(name string) checkpoint.Op { return checkpoint.Op{Kind: checkpoint.OpDel, Name: name} }

func claim(t *testing.T, s *checkpoint.Store, thread string, o *checkpoint.ClaimOptions) *checkpoint.Claim {
	t.Helper()
	c, err := s.Claim(context.Background(), thread, o)
	if err != nil {
		t.Fatalf("claim of %q: %v", thread, err)
	}
	return c
}

// save appends and then changes every buffer it gave.
func save(t *testing.T, c *checkpoint.Claim, recs ...*checkpoint.Record) {
	t.Helper()
	m, err := c.Append(context.Background(), recs...)
	for _, r := range recs {
		for _, op := range r.Ops {
			for i := range op.Value {
				op.Value[i] = '!'
			}
		}
		for i := range r.Meta {
			r.Meta[i] = '!'
		}
		for _, p := range r.Parts {
			for i := range p {
				p[i] = '!'
			}
		}
	}
	if err == nil {
		err = m.Wait(context.Background())
	}
	if err != nil {
		t.Fatalf("append: %v", err)
	}
}

// show is a state as text.
func show(st checkpoint.State) string {
	var b strings.Builder
	for n, v := range st.All() {
		fmt.Fprintf(&b, "%s=%s;", n, v)
	}
	return b.String()
}

func claimLife(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	a := checkpoint.New(again(), &checkpoint.Options{Owner: "process a"})
	b := checkpoint.New(again(), nil)
	defer b.Close()
	c := claim(t, a, "t", nil)
	if !c.New() || c.Crashed() || c.Epoch() != 1 {
		t.Errorf("first claim: new %v, crashed %v, epoch %d", c.New(), c.Crashed(), c.Epoch())
	}
	for _, s := range []*checkpoint.Store{a, b} {
		var busy *checkpoint.BusyError
		if _, err := s.Claim(ctx, "t", nil); !errors.As(err, &busy) || busy.Holder.Text != "process a" || busy.Holder.PID == 0 {
			t.Errorf("claim of a held thread: %v", err)
		}
	}
	save(t, c, step(put("x", "1")))
	c2 := claim(t, b, "t", &checkpoint.ClaimOptions{TakeOver: true})
	if c2.New() || !c2.Crashed() || c2.Epoch() != 2 {
		t.Errorf("take-over: new %v, crashed %v, epoch %d", c2.New(), c2.Crashed(), c2.Epoch())
	}
	if _, err := c.Append(ctx, step()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("append of the claim that was taken over: %v", err)
	}
	if err := c.Release(ctx, nil); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("release of it: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c2.Release(ctx, &checkpoint.Record{Attrs: []checkpoint.Attr{{Name: "status", Value: "done"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c2.Append(ctx, step()); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("append after release: %v", err)
	}
	c3 := claim(t, a, "t", nil)
	if c3.Crashed() {
		t.Error("crashed after a release")
	}
	info, err := b.Thread(ctx, "t")
	if err != nil || !info.Claimed || !info.Alive || info.Attrs["status"] != "done" || info.Holder.Text != "process a" {
		t.Errorf("info %+v, %v", info, err)
	}
	if m, err := b.Cancel(ctx, "t", []byte("why")); err != nil || m.Wait(ctx) != nil {
		t.Fatal(err)
	}
	if c3.Cancelled() {
		t.Error("cancelled before an append could see it")
	}
	save(t, c3, &checkpoint.Record{Kind: checkpoint.KindProgress})
	if !c3.Cancelled() {
		t.Error("the append did not see the cancel")
	}
	if err := c3.Close(); err != nil { // forgotten, as after a failure
		t.Fatal(err)
	}
	c4 := claim(t, a, "t", nil)
	if !c4.Crashed() || c4.Cancelled() {
		t.Errorf("claim after a forgotten one: crashed %v, cancelled %v", c4.Crashed(), c4.Cancelled())
	}
	if err := a.Close(); err != nil { // its owner ends with it
		t.Fatal(err)
	}
	if c5 := claim(t, b, "t", nil); !c5.Crashed() {
		t.Error("not crashed after the owner ended")
	}
}

func foldAndFork(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	s := checkpoint.New(again(), nil)
	c := claim(t, s, "t", nil)
	wide := strings.Repeat("w", 3000)
	var ids, states []string
	list := ""
	for i := range 100 {
		r := step(put("n", fmt.Sprint(i)), add("list", fmt.Sprintf(`{"i":%d,"w":%q}`, i, wide)), put("gone", "1"), del("gone"), add("empty", ""))
		r.Meta, r.Parts = fmt.Appendf(nil, "meta %d", i), [][]byte{[]byte("p0"), nil, []byte("p2")}
		save(t, c, r, &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "aa"})
		list += fmt.Sprintf(`,{"i":%d,"w":%q}`, i, wide)
		ids = append(ids, r.ID)
		states = append(states, fmt.Sprintf("empty=[];list=[%s];n=%d;", list[1:], i))
	}
	check := func(s *checkpoint.Store) {
		t.Helper()
		for _, i := range []int{0, 1, 22, 23, 50, 99} {
			r, st, err := s.State(ctx, "t", "", ids[i])
			if err != nil {
				t.Fatalf("state at step %d: %v", i, err)
			}
			if show(st) != states[i] || string(r.Meta) != fmt.Sprint("meta ", i) || len(r.Parts) != 3 || string(r.Parts[2]) != "p2" {
				t.Errorf("state at step %d is not what was written", i)
			}
		}
	}
	check(s)
	if _, _, err := s.State(ctx, "t", "", ids[0][:3]); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("a prefix of several ids: %v", err)
	}
	if _, _, err := s.State(ctx, "t", "", "none"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
	if _, _, err := s.State(ctx, "t", "other", ""); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("an unknown namespace: %v", err)
	}
	fork := step(put("forked", "true"))
	fork.Parent = ids[50]
	save(t, c, fork)
	want := "empty=[];forked=true;" + strings.TrimPrefix(states[50], "empty=[];")
	for i := range 2 { // the second time after a release and a claim
		snap, err := c.Load(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if snap.Head.ID != fork.ID || snap.Head.Parent != ids[50] || show(snap.State) != want || len(snap.Tail) != 2*i {
			t.Error("the fork is not what was written")
		}
		if err := c.Release(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = checkpoint.New(again(), nil)
		check(s)
		c = claim(t, s, "t", nil)
	}
	bad := step()
	bad.Parent = "none"
	if _, err := c.Append(ctx, bad); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("a step on a parent that is not there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func blobs(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	s := checkpoint.New(again(), nil)
	b := bytes.Repeat([]byte("\x00module"), 30_000)
	want := bytes.Clone(b)
	digest, m, err := s.PutBlob(ctx, b)
	if err != nil || m.Wait(ctx) != nil {
		t.Fatal(err)
	}
	clear(b)
	d2, m, err := s.PutBlob(ctx, want)
	if err != nil || m.Wait(ctx) != nil || d2 != digest {
		t.Fatalf("the same again: %s, %v", d2, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = checkpoint.New(again(), nil)
	defer s.Close()
	got, err := s.Blob(ctx, digest)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("blob of %d bytes, %v", len(got), err)
	}
	if _, err := s.Blob(ctx, "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("an unknown digest: %v", err)
	}
	for _, bad := range []string{"", "sha256:", "md5:00", strings.ToUpper(digest), digest + "0"} {
		if _, err := s.Blob(ctx, bad); !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("digest %q: %v", bad, err)
		}
	}
	for th, err := range s.Threads(ctx, nil) {
		t.Errorf("a blob is listed: %v, %v", th, err)
	}
}

func deletes(t *testing.T, open Open) {
	ctx := context.Background()
	again := open(t)
	s, other := checkpoint.New(again(), nil), checkpoint.New(again(), nil)
	defer s.Close()
	defer other.Close()
	c := claim(t, s, "t", nil)
	r := step(put("x", "1"))
	save(t, c, r)
	if err := other.Delete(ctx, "t", false); !errors.Is(err, checkpoint.ErrBusy) {
		t.Errorf("delete of a running thread: %v", err)
	}
	if err := other.Delete(ctx, "t", true); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(ctx, step()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("a write after the delete: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Thread(ctx, "t"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("a deleted thread: %v", err)
	}
	if err := s.Delete(ctx, "t", false); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("delete again: %v", err)
	}
	c = claim(t, s, "t", nil)
	if !c.New() {
		t.Error("a thread that begins again is not new")
	}
	snap, err := c.Load(ctx, "")
	if err != nil || snap.Head != nil || snap.State.Len() != 0 {
		t.Errorf("%+v, %v", snap, err)
	}
	r2 := step(put("y", "2"))
	save(t, c, r2)
	if r2.ID <= r.ID {
		t.Errorf("id %s after %s", r2.ID, r.ID)
	}
	if _, st, err := s.State(ctx, "t", "", ""); err != nil || show(st) != "y=2;" {
		t.Errorf("%s, %v", show(st), err)
	}
}

func limits(t *testing.T, open Open) {
	ctx := context.Background()
	s := checkpoint.New(open(t)(), nil)
	defer s.Close()
	for _, name := range []string{"", "a\x00b", "\x01blob", "a\nb", "\xff", strings.Repeat("x", checkpoint.MaxThread+1)} {
		if _, err := s.Claim(ctx, name, nil); !errors.Is(err, checkpoint.ErrInvalid) && !errors.Is(err, checkpoint.ErrTooLarge) {
			t.Errorf("thread %.20q: %v", name, err)
		}
	}
	c := claim(t, s, "../../etc/passwd", nil) // a name is no path
	for what, r := range map[string]*checkpoint.Record{
		"kind":       {Kind: checkpoint.KindMark},
		"namespace":  {Kind: checkpoint.KindStep, Namespace: strings.Repeat("n", checkpoint.MaxNamespace+1)},
		"id":         {Kind: checkpoint.KindStep, ID: strings.Repeat("i", checkpoint.MaxID+1)},
		"task":       {Kind: checkpoint.KindTaskDone, Task: strings.Repeat("i", checkpoint.MaxID+1)},
		"attr":       {Kind: checkpoint.KindStep, Attrs: []checkpoint.Attr{{Name: "", Value: "x"}}},
		"attr value": {Kind: checkpoint.KindStep, Attrs: []checkpoint.Attr{{Name: "a", Value: strings.Repeat("i", checkpoint.MaxAttrValue+1)}}},
		"attrs":      {Kind: checkpoint.KindStep, Attrs: make([]checkpoint.Attr, checkpoint.MaxAttrs+1)},
		"op name":    step(put("", "x")),
		"op kind":    step(checkpoint.Op{Kind: 9, Name: "x"}),
		"del value":  step(checkpoint.Op{Kind: checkpoint.OpDel, Name: "x", Value: []byte("x")}),
		"due":        {Kind: checkpoint.KindStep, Due: -1},
		"ops":        {Kind: checkpoint.KindTaskDone, Ops: []checkpoint.Op{put("x", "1")}},
		"nil":        nil,
	} {
		if _, err := c.Append(ctx, step(put("fine", "1")), r); !errors.Is(err, checkpoint.ErrInvalid) && !errors.Is(err, checkpoint.ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := c.Append(ctx); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("an append of nothing: %v", err)
	}
	if snap, err := c.Load(ctx, ""); err != nil || snap.Head != nil {
		t.Errorf("something of a refused append is there: %+v, %v", snap.Head, err)
	}
	save(t, c, step(put("x", "{}")), &checkpoint.Record{Kind: checkpoint.KindProgress})
	r := step(add("x", "1"))
	if _, err := c.Append(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(ctx, ""); err == nil {
		t.Error("an append to what is no array was folded")
	}
}

func lesson06(t *testing.T, open Open) {
	s := checkpoint.New(open(t)(), nil)
	defer s.Close()
	ids := make(chan string, 800)
	done := make(chan struct{})
	for g := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			c, err := s.Claim(context.Background(), fmt.Sprint("t", g), nil)
			if err != nil {
				t.Error(err)
				return
			}
			last := ""
			for range 100 {
				r := step()
				if _, err := c.Append(context.Background(), r); err != nil {
					t.Error(err)
					return
				}
				if r.ID <= last {
					t.Errorf("id %s after %s", r.ID, last)
				}
				last = r.ID
				ids <- r.ID
			}
		}()
	}
	for range 8 {
		<-done
	}
	close(ids)
	seen := map[string]bool{}
	for id := range ids {
		seen[id] = true
	}
	if len(seen) != 800 {
		t.Errorf("%d different ids of 800", len(seen))
	}
}
