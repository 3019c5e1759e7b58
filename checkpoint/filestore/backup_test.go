package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
)

func backupOf(t *testing.T, d driver.Driver) ([]byte, *driver.BackupReport) {
	t.Helper()
	var b bytes.Buffer
	r, err := d.(driver.Backuper).Backup(context.Background(), &b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), r
}

// written is a store with a few threads in segments of 64 KiB.
func written(t *testing.T, dir string) driver.Driver {
	t.Helper()
	d, err := Open(dir, &Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.New(d, nil)
	for i := range 40 {
		c, err := s.Claim(context.Background(), fmt.Sprint("t", i%4), nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 5 {
			value := fmt.Sprintf("%q", strings.Repeat(fmt.Sprint(i, j), 400))
			if _, err := c.Append(context.Background(), &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: fmt.Sprint("e", j), Value: []byte(value)}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Release(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func textOf(t *testing.T, d driver.Driver) string {
	t.Helper()
	var b strings.Builder
	if _, err := checkpoint.Export(context.Background(), &b, checkpoint.New(d, nil), nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBackupRestore: what is restored is what was there, in numbers too, with the store's id and a greater incarnation each time.
func TestBackupRestore(t *testing.T) {
	dir := t.TempDir()
	d := written(t, dir+"/s")
	want := textOf(t, d)
	for _, ready := range []func(){
		func() {},
		func() { // deleted and pruned: the log does not begin at its begin
			s := checkpoint.New(d, nil)
			if err := s.Delete(context.Background(), "t0", false); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Prune(context.Background(), &checkpoint.PruneOptions{KeepLast: 2, Now: true}); err != nil {
				t.Fatal(err)
			}
			want = textOf(t, d)
		},
	} {
		ready()
		b, r := backupOf(t, d)
		id, incarnation := d.(driver.Maintenance).Identity()
		last := incarnation
		for i := range 2 {
			to := fmt.Sprintf("%s/%d-%d/new", dir, r.Records, i)
			back, err := Restore(context.Background(), to, bytes.NewReader(b), nil)
			if err != nil {
				t.Fatal(err)
			}
			if back.Incarnation <= incarnation || back.Incarnation < last || back.Store != fmt.Sprintf("%x", id) || back.Bytes != r.Bytes || back.Records != r.Records || len(back.Damage) > 0 {
				t.Errorf("restored %+v of %+v", back, r)
			}
			last = back.Incarnation
			again := mustOpen(t, to)
			if got := textOf(t, again); got != want {
				t.Error("what was restored is not what was there")
			}
			c, err := checkpoint.New(again, nil).Claim(context.Background(), "t1", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.Close(), again.Close(), Verified(to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBackupOfWriters: backups while another process appends: each is sound, and has all that was acknowledged before it began.
func TestBackupOfWriters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, out := start(t, "loop "+dir+"/s")
	acked := 0
	read := func(n int) {
		for range n {
			if !out.Scan() {
				t.Fatal("the writer ended")
			}
			acked, _ = strconv.Atoi(out.Text())
		}
	}
	read(20)
	for i := range 6 {
		for _, o := range []*Options{nil, {ReadOnly: true}} {
			read(15)
			d, err := Open(dir+"/s", o)
			if err != nil {
				t.Fatal(err)
			}
			before := acked
			b, _ := backupOf(t, d)
			to := fmt.Sprintf("%s/r%d%v", dir, i, o == nil)
			r, err := Restore(context.Background(), to, bytes.NewReader(b), nil)
			if err != nil || len(r.Damage) > 0 {
				t.Fatalf("restore: %+v, %v", r, err)
			}
			s := checkpoint.New(mustOpen(t, to), nil)
			_, st, err := s.State(context.Background(), "t", "", "")
			if err != nil {
				t.Fatal(err)
			}
			v, _ := st.Get("n")
			if n, err := strconv.Atoi(string(v)); err != nil || n < before {
				t.Errorf("the backup has %d (%v), %d was acknowledged before it", n, err, before)
			}
			if err := errors.Join(s.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}

// TestBackupHostile: a backup that is cut anywhere, or changed anywhere, restores nothing, or, if what was changed means nothing,
// what was there.
func TestBackupHostile(t *testing.T) {
	dir := t.TempDir()
	d := written(t, dir+"/s")
	want := textOf(t, d)
	b, _ := backupOf(t, d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	try := func(what string, b []byte) {
		t.Helper()
		to := dir + "/r"
		_, err := Restore(context.Background(), to, bytes.NewReader(b), nil)
		_, partial := os.Stat(to + ".partial")
		if !errors.Is(partial, fs.ErrNotExist) {
			t.Fatalf("%s: something is left: %v", what, partial)
		}
		if err == nil {
			again := mustOpen(t, to)
			if textOf(t, again) != want {
				t.Fatalf("%s: restored something else", what)
			}
			if err := errors.Join(again.Close(), os.RemoveAll(to)); err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, e := os.Stat(to); !errors.Is(err, driver.ErrBackup) && !errors.Is(err, driver.ErrVersion) || !errors.Is(e, fs.ErrNotExist) {
			t.Fatalf("%s: %v; folder: %v", what, err, e)
		}
	}
	for n := 0; n < len(b)-1024; n += 1 + n/7 { // the last 1024 are zeros
		try(fmt.Sprint("cut at ", n), b[:n])
	}
	for n := 0; n < len(b); n += 1 + n/11 {
		c := bytes.Clone(b)
		c[n] ^= 1 << (n % 8)
		try(fmt.Sprint("flipped at ", n), c)
	}
	try("empty", nil)
	try("no backup", []byte(strings.Repeat("hello ", 1000)))
	for name, from := range map[string]string{"../../evil": "log/00000001", "log/../store": "log/00000001", "/tmp/store2": "log/00000001", "quarantine": "store"} {
		c := bytes.Replace(bytes.Clone(b), append([]byte(from), make([]byte, 20-len(from))...), append([]byte(name), make([]byte, 20-len(name))...), 1)
		try(name, c)
	}
}

// TestRestoreRefuses: what is there is never overwritten.
func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	d := written(t, dir+"/s")
	b, _ := backupOf(t, d)
	if err := errors.Join(d.Close(), os.MkdirAll(dir+"/full/x", 0o700), os.Mkdir(dir+"/empty", 0o700), os.WriteFile(dir+"/file", nil, 0o600), os.Mkdir(dir+"/killed.partial", 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"/s", "/full", "/file", "/killed"} {
		if _, err := Restore(context.Background(), dir+to, bytes.NewReader(b), nil); err == nil {
			t.Errorf("restored into %s", to)
		}
	}
	if _, err := Restore(context.Background(), dir+"/empty", bytes.NewReader(b), nil); err != nil {
		t.Error(err)
	}
	if err := Verified(dir + "/s"); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Restore(ctx, dir+"/cancelled", bytes.NewReader(b), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("restore that was cancelled: %v", err)
	}
	if _, err := os.Stat(dir + "/cancelled.partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
}

// TestBackupOfDamage: damage goes into the backup as it is, is reported, and is there after a restore.
func TestBackupOfDamage(t *testing.T) {
	dir := t.TempDir()
	if err := written(t, dir+"/s").Close(); err != nil {
		t.Fatal(err)
	}
	path := dir + "/s/log/00000001"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 4
	if err := errors.Join(os.WriteFile(path, raw, 0o600), os.Remove(dir+"/s/index")); err != nil {
		t.Fatal(err)
	}
	d := mustOpen(t, dir+"/s")
	b, r := backupOf(t, d)
	if len(r.Damage) == 0 {
		t.Error("the backup does not report the damage")
	}
	back, err := Restore(context.Background(), dir+"/r", bytes.NewReader(b), nil)
	if err != nil || len(back.Damage) == 0 || back.Damage[0].File != "log/00000001" {
		t.Errorf("restored %+v, %v", back, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
