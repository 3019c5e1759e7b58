package filestore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// writeHistory fills a store with one of everything that the format has: threads, forks, namespaces, a snapshot, a blob, stuffed and
// compressed bodies, a deleted thread, dropped checkpoints, moved records, an index.
func writeHistory(dir string) error {
	ctx := context.Background()
	d, err := Open(dir, &Options{SegmentSize: 64 << 10})
	if err != nil {
		return err
	}
	s := checkpoint.New(d, nil)
	step := func(c *checkpoint.Claim, r *checkpoint.Record) {
		if err == nil {
			r.Kind = checkpoint.KindStep
			_, err = c.Append(ctx, r)
		}
	}
	claim := func(thread string) *checkpoint.Claim {
		c, e := s.Claim(ctx, thread, nil)
		err = errors.Join(err, e)
		return c
	}
	put := func(name string, value []byte) []checkpoint.Op {
		return []checkpoint.Op{{Kind: checkpoint.OpPut, Name: name, Value: value}}
	}
	a := claim("a")
	for i := range 12 {
		step(a, &checkpoint.Record{
			ID: fmt.Sprintf("%04d", i), Ops: put(fmt.Sprint("n", i%5), bytes.Repeat([]byte{byte(i)}, 200)), Events: 2, Due: int64(i),
			Attrs: []checkpoint.Attr{{Name: "status", Value: fmt.Sprint("at ", i)}}, Meta: []byte("meta"), Parts: [][]byte{make([]byte, 300), {1}},
		})
	}
	step(a, &checkpoint.Record{ID: "0100", Parent: "0003", Ops: put("fork", []byte("1"))})
	step(a, &checkpoint.Record{ID: "0001", Namespace: "sub:1", Ops: put("in", []byte("sub"))})
	b := claim("b")
	noise := func(i int) []byte {
		var out []byte
		for j := range 600 {
			sum := sha256.Sum256(fmt.Append(nil, i, j))
			out = append(out, sum[:]...)
		}
		return out
	}
	for i := range 5 {
		step(b, &checkpoint.Record{ID: fmt.Sprintf("%04d", i), Ops: put("large", noise(i))})
	}
	gone := claim("gone")
	step(gone, &checkpoint.Record{ID: "0001"})
	_, _, e := s.PutBlob(ctx, []byte("graph"))
	if err = errors.Join(err, e); err != nil {
		return err
	}
	_, e = s.Cancel(ctx, "b", []byte("please"))
	if err := errors.Join(e, s.Delete(ctx, "gone", true), a.Release(ctx, nil)); err != nil {
		return err
	}
	_, e = s.Prune(ctx, &checkpoint.PruneOptions{KeepLast: 3, Now: true}) // what version 2 has beyond version 1
	return errors.Join(e, s.Close())
}

// dump is everything that a store says of its threads.
func dump(d driver.Driver) (string, error) {
	ctx := context.Background()
	var b strings.Builder
	names := []string{"gone"}
	for t, err := range d.Threads(ctx, driver.Filter{}) {
		if err != nil {
			return "", err
		}
		names = append(names, t.Name)
	}
	sum := sha256.Sum256([]byte("graph"))
	for _, n := range append(names, fmt.Sprintf("\x01blob/sha256:%x", sum)) {
		t, err := d.Thread(ctx, n)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%q epoch %d claimed %v deleted %v heads %v min %q %v due %d records %d events %d last %d cancel %d accepted %d damage %v reserved %v\n", t.Name, t.Epoch,
			t.Claimed, t.Deleted, t.Heads, t.MinID, t.Attrs, t.Due, t.Records, t.Events, t.LastSeq, t.Cancel, t.Accepted, t.Damage, t.Reserved)
		for r, err := range d.Read(ctx, n, driver.Query{AllNamespaces: true}) {
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "  %d %s %q %q %q %q %v due %d events %d+%d epoch %d ordinal %d flags %d codec %d size %d body %x\n", r.Seq, r.Kind, r.Namespace, r.ID,
				r.Parent, r.Task, r.Attrs, r.Due, r.FirstEvent, r.Events, r.Epoch, r.Ordinal, r.Flags, r.Codec, r.Size, sha256.Sum256(r.Body))
		}
	}
	return b.String(), nil
}

// TestVersions opens a committed store of each version that can be read and compares what it says with what was written, with its
// index, without, and read-only; then writes to it. UPDATE_GOLDEN=1 makes the one of this version.
func TestVersions(t *testing.T) {
	ctx := context.Background()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		dir := fmt.Sprintf("testdata/v%d", version)
		if err := errors.Join(os.RemoveAll(dir), writeHistory(dir), os.RemoveAll(dir+"/owners"), os.Remove(dir+"/lock")); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir, &Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		text, err := dump(d)
		if err = errors.Join(err, d.Close(), os.WriteFile(dir+".txt", []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for v := 1; v <= version; v++ {
		want, err := os.ReadFile(fmt.Sprintf("testdata/v%d.txt", v))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir() + "/s"
		if err := os.CopyFS(dir, os.DirFS(fmt.Sprintf("testdata/v%d", v))); err != nil {
			t.Fatal(err)
		}
		check := func(how string, o *Options) {
			t.Helper()
			d, err := Open(dir, o)
			if err != nil {
				t.Fatalf("version %d, %s: %v", v, how, err)
			}
			got, err := dump(d)
			if err = errors.Join(err, d.Close()); err != nil {
				t.Fatalf("version %d, %s: %v", v, how, err)
			}
			if got != string(want) {
				t.Errorf("version %d, %s:\n%s\nwant\n%s", v, how, got, want)
			}
		}
		check("read-only", &Options{ReadOnly: true})
		if err := os.Remove(filepath.Join(dir, indexFile)); err != nil {
			t.Fatal(err)
		}
		check("without its index", nil)
		d := mustOpen(t, dir)
		if _, err := d.Append(ctx, "b", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindStep, ID: "0900", Time: 1}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(d.Close(), Verified(dir)); err != nil {
			t.Errorf("version %d, written to: %v", v, err)
		}
		d = mustOpen(t, dir)
		th, err := d.Thread(ctx, "b")
		if err = errors.Join(err, d.Close()); err != nil || th.Heads[0].ID != "0900" {
			t.Errorf("version %d, written to: %+v, %v", v, th, err)
		}
	}
}
