package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// lease is an owner of this handle. It is renewed at a third of its length. Two clocks are asked, and neither is compared with the
// other: the server's says when others take the owner for dead, ours, counted from before the last renewal was sent, when we do.
// Ours is earlier, so whoever was cut off from the server stops before another process goes on in its place.
type lease struct {
	owner driver.Owner
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex
	until time.Time // of our clock
	lost  bool      // for good
}

// margin is the part of a lease that we give up.
const margin = 6

const maxOwnerText = 8 << 10

// Register implements driver.Owners.
func (s *store) Register(ctx context.Context, text string) (driver.Owner, func() error, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Owner{}, nil, err
	}
	defer s.life.RUnlock()
	if s.o.ReadOnly {
		return driver.Owner{}, nil, driver.ErrReadOnly
	}
	if len(text) > maxOwnerText {
		return driver.Owner{}, nil, &driver.TooLarge{What: "owner text", Max: maxOwnerText, Got: int64(len(text))}
	}
	id, err := ulid.New(ulid.Timestamp(time.Now()), rand.Reader)
	if err != nil {
		return driver.Owner{}, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	l := &lease{owner: driver.Owner{ID: id.String(), PID: os.Getpid(), Host: host, Text: text}}
	sent := time.Now()
	err = s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		sent = time.Now()
		_, err := c.Exec(ctx, s.sql(`INSERT INTO {{schema}}.owners VALUES ($1, $2, $3, '', $4, clock_timestamp() + $5)
			ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until`),
			[]byte(l.owner.ID), l.owner.PID, []byte(host), []byte(text), s.set.lease)
		return err
	})
	if err != nil {
		return driver.Owner{}, nil, fmt.Errorf("owner: %w", err)
	}
	l.until = sent.Add(s.set.lease - s.set.lease/margin)
	renewing, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.done.Go(func() { s.renew(renewing, l) })
	s.mu.Lock()
	s.owners[l.owner.ID] = l
	s.mu.Unlock()
	return l.owner, func() error { return s.release(l) }, nil
}

// renew keeps a lease until ctx ends or the lease has.
func (s *store) renew(ctx context.Context, l *lease) {
	third := s.set.lease / 3
	wait := third
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := s.renewOnce(ctx, l)
		switch {
		case err == nil:
			wait = third
		case l.ended() || errors.Is(err, errLease):
			l.lose()
			return
		default: // the server is away: again soon
			wait = min(third/4, lastWait)
		}
	}
}

var errLease = errors.New("the lease has ended")

func (s *store) renewOnce(ctx context.Context, l *lease) error {
	l.mu.Lock()
	until := l.until
	l.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	sent := time.Now()
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	tag, err := c.Exec(ctx, s.sql("UPDATE {{schema}}.owners SET lease_until = clock_timestamp() + $2 WHERE id = $1 AND lease_until > clock_timestamp()"),
		[]byte(l.owner.ID), s.set.lease)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errLease
	}
	l.mu.Lock()
	l.until = sent.Add(s.set.lease - s.set.lease/margin)
	l.mu.Unlock()
	return nil
}

// ended says whether the owner has ceased to be one, by our clock.
func (l *lease) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = l.lost || !time.Now().Before(l.until)
	return l.lost
}

// lose ends the lease and says whether it had ended.
func (l *lease) lose() (before bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.lost = l.lost, true
	return before
}

// release ends a lease at once, so that nobody waits for it. If the server is away it ends by itself. The lease is not forgotten:
// its claims stay lost.
func (s *store) release(l *lease) error {
	l.stop()
	l.done.Wait()
	if l.lose() {
		return nil
	}
	err := s.once(context.Background(), func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, s.sql("UPDATE {{schema}}.owners SET lease_until = clock_timestamp() WHERE id = $1"), []byte(l.owner.ID))
		return err
	})
	if err != nil && passing(err) {
		return nil
	}
	return s.classify(err)
}

// endLeases releases what is left of them.
func (s *store) endLeases() error {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.owners))
	s.mu.Unlock()
	var err error
	for _, l := range all {
		err = first(err, s.release(l))
	}
	return err
}

// own is the lease of an owner of this handle, or nil.
func (s *store) own(id string) *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[id]
}

// ownerLost says whether records are of a claim whose owner, one of this handle, has lost its lease. A new claim and a tombstone
// are of nobody.
func (s *store) ownerLost(th *table.Thread, recs []*driver.Record) bool {
	if !th.Claimed || len(recs) > 0 && (recs[0].Kind == driver.KindClaim || recs[0].Kind == driver.KindTombstone) {
		return false
	}
	l := s.own(th.Owner)
	return l != nil && l.ended()
}

// Owner implements driver.Owners. Of an owner of this handle it is our clock that says whether it is alive, and no server is asked.
func (s *store) Owner(ctx context.Context, id string) (o driver.Owner, alive bool, err error) {
	if err := s.enter(ctx); err != nil {
		return driver.Owner{}, false, err
	}
	defer s.life.RUnlock()
	if l := s.own(id); l != nil {
		return l.owner, !l.ended(), nil
	}
	var pid int
	var host, boot, text []byte
	err = s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, s.sql("SELECT pid, host, boot, text, lease_until > clock_timestamp() FROM {{schema}}.owners WHERE id = $1"), []byte(id)).
			Scan(&pid, &host, &boot, &text, &alive)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return driver.Owner{ID: id}, false, nil
	}
	return driver.Owner{ID: id, PID: pid, Host: string(host), Boot: string(boot), Text: string(text)}, alive, err
}
