package pgstore_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

func child(url string) error {
	d, err := pgstore.Open(context.Background(), url, nil)
	if err != nil {
		return err
	}
	return errors.Join(storetest.Serve(d, os.Stdin, os.Stdout), d.Close())
}

// TestPostgresLinearizable: two processes and two handles of this one, all on the same threads.
func TestPostgresLinearizable(t *testing.T) {
	url := fresh(t)
	var clients []storetest.Client
	for range 2 {
		d := opened(t, url)
		defer d.Close()
		clients = append(clients, storetest.Handle(d), serving(t, url))
	}
	storetest.Linearizable(t, 300, clients...)
}

// serving starts a process that carries out calls on the store.
func serving(t *testing.T, url string) storetest.Client {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childMode+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out io.Reader
	if out, err = cmd.StdoutPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the other process: %v", err)
		}
	})
	return storetest.Remote(in, out)
}

// TestPostgresOrder: who reads on from the greatest sequence number of all threads skips nothing, however many write.
func TestPostgresOrder(t *testing.T) {
	ctx := context.Background()
	url := fresh(t)
	schema := pgstore.SchemaOf(t, url)
	writing, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	var wg sync.WaitGroup
	for h := range 3 {
		d := opened(t, url)
		defer d.Close()
		for i := range 6 {
			wg.Go(func() {
				thread := string(rune('a'+h)) + string(rune('a'+i))
				for writing.Err() == nil {
					recs := []*driver.Record{{Kind: driver.KindCancel, Time: 1}, {Kind: driver.KindCancel, Time: 1, Body: make([]byte, 3000*i)}}
					if _, err := d.Append(ctx, thread, driver.Expect{AnyEpoch: true}, recs); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	admin := connect(t, server(t).URL())
	seen := map[int64]bool{}
	last := int64(0)
	poll := func() {
		rows, err := admin.Query(ctx, "SELECT seq FROM "+schema+".records WHERE seq > $1 ORDER BY seq", last)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&last); err != nil {
				t.Fatal(err)
			}
			seen[last] = true
		}
	}
	for writing.Err() == nil {
		poll()
	}
	wg.Wait()
	poll()
	var all int
	if err := admin.QueryRow(ctx, "SELECT count(*) FROM "+schema+".records").Scan(&all); err != nil {
		t.Fatal(err)
	}
	if all != len(seen) || all < 50 {
		t.Errorf("the reader has seen %d of %d records", len(seen), all)
	}
	t.Logf("%d records, %d seen", all, len(seen))
}
