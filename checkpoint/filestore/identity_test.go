package filestore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

// tree is what a folder holds: files with their contents, and folders with a slash at the end.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator)))
		if d.IsDir() {
			all[name+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// plant makes a folder that holds what all says.
func plant(t *testing.T, all map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte(all[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestForeignFolder: a folder with somebody else's things is refused, names them, and stays as it is. A log/ with notes in it
// lost them once.
func TestForeignFolder(t *testing.T) {
	for _, all := range []map[string]string{
		{"notes.txt": "mine"},
		{"log/notes.txt": "mine"},
		{"log/notes.txt": ""},
		{"log/00000001": "the first page of my diary"},
		{"log/00000001.new": "the next"},
		{"log/00000001/page": "mine"},
		{"log": "a file"},
		{"owners/alice": "mine"},
		{"owners": "a file"},
		{"quarantine/patient": "mine"},
		{"index": "of a book"},
		{"index/a": "of a book"},
		{"lock": "stock and barrel"},
		{"lock/": ""},
		{"log/": "", "owners/": "", "lock": "", "src/main.go": "package main"},
		{"store.bak": "mine"},
		{".git/HEAD": "ref"},
	} {
		dir := plant(t, all)
		before := tree(t, dir)
		_, err := Open(dir, nil)
		var foreign *ForeignError
		if !errors.As(err, &foreign) || len(foreign.Names) == 0 || !strings.Contains(err.Error(), foreign.Names[0]) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v: %v", all, err)
		}
		if _, err := Open(dir, &Options{ReadOnly: true}); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("%v, for reading: %v", all, err)
		}
		if after := tree(t, dir); !maps.Equal(before, after) {
			t.Errorf("%v: the folder holds %v", all, slices.Collect(maps.Keys(after)))
		}
	}
}

// TestForeignInStore: what somebody puts into the folders of a store stays there.
func TestForeignInStore(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	mine := map[string]string{
		"notes.txt": "n", "log/notes.txt": "l", "log/00000001.bak": "b", "owners/alice": "o", "quarantine/notes": "q", "log/00000002.new": "not a segment",
	}
	d, err := Open(dir, &Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range mine {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(b), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s := checkpoint.New(d, nil)
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	big := &checkpoint.Record{Kind: checkpoint.KindProgress, Parts: [][]byte{random(60 << 10)}}
	for range 2 {
		if _, err = c.Append(ctx, big); err != nil {
			break
		}
	}
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "00000002.new") {
		t.Errorf("append that needs the name of a foreign file: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "log", "00000002.new")); err != nil {
		t.Fatal(err)
	}
	delete(mine, "log/00000002.new")
	for range 3 {
		if _, err := c.Append(ctx, big); err != nil {
			t.Errorf("append after it was moved away: %v", err)
		}
	}
	if err := errors.Join(c.Release(ctx, nil), s.Close()); err != nil {
		t.Error(err)
	}
	after := tree(t, dir)
	for name, b := range mine {
		if after[name] != b {
			t.Errorf("%s holds %q, held %q", name, after[name], b)
		}
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	for i, x := 0, uint32(1); i < n; i++ {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// TestHalfMade: what a process leaves that dies while it makes a store is made a store by the next one.
func TestHalfMade(t *testing.T) {
	id := [16]byte{1, 2, 3}
	segment := string((&head{store: id, id: id, number: 1, seq: 1}).encode())
	zeros := strings.Repeat("\x00", 64<<10)
	signed := "\x00" + string(signature())
	for _, all := range []map[string]string{
		{},
		{"log/": ""},
		{"log/": "", "owners/": ""},
		{"log/": "", "owners/": "", "lock": ""},
		{"log/": "", "owners/": "", "lock": signed},
		{"log/00000001.new": "", "owners/": "", "lock": signed},
		{"log/00000001.new": zeros[:firstFrame], "owners/": "", "lock": signed},
		{"log/00000001.new": zeros[:512] + segment[512:], "owners/": "", "lock": signed},
		{"log/00000001.new": segment, "owners/": "", "lock": signed},
		{"log/00000001.new": segment + zeros, "owners/": "", "lock": signed},
		{"log/00000001": segment + zeros, "owners/": "", "lock": signed},
		{"log/00000001": segment + zeros, "owners/": "", "lock": signed, "store.0123456789abcdef.new": "dash"},
		{"lost+found/": ""},
	} {
		dir := plant(t, all)
		for range 2 {
			s, err := Open(dir, nil)
			if err != nil {
				t.Errorf("%q: %v", slices.Sorted(maps.Keys(all)), err)
				break
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestLostIdentity: the segments tell who the store was. If they do not, that is damage, and never a new store.
func TestLostIdentity(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	fill := func() [16]byte {
		d, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := checkpoint.New(d, nil)
		c, err := s.Claim(ctx, "t", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Release(ctx, nil), s.Close()); err != nil {
			t.Fatal(err)
		}
		return d.(*store).id
	}
	id := fill()
	if err := os.Remove(file("store")); err != nil {
		t.Fatal(err)
	}
	for _, o := range []*Options{{ReadOnly: true}, nil, {ReadOnly: true}} {
		d, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if got, n := d.(driver.Maintenance).Identity(); got != id || n != 1 {
			t.Errorf("is store %x %d, was %x", got, n, id)
		}
		if th, err := d.Thread(ctx, "t"); err != nil || th.Records != 2 {
			t.Errorf("%+v, %v", th, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	fill()
	log, err := os.ReadFile(file("log/00000001"))
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string][]byte{"no head": append(bytes.Repeat([]byte("x"), firstFrame), log[firstFrame:]...), "nothing": nil} {
		if err := errors.Join(os.Remove(file("store")), os.WriteFile(file("log/00000001"), broken, 0o600)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		for _, o := range []*Options{{ReadOnly: true}, nil} {
			_, err := Open(dir, o)
			if !errors.Is(err, driver.ErrDamaged) {
				t.Errorf("%s, %+v: %v", name, o, err)
			}
		}
		after := tree(t, dir)
		delete(after, "lock")
		delete(before, "lock")
		if !maps.Equal(before, after) {
			t.Errorf("%s: the folder was changed", name)
		}
		// The index would tell that what was filled in since is missing.
		if err := errors.Join(os.WriteFile(file("log/00000001"), log, 0o600), os.Remove(file("index"))); err != nil {
			t.Fatal(err)
		}
		fill()
	}
}
