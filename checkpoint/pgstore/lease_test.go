package pgstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/internal/testenv"
)

// own starts a server that the test may stop and kill.
func own(tb testing.TB, settings ...string) *testenv.Postgres {
	tb.Helper()
	server(tb)
	p, err := testenv.StartPostgres(tempDir(tb)+"/pg", settings...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// eventually waits until f says true: what it asks for has no signal.
func eventually(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); {
		if time.Now().After(end) {
			tb.Fatalf("not in 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A process that cannot reach the server gives up its claims before another one may take them, and goes on with new ones when the
// server is back.
func TestPostgresLeaseEnds(t *testing.T) {
	ctx := context.Background()
	p := own(t)
	url := p.URL() + "&lease=1500ms&patience=100ms&timeout=3s"
	d := opened(t, url)
	cut, other := checkpoint.New(d, nil), checkpoint.New(opened(t, url), nil)
	defer cut.Close()
	defer other.Close()
	c, err := cut.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := other.Thread(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	holder := info.Holder.ID
	begun := time.Now()
	for time.Since(begun) < 2*time.Second { // renewed: it lives longer than one lease
		if _, err := other.Claim(ctx, "t", nil); !errors.Is(err, checkpoint.ErrBusy) {
			t.Fatalf("claim of a thread whose holder lives: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.Pause() // the network is there, nobody answers
	eventually(t, "the cut off process notices", func() bool { return errors.Is(c.Refresh(ctx), checkpoint.ErrFenced) })
	gaveUp := pgstore.GivesUp(d, holder)
	p.Resume()
	var until time.Time
	if err := connect(t, p.URL()).QueryRow(ctx, "SELECT lease_until FROM dashhost.owners WHERE id = $1", []byte(holder)).Scan(&until); err != nil {
		t.Fatal(err)
	}
	if !gaveUp.Add(200 * time.Millisecond).Before(until) {
		t.Errorf("the holder gives up at %v, others may take over from %v on", gaveUp, until)
	}
	if _, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep}); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("append of a claim whose lease has ended, while nobody has taken the thread: %v", err)
	}
	if _, err := other.Claim(ctx, "t", &checkpoint.ClaimOptions{Wait: 10 * time.Second}); err != nil {
		t.Fatalf("claim when the lease has ended: %v", err)
	}
	again, err := cut.Claim(ctx, "u", nil)
	if err != nil {
		t.Fatalf("a new claim when the server is back: %v", err)
	}
	if m, err := again.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep}); err != nil || m.Wait(ctx) != nil {
		t.Errorf("append of the new claim: %v", err)
	}
	if info, err := other.Thread(ctx, "u"); err != nil || !info.Alive {
		t.Errorf("the new claim as others see it: %+v, %v", info, err)
	}
}

// A server that restarts in order is away for a moment: nothing fails, and claims stay.
func TestPostgresRestart(t *testing.T) {
	ctx := context.Background()
	p := own(t)
	s := checkpoint.New(opened(t, p.URL()), nil)
	defer s.Close()
	c, err := s.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if i%3 == 2 {
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := c.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep}); err != nil || m.Wait(ctx) != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	if info, err := s.Thread(ctx, "t"); err != nil || info.Records != 11 {
		t.Errorf("%+v, %v", info, err)
	}
}

// Other sessions end at the server's end too: an administrator's word, or a time limit.
func TestPostgresTerminated(t *testing.T) {
	ctx := context.Background()
	url := fresh(t)
	d := opened(t, url)
	defer d.Close()
	admin := connect(t, server(t).URL())
	for i := range 20 {
		if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dashhost'"); err != nil {
			t.Fatal(err)
		}
		_, err := d.Append(ctx, "t", driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindCancel, Time: int64(i + 1)}})
		if err != nil {
			t.Fatalf("append %d on sessions that were ended: %v", i, err)
		}
	}
	if th, err := d.Thread(ctx, "t"); err != nil || th.Records != 20 {
		t.Errorf("%+v, %v", th, err)
	}
}
