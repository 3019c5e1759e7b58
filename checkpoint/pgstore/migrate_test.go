package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
)

// Whoever comes first makes the store, and all find the same one.
func TestPostgresOpenAtOnce(t *testing.T) {
	url := fresh(t)
	ids := make([][16]byte, 12)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			d, err := pgstore.Open(context.Background(), url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i], _ = d.(driver.Maintenance).Identity()
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == [16]byte{} {
			t.Errorf("different stores: %x, %x", id, ids[0])
		}
	}
}

func TestPostgresSchemas(t *testing.T) {
	ctx := context.Background()
	admin := connect(t, server(t).URL())
	run := func(format string, args ...any) {
		t.Helper()
		if _, err := admin.Exec(ctx, fmt.Sprintf(format, args...)); err != nil {
			t.Fatal(err)
		}
	}
	fails := func(what, url string, o *pgstore.Options, want func(error) bool, text string) {
		t.Helper()
		d, err := pgstore.Open(ctx, url, o)
		if err == nil {
			d.Close()
		}
		if err == nil || !want(err) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	isSchema := func(err error) bool { return errors.As(err, new(*pgstore.SchemaError)) }
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

	url := fresh(t)
	fails("nothing to read", url, &pgstore.Options{ReadOnly: true}, is(driver.ErrNotFound), "")
	if err := opened(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	schema := pgstore.SchemaOf(t, url)
	run("INSERT INTO %s.migrations (version) VALUES (%d)", schema, pgstore.Version+1)
	for _, o := range []*pgstore.Options{nil, {ReadOnly: true}} {
		fails("a newer program's", url, o, is(driver.ErrVersion), fmt.Sprintf("%s: format version %d", schema, pgstore.Version+1))
	}
	run("DELETE FROM %s.migrations WHERE version > %d", schema, pgstore.Version)
	if err := opened(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	run("DELETE FROM %s.store", schema)
	fails("no identity", url, nil, is(driver.ErrDamaged), "who the store is")

	url = fresh(t)
	schema = pgstore.SchemaOf(t, url)
	run("CREATE SCHEMA %s", schema)
	run("CREATE TABLE %s.records (theirs int)", schema)
	fails("somebody else's table", url, nil, isSchema, "schema=NAME")
	var tables int
	if err := admin.QueryRow(ctx, "SELECT count(*) FROM pg_tables WHERE schemaname = $1", schema).Scan(&tables); err != nil || tables != 1 {
		t.Errorf("a refused schema has %d tables, %v", tables, err)
	}

	// A user without rights needs a schema that is given to it, and no more than that.
	role, given := "plain_"+schema, "given_"+schema
	run("CREATE ROLE %s LOGIN", role)
	plain := "postgres://" + role + "@" + strings.TrimPrefix(server(t).URL(), "postgres://test@")
	fails("no right to make a schema", plain+"&schema="+given, nil, isSchema, fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %s", given, role))
	run("CREATE SCHEMA %s AUTHORIZATION %s", given, role)
	d := opened(t, plain+"&schema="+given)
	if _, err := d.Append(ctx, "t", driver.Expect{}, []*driver.Record{{Kind: driver.KindClaim, Time: 1}}); err != nil {
		t.Errorf("append of a plain user: %v", err)
	}
	if _, err := d.(driver.Maintenance).Prune(ctx, &driver.PruneOptions{Now: true}); err != nil {
		t.Errorf("prune of a plain user: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	run("CREATE ROLE stranger_%s LOGIN", schema)
	stranger := "postgres://stranger_" + schema + "@" + strings.TrimPrefix(server(t).URL(), "postgres://test@")
	fails("somebody else's store", stranger+"&schema="+given, nil, func(err error) bool { return errors.As(err, new(*pgstore.ServerError)) }, "grant this user")
}
