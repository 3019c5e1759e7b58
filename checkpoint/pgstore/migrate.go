package pgstore

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// migrations are applied in the order of their numbers. One that was released is never changed.
//
//go:embed schema/*.sql
var migrations embed.FS

// version is the newest migration.
const version = 1

// migrate makes the schema or brings it up to date. A store that is up to date costs one query. Several processes may do it at
// once: all of it happens in one transaction under a lock of the schema's name.
func (s *store) migrate(ctx context.Context, c *pgx.Conn) error {
	got, err := s.version(ctx, c)
	if err != nil || got == version {
		return err
	}
	if s.o.ReadOnly {
		if got == 0 {
			return fmt.Errorf("%w: no store in schema %s", driver.ErrNotFound, s.set.schema)
		}
		return &SchemaError{s.set.schema, fmt.Sprintf("has version %d, this program reads %d: open it for writing once, which brings it up to date", got, version)}
	}
	tx, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return err
	}
	if err := s.migrateIn(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx)
}

func (s *store) migrateIn(ctx context.Context, tx pgx.Tx) error {
	// Making the lock wait for longer than lock_timeout is no fault of a store: others are at it.
	if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', '0', true), pg_advisory_xact_lock(hashtext('dashhost'), hashtext($1))", s.set.schema); err != nil {
		return err
	}
	got, err := s.version(ctx, tx.Conn())
	if err != nil || got == version {
		return err
	}
	if got == 0 {
		if err := s.begin(ctx, tx); err != nil {
			return err
		}
	}
	for v := got + 1; v <= version; v++ {
		text, err := migrations.ReadFile(fmt.Sprintf("schema/%04d.sql", v))
		if err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, s.sql(string(text))).ReadAll(); err != nil {
			return s.taken(err)
		}
		if _, err := tx.Exec(ctx, s.sql("INSERT INTO {{schema}}.migrations (version) VALUES ($1)"), v); err != nil {
			return err
		}
	}
	if got > 0 {
		return nil
	}
	id := make([]byte, 16)
	rand.Read(id)
	_, err = tx.Exec(ctx, s.sql("INSERT INTO {{schema}}.store (id) VALUES ($1)"), id)
	return err
}

// begin makes the schema, unless an administrator did, and the table of versions. CREATE SCHEMA IF NOT EXISTS would ask for the
// right to make schemas even if there is nothing to make.
func (s *store) begin(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", s.set.schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.Exec(ctx, "CREATE SCHEMA "+s.set.schema); err != nil {
			var pg *pgconn.PgError
			if errors.As(err, &pg) && pg.Code == "42501" {
				return &SchemaError{s.set.schema, fmt.Sprintf("does not exist, and this user may not make it: an administrator runs CREATE SCHEMA %s AUTHORIZATION %s", s.set.schema, tx.Conn().Config().User)}
			}
			return err
		}
	}
	_, err := tx.Exec(ctx, s.sql("CREATE TABLE {{schema}}.migrations (version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"))
	return s.taken(err)
}

// taken names the schema if something else has the name of a table of ours.
func (s *store) taken(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "42P07" || pg.Code == "42723") {
		return &SchemaError{s.set.schema, pg.Message + ", and it is not a store's: name another schema with schema=NAME in the URL"}
	}
	return err
}

// version is that of the store in the schema, 0 if there is none.
func (s *store) version(ctx context.Context, c *pgx.Conn) (int, error) {
	// Not to_regclass: within one transaction it remembers what was not there before the lock.
	var ours bool
	if err := c.QueryRow(ctx, `SELECT count(*) = 2 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname IN ('migrations', 'store') AND c.relkind = 'r'`, s.set.schema).Scan(&ours); err != nil || !ours {
		return 0, err
	}
	var v int
	if err := c.QueryRow(ctx, s.sql("SELECT max(version) FROM {{schema}}.migrations")).Scan(&v); err != nil {
		return 0, err
	}
	if v > version {
		return 0, &driver.VersionError{File: "postgres schema " + s.set.schema, Got: uint32(v), Max: version}
	}
	return v, nil
}
