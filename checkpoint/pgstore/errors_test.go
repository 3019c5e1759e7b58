package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/internal/testenv"
)

func tempDir(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = d[:strings.LastIndex(d, "/")] {
		if err := os.Chmod(d, 0o711); err != nil { // the server's user goes through
			tb.Fatal(err)
		}
	}
	return dir
}

// connect is a session of an administrator.
func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// What keeps one from opening a store is told with what to do, and never with the password.
func TestPostgresCannotOpen(t *testing.T) {
	addr := server(t).Addr()
	const secret = "s3cr3t"
	for _, c := range []struct {
		name, url string
		want      any // a pointer to the error's type
		text      string
	}{
		{"password", "postgres://test:" + secret + "@" + addr + "/postgres?sslmode=disable", new(*pgstore.ConnectError), "check user and password"},
		{"no password", "postgres://test@" + addr + "/postgres?sslmode=disable", new(*pgstore.ConnectError), "password"},
		{"user", "postgres://nobody:" + secret + "@" + addr + "/postgres?sslmode=disable", new(*pgstore.ConnectError), "as nobody"},
		{"database", "postgres://test:" + good() + "@" + addr + "/none?sslmode=disable", new(*pgstore.ConnectError), "create the database"},
		{"TLS", "postgres://test:" + secret + "@" + addr + "/postgres?sslmode=require", new(*pgstore.ConnectError), "sslmode"},
		{"port", "postgres://test:" + secret + "@127.0.0.1:1/postgres?sslmode=disable&patience=0s", new(*pgstore.ConnectError), "is the server running"},
		{"socket", "postgres://test:" + secret + "@/postgres?host=/nowhere&patience=0s", new(*pgstore.ConnectError), "is the server running"},
		{"host", "postgres://test:" + secret + "@host.invalid/postgres?patience=0s", new(*pgstore.ConnectError), "host.invalid"},
		{"sslmode", "postgres://test:" + secret + "@" + addr + "/postgres?sslmode=maybe", new(*pgstore.URLError), "sslmode"},
		{"escape", "postgres://test:%zz" + secret + "@" + addr + "/postgres", new(*pgstore.URLError), "%3A"},
		{"slash", "postgres://test:/" + secret + "@" + addr + "/postgres", new(*pgstore.URLError), ""},
		{"port text", "postgres://test:" + secret + "@" + "127.0.0.1:x" + secret + "/postgres", new(*pgstore.URLError), ""},
		{"schema", "postgres://test:" + secret + "@" + addr + "/postgres?schema=x;y", new(*pgstore.URLError), "schema"},
		{"lease", "postgres://test:" + secret + "@" + addr + "/postgres?lease=forever", new(*pgstore.URLError), "15s"},
		{"pool", "postgres://test:" + secret + "@" + addr + "/postgres?pool_max_conns=0", new(*pgstore.URLError), "pool_max_conns"},
		{"scheme", "mysql://test:" + secret + "@" + addr, new(*pgstore.URLError), "postgres://"},
		{"parameter", "postgres://test:" + good() + "@" + addr + "/postgres?sslmode=disable&nonsense=1", new(*pgstore.ConnectError), "nonsense"},
	} {
		begun := time.Now()
		d, err := pgstore.Open(context.Background(), c.url, nil)
		if err == nil {
			t.Errorf("%s: opened", c.name)
			d.Close()
			continue
		}
		if !errors.As(err, c.want) {
			t.Errorf("%s: %T: %v", c.name, err, err)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(err.Error(), secret) || strings.Contains(text, secret) || strings.Contains(err.Error(), testenv.PostgresPassword) {
			t.Errorf("%s: tells the password: %s", c.name, text)
		}
		if !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v: want %q", c.name, err, c.text)
		}
		t.Logf("%s: %v (%v)", c.name, err, time.Since(begun).Round(time.Millisecond))
	}
}

func good() string { return strings.ReplaceAll(testenv.PostgresPassword, " ", "%20") }

func TestPostgresPassword(t *testing.T) {
	url := fmt.Sprintf("postgres://test:%s@%s/postgres?sslmode=disable&schema=t%d", good(), server(t).Addr(), schemas.Add(1))
	d := opened(t, url)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGPASSWORD", testenv.PostgresPassword)
	t.Setenv("PGSSLMODE", "disable")
	t.Setenv("PGUSER", "test")
	d = opened(t, fmt.Sprintf("postgres://%s/postgres?schema=t%d", server(t).Addr(), schemas.Add(1)))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://u:p@h/d":                 "postgres://u:xxxxx@h/d",
		"postgres://u:p:q/@x@h/d?a=b":        "postgres://u:xxxxx@h/d?a=b",
		"postgres://u@h/d?password=p&x=y":    "postgres://u@h/d?password=xxxxx&x=y",
		"postgres://h/d?sslpassword=p":       "postgres://h/d?sslpassword=xxxxx",
		"postgres://h/d":                     "postgres://h/d",
		"file:/a/b":                          "file:/a/b",
		"postgress://u:p@h":                  "postgress://u:xxxxx@h",
		"postgres:u:p@h/d":                   "postgres:u:xxxxx@h/d",
		"postgres://u:a?b@h/d":               "postgres://xxxxx",
		"postgres://u@h/d?pass%77ord=secret": "postgres://u@h/d?pass%77ord=xxxxx",
	} {
		if got := pgstore.Redact(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// What a server answers in the middle of work.
func TestPostgresServerErrors(t *testing.T) {
	ctx := context.Background()
	rec := func() []*driver.Record { return []*driver.Record{{Kind: driver.KindCancel, Time: 1}} }
	admin := connect(t, server(t).URL())
	schema := func() string { return fmt.Sprintf("t%d", schemas.Load()) }
	run := func(format string, args ...any) {
		if _, err := admin.Exec(ctx, fmt.Sprintf(format, args...)); err != nil {
			t.Error(err)
		}
	}
	add := func(d driver.Driver) error {
		_, err := d.Append(ctx, "t", driver.Expect{AnyEpoch: true}, rec())
		return err
	}

	t.Run("full", func(t *testing.T) {
		d := opened(t, fresh(t))
		defer d.Close()
		run(`CREATE FUNCTION %[1]s.nospace() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`, schema())
		run(`CREATE TRIGGER nospace BEFORE INSERT ON %[1]s.records FOR EACH ROW EXECUTE FUNCTION %[1]s.nospace()`, schema())
		if err := add(d); !errors.Is(err, driver.ErrFull) {
			t.Errorf("no space: %v", err)
		}
		if _, err := d.Thread(ctx, "t"); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("a refused append left something: %v", err)
		}
		run(`DROP TRIGGER nospace ON %s.records`, schema())
		if err := add(d); err != nil {
			t.Errorf("when there is space again: %v", err)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		url := fresh(t)
		if err := opened(t, url).Close(); err != nil {
			t.Fatal(err)
		}
		d := opened(t, url+"&default_transaction_read_only=on")
		defer d.Close()
		// BEGIN READ WRITE is what a user may do; a standby refuses it.
		if _, _, err := d.(driver.Owners).Register(ctx, ""); !errors.Is(err, driver.ErrReadOnly) || !strings.Contains(err.Error(), "standby") {
			t.Errorf("a read-only server: %v", err)
		}
	})
	t.Run("locked", func(t *testing.T) {
		url := fresh(t)
		d := opened(t, url+"&lock_timeout=200")
		defer d.Close()
		if err := add(d); err != nil {
			t.Fatal(err)
		}
		run("BEGIN")
		run("SELECT FROM %s.threads FOR UPDATE", schema())
		err := add(d)
		if !errors.As(err, new(*driver.LockError)) || !errors.Is(err, driver.ErrBusy) {
			t.Errorf("a thread that somebody else has locked: %v", err)
		}
		slow := opened(t, url+"&statement_timeout=200")
		defer slow.Close()
		if err := add(slow); !errors.As(err, new(*pgstore.ServerError)) || !strings.Contains(err.Error(), "statement_timeout") {
			t.Errorf("a statement that takes too long: %v", err)
		}
		run("ROLLBACK")
		for _, d := range []driver.Driver{d, slow} {
			if err := add(d); err != nil {
				t.Errorf("when it is free again: %v", err)
			}
		}
		if th, err := d.Thread(ctx, "t"); err != nil || th.Records != 3 {
			t.Errorf("%+v, %v", th, err)
		}
	})
	t.Run("dropped", func(t *testing.T) {
		d := opened(t, fresh(t))
		defer d.Close()
		run("DROP SCHEMA %s CASCADE", schema())
		if err := add(d); !errors.As(err, new(*pgstore.ServerError)) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("a schema that is gone: %v", err)
		}
	})
	t.Run("large", func(t *testing.T) {
		d := opened(t, fresh(t))
		defer d.Close()
		big := &driver.Record{Kind: driver.KindProgress, Time: 1, Body: make([]byte, 512<<20)}
		if _, err := d.Append(ctx, "t", driver.Expect{}, []*driver.Record{big}); !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("512 MiB: %v", err)
		}
	})
}

// Nobody answers: it is told in time, and when the server is back all goes on.
func TestPostgresPaused(t *testing.T) {
	ctx := context.Background()
	p := own(t)
	d := opened(t, p.URL()+"&timeout=500ms&patience=0s")
	defer d.Close()
	add := func(ctx context.Context) error {
		_, err := d.Append(ctx, "t", driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindCancel, Time: 1}})
		return err
	}
	if err := add(ctx); err != nil {
		t.Fatal(err)
	}
	p.Pause()
	begun := time.Now()
	if err := add(ctx); !errors.As(err, new(*pgstore.ConnectError)) || time.Since(begun) > 5*time.Second {
		t.Errorf("append to a server that does not answer: %v after %v", err, time.Since(begun))
	}
	if _, err := d.Thread(ctx, "t"); !errors.As(err, new(*pgstore.ConnectError)) {
		t.Errorf("read: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := d.Thread(short, "t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read with a deadline: %v", err)
	}
	p.Resume()
	eventually(t, "it goes on", func() bool { return add(ctx) == nil })
}

func TestPostgresTooManyConnections(t *testing.T) {
	ctx := context.Background()
	p := own(t, "max_connections=6", "superuser_reserved_connections=0", "max_wal_senders=0")
	d := opened(t, p.URL()+"&pool_max_conns=2")
	defer d.Close()
	var hogs []*pgx.Conn
	for {
		c, err := pgx.Connect(ctx, p.URL())
		if err != nil {
			break
		}
		hogs = append(hogs, c)
	}
	_, err := pgstore.Open(ctx, p.URL()+"&patience=0s", nil)
	var ce *pgstore.ConnectError
	if !errors.As(err, &ce) || ce.Code != "53300" || !strings.Contains(err.Error(), "max_connections") {
		t.Errorf("no connection left: %v", err)
	}
	freed := make(chan error, 1)
	go func() { freed <- hogs[0].Close(ctx) }()
	d2, err := pgstore.Open(ctx, p.URL()+"&pool_max_conns=1", nil) // has patience
	if err != nil {
		t.Fatalf("a connection that becomes free: %v", err)
	}
	if err := errors.Join(d2.Close(), <-freed); err != nil {
		t.Error(err)
	}
	for _, c := range hogs[1:] {
		c.Close(ctx)
	}
}

// What the server refuses of one append is no fault of those that travel with it.
func TestPostgresRefusesOne(t *testing.T) {
	ctx := context.Background()
	url := fresh(t)
	d := opened(t, url)
	defer d.Close()
	admin := connect(t, server(t).URL())
	schema := pgstore.SchemaOf(t, url)
	for _, statement := range []string{
		"CREATE FUNCTION %[1]s.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.thread = 'bad' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$",
		"CREATE TRIGGER refuse BEFORE INSERT ON %[1]s.records FOR EACH ROW EXECUTE FUNCTION %[1]s.refuse()",
	} {
		if _, err := admin.Exec(ctx, fmt.Sprintf(statement, schema)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			thread := fmt.Sprint("good", i)
			if i%10 == 0 {
				thread = "bad"
			}
			for n := range 5 {
				_, err := d.Append(ctx, thread, driver.Expect{AnyEpoch: true}, []*driver.Record{{Kind: driver.KindCancel, Time: int64(n + 1)}})
				if (thread == "bad") != errors.Is(err, driver.ErrFull) || thread != "bad" && err != nil {
					t.Errorf("append to %s: %v", thread, err)
				}
			}
		})
	}
	wg.Wait()
}
