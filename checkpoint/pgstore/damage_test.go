package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
)

// damaged is a store with two threads of some steps, and what hurts it.
type damaged struct {
	url, schema string
	admin       *pgx.Conn
	seqs        []uint64 // of the records of thread "t"
}

func newDamaged(t *testing.T) *damaged {
	t.Helper()
	ctx := context.Background()
	x := &damaged{url: fresh(t), admin: connect(t, server(t).URL())}
	x.schema = pgstore.SchemaOf(t, x.url)
	s := checkpoint.New(opened(t, x.url), nil)
	for _, thread := range []string{"t", "whole"} {
		c, err := s.Claim(ctx, thread, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			r := &checkpoint.Record{
				Kind: checkpoint.KindStep, Events: 2, Due: 7, Attrs: []checkpoint.Attr{{Name: "status", Value: "running"}},
				Ops: []checkpoint.Op{{Kind: checkpoint.OpPut, Name: "n", Value: fmt.Append(nil, i)}},
			}
			if _, err := c.Append(ctx, r); err != nil {
				t.Fatal(err)
			}
			if thread == "t" {
				x.seqs = append(x.seqs, r.Seq)
			}
		}
		if err := c.Release(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *damaged) hurt(t *testing.T, statement string, args ...any) {
	t.Helper()
	tag, err := x.admin.Exec(context.Background(), strings.ReplaceAll(statement, "S.", x.schema+"."), args...)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%s: %v, %v", statement, tag, err)
	}
}

// check: the damage is found by reading and by Verify, stops the thread, and leaves the other one alone; who accepts the loss goes on.
func (x *damaged) check(t *testing.T, what string) {
	t.Helper()
	ctx := context.Background()
	d := opened(t, x.url)
	found := 0
	if err := d.(driver.Maintenance).Verify(ctx, func(d *driver.Damage) {
		if found++; d.Thread != "t" || d.File == "" || d.Reason == "" {
			t.Errorf("%s: %+v", what, d)
		}
	}, nil); err != nil || found == 0 {
		t.Errorf("%s: verify found %d damaged places, %v", what, found, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s := checkpoint.New(opened(t, x.url), nil)
	defer s.Close()
	bad := 0
	for _, err := range s.Records(ctx, "t") {
		if errors.Is(err, checkpoint.ErrDamaged) {
			bad++
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if bad == 0 {
		t.Errorf("%s: reading finds nothing", what)
	}
	if _, err := s.Claim(ctx, "t", nil); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("%s: claim: %v", what, err)
	}
	if _, st, err := s.State(ctx, "whole", "", ""); err != nil || st.Len() != 1 {
		t.Errorf("%s: the other thread: %v", what, err)
	}
	c, err := s.Claim(ctx, "t", &checkpoint.ClaimOptions{AcceptLoss: true})
	if err != nil {
		t.Errorf("%s: accepting the loss: %v", what, err)
		return
	}
	if c.Loss() == nil {
		t.Errorf("%s: no loss", what)
	}
	if err := c.Release(ctx, nil); err != nil {
		t.Errorf("%s: release: %v", what, err)
	}
	other := checkpoint.New(opened(t, x.url), nil)
	defer other.Close()
	if _, st, err := other.State(ctx, "t", "", ""); err != nil || st.Len() == 0 {
		t.Errorf("%s: after the loss was accepted: %v", what, err)
	}
	if c, err := other.Claim(ctx, "t", nil); err != nil {
		t.Errorf("%s: a claim after the loss was accepted: %v", what, err)
	} else if err := c.Release(ctx, nil); err != nil {
		t.Error(err)
	}
}

// TestPostgresLesson18_EveryColumn: a change of any column of a record is found.
func TestPostgresLesson18_EveryColumn(t *testing.T) {
	for _, change := range []string{
		"epoch = epoch + 1", "first_event = first_event + 1", "kind = 6", "kind = 200", "namespace = 'x'", "id = id || '0'", "parent = ''", "task = 'x'",
		"owner = 'x'", "attrs = ''", "attrs = '\\x0061'", "time = time + 1", "due = 0", "events = 3", "events = -1", "flags = 2", "flags = 65536 + flags", "codec = 1", "codec = 256",
		"size = size + 1", "sum = sum # 1", "sum = -1", "body = body || '\\x00'", "body = set_bit(body, 3, 1 - get_bit(body, 3))", "body = ''",
	} {
		x := newDamaged(t)
		x.hurt(t, "UPDATE S.records SET "+change+" WHERE seq = $1", int64(x.seqs[3]))
		x.check(t, change)
	}
}

func TestPostgresMissing(t *testing.T) {
	for what, seq := range map[string]int{"in the middle": 3, "the newest step": 5} {
		x := newDamaged(t)
		x.hurt(t, "DELETE FROM S.records WHERE seq = $1", int64(x.seqs[seq]))
		x.check(t, what)
	}
	x := newDamaged(t)
	x.hurt(t, "UPDATE S.records SET seq = seq + 1000000 WHERE seq = $1", int64(x.seqs[2]))
	x.check(t, "a row elsewhere")
	x = newDamaged(t)
	x.hurt(t, "DELETE FROM S.records WHERE seq = $1", int64(x.seqs[5]+1)) // the release, which no step needs
	x.check(t, "the newest record")
}

// What only the rows of threads and heads say is compared with the records by Verify.
func TestPostgresVerifyThreads(t *testing.T) {
	for _, change := range []string{"UPDATE S.heads SET id = 'x' WHERE thread = 't'", "DELETE FROM S.heads WHERE thread = 't'", "UPDATE S.threads SET records = 3 WHERE name = 't'"} {
		x := newDamaged(t)
		x.hurt(t, change)
		d := opened(t, x.url)
		found := 0
		err := d.(driver.Maintenance).Verify(context.Background(), func(*driver.Damage) { found++ }, nil)
		if err != nil || found != 1 {
			t.Errorf("%s: %d damaged places, %v", change, found, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
