package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Options of Open. Nil is fine.
type Options struct {
	ReadOnly bool // open for reading only; the store must exist
}

// Names of tables in errors and damage.
const (
	recordsTable = "records"
	threadsTable = "threads"
)

type store struct {
	o        Options
	set      settings
	pool     *pgxpool.Pool
	where    string // the server, for errors
	names    *strings.Replacer
	lockWait time.Duration // how long the server waits for a lock
	id       [16]byte
	inc      uint64
	opened   bool // Open has come to its end

	life   sync.RWMutex // held for reading by every call, for writing by Close
	closed bool         // guarded by life

	qmu     sync.Mutex
	queue   []*request
	leading int             // batches on their way
	flying  map[string]bool // their threads

	mu      sync.Mutex
	damaged map[string]*driver.Damage // first damage found, by thread
	owners  map[string]*lease         // of this handle, by id
	known   map[string]*threadKnown   // threads as this handle has left them
}

// Open opens the store in a schema of a database, and makes it if it is not there. The URL is one of PostgreSQL's,
// postgres://user@host/database?sslmode=require, with what the package comment adds; the PG variables of the environment are
// used for what it does not say.
//
// Errors: *URLError, *ConnectError, *ServerError, *SchemaError, *driver.VersionError for a store of a newer program, ErrReadOnly,
// and ErrNotFound if the store does not exist and Options.ReadOnly is set.
func Open(ctx context.Context, url string, o *Options) (driver.Driver, error) {
	if o == nil {
		o = &Options{}
	}
	set, cfg, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	c := cfg.ConnConfig
	s := &store{
		o: *o, set: set, damaged: map[string]*driver.Damage{}, owners: map[string]*lease{}, known: map[string]*threadKnown{}, flying: map[string]bool{},
		where: fmt.Sprintf("%s/%s as %s", net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), c.Database, c.User),
	}
	s.names = strings.NewReplacer("{{schema}}", set.schema, "{{thread_kinds}}", strconv.Itoa(int(driver.ThreadKinds)))
	if ms, err := strconv.Atoi(c.RuntimeParams["lock_timeout"]); err == nil {
		s.lockWait = time.Duration(ms) * time.Millisecond
	}
	if o.ReadOnly {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, s.classify(err)
	}
	if err := s.prepare(ctx); err != nil {
		s.pool.Close()
		return nil, err
	}
	s.opened = true
	return s, nil
}

// prepare brings the schema up to date and reads who the store is.
func (s *store) prepare(ctx context.Context) error {
	if err := s.use(ctx, s.migrate); err != nil {
		return err
	}
	var id []byte
	var inc int64
	err := s.use(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, s.sql("SELECT id, incarnation FROM {{schema}}.store")).Scan(&id, &inc)
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && len(id) != len(s.id):
		return &driver.Damage{File: s.set.schema + ".store", Reason: "the row that says who the store is is missing or has no id of 16 bytes; restore it from a backup"}
	case err != nil:
		return err
	}
	copy(s.id[:], id)
	s.inc = uint64(inc)
	return nil
}

// sql puts names and constants into a statement.
func (s *store) sql(text string) string { return s.names.Replace(text) }

// enter begins a call: the caller gives life back unless it returns an error.
func (s *store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return driver.ErrClosed
	}
	return nil
}

// read runs f, which changes nothing, on a connection, and again on another if the first turns out to be gone.
func (s *store) read(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.RUnlock()
	return s.use(ctx, f)
}

// use is read without enter. A connection that the server has closed is only found out when it is used, so what can be done
// twice is tried until patience ends: a server that restarts is away for seconds.
func (s *store) use(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	end := time.Now().Add(s.set.patience)
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		err := s.once(ctx, f)
		again := err != nil && passing(err) && (s.opened || starting(err)) // who opens wants to know that nothing is there
		if !again || ctx.Err() != nil || time.Now().Add(wait).After(end) {
			if ctx.Err() != nil && err != nil {
				return ctx.Err()
			}
			return s.classify(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait): // nothing tells when a server is back
		}
	}
}

const (
	firstWait = 10 * time.Millisecond
	lastWait  = 500 * time.Millisecond
)

// once runs f on a connection of the pool, with the driver's time limit.
func (s *store) once(ctx context.Context, f func(context.Context, *pgx.Conn) error) error {
	limited, cancel := context.WithTimeout(ctx, s.set.timeout)
	defer cancel()
	c, err := s.pool.Acquire(limited)
	if err == nil {
		err = f(limited, c.Conn())
		c.Release()
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil && !errors.Is(err, driver.ErrUnknown) {
		return fmt.Errorf("%w within %v", errSilent, s.set.timeout)
	}
	return err
}

// Close implements driver.Driver. Everything appended is durable already.
func (s *store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.endLeases()
	s.pool.Close()
	return err
}
