package sealed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/sealed"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

// encrypted makes a store in a folder and opens it with one key, each call as another process would.
func encrypted(tb testing.TB) func() driver.Driver {
	dir, key := tb.TempDir(), sealed.NewKey()
	return func() driver.Driver {
		d, err := open(dir, key)
		if err != nil {
			tb.Fatal(err)
		}
		return d
	}
}

func open(dir string, keys ...sealed.Key) (driver.Driver, error) {
	raw, err := filestore.Open(dir, nil)
	if err != nil {
		return nil, err
	}
	d, err := sealed.Open(context.Background(), raw, keys...)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return d, nil
}

func TestConformance(t *testing.T) { storetest.Run(t, encrypted) }

func TestModel(t *testing.T) {
	storetest.Model(t, func(tb testing.TB) func() driver.Driver {
		memory, key := memstore.NewMemory(), sealed.NewKey()
		return func() driver.Driver {
			d, err := sealed.Open(context.Background(), memory.Open(), key)
			if err != nil {
				tb.Fatal(err)
			}
			return d
		}
	})
}

// fill writes a thread with a name, a namespace, an attribute and a body that must not be found in the store.
func fill(t *testing.T, d driver.Driver) {
	t.Helper()
	s := checkpoint.New(d, nil)
	ctx := context.Background()
	c, err := s.Claim(ctx, "secret-thread", nil)
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("secret-value ", 200)
	commit, err := c.Append(ctx, &checkpoint.Record{
		Kind: checkpoint.KindStep, Namespace: "secret-space:1", Attrs: []checkpoint.Attr{{Name: "secret-attr", Value: "secret-attr-value"}},
		Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "secret-channel", Value: []byte(big)}}, Meta: []byte("secret-meta"),
	})
	if err == nil {
		err = commit.Wait(ctx)
	}
	if err == nil {
		err = c.Release(ctx, nil)
	}
	if err == nil {
		_, _, err = s.PutBlob(ctx, []byte("secret-blob"))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

// check reads what fill wrote.
func check(t *testing.T, d driver.Driver) {
	t.Helper()
	s := checkpoint.New(d, nil)
	r, state, err := s.State(context.Background(), "secret-thread", "secret-space:1", "")
	if err != nil {
		t.Fatal(err)
	}
	v, _ := state.Get("secret-channel")
	if string(r.Meta) != "secret-meta" || string(v) != strings.Repeat("secret-value ", 200) {
		t.Errorf("read back %q and %d bytes", r.Meta, len(v))
	}
	info, err := s.Thread(context.Background(), "secret-thread")
	if err != nil || info.Attrs["secret-attr"] != "secret-attr-value" {
		t.Errorf("thread: %v, %v", info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsFoundInTheFiles(t *testing.T) {
	dir, key := t.TempDir(), sealed.NewKey()
	d, err := open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d)
	files := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if i := bytes.Index(b, []byte("secret")); i >= 0 {
			t.Errorf("%s at %d: %q", path, i, b[i:min(len(b), i+20)])
		}
		return err
	})
	if err != nil || files < 3 {
		t.Fatalf("%d files, %v", files, err)
	}
	if d, err = open(dir, key); err != nil {
		t.Fatal(err)
	}
	check(t, d)
}

// A store that cannot be opened is never taken for an empty or a plain one.
func TestWrongKeys(t *testing.T) {
	dir, plain, key := t.TempDir(), t.TempDir(), sealed.NewKey()
	for dir, keys := range map[string][]sealed.Key{dir: {key}, plain: nil} {
		d, err := open(dir, keys...)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, d)
	}
	other := sealed.NewKey()
	for _, c := range []struct {
		dir  string
		keys []sealed.Key
		is   error
		text string
	}{
		{dir, nil, sealed.ErrKey, "the store is encrypted: it needs key " + key.ID().String() + ", and none was given"},
		{dir, []sealed.Key{other}, sealed.ErrKey, "the store is encrypted: it needs key " + key.ID().String() + ", given was " + other.ID().String()},
		{plain, []sealed.Key{key}, sealed.ErrPlain, sealed.ErrPlain.Error()},
	} {
		_, err := open(c.dir, c.keys...)
		if !errors.Is(err, c.is) || err.Error() != c.text {
			t.Errorf("%v, expected %s", err, c.text)
		}
	}
	d, err := open(plain)
	if err != nil {
		t.Fatal(err)
	}
	check(t, d)
}

// A program without this package reads nothing wrong: it says what is missing.
func TestReadingAroundTheKey(t *testing.T) {
	dir := t.TempDir()
	d, err := open(dir, sealed.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d)
	raw, err := filestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.New(raw, nil)
	defer s.Close()
	seen := 0
	for info, err := range s.Threads(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range s.Records(context.Background(), info.Thread) {
			seen++
			if err == nil || !strings.Contains(err.Error(), "encrypted") {
				t.Errorf("read without a key: %v", err)
			}
		}
	}
	if seen == 0 {
		t.Error("no record was seen")
	}
}

func TestRekey(t *testing.T) {
	ctx := context.Background()
	dir, old, key := t.TempDir(), sealed.NewKey(), sealed.NewKey()
	before, err := open(dir, old, key) // knows both: it goes on over the change
	if err != nil {
		t.Fatal(err)
	}
	raw, err := filestore.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sealed.Rekey(ctx, raw, []sealed.Key{key}, key); !errors.Is(err, sealed.ErrKey) {
		t.Errorf("rekey without the present key: %v", err)
	}
	if err := errors.Join(sealed.Rekey(ctx, raw, []sealed.Key{old}, key), raw.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir, old); !errors.Is(err, sealed.ErrKey) {
		t.Errorf("open with the old key: %v", err)
	}
	d, err := open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, d)
	check(t, before)
}

// Whoever can write to the store, and has no key, cannot move a body to other columns or to another thread.
func TestForgery(t *testing.T) {
	ctx := context.Background()
	for name, forge := range map[string]func(r *driver.Record) string{
		"other thread": func(*driver.Record) string { return "b" },
		"other id":     func(r *driver.Record) string { r.ID = "9"; return "a" },
		"other due":    func(r *driver.Record) string { r.Due = 9; return "a" },
		"other attr":   func(r *driver.Record) string { r.Attrs[0].Value = r.Attrs[0].Name; return "a" },
		"other body":   func(r *driver.Record) string { r.Body[len(r.Body)-1] ^= 1; return "a" },
		"cut":          func(r *driver.Record) string { r.Body = r.Body[:20]; return "a" },
		"plain":        func(r *driver.Record) string { r.Codec = driver.CodecRaw; return "a" },
	} {
		t.Run(name, func(t *testing.T) {
			dir, key := t.TempDir(), sealed.NewKey()
			d, err := open(dir, key)
			if err != nil {
				t.Fatal(err)
			}
			add := func(d driver.Driver, thread string, r *driver.Record) {
				t.Helper()
				c, err := d.Append(ctx, thread, driver.Expect{AnyEpoch: true}, []*driver.Record{r})
				if err == nil {
					err = c.Wait(ctx)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, thread := range []string{"a", "b"} {
				add(d, thread, &driver.Record{
					Kind: driver.KindStep, ID: "1", Time: time.Now().UnixMicro(), Attrs: []driver.Attr{{Name: "n", Value: "v"}}, Size: 4, Body: []byte("body"),
				})
			}
			raw, err := filestore.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			stored := map[string]*driver.Record{}
			tokens := map[string]string{}
			for th, err := range raw.Threads(ctx, driver.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				for r, err := range raw.Read(ctx, th.Name, driver.Query{AllNamespaces: true}) {
					if err != nil {
						t.Fatal(err)
					}
					named, err := d.Thread(ctx, "a")
					if err != nil {
						t.Fatal(err)
					}
					name := "b"
					if named.LastSeq == r.Seq {
						name = "a"
					}
					stored[name], tokens[name] = r, th.Name
				}
			}
			c := *stored["a"]
			c.Body, c.Attrs = bytes.Clone(c.Body), append([]driver.Attr(nil), c.Attrs...)
			c.ID = "2"
			if name == "other id" || name == "other body" || name == "cut" || name == "plain" {
				c.ID = "1x"
			}
			to := tokens[forge(&c)]
			c.Kind = driver.KindKV // any kind that needs no head
			if name == "other body" {
				c.Kind = driver.KindStep
			}
			add(raw, to, &c)
			if err := raw.Close(); err != nil {
				t.Fatal(err)
			}
			var found *driver.Damage
			for _, thread := range []string{"a", "b"} {
				sound := 0
				for _, err := range d.Read(ctx, thread, driver.Query{AllNamespaces: true}) {
					switch {
					case err == nil:
						sound++
					case !errors.As(err, &found):
						t.Fatal(err)
					}
				}
				if sound != 1 {
					t.Errorf("thread %s: %d sound records, expected 1", thread, sound)
				}
			}
			if found == nil {
				t.Fatal("nothing was noticed")
			}
			th, err := d.Thread(ctx, found.Thread)
			if err != nil || th.Damage == nil {
				t.Errorf("thread: %v, %v", th, err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Two processes that make one store agree on its keys.
func TestMadeByMany(t *testing.T) {
	ctx := context.Background()
	dir, key := t.TempDir(), sealed.NewKey()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d, err := open(dir, key)
			if err != nil {
				t.Error(err)
				return
			}
			c, err := d.Append(ctx, fmt.Sprint("t", i), driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindKV, ID: "x", Time: 1}})
			if err == nil {
				err = c.Wait(ctx)
			}
			if err := errors.Join(err, d.Close()); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	d, err := open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var names []string
	for th, err := range d.Threads(ctx, driver.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, th.Name)
		for _, err := range d.Read(ctx, th.Name, driver.Query{AllNamespaces: true}) {
			if err != nil {
				t.Error(err)
			}
		}
	}
	if fmt.Sprint(names) != "[t0 t1 t2 t3 t4 t5 t6 t7]" {
		t.Error(names)
	}
}
