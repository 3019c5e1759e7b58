package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/vfs"
)

// history is what was acknowledged of a thread, by which every answer of a damaged store is judged.
type history struct {
	steps []string            // ids, oldest first
	tail  []string            // tasks that ended behind the newest step
	tasks map[string][]string // by the step they came behind
	state map[string]string   // entry "x" at each step
}

// tasks makes a closed store of three threads whose newest step has tasks behind it, and says what was acknowledged.
func tasks(t *testing.T) (files map[string][]byte, want map[string]*history) {
	t.Helper()
	ctx := context.Background()
	m := &vfs.Mem{}
	s := checkpoint.New(openMem(t, m, newMemLocks(m), Options{}), nil)
	want = map[string]*history{}
	names := []string{"a", "b", "c"}
	claims := map[string]*checkpoint.Claim{}
	for _, name := range names {
		c, err := s.Claim(ctx, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		claims[name], want[name] = c, &history{state: map[string]string{}, tasks: map[string][]string{}}
	}
	for i := range 3 {
		for _, name := range names {
			h := want[name]
			r := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: fmt.Appendf(nil, "%q", name+fmt.Sprint(i))}}}
			if _, err := claims[name].Append(ctx, r); err != nil {
				t.Fatal(err)
			}
			h.steps, h.state[r.ID], h.tail = append(h.steps, r.ID), fmt.Sprintf("%q", name+fmt.Sprint(i)), nil
		}
		for k := range 2 {
			for _, name := range names {
				task := fmt.Sprintf("%s-%d-%d", name, i, k)
				r := &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: task, Events: 1, Parts: [][]byte{bytes.Repeat([]byte(task), 40)}}
				if _, err := claims[name].Append(ctx, r); err != nil {
					t.Fatal(err)
				}
				h := want[name]
				h.tail = append(h.tail, task)
				id := h.steps[len(h.steps)-1]
				h.tasks[id] = append(h.tasks[id], task)
			}
		}
	}
	for _, name := range names {
		if err := claims[name].Release(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, n := range []string{"s/store", "s/index", "s/log/00000001"} {
		files[n], _ = m.Data(n)
	}
	return files, want
}

// frames are the offsets of the frames of a segment, and its end.
func frames(log []byte) []int {
	var at []int
	for i := firstFrame; i < len(log); i += 8 {
		if bytes.HasPrefix(log[i:], []byte("\xd5dhf")) {
			at = append(at, i)
		}
	}
	return append(at, len(log))
}

// TestLesson20_NoWayAroundDamage damages a store in many ways, with the index and without. A thread either gives everything that
// was acknowledged or says that it is damaged; once the loss is accepted it goes on from what is left, for good, and the others
// are as they were.
func TestLesson20_NoWayAroundDamage(t *testing.T) {
	files, want := tasks(t)
	log := files["s/log/00000001"]
	at := frames(log)
	type damage struct {
		name string
		do   func([]byte) []byte
		cut  bool // nothing but the index can tell
	}
	var all []damage
	for i, off := range at[:len(at)-1] {
		next := at[i+1]
		for _, bit := range []int{off + 9, off + 100, next - 9} {
			all = append(all, damage{fmt.Sprintf("frame %d byte %d", i, bit-off), func(b []byte) []byte { b[bit] ^= 4; return b }, false})
		}
		for _, n := range []int{1, 2, 3, 7} {
			if end := at[min(i+n, len(at)-1)]; end < len(log) {
				all = append(all, damage{fmt.Sprintf("frames %d to %d are zero", i, i+n-1), func(b []byte) []byte { clear(b[off:end]); return b }, false})
				all = append(all, damage{fmt.Sprintf("frames %d to %d are noise", i, i+n-1), func(b []byte) []byte {
					for j := off; j < end; j++ {
						b[j] = byte(j*7 + 1)
					}
					return b
				}, false})
			}
		}
		all = append(all, damage{fmt.Sprintf("zero from frame %d", i), func(b []byte) []byte { clear(b[off+40:]); return b }, true})
		all = append(all, damage{fmt.Sprintf("cut before frame %d", i), func(b []byte) []byte { return b[:off] }, true},
			damage{fmt.Sprintf("cut in frame %d", i), func(b []byte) []byte { return b[:off+50] }, true})
	}
	for i, d := range all {
		if i%9 != 0 && !soak() {
			continue
		}
		for _, index := range []bool{true, false} {
			if d.cut && !index {
				continue
			}
			broken := maps.Clone(files)
			broken["s/log/00000001"] = d.do(bytes.Clone(log))
			if !index {
				delete(broken, "s/index")
			}
			m := clone(broken)
			t.Run(fmt.Sprintf("%s, index %v", d.name, index), func(t *testing.T) { surviveDamage(t, m, want, d.cut) })
		}
	}
}

// surviveDamage judges each thread, accepts what was lost, and judges again. onlyIndex: nothing else knows what was lost.
func surviveDamage(t *testing.T, m *vfs.Mem, want map[string]*history, onlyIndex bool) {
	l := newMemLocks(m)
	hurt := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		s := checkpoint.New(openMem(t, m, l, Options{}), nil)
		hurt[name] = !judgeThread(t, s, name, want[name]) || !readsWhole(s, name)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !hurt[name] {
			continue
		}
		s := checkpoint.New(openMem(t, m, l, Options{}), nil)
		id := goOnOver(t, s, name, want[name])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if id == "" {
			continue
		}
		for range 2 { // with whatever index there is, and without
			s := checkpoint.New(openMem(t, m, l, Options{}), nil)
			mustBeSound(t, s, name, id)
			for other, h := range want {
				if !hurt[other] && !judgeThread(t, s, other, h) {
					t.Errorf("thread %q was sound before the loss of %q was accepted", other, name)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, ok := m.Data("s/index"); ok && !onlyIndex {
				if err := m.Remove("s/index"); err != nil {
					t.Fatal(err)
				}
			}
		}
		hurt[name], want = false, maps.Clone(want)
		delete(want, name)
	}
}

// readsWhole says whether all of a thread can be read: the index vouches for places only.
func readsWhole(s *checkpoint.Store, name string) bool {
	for _, err := range s.Records(context.Background(), name) {
		if err != nil {
			return false
		}
	}
	return true
}

// judgeThread says whether a thread has all that was acknowledged. If it has not, everything that would go on must say so.
func judgeThread(t *testing.T, s *checkpoint.Store, name string, h *history) bool {
	t.Helper()
	ctx := context.Background()
	newest := h.steps[len(h.steps)-1]
	rec, st, err := s.State(ctx, name, "", "")
	if got, _ := st.Get("x"); rec != nil && h.state[rec.ID] != string(got) {
		t.Errorf("state of %q at %s is %s, want %s", name, rec.ID, got, h.state[rec.ID])
	}
	if err == nil && rec.ID != newest {
		t.Errorf("state of %q is that of %s without an error, newest is %s", name, rec.ID, newest)
	}
	if err != nil && !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("state of %q: %v", name, err)
	}
	c, err := s.Claim(ctx, name, nil)
	if err == nil {
		defer c.Close()
		var snap *checkpoint.Snapshot
		if snap, err = c.Load(ctx, ""); err == nil {
			if got := done(snap.Tail); snap.Head == nil || snap.Head.ID != newest || !slices.Equal(got, h.tail) {
				t.Errorf("load of %q gives %+v with %q, want %s with %q", name, snap.Head, got, newest, h.tail)
			}
			if e := c.Release(ctx, nil); e != nil {
				t.Errorf("release of %q: %v", name, e)
			}
		}
	}
	if err != nil && !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("claim of %q: %v", name, err)
	}
	return err == nil
}

func done(tail []*checkpoint.Record) []string {
	var got []string
	for _, r := range tail {
		if r.Kind == checkpoint.KindTaskDone {
			got = append(got, r.Task)
		}
	}
	return got
}

// goOnOver accepts the loss and appends a step, whose id it returns. If nothing is left, deleting the thread must work.
func goOnOver(t *testing.T, s *checkpoint.Store, name string, h *history) string {
	t.Helper()
	ctx := context.Background()
	readable := map[string]bool{}
	for r, err := range s.Records(ctx, name) {
		if err == nil {
			readable[r.Task] = true
		} else if !errors.Is(err, checkpoint.ErrDamaged) {
			t.Errorf("records of %q: %v", name, err)
		}
	}
	c, err := s.Claim(ctx, name, &checkpoint.ClaimOptions{AcceptLoss: true})
	if d := (*checkpoint.DamageError)(nil); errors.As(err, &d) && d.Gone {
		if err := s.Delete(ctx, name, false); err != nil {
			t.Errorf("delete of %q: %v", name, err)
		}
		if c, err = s.Claim(ctx, name, nil); err != nil || !c.New() {
			t.Errorf("claim of %q after the delete: %v", name, err)
		}
		return ""
	}
	if err != nil {
		t.Fatalf("accepting the loss of %q: %v", name, err)
	}
	snap, err := c.Load(ctx, "")
	if err != nil {
		t.Fatalf("load of %q after the loss was accepted: %v", name, err)
	}
	if snap.Head != nil {
		var left []string
		for _, task := range h.tasks[snap.Head.Parent] {
			if readable[task] {
				left = append(left, task)
			}
		}
		if got := done(snap.Tail); !slices.Equal(got[:min(len(left), len(got))], left) {
			t.Errorf("tasks of %q behind %s are %q, can be read: %q", name, snap.Head.Parent, got, left)
		}
		if v, _ := snap.State.Get("x"); h.state[snap.Head.Parent] != string(v) {
			t.Errorf("%q goes on with %s at %s", name, v, snap.Head.Parent)
		}
	}
	r := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: []byte(`"after"`)}}}
	m, err := c.Append(ctx, r)
	if err == nil {
		err = m.Wait(ctx)
	}
	if err != nil {
		t.Fatalf("append to %q after the loss was accepted: %v", name, err)
	}
	if err := c.Release(ctx, nil); err != nil {
		t.Error(err)
	}
	return r.ID
}

// mustBeSound checks a thread whose loss was accepted: nothing is damaged any more, and what was given up is written down.
func mustBeSound(t *testing.T, s *checkpoint.Store, name, id string) {
	t.Helper()
	ctx := context.Background()
	info, err := s.Thread(ctx, name)
	if err != nil || info.Damage != nil || info.Attrs[checkpoint.AttrLoss] == "" {
		t.Fatalf("thread %q: %+v, %v", name, info, err)
	}
	var loss *checkpoint.Loss
	for r, err := range s.Records(ctx, name) {
		if err != nil {
			t.Errorf("records of %q: %v", name, err)
			continue
		}
		l, err := r.Loss()
		if err != nil {
			t.Error(err)
		}
		if l != nil {
			loss = l
		}
	}
	if loss == nil || len(loss.Places) == 0 {
		t.Errorf("nothing says what %q has lost", name)
	}
	if info, err = s.Thread(ctx, name); err != nil || info.Damage != nil {
		t.Errorf("thread %q after reading it: %+v, %v", name, info, err)
	}
	rec, st, err := s.State(ctx, name, "", "")
	if v, _ := st.Get("x"); err != nil || rec.ID != id || string(v) != `"after"` {
		t.Errorf("state of %q: %s, %v", name, v, err)
	}
	c, err := s.Claim(ctx, name, &checkpoint.ClaimOptions{AcceptLoss: true}) // asked for again: there is nothing left to accept
	if err != nil {
		t.Fatal(err)
	}
	if snap, err := c.Load(ctx, ""); err != nil || snap.Head.ID != id {
		t.Errorf("load of %q: %v", name, err)
	}
	if err := c.Release(ctx, nil); err != nil {
		t.Error(err)
	}
}

// TestDamagedBlob: a blob that cannot be read is damage that names it, and putting it again makes it whole.
func TestDamagedBlob(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{}
	l := newMemLocks(m)
	text := []byte("a module, more or less")
	for _, index := range []bool{true, false} {
		s := checkpoint.New(openMem(t, m, l, Options{}), nil)
		digest, c, err := s.PutBlob(ctx, text)
		if err == nil {
			err = c.Wait(ctx)
		}
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		log, _ := m.Data("s/log/00000001")
		log[bytes.LastIndex(log, text)] ^= 1
		m.SetData("s/log/00000001", log)
		if !index {
			if err := m.Remove("s/index"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		s = checkpoint.New(openMem(t, m, l, Options{}), nil)
		var d *checkpoint.DamageError
		if _, err := s.Blob(ctx, digest); !errors.As(err, &d) || d.Blob != digest || d.Thread != "" || d.Offset == 0 {
			t.Errorf("index %v: a damaged blob: %v", index, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s = checkpoint.New(openMem(t, m, l, Options{}), nil)
			if _, _, err := s.PutBlob(ctx, text); err != nil {
				t.Errorf("index %v: putting it again: %v", index, err)
			}
			if b, err := s.Blob(ctx, digest); err != nil || !bytes.Equal(b, text) {
				t.Errorf("index %v: after it was put again: %q, %v", index, b, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestNameless: a thread of which nothing but a damaged frame is left was there, and does not begin again.
func TestNameless(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{}
	l := newMemLocks(m)
	s := checkpoint.New(openMem(t, m, l, Options{}), nil)
	if _, err := s.Claim(ctx, "only", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log, _ := m.Data("s/log/00000001")
	log[bytes.LastIndex(log, []byte("only"))] ^= 1
	m.SetData("s/log/00000001", log)
	if err := m.Remove("s/index"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s = checkpoint.New(openMem(t, m, l, Options{}), nil)
		switch i {
		case 0:
			if _, err := s.Claim(ctx, "only", nil); !errors.Is(err, checkpoint.ErrDamaged) {
				t.Errorf("claim: %v", err)
			}
			if _, _, err := s.State(ctx, "only", "", ""); !errors.Is(err, checkpoint.ErrDamaged) {
				t.Errorf("state: %v", err)
			}
		case 1:
			if _, err := s.Thread(ctx, "other"); !errors.Is(err, checkpoint.ErrNotFound) {
				t.Errorf("a thread that never was: %v", err)
			}
			c, err := s.Claim(ctx, "only", &checkpoint.ClaimOptions{AcceptLoss: true})
			if err != nil || c.New() || c.Epoch() != 2 {
				t.Fatalf("accepting the loss: %+v, %v", c, err)
			}
			if err := c.Release(ctx, nil); err != nil {
				t.Error(err)
			}
		case 2:
			if info, err := s.Thread(ctx, "only"); err != nil || info.Damage != nil {
				t.Errorf("%+v, %v", info, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeRecord: a record costs two copies of it in memory, one as it stands in the log and one that may be smaller.
func TestLargeRecord(t *testing.T) {
	ctx := context.Background()
	d, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := checkpoint.New(d, nil)
	defer s.Close()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	const size = 16 << 20
	value := random(size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "x", Value: value}}}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > size*5/2 {
		t.Errorf("an append of %d bytes allocates %d", size, got)
	}
}
