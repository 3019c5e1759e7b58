package filestore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// damages are ways to damage the store that small makes.
func damages(files map[string][]byte) map[string]func() {
	log := files["s/log/00000001"]
	at := func(text string) int { return strings.Index(string(log), text) }
	frameOf := func(text string) int { return bytes.LastIndex(log[:at(text)], []byte("\xd5dhf")) }
	return map[string]func(){
		"body":              func() { log[at(`"b1"`)] ^= 1 },
		"newest body":       func() { log[at(`"c2"`)] ^= 1 },
		"header":            func() { log[frameOf(`"b2"`)+20] ^= 1 },
		"two headers":       func() { log[frameOf(`"a2"`)+20] ^= 1; log[frameOf(`"b2"`)+20] ^= 1 },
		"frames in a row":   func() { clear(log[frameOf(`"b0"`) : frameOf(`"b2"`)+40]) },
		"first head":        func() { log[40] ^= 1 },
		"second head":       func() { log[segmentHead+40] ^= 1 },
		"index":             func() { files["s/index"][20] ^= 1 },
		"a lost end":        func() { files["s/log/00000001"] = log[:frameOf(`"c2"`)] },
		"a lost end's byte": func() { files["s/log/00000001"] = log[:len(log)-100] },
	}
}

func names(tb testing.TB, m *vfs.Mem, dir string) []string {
	tb.Helper()
	n, err := m.ReadDir(dir)
	if err != nil {
		return nil
	}
	return n
}

// snapshotOf returns the files of a store that hold something that lasts.
func snapshotOf(m *vfs.Mem) map[string]string {
	all := map[string]string{}
	for _, dir := range []string{"s", "s/log", "s/quarantine"} {
		n, err := m.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range n {
			if b, ok := m.Data(dir + "/" + name); ok && !strings.HasPrefix(name, "lock") {
				all[dir+"/"+name] = string(b)
			}
		}
	}
	return all
}

func openStore(tb testing.TB, m *vfs.Mem) *checkpoint.Store {
	tb.Helper()
	return checkpoint.New(openMem(tb, m, newMemLocks(m), Options{}), nil)
}

// repairAll repairs with consent and checks what must be true afterwards.
func repairAll(tb testing.TB, m *vfs.Mem, states map[string][]string) *checkpoint.RepairReport {
	tb.Helper()
	ctx := context.Background()
	s := openStore(tb, m)
	rep, err := s.Repair(ctx, &checkpoint.RepairOptions{Consent: true})
	if err != nil {
		tb.Fatalf("repair: %v", err)
	}
	if len(rep.Left) > 0 {
		tb.Fatalf("left: %v", rep.Left)
	}
	for range 2 {
		v, err := s.Verify(ctx, nil)
		if err != nil || !v.Sound() {
			tb.Fatalf("after the repair: %v, places %v, threads %v", err, v.Places, v.Threads)
		}
		for name, want := range states {
			_, st, err := s.State(ctx, name, "", "")
			if errors.Is(err, checkpoint.ErrNotFound) { // all of it was lost
				continue
			}
			if err != nil {
				tb.Fatalf("state of %q after the repair: %v", name, err)
			}
			if v, _ := st.Get("x"); !strings.Contains(strings.Join(want, ","), string(v)) {
				tb.Fatalf("state of %q after the repair: %s was never written", name, v)
			}
			c, err := s.Claim(ctx, name, nil)
			if err != nil {
				tb.Fatalf("claim of %q after the repair: %v", name, err)
			}
			if err := c.Release(ctx, nil); err != nil {
				tb.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			tb.Fatal(err)
		}
		if err := m.Remove("s/index"); err != nil && !notExist(err) { // what the log says must be enough
			tb.Fatal(err)
		}
		s = openStore(tb, m)
	}
	again, err := s.Repair(ctx, &checkpoint.RepairOptions{Consent: true})
	if err != nil || len(again.Repaired)+len(again.Deleted)+len(again.Left) > 0 {
		tb.Fatalf("repair again: %+v, %v", again, err)
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return rep
}

// TestRepair: without consent nothing changes; with it every thread goes on, what was damaged is kept aside and written down, doing
// it twice is doing it once, and pruning takes the damaged bytes away.
func TestRepair(t *testing.T) {
	ctx := context.Background()
	for _, index := range []bool{true, false} {
		clean, _ := small(t)
		for what := range damages(clean) {
			t.Run(fmt.Sprintf("%s, index %v", what, index), func(t *testing.T) {
				files, states := small(t)
				whole := bytes.Clone(files["s/log/00000001"])
				damages(files)[what]()
				damaged := bytes.Clone(files["s/log/00000001"])
				if !index {
					if what == "index" || strings.HasPrefix(what, "a lost end") { // only the index knows
						t.Skip("nothing is damaged without it")
					}
					delete(files, "s/index")
				}
				m := clone(files)
				s := openStore(t, m)
				v, err := s.Verify(ctx, nil)
				if err != nil || v.Sound() {
					t.Fatalf("verify: %v, places %v", err, v.Places)
				}
				before := snapshotOf(m)
				dry, err := s.Repair(ctx, nil)
				if err != nil || len(dry.Places) != len(v.Places) {
					t.Fatalf("repair without consent: %+v, %v", dry, err)
				}
				if after := snapshotOf(m); !maps.Equal(before, after) {
					t.Fatal("a repair without consent changed something")
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				rep := repairAll(t, m, states)
				for _, r := range rep.Repaired {
					if r.Loss == nil || len(r.Loss.Places) == 0 {
						t.Errorf("thread %q: nothing says what was lost", r.Thread)
					}
				}
				if !bytes.Equal(whole, damaged) && len(damaged) == len(whole) {
					kept := ""
					for _, n := range names(t, m, "s/quarantine") {
						b, _ := m.Data("s/quarantine/" + n)
						kept += string(b)
					}
					for i := range whole {
						if whole[i] != damaged[i] && !strings.Contains(kept, string(damaged[i:min(i+8, len(damaged))])) {
							t.Fatalf("byte %d was damaged and is not in quarantine", i)
						}
					}
				}
				aside := len(names(t, m, "s/quarantine"))
				repairAll(t, m, states)
				if n := len(names(t, m, "s/quarantine")); n != aside {
					t.Errorf("%d files in quarantine after the second repair, %d after the first", n, aside)
				}
				s = openStore(t, m)
				if _, err := s.Prune(ctx, &checkpoint.PruneOptions{Now: true}); err != nil {
					t.Fatal(err)
				}
				if v, err := s.Verify(ctx, nil); err != nil || len(v.Places) > 0 {
					t.Errorf("after a prune: %v, %v", v.Places, err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				repairAll(t, m, states)
			})
		}
	}
}

// TestRepairPowerCut cuts the power after every operation of a repair: it can be called again, and nothing is lost by it.
func TestRepairPowerCut(t *testing.T) {
	ctx := context.Background()
	clean, _ := small(t)
	cuts := 0
	for what := range damages(clean) {
		files, states := small(t)
		damages(files)[what]()
		m := clone(files)
		s := openStore(t, m)
		if _, err := s.Repair(ctx, &checkpoint.RepairOptions{Consent: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		log := m.Log()
		for ops := range len(log) + 1 {
			if ops%5 != cuts%5 && !soak() {
				cuts++
				continue
			}
			cuts++
			cut := clone(files).ReplayOn(log[:ops], func() bool { return ops%2 == 0 })
			repairAll(t, cut, states)
			if t.Failed() {
				t.Fatalf("%s: power cut after operation %d of %d", what, ops, len(log))
			}
		}
	}
}

// TestRepairWithoutAStep: of a thread without a complete step nothing can go on. It is left, or deleted if that is wanted.
func TestRepairWithoutAStep(t *testing.T) {
	ctx := context.Background()
	files, _ := small(t)
	log := files["s/log/00000001"]
	log[strings.Index(string(log), `"b0"`)] ^= 1 // which all the others continue
	s := openStore(t, clone(files))
	rep, err := s.Repair(ctx, &checkpoint.RepairOptions{Consent: true})
	if err != nil || len(rep.Left) != 1 || !rep.Left[0].Gone || len(rep.Repaired) > 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	rep, err = s.Repair(ctx, &checkpoint.RepairOptions{Consent: true, DeleteGone: true})
	if err != nil || len(rep.Deleted) != 1 || rep.Deleted[0] != "b" {
		t.Fatalf("%+v, %v", rep, err)
	}
	if v, err := s.Verify(ctx, nil); err != nil || !v.Sound() {
		t.Errorf("%+v, %v", v, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRepairLeavesRunning: a thread that a live process holds is its business.
func TestRepairLeavesRunning(t *testing.T) {
	ctx := context.Background()
	files, _ := small(t)
	m := clone(files)
	l := newMemLocks(m)
	running := checkpoint.New(openMem(t, m, l, Options{}), nil)
	if _, err := running.Claim(ctx, "b", nil); err != nil {
		t.Fatal(err)
	}
	b, _ := m.Data("s/log/00000001")
	b[strings.Index(string(b), `"b1"`)] ^= 1
	m.SetData("s/log/00000001", b)
	s := checkpoint.New(openMem(t, m, l, Options{}), nil)
	rep, err := s.Repair(ctx, &checkpoint.RepairOptions{Consent: true})
	if err != nil || len(rep.Left) != 1 || !strings.Contains(rep.Left[0].Lost, "held by") {
		t.Errorf("%+v, %v", rep, err)
	}
	ro, err := open(m, l, "s", Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := ro.Repair(ctx, func(*driver.Damage) {}, nil); !errors.Is(err, driver.ErrReadOnly) {
		t.Errorf("repair of a read-only store: %v", err)
	}
}
