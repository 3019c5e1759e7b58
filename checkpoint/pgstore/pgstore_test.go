package pgstore_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
	"github.com/dashhost/dashhost/internal/testenv"
)

// shared is the server of the tests that leave it alone, nil if none was asked for.
var shared *testenv.Postgres

func TestMain(m *testing.M) { os.Exit(run(m)) }

// childMode makes the test binary another process that serves the store of a URL.
const childMode = "PGSTORE_TEST_CHILD"

func run(m *testing.M) int {
	if url := os.Getenv(childMode); url != "" {
		if err := child(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if os.Getenv(testenv.PostgresEnv) == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "pgstore")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if shared, err = testenv.StartPostgres(dir + "/pg"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// server is the shared server.
func server(tb testing.TB) *testenv.Postgres {
	tb.Helper()
	if shared == nil {
		tb.Skip(testenv.PostgresEnv + " is not set: make integration-postgres sets it")
	}
	return shared
}

var schemas atomic.Int64

// fresh is the URL of a schema that nobody has used.
func fresh(tb testing.TB) string {
	tb.Helper()
	return fmt.Sprintf("%s&schema=t%d", server(tb).URL(), schemas.Add(1))
}

func open(tb testing.TB) func() driver.Driver {
	url := fresh(tb)
	return func() driver.Driver { return opened(tb, url) }
}

func opened(tb testing.TB, url string) driver.Driver {
	tb.Helper()
	d, err := pgstore.Open(context.Background(), url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestPostgresConformance(t *testing.T) { storetest.Run(t, open) }

// TestPostgresSameAnswers gives memory, files and a server the same random operations.
func TestPostgresSameAnswers(t *testing.T) {
	server(t)
	storetest.Compare(t,
		func(testing.TB) func() driver.Driver { return memstore.NewMemory().Open },
		func(tb testing.TB) func() driver.Driver {
			dir := tb.TempDir() + "/store"
			return func() driver.Driver {
				d, err := filestore.Open(dir, &filestore.Options{SegmentSize: 64 << 10})
				if err != nil {
					tb.Fatal(err)
				}
				return d
			}
		},
		open)
}

func TestPostgresModel(t *testing.T) { storetest.Model(t, open) }
