package checkpoint_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// opened is a store that is closed with the test.
func opened(tb rapid.TB, d driver.Driver, err error) *checkpoint.Store {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	s := checkpoint.New(d, nil)
	if c, ok := tb.(interface{ Cleanup(func()) }); ok {
		c.Cleanup(func() { s.Close() })
	}
	return s
}

func memory(tb rapid.TB) *checkpoint.Store { return opened(tb, memstore.New(), nil) }

// values are what entries, metadata and parts may hold: JSON, almost JSON, and anything else.
var values = rapid.OneOf(
	rapid.SampledFrom([]string{"", "null", `{"a":[1,2,{"b":"\u00e9 \" } ]"}]}`, " 1", "1 ", "1\n", `"a` + "\xff" + `"`, "9007199254740993", `{"a":1,"a":2}`, "[", `"x`, "\x00", "\u2028", `"<&>"`, strings.Repeat("[", 3000) + strings.Repeat("]", 3000)}),
	rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 300), func(b []byte) string { return string(b) }),
	rapid.Map(rapid.StringN(0, 50, -1), func(s string) string { return fmt.Sprintf("%q", s) }),
)

// fill writes random threads, deleted and claimed ones among them.
func fill(t *rapid.T, s *checkpoint.Store) {
	ctx := context.Background()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "blobs") {
		_, _, err := s.PutBlob(ctx, []byte(fmt.Sprint("blob", i, values.Draw(t, "blob"))))
		ok(err)
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "threads") {
		thread := fmt.Sprint(rapid.SampledFrom([]string{"pr-", "é/", `"<`, "../"}).Draw(t, "name"), i)
		for range rapid.IntRange(1, 3).Draw(t, "claims") {
			c, err := s.Claim(ctx, thread, nil)
			ok(err)
			for range rapid.IntRange(0, 6).Draw(t, "records") {
				_, err := c.Append(ctx, randomRecord(t))
				ok(err)
			}
			if rapid.Bool().Draw(t, "cancel") {
				_, err := s.Cancel(ctx, thread, []byte(values.Draw(t, "meta")))
				ok(err)
			}
			switch rapid.IntRange(0, 5).Draw(t, "end") {
			case 0:
				ok(s.Delete(ctx, thread, true))
				ok(c.Close())
			case 1:
				ok(c.Close())
			default:
				ok(c.Release(ctx, &checkpoint.Record{Meta: []byte(values.Draw(t, "meta")), Due: int64(rapid.IntRange(0, 9).Draw(t, "due"))}))
			}
		}
	}
}

func randomRecord(t *rapid.T) *checkpoint.Record {
	r := &checkpoint.Record{
		Kind: checkpoint.KindTaskDone, Events: rapid.Uint32Range(0, 3).Draw(t, "events"), Meta: []byte(values.Draw(t, "meta")),
		Namespace: rapid.SampledFrom([]string{"", "parent:1|child:2"}).Draw(t, "namespace"), Task: rapid.SampledFrom([]string{"", "cafe"}).Draw(t, "task"),
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "attrs") {
		r.Attrs = append(r.Attrs, checkpoint.Attr{Name: fmt.Sprint("a", i), Value: rapid.StringN(0, 20, -1).Draw(t, "attr")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "parts") {
		r.Parts = append(r.Parts, []byte(values.Draw(t, "part")))
	}
	if rapid.Bool().Draw(t, "step") {
		r.Kind = checkpoint.KindStep
		r.Due = int64(rapid.IntRange(0, 1).Draw(t, "due"))
		for i := range rapid.IntRange(0, 3).Draw(t, "ops") {
			op := checkpoint.Op{Kind: rapid.SampledFrom([]checkpoint.OpKind{checkpoint.OpPut, checkpoint.OpAppend, checkpoint.OpDel}).Draw(t, "op"), Name: fmt.Sprint("e\xff"[:1+i%2], i)}
			switch op.Kind {
			case checkpoint.OpPut:
				op.Value = []byte(values.Draw(t, "value"))
			case checkpoint.OpAppend:
				op.Name, op.Value = "list", []byte(rapid.SampledFrom([]string{"", "1", `1,{"a":2}`, `"]","["`, "1,\n2", "no json", "1],[2"}).Draw(t, "elements"))
			}
			r.Ops = append(r.Ops, op)
		}
	}
	return r
}

func exported(tb rapid.TB, s *checkpoint.Store) string {
	tb.Helper()
	var b bytes.Buffer
	r, err := checkpoint.Export(context.Background(), &b, s, nil)
	if err != nil || len(r.Damaged) > 0 {
		tb.Fatalf("export: %v, %v", err, r.Damaged)
	}
	return b.String()
}

// TestExportImport: export, import, export gives the same bytes, whatever is in the store and whatever the drivers; so does a copy
// there and back. What was imported goes on as the original would.
func TestExportImport(t *testing.T) {
	ctx := context.Background()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		s := memory(rt)
		fill(rt, s)
		text := exported(rt, s)
		if strings.Count(text, "\n") != strings.Count(text, "}\n") || !strings.HasSuffix(text, "}\n") {
			rt.Fatalf("lines are broken:\n%s", text)
		}
		other, err := memstore.New(), error(nil)
		if n%4 == 0 { // each sync takes a while
			other, err = filestore.Open(fmt.Sprint(t.TempDir(), "/", n), &filestore.Options{SegmentSize: 64 << 10})
		}
		file, back := opened(rt, other, err), memory(rt)
		imported, err := checkpoint.Import(ctx, file, strings.NewReader(text), nil)
		if err != nil {
			rt.Fatalf("import: %v\n%s", err, text)
		}
		checked, err := checkpoint.CheckExport(ctx, strings.NewReader(text), nil)
		if err != nil || checked.Records != imported.Records || checked.Threads != imported.Threads || checked.Blobs != imported.Blobs {
			rt.Fatalf("check %+v, import %+v, %v", checked, imported, err)
		}
		if got := exported(rt, file); got != text {
			rt.Fatalf("export after import:\n%s\nwant:\n%s", got, text)
		}
		copied, err := checkpoint.Copy(ctx, back, file, nil)
		if err != nil || copied.Records != imported.Records {
			rt.Fatalf("copy %+v, import %+v, %v", copied, imported, err)
		}
		if got := exported(rt, back); got != text {
			rt.Fatalf("export after copy:\n%s\nwant:\n%s", got, text)
		}
		for range 2 { // again: nothing is left to do
			copied, err = checkpoint.Copy(ctx, back, file, nil)
			if err == nil && copied.Records != 0 {
				rt.Fatalf("copied again: %+v", copied)
			}
			if err == nil {
				_, err = checkpoint.Import(ctx, back, strings.NewReader(text), nil)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		goOnAlike(rt, s, file)
		if err := file.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

// goOnAlike: a claim of each thread sees the same in both stores, and continues with the same numbers.
func goOnAlike(t *rapid.T, a, b *checkpoint.Store) {
	ctx := context.Background()
	for info, err := range a.Threads(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range []*checkpoint.Store{a, b} {
			c, err := s.Claim(ctx, info.Thread, nil)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := c.Load(ctx, "")
			text := fmt.Sprint(c.Epoch(), c.Crashed(), err)
			if err == nil {
				text += fmt.Sprint(snap.State.Names(), len(snap.Tail), snap.Head != nil)
				r := &checkpoint.Record{Kind: checkpoint.KindTaskDone, Events: 1}
				if _, err := c.Append(ctx, r); err != nil {
					t.Fatal(err)
				}
				text += fmt.Sprint(r.FirstEvent, r.Epoch)
			}
			got = append(got, text)
		}
		if got[0] != got[1] {
			t.Fatalf("%q goes on with %s, the original with %s", info.Thread, got[1], got[0])
		}
	}
}

func sum256(s string) [32]byte { return sha256.Sum256([]byte(s)) }

// TestCopySome: only the threads that were asked for, with the blobs that they need.
func TestCopySome(t *testing.T) {
	ctx := context.Background()
	src, dst := sample(t), memory(t)
	other, _, err := src.PutBlob(ctx, []byte("other"))
	if err != nil {
		t.Fatal(err)
	}
	needs := func(_ context.Context, _ *checkpoint.Store, thread string) ([]string, error) {
		return []string{other, "sha256:" + strings.Repeat("0", 64)}, nil // one of them was never kept
	}
	r, err := checkpoint.Copy(ctx, dst, src, &checkpoint.CopyOptions{Threads: []string{"b", "b"}, Blobs: needs})
	if err != nil || r.Threads != 1 || r.Blobs != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n := names(t, dst); len(n) != 1 || n[0] != "b" {
		t.Errorf("threads %q", n)
	}
	if b, err := dst.Blob(ctx, other); err != nil || string(b) != "other" {
		t.Errorf("blob %q, %v", b, err)
	}
	for _, name := range []string{"none", "", "\x01blob/x"} {
		if _, err := checkpoint.Copy(ctx, dst, src, &checkpoint.CopyOptions{Threads: []string{name}}); err == nil {
			t.Errorf("copy of %q succeeded", name)
		}
	}
}

// TestCopyBlobAgain: a blob that the target had, and pruned since, is put there again.
func TestCopyBlobAgain(t *testing.T) {
	ctx := context.Background()
	now := time.Now()
	dst := checkpoint.New(memstore.New(), &checkpoint.Options{Now: func() time.Time { return now }})
	defer dst.Close()
	src := memory(t)
	digest, _, err := src.PutBlob(ctx, []byte("bytes"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := checkpoint.Copy(ctx, dst, src, nil); err != nil || r.Blobs != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if b, err := dst.Blob(ctx, digest); err != nil || string(b) != "bytes" {
			t.Fatalf("%q, %v", b, err)
		}
		now = now.Add(48 * time.Hour)
		none := func(context.Context, *checkpoint.Store, string) ([]string, error) { return nil, nil }
		if r, err := dst.Prune(ctx, &checkpoint.PruneOptions{Blobs: none}); err != nil || r.Blobs != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
}

// TestCopyInterrupted: a copy that was stopped at any of its records is run again and completes; in between each thread is there
// whole or not at all.
func TestCopyInterrupted(t *testing.T) {
	src := sample(t)
	want := exported(t, src)
	for stop := range 60 {
		dst := memory(t)
		ctx := &endsAfter{Context: context.Background(), left: stop}
		_, err := checkpoint.Copy(ctx, dst, src, nil)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		for _, n := range names(t, dst) {
			if c := count(t, dst, n); c != 12 {
				t.Fatalf("stopped at %d: %q has %d records", stop, n, c)
			}
		}
		if _, err := checkpoint.Copy(context.Background(), dst, src, nil); err != nil {
			t.Fatal(err)
		}
		if got := exported(t, dst); got != want {
			t.Fatalf("stopped at %d: what is there in the end differs", stop)
		}
	}
}

// endsAfter is a context that is cancelled after it was asked so often.
type endsAfter struct {
	context.Context
	left int
}

func (c *endsAfter) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}
