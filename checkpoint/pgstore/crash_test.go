package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/internal/testenv"
)

// witness is outside of the server: it knows what was acknowledged, and what anybody has seen.
type witness struct {
	mu    sync.Mutex
	acked map[string][]string // ids of acknowledged steps, by thread
	seen  map[uint64]string   // thread and id of each sequence number that was ever read
	kept  int
}

// saw notes a record that was read. A number that once was another record's has been given out twice.
func (w *witness) saw(t *testing.T, thread string, r *driver.Record) {
	what := fmt.Sprintf("%s %s %s", thread, r.Kind, r.ID)
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.seen[r.Seq]; old != "" && old != what {
		t.Errorf("sequence number %d was of %q, and now is of %q", r.Seq, old, what)
	}
	w.seen[r.Seq] = what
}

// writer appends to one thread until the test ends, whatever becomes of the server. After an unknown outcome it appends the same
// record again, which is what a caller does that has read the head.
func (w *witness) writer(ctx context.Context, t *testing.T, d driver.Driver, thread string) {
	epoch, parent := uint64(0), ""
	for n := 0; ctx.Err() == nil; n++ {
		th, err := d.Thread(context.Background(), thread)
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			continue // the server is away
		}
		if epoch == 0 || th == nil || th.Epoch < epoch {
			if th == nil && epoch > 0 || th != nil && th.Epoch < epoch {
				t.Errorf("%s: the epoch has gone back from %d: %+v", thread, epoch, th)
				return
			}
			if _, err := d.Append(context.Background(), thread, driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1}}); err == nil || errors.Is(err, driver.ErrFenced) {
				epoch = 1 // fenced: the claim whose outcome was not known is there
			}
			continue
		}
		id := fmt.Sprintf("%08d", n)
		e := driver.Expect{Epoch: epoch, Heads: []driver.Head{{ID: parent}}}
		for {
			_, err := d.Append(context.Background(), thread, e, []*driver.Record{{Kind: driver.KindStep, ID: id, Parent: parent, Time: 1, Body: []byte(id), Events: 2}})
			if err == nil {
				w.mu.Lock()
				w.acked[thread] = append(w.acked[thread], id)
				w.kept++
				w.mu.Unlock()
				parent = id
				break
			}
			if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrFenced) {
				t.Errorf("%s: step %s: %v: what was acknowledged before is gone", thread, id, err)
				return
			}
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// follower reads on from the greatest number it has seen, as somebody does who shows what happens.
func (w *witness) follower(ctx context.Context, t *testing.T, d driver.Driver, threads int) {
	from := map[string]uint64{}
	for ctx.Err() == nil {
		for i := range threads {
			thread := fmt.Sprint("t", i)
			for r, err := range d.Read(ctx, thread, driver.Query{AllNamespaces: true, From: from[thread] + 1}) {
				if errors.Is(err, driver.ErrDamaged) {
					t.Errorf("%s: %v", thread, err)
				}
				if err != nil {
					break
				}
				w.saw(t, thread, r)
				from[thread] = r.Seq
			}
		}
	}
}

// check reads everything and compares it with what was acknowledged.
func (w *witness) check(t *testing.T, d driver.Driver) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for thread, ids := range w.acked {
		var have []string
		next := uint64(1)
		for r, err := range d.Read(context.Background(), thread, driver.Query{AllNamespaces: true}) {
			if err != nil {
				t.Fatalf("%s: %v", thread, err)
			}
			if r.FirstEvent != next {
				t.Fatalf("%s: event %d follows %d", thread, r.FirstEvent, next-1)
			}
			if next += uint64(r.Events); r.Kind == driver.KindStep {
				have = append(have, r.ID)
			}
		}
		if len(have) < len(ids) || len(have) > len(ids)+1 {
			t.Fatalf("%s: %d steps, %d were acknowledged", thread, len(have), len(ids))
		}
		for i, id := range ids {
			if have[i] != id {
				t.Fatalf("%s: step %d is %s, %s was acknowledged", thread, i, have[i], id)
			}
		}
	}
	err := d.(driver.Maintenance).Verify(context.Background(), func(d *driver.Damage) { t.Errorf("damage: %v", d) }, nil)
	if err != nil {
		t.Fatal(err)
	}
}

// TestPostgresKilled kills the server and all of its processes again and again while threads are written. Nothing that was
// acknowledged is lost, nothing is there twice, no sequence number is given out twice.
func TestPostgresKilled(t *testing.T) {
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("DASHHOST_POSTGRES_KILLS")); err == nil {
		rounds = n
	}
	const threads = 8
	p := own(t)
	w := &witness{acked: map[string][]string{}, seen: map[uint64]string{}}
	for round := range rounds {
		w.round(t, p, threads)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	t.Logf("%d kills, %d acknowledged steps, 0 lost, 0 twice", rounds, w.kept)
}

func (w *witness) round(t *testing.T, p *testenv.Postgres, threads int) {
	ctx, stop := context.WithCancel(context.Background())
	// The threads go on from round to round: ids and epochs of the rounds before are forgotten by a schema of this round.
	url := fmt.Sprintf("%s&patience=0s&timeout=5s&schema=r%d", p.URL(), schemas.Add(1))
	w.mu.Lock()
	w.acked, w.seen = map[string][]string{}, map[uint64]string{}
	w.mu.Unlock()
	d, reader := opened(t, url), opened(t, url)
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() { w.writer(ctx, t, d, fmt.Sprint("t", i)) })
	}
	wg.Go(func() { w.follower(ctx, t, reader, threads) })
	time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // and on it goes
	stop()
	wg.Wait()
	w.check(t, d)
	if err := errors.Join(d.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
}

// A store over it does what its contract says after a kill: the run that was cut off is taken up at what was acknowledged.
func TestPostgresKilledStore(t *testing.T) {
	ctx := context.Background()
	p := own(t)
	url := p.URL() + "&lease=1s"
	s := checkpoint.New(opened(t, url), nil)
	defer s.Close()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, last := 0, ""
	for range 5 {
		done := make(chan error, 1)
		go func() {
			for {
				r := &checkpoint.Record{Kind: checkpoint.KindStep, Ops: []checkpoint.Op{{Kind: checkpoint.OpAppend, Name: "l", Value: strconv.AppendInt(nil, int64(n), 10)}}}
				m, err := c.Append(ctx, r)
				if err == nil {
					err = m.Wait(ctx)
				}
				if err != nil {
					done <- err
					return
				}
				n, last = n+1, r.ID
			}
		}()
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1200 * time.Millisecond) // the lease ends meanwhile
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, checkpoint.ErrUnknown) && !errors.Is(err, checkpoint.ErrFenced) && !errors.As(err, new(*pgstore.ConnectError)) {
			t.Fatalf("the run ended with %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if c, err = s.Claim(ctx, "t", nil); err != nil {
			t.Fatal(err)
		}
		snap, err := c.Load(ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if snap.Head == nil {
			if n > 0 {
				t.Fatal("all is gone")
			}
			continue
		}
		if snap.Head.ID != last && snap.Head.Parent != last {
			t.Fatalf("the head is %s after %s, acknowledged was %s", snap.Head.ID, snap.Head.Parent, last)
		}
		if snap.Head.ID != last { // the one whose outcome was unknown
			n, last = n+1, snap.Head.ID
		}
	}
	t.Logf("%d steps", n)
}
