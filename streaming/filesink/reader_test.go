package filesink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/internal/vfs"
	"github.com/dashhost/dashhost/streaming/driver"
)

// Several writers at once, in files that are begun often: each writer's records in order, all merged by time, and from any position
// the rest.
func TestWritersAreMergedAndResumed(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 5, 400
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			s, err := Open(dir, &Options{SegmentBytes: 8192, Sync: SyncClose})
			if err != nil {
				t.Error(err)
				return
			}
			for i := range each {
				r := rec(i)
				r.Time, r.Key = int64(1000+i*writers+w), fmt.Append(nil, w)
				if _, err := s.Write(context.Background(), "s", []driver.Record{r}); err != nil {
					t.Error(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	r := NewReader(dir, nil)
	var order []string
	var positions []Position
	last := int64(0)
	next := map[string]uint64{}
	for e, err := range r.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if next[e.Writer]++; e.Number != next[e.Writer] || e.Record.Time < last {
			t.Fatalf("writer %s: record %d at %d after %d", e.Writer, e.Number, e.Record.Time, last)
		}
		last = e.Record.Time
		order = append(order, fmt.Sprint(e.Writer, e.Number))
		positions = append(positions, r.Position())
	}
	if len(order) != writers*each {
		t.Fatalf("%d records", len(order))
	}
	for range 10 {
		at := rand.IntN(len(order))
		after, err := ParsePosition(positions[at].String())
		if err != nil {
			t.Fatal(err)
		}
		var rest []string
		for e, err := range NewReader(dir, &ReaderOptions{After: after}).All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			rest = append(rest, fmt.Sprint(e.Writer, e.Number))
		}
		if !slices.Equal(rest, order[at+1:]) {
			t.Fatalf("after record %d: %d records, want %d", at, len(rest), len(order)-at-1)
		}
	}
	since := 0
	for _, err := range NewReader(dir, &ReaderOptions{Since: 1000 + writers*each/2}).All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		since++
	}
	if since != writers*each/2 {
		t.Errorf("%d records since the middle, want %d", since, writers*each/2)
	}
	if r2, _ := readNumbers(t, r); len(r2) != 0 {
		t.Errorf("read again, it gave %d records", len(r2))
	}
}

// Whoever breaks off a loop goes on with the next record.
func TestBreakAndGoOn(t *testing.T) {
	m := &vfs.Mem{}
	written(t, m, nil)
	r := newReader(m, "d", nil)
	var got []int
	for len(got) < 30 {
		for e, err := range r.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, int(e.Record.ID[1]))
			break
		}
	}
	if !slices.Equal(got, upTo(30)) {
		t.Errorf("%v", got)
	}
}

// A follower sees everything that is written while it reads, by writers that come and go, and nothing twice.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 4, 300
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			time.Sleep(time.Duration(w) * 5 * time.Millisecond) // writers appear while others write
			s, err := Open(dir, &Options{SegmentBytes: 8192, Sync: SyncClose})
			if err != nil {
				t.Error(err)
				return
			}
			for at := 0; at < each; at += 3 {
				if _, err := s.Write(ctx, "s", recs(at, 3)); err != nil {
					t.Error(err)
				}
			}
			if w%2 == 0 { // the others stay open
				err = s.Close()
			} else {
				t.Cleanup(func() { s.Close() })
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	seen := map[string]uint64{}
	total := 0
	var end error
	for e, err := range NewReader(dir, &ReaderOptions{Follow: time.Millisecond}).All(ctx) {
		if err != nil {
			end = err
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			continue
		}
		if seen[e.Writer]++; e.Number != seen[e.Writer] {
			t.Fatalf("writer %s: record %d, want %d", e.Writer, e.Number, seen[e.Writer])
		}
		if total++; total == writers*each {
			cancel()
		}
	}
	group.Wait()
	if total != writers*each || !errors.Is(end, context.Canceled) {
		t.Errorf("%d records, ended with %v", total, end)
	}
}

// A folder that is not there yet is an empty one, for a follower too.
func TestFolderThatIsNotThere(t *testing.T) {
	dir := t.TempDir() + "/later"
	numbers, errs := readNumbers(t, NewReader(dir, nil))
	if len(numbers)+len(errs) != 0 {
		t.Errorf("%v, %v", numbers, errs)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() {
		s, err := Open(dir, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := s.Write(ctx, "s", recs(0, 1)); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for e, err := range NewReader(dir, &ReaderOptions{Follow: time.Millisecond}).All(ctx) {
		if err != nil || e.Number != 1 {
			t.Errorf("%v, %v", e, err)
		}
		break
	}
	group.Wait()
}

func TestOptionsAndPositions(t *testing.T) {
	for _, o := range []*Options{{Sync: "never"}, {Every: -1}, {SegmentBytes: 1}, {SegmentBytes: 2 << 30}} {
		if _, err := Open(t.TempDir(), o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, text := range []string{"x", `{"x":1}`, `{"01ARZ3NDEKTSV4RRFFQ69G5FAV":-1}`, `[1]`} {
		if _, err := ParsePosition(text); !errors.Is(err, ErrOptions) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if p, err := ParsePosition(""); err != nil || len(p) != 0 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestTooLargeRecord(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	batch := recs(0, 3)
	batch[1].Value = make([]byte, MaxRecord+1)
	n, err := s.Write(t.Context(), "s", batch)
	if n != 1 || driver.ClassOf(err) != driver.TooLarge {
		t.Errorf("%d taken, %v", n, err)
	}
	batch[1].Value = make([]byte, MaxRecord-len(batch[1].Key))
	if n, err := s.Write(t.Context(), "s", batch[1:2]); n != 1 || err != nil {
		t.Errorf("the largest: %d taken, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all := readAll(t, s.dir)
	if len(all) != 2 || len(all[1].Value) != MaxRecord-len(batch[1].Key) {
		t.Errorf("%d records", len(all))
	}
}
