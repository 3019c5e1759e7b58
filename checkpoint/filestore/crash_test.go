package filestore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/vfs"
)

// soak says whether to run everything instead of a sample: DASHHOST_SOAK=1.
func soak() bool { return os.Getenv("DASHHOST_SOAK") != "" }

// journal is what a workload was told: the only witness of what must be there after a crash.
type journal struct {
	maintain bool            // records are dropped, threads deleted and the log is pruned, too
	written  map[string]bool // what was given to Append, by entry
	acked    []ack
	free     map[string]int // length of the operation log when an entry began not to be wanted
	dropped  map[string]bool
	prunes   int
}

type ack struct {
	ops   int // length of the operation log when it was acknowledged
	entry string
}

// release notes that everything of a thread that keep does not say may go from now on.
func (j *journal) release(m *vfs.Mem, s *store, thread string, keep func(*driver.Record) bool) error {
	for r, err := range s.Read(context.Background(), thread, driver.Query{AllNamespaces: true}) {
		if err != nil {
			return err
		}
		if e := entry(thread, r); !keep(r) {
			if _, ok := j.free[e]; !ok {
				j.free[e] = len(m.Log())
			}
		}
	}
	j.dropped[thread] = true
	return nil
}

// tidy drops half of a thread, or deletes it, or prunes.
func (j *journal) tidy(m *vfs.Mem, s *store, rnd *rand.Rand, thread string, epochs map[string]uint64) error {
	ctx := context.Background()
	switch rnd.IntN(4) {
	case 0:
		if epochs[thread] == 0 {
			return nil
		}
		t, err := s.Thread(ctx, thread)
		if err != nil || t.Deleted {
			return err
		}
		if err := j.release(m, s, thread, func(*driver.Record) bool { return false }); err != nil {
			return err
		}
		recs := []*driver.Record{{Kind: driver.KindTombstone, Time: 1}}
		if _, err := s.Append(ctx, thread, driver.Expect{Epoch: epochs[thread]}, recs); err != nil {
			return err
		}
		epochs[thread] = recs[0].Epoch
		return nil
	case 1, 2:
		t, err := s.Thread(ctx, thread)
		if errors.Is(err, driver.ErrNotFound) || err == nil && t.Deleted {
			return nil
		}
		if err != nil {
			return err
		}
		below := t.LastSeq
		var head uint64
		for r, err := range s.Read(ctx, thread, driver.Query{Kinds: driver.Kinds(driver.KindStep), Reverse: true}) {
			if err != nil {
				return err
			}
			head = r.Seq
			break
		}
		if err := j.release(m, s, thread, func(r *driver.Record) bool { return r.Seq >= below || r.Seq >= head }); err != nil {
			return err
		}
		return s.Drop(ctx, thread, below)
	}
	j.prunes++
	_, err := s.Prune(ctx, &driver.PruneOptions{Now: rnd.IntN(3) > 0})
	return err
}

func entry(thread string, r *driver.Record) string {
	return fmt.Sprintf("%s %s %s %x", thread, r.Kind, r.ID, r.Body)
}

// run appends to several threads through two handles, with rotation, a failed append or two, closing and reopening, until an
// error comes that the workload does not expect. It returns that error.
func (j *journal) run(tb testing.TB, m *vfs.Mem, l *memLocks) (err error) {
	ctx := context.Background()
	j.written, j.free, j.dropped = map[string]bool{}, map[string]int{}, map[string]bool{}
	rnd := rand.New(rand.NewPCG(7, 7))
	epochs := map[string]uint64{}
	n := 0
	for range 3 {
		var handles []*store
		for range 2 {
			s, e := open(m, l, "s", Options{SegmentSize: 64 << 10})
			if e != nil {
				return e
			}
			handles = append(handles, s)
		}
		var waits []func() error
		for i := range map[bool]int{false: 14, true: 50}[j.maintain] {
			thread := []string{"a", "b", "c"}[rnd.IntN(3)]
			if j.maintain && rnd.IntN(3) == 0 {
				if e := j.tidy(m, handles[i%2], rnd, thread, epochs); e != nil {
					return errors.Join(e, closeAll(handles))
				}
				continue
			}
			recs := []*driver.Record{{Kind: driver.KindStep, ID: fmt.Sprintf("%04d", n), Time: 1, Events: 1}}
			if epochs[thread] == 0 {
				recs = []*driver.Record{{Kind: driver.KindClaim, Owner: "o", Time: 1}}
			}
			for _, r := range append(recs, &driver.Record{Kind: driver.KindProgress, Time: 1}) {
				r.Body = make([]byte, []int{0, 10, 600, 3000, 20_000}[rnd.IntN(5)])
				for k := range r.Body {
					r.Body[k] = byte(rnd.Uint32()) * byte(k/100%2) // with runs of zeros
				}
				r.Size = int64(len(r.Body))
				j.written[entry(thread, r)] = true
			}
			n++
			c, e := handles[i%2].Append(ctx, thread, driver.Expect{Epoch: epochs[thread]}, recs)
			if e != nil {
				return errors.Join(e, closeAll(handles))
			}
			epochs[thread] = recs[0].Epoch
			waits = append(waits, func() error {
				if e := c.Wait(ctx); e != nil {
					return e
				}
				for _, r := range recs {
					j.acked = append(j.acked, ack{len(m.Log()), entry(thread, r)})
				}
				return nil
			})
			if rnd.IntN(3) == 0 {
				for _, w := range waits {
					if e := w(); e != nil {
						return errors.Join(e, closeAll(handles))
					}
				}
				waits = nil
			}
		}
		if e := closeAll(handles); e != nil {
			return e
		}
	}
	return nil
}

func closeAll(handles []*store) (err error) {
	for _, s := range handles {
		err = errors.Join(err, s.Close())
	}
	return err
}

// check opens what a crash left and compares it with the journal: everything acknowledged before is there, nothing is there that
// was not written, nothing is called damaged, and the store goes on.
func (j *journal) check(m *vfs.Mem, ops int) error {
	ctx := context.Background()
	l := newMemLocks(m)
	s, err := open(m, l, "s", Options{SegmentSize: 64 << 10})
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	// Writing comes first: it cuts what is torn.
	if _, err := s.Append(ctx, "after", driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindCancel, Time: 1}}); err != nil {
		return fmt.Errorf("append after the crash: %w", err)
	}
	for range 2 {
		there := map[string]bool{}
		for _, thread := range []string{"a", "b", "c"} {
			events, seq := uint64(0), uint64(0)
			for r, err := range s.Read(ctx, thread, driver.Query{AllNamespaces: true}) {
				if errors.Is(err, driver.ErrNotFound) {
					break
				}
				if err != nil {
					return fmt.Errorf("read of %q: %w", thread, err)
				}
				e := entry(thread, r)
				if !j.written[e] {
					return fmt.Errorf("%.60s was never written", e)
				}
				gap := r.FirstEvent != events+1
				if j.dropped[thread] {
					gap = r.FirstEvent <= events
				}
				if gap && r.Events > 0 || r.Seq <= seq {
					return fmt.Errorf("%.60s: event %d after %d, sequence %d after %d", e, r.FirstEvent, events, r.Seq, seq)
				}
				events, seq = r.FirstEvent-1+uint64(r.Events), r.Seq
				there[e] = true
			}
		}
		for _, a := range j.acked {
			if free, ok := j.free[a.entry]; ok && free < ops {
				continue
			}
			if a.ops <= ops && !there[a.entry] {
				return fmt.Errorf("%.60s was acknowledged and is gone", a.entry)
			}
		}
		var found error
		if err := s.Verify(ctx, func(d *driver.Damage) { found = d }, nil); err != nil || found != nil {
			return fmt.Errorf("verify: %w", errors.Join(err, found))
		}
		if err := s.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
		if s, err = open(m, l, "s", Options{}); err != nil {
			return fmt.Errorf("open again: %w", err)
		}
	}
	return s.Close()
}

// TestPowerCut cuts the power after every operation, with what was not synced gone, kept, or torn in sectors at random.
func TestPowerCut(t *testing.T) {
	for name, maintain := range map[string]bool{"appends": false, "maintenance": true} {
		t.Run(name, func(t *testing.T) { powerCut(t, maintain) })
	}
}

func powerCut(t *testing.T, maintain bool) {
	m := &vfs.Mem{}
	j := &journal{maintain: maintain}
	if err := j.run(t, m, newMemLocks(m)); err != nil {
		t.Fatal(err)
	}
	log := m.Log()
	if len(log) < 100 || len(j.acked) < 30 || maintain && j.prunes < 5 {
		t.Fatalf("the workload has %d operations, %d acknowledged records and %d prunes: too few to show anything", len(log), len(j.acked), j.prunes)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	cuts := 0
	for ops := range len(log) + 1 {
		torn := rnd.IntN(8) + 1
		for i, keep := range []func() bool{
			func() bool { return false },
			func() bool { return rnd.IntN(9) >= torn },
			func() bool { return true },
		} {
			if i != ops%3 && !soak() {
				continue
			}
			cuts++
			if err := j.check(vfs.Replay(log[:ops], keep), ops); err != nil {
				last := "nothing"
				if ops > 0 {
					last = log[ops-1].String()
				}
				t.Fatalf("power cut after operation %d of %d (%s), policy %d: %v", ops, len(log), last, i, err)
			}
		}
	}
	t.Logf("%d power cuts over %d operations, %d acknowledged records, %d prunes: nothing lost, nothing false", cuts, len(log), len(j.acked), j.prunes)
}

// TestFaults makes every operation fail in turn. The error must surface, or the operation must have been made good, and what was
// acknowledged must survive a power cut right after.
func TestFaults(t *testing.T) {
	m := &vfs.Mem{}
	if err := (&journal{}).run(t, m, newMemLocks(m)); err != nil {
		t.Fatal(err)
	}
	total := len(m.Log())
	surfaced, healed := 0, 0
	for at := range total {
		for i, fault := range []error{syscall.EIO, syscall.ENOSPC, &vfs.ShortWrite{N: 700, Err: syscall.EIO}} {
			for k, once := range []bool{true, false} {
				if !soak() && (at+i+k)%12 != 0 {
					continue
				}
				m := &vfs.Mem{}
				n := 0
				m.Fault = func(op vfs.Op) error {
					if op.Kind == "read" {
						return nil
					}
					n++
					if n == at+1 || n > at && !once {
						return fault
					}
					return nil
				}
				j := &journal{}
				err := j.run(t, m, newMemLocks(m))
				m.Fault = nil
				if err == nil {
					healed++
				} else {
					surfaced++
					if errors.Is(fault, syscall.ENOSPC) && !errors.Is(err, syscall.ENOSPC) {
						t.Errorf("operation %d: %v, want the cause in it", at, err)
					}
				}
				log := m.Log()
				if err := j.check(vfs.Replay(log, func() bool { return false }), len(log)); err != nil {
					t.Fatalf("fault %v in operation %d (once %v), then a power cut: %v", fault, at, once, err)
				}
			}
		}
	}
	if surfaced < total/4 || healed == 0 {
		t.Errorf("%d errors surfaced, %d faults were made good", surfaced, healed)
	}
	t.Logf("%d errors surfaced, %d faults were made good", surfaced, healed)
}

// TestFailedSync fails the sync of the log itself: the range goes to a new segment, and other handles follow.
func TestFailedSync(t *testing.T) {
	ctx := context.Background()
	m := &vfs.Mem{}
	l := newMemLocks(m)
	a, b := openMem(t, m, l, Options{}), openMem(t, m, l, Options{})
	appendTo := func(s *store, thread string, wait bool) {
		t.Helper()
		c, err := s.Append(ctx, thread, driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindCancel, Time: 1, Body: []byte("x"), Size: 1}})
		if err == nil && wait {
			err = c.Wait(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	appendTo(a, "t", true)
	appendTo(b, "t", false)
	appendTo(b, "t", false)
	failed := false
	m.Fault = func(op vfs.Op) error {
		if op.Kind == "syncdata" && !failed {
			failed = true
			return syscall.EIO
		}
		if failed && strings.HasPrefix(op.Kind, "sync") && strings.HasSuffix(op.Name, "00000001") {
			t.Errorf("%s: synced again after it failed", op)
		}
		return nil
	}
	appendTo(a, "t", true)
	if !failed {
		t.Fatal("no sync failed")
	}
	appendTo(b, "t", true)
	appendTo(a, "t", true)
	for _, fs := range []*vfs.Mem{m, vfs.Replay(m.Log(), func() bool { return false })} {
		s := openMem(t, fs, newMemLocks(fs), Options{ReadOnly: true})
		n := 0
		for _, err := range s.Read(ctx, "t", driver.Query{AllNamespaces: true}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 6 {
			t.Errorf("%d records, want 6", n)
		}
	}
	if err := closeAll([]*store{a, b}); err != nil {
		t.Fatal(err)
	}
}
