package filestore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// small makes a closed store of three threads and returns its files and what each thread's state is after each step.
func small(t *testing.T) (files map[string][]byte, states map[string][]string) {
	t.Helper()
	ctx := context.Background()
	m := &vfs.Mem{}
	s := checkpoint.New(openMem(t, m, newMemLocks(m), Options{}), nil)
	states = map[string][]string{}
	for _, name := range []string{"a", "b", "c"} {
		c, err := s.Claim(ctx, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			r := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: fmt.Appendf(nil, "%q", name+fmt.Sprint(i))}}}
			if _, err := c.Append(ctx, r); err != nil {
				t.Fatal(err)
			}
			states[name] = append(states[name], fmt.Sprintf("%q", name+fmt.Sprint(i)))
		}
		if err := c.Release(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, n := range []string{"s/store", "s/index", "s/log/00000001"} {
		b, ok := m.Data(n)
		if !ok {
			t.Fatalf("no file %s", n)
		}
		files[n] = b
	}
	return files, states
}

func clone(files map[string][]byte) *vfs.Mem {
	m := &vfs.Mem{}
	for n, b := range files {
		m.SetData(n, b)
	}
	return m
}

// outcome is what a damaged store says.
type outcome struct {
	refused  error           // by Open
	reported []error         // by Verify
	hurt     map[string]bool // threads that are not written
	wrong    []string        // threads with another state than any that was written, and no error
	old      map[string]bool // threads whose state is not the newest, and no error
}

// look opens a store, reads everything, verifies, and tries to write each thread.
func look(t *testing.T, m *vfs.Mem, states map[string][]string) outcome {
	t.Helper()
	ctx := context.Background()
	o := outcome{hurt: map[string]bool{}, old: map[string]bool{}}
	d, err := open(m, newMemLocks(m), "s", Options{})
	if err != nil {
		o.refused = err
		return o
	}
	s := checkpoint.New(d, nil)
	if err := d.Verify(ctx, func(d *driver.Damage) { o.reported = append(o.reported, d) }, nil); err != nil {
		t.Fatalf("verify: %v", err)
	}
	for name, want := range states {
		for _, err := range s.Records(ctx, name) {
			if err != nil && !errors.Is(err, checkpoint.ErrDamaged) && !errors.Is(err, checkpoint.ErrNotFound) {
				t.Fatalf("records of %q: %v", name, err)
			}
		}
		r, st, err := s.State(ctx, name, "", "")
		got, _ := st.Get("x")
		if err != nil && !errors.Is(err, checkpoint.ErrDamaged) && !errors.Is(err, checkpoint.ErrNotFound) {
			t.Fatalf("state of %q: %v", name, err)
		}
		if r != nil && !strings.Contains(strings.Join(want, ","), string(got)) || r == nil && err == nil {
			o.wrong = append(o.wrong, name)
		}
		if err == nil && string(got) != want[len(want)-1] {
			o.old[name] = true
		}
		c, err := s.Claim(ctx, name, nil)
		switch {
		case err == nil:
			if e := c.Release(ctx, nil); e != nil {
				t.Fatalf("release of %q: %v", name, e)
			}
		case errors.Is(err, checkpoint.ErrDamaged):
			o.hurt[name] = true
		default:
			t.Fatalf("claim of %q: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestLesson18_EveryBitCounts flips single bits of every file: each is found, typed, and costs one thread at most.
func TestLesson18_EveryBitCounts(t *testing.T) {
	files, states := small(t)
	step := 53 // a prime, so that each bit of a byte has its turn
	if soak() {
		step = 1
	}
	n := 0
	for name, b := range files {
		for bit := 0; bit < 8*len(b); bit += step {
			n++
			b[bit/8] ^= 1 << (bit % 8)
			o := look(t, clone(files), states)
			b[bit/8] ^= 1 << (bit % 8)
			where := fmt.Sprintf("%s byte %d bit %d", name, bit/8, bit%8)
			switch {
			case o.refused != nil:
				if name != "s/store" || !errors.Is(o.refused, driver.ErrDamaged) {
					t.Errorf("%s: open: %v", where, o.refused)
				}
				continue
			case len(o.reported) == 0:
				t.Errorf("%s: not found", where)
			case !errors.Is(o.reported[0], driver.ErrDamaged):
				t.Errorf("%s: %v", where, o.reported[0])
			}
			if len(o.wrong) > 0 {
				t.Errorf("%s: threads %q have states that were never written", where, o.wrong)
			}
			if len(o.hurt) > 1 || name != "s/log/00000001" && len(o.hurt) > 0 {
				t.Errorf("%s: threads %v cannot be written", where, o.hurt)
			}
			for th := range o.old {
				if !o.hurt[th] {
					t.Errorf("%s: thread %q is not the newest and not damaged", where, th)
				}
			}
		}
	}
	t.Logf("%d bits flipped", n)
}

// TestTruncated cuts the log at each byte, with the index and without.
func TestTruncated(t *testing.T) {
	files, states := small(t)
	whole := files["s/log/00000001"]
	index := files["s/index"]
	step := 19
	if soak() {
		step = 1
	}
	for size := 0; size < len(whole); size += step {
		files["s/log/00000001"] = whole[:size]
		files["s/index"] = index
		o := look(t, clone(files), states)
		if o.refused != nil || len(o.wrong) > 0 {
			if size >= segmentHead || !errors.Is(o.refused, driver.ErrDamaged) {
				t.Errorf("cut at %d: %v, wrong %q", size, o.refused, o.wrong)
			}
			continue
		}
		if len(o.reported) == 0 {
			t.Errorf("cut at %d: the index knows more than the log, and nothing was reported", size)
		}
		for th := range o.old {
			if !o.hurt[th] {
				t.Errorf("cut at %d: thread %q has lost its newest step and is not damaged", size, th)
			}
		}
		delete(files, "s/index")
		if o = look(t, clone(files), states); len(o.wrong) > 0 || o.refused != nil && !errors.Is(o.refused, driver.ErrDamaged) {
			t.Errorf("cut at %d without an index: %v, wrong %q", size, o.refused, o.wrong)
		}
	}
}

// TestLesson07_OneBadThread: listing, reading and deleting go on around damage.
func TestLesson07_OneBadThread(t *testing.T) {
	ctx := context.Background()
	files, _ := small(t)
	b := files["s/log/00000001"]
	b[strings.Index(string(b), `"b1"`)] ^= 1
	m := clone(files)
	s := checkpoint.New(openMem(t, m, newMemLocks(m), Options{}), nil)
	defer s.Close()
	if _, _, err := s.State(ctx, "b", "", ""); err == nil {
		t.Error("the newest state of a damaged thread, without an error")
	}
	names := ""
	for info, err := range s.Threads(ctx, nil) {
		if err != nil {
			t.Fatal(err)
		}
		names += info.Thread
		if (info.Damage != nil) != (info.Thread == "b") {
			t.Errorf("thread %q: %v", info.Thread, info.Damage)
		}
	}
	if names != "abc" {
		t.Errorf("threads %q", names)
	}
	if err := s.Delete(ctx, "b", false); err != nil {
		t.Errorf("delete of the damaged thread: %v", err)
	}
	if c, err := s.Claim(ctx, "b", nil); err != nil || !c.New() {
		t.Errorf("a deleted thread that begins again: %v", err)
	}
}

// TestLesson17_IndexIsDerived: without the index, or with a broken one, every answer is the same.
func TestLesson17_IndexIsDerived(t *testing.T) {
	files, states := small(t)
	for _, change := range []func([]byte) []byte{
		func(b []byte) []byte { return b },
		func([]byte) []byte { return nil },
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { return append(b, 0) },
	} {
		m := clone(files)
		if b := change(append([]byte(nil), files["s/index"]...)); b != nil {
			m.SetData("s/index", b)
		} else if err := m.Remove("s/index"); err != nil {
			t.Fatal(err)
		}
		o := look(t, m, states)
		if o.refused != nil || len(o.hurt)+len(o.wrong)+len(o.old) > 0 {
			t.Errorf("%+v", o)
		}
	}
}

// TestLesson20_DamageStopsTheClaim: a claim names what is lost; accepting the loss goes on from the newest complete step and writes
// down what it skipped. Never does a thread begin afresh.
func TestLesson20_DamageStopsTheClaim(t *testing.T) {
	ctx := context.Background()
	for broken, want := range map[string]string{`"b2"`: `"b1"`, `"b1"`: `"b0"`} {
		files, _ := small(t)
		b := files["s/log/00000001"]
		b[strings.Index(string(b), broken)] ^= 0x10
		m := clone(files)
		l := newMemLocks(m)
		s := checkpoint.New(openMem(t, m, l, Options{}), nil)
		for range s.Records(ctx, "b") { // finds it: the index vouches for places, not for bytes
		}
		var d *checkpoint.DamageError
		if _, err := s.Claim(ctx, "b", nil); !errors.As(err, &d) || d.File != "log/00000001" || d.Offset == 0 || d.Thread != "b" {
			t.Fatalf("claim of a damaged thread: %v", err)
		}
		c, err := s.Claim(ctx, "b", &checkpoint.ClaimOptions{AcceptLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		if c.New() {
			t.Error("the thread begins afresh")
		}
		for range 2 {
			snap, err := c.Load(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := snap.State.Get("x"); string(v) != want {
				t.Errorf("goes on from %s, want %s", v, want)
			}
			if a := snap.Head.Attrs; len(a) != 1 || a[0].Value != "accepted_loss" || !snap.Head.AcceptLoss {
				t.Errorf("the head does not say so: %v", a)
			}
			if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindProgress}); err != nil {
				t.Fatal(err)
			}
			if err := c.Release(ctx, nil); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = checkpoint.New(openMem(t, m, l, Options{}), nil)
			if c, err = s.Claim(ctx, "b", nil); err != nil {
				t.Fatalf("claim after the accepted loss: %v", err)
			}
		}
		found := false
		for r, err := range s.Records(ctx, "b") {
			found = found || err == nil && r.Kind == checkpoint.KindClaim && strings.Contains(string(r.Meta), `"reason"`)
		}
		if !found {
			t.Error("nothing says what was skipped")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLostSector zeroes sectors of a closed store, as a disk that lost a write does. They look torn, but what follows promises that
// they were durable: damage, with the index and without, and nothing is cut.
func TestLostSector(t *testing.T) {
	files, states := small(t)
	whole := files["s/log/00000001"]
	index := files["s/index"]
	for at := firstFrame; at+segmentHead < len(whole); at += segmentHead {
		b := append([]byte(nil), whole...)
		clear(b[at : at+segmentHead])
		files["s/log/00000001"] = b
		for _, with := range []bool{true, false} {
			delete(files, "s/index")
			if with {
				files["s/index"] = index
			}
			m := clone(files)
			o := look(t, m, states)
			if o.refused != nil || len(o.wrong) > 0 || len(o.reported) == 0 {
				t.Errorf("sector at %d, index %v: refused %v, wrong %q, reported %v", at, with, o.refused, o.wrong, o.reported)
			}
			for th := range o.old {
				if !o.hurt[th] {
					t.Errorf("sector at %d, index %v: thread %q is old and not damaged", at, with, th)
				}
			}
			if names, err := m.ReadDir("s/quarantine"); err == nil && len(names) > 0 {
				t.Errorf("sector at %d, index %v: cut as torn", at, with)
			}
		}
	}
}

// TestCorruptTail flips bits of the last acknowledged frame of a store whose process was killed: nothing promises it yet, but no
// sector of it is missing. It is damage, never cut as torn.
func TestCorruptTail(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{}
	s := openMem(t, m, newMemLocks(m), Options{})
	claim(t, s, "t")
	c, err := s.Append(ctx, "t", driver.Expect{Epoch: 1}, []*driver.Record{{Kind: driver.KindStep, ID: "1", Time: 1, Size: 700, Body: []byte(strings.Repeat("x", 700))}})
	if err != nil || c.Wait(ctx) != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, n := range []string{"s/store", "s/log/00000001"} {
		files[n], _ = m.Data(n)
	}
	b := files["s/log/00000001"]
	first := strings.LastIndex(string(b), "\xd5dhf")
	if first <= firstFrame {
		t.Fatalf("the last frame begins at %d", first)
	}
	for bit := 8 * first; bit < 8*int(s.cur.off); bit += 5 {
		b[bit/8] ^= 1 << (bit % 8)
		m := clone(files)
		b[bit/8] ^= 1 << (bit % 8)
		d := openMem(t, m, newMemLocks(m), Options{})
		claim(t, d, "new") // goes on behind the damage
		th, err := d.Thread(ctx, "t")
		if err != nil || th.Damage == nil {
			t.Errorf("byte %d bit %d: %+v, %v", bit/8, bit%8, th, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		again := openMem(t, m, newMemLocks(m), Options{ReadOnly: true})
		if th, err := again.Thread(ctx, "t"); err != nil || th.Damage == nil {
			t.Errorf("byte %d bit %d, opened again: %+v, %v", bit/8, bit%8, th, err)
		}
		if th, err := again.Thread(ctx, "new"); err != nil || th.Damage != nil {
			t.Errorf("byte %d bit %d: the new thread: %+v, %v", bit/8, bit%8, th, err)
		}
	}
}
