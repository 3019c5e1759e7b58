package langgraph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
)

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code string
	}{
		{faultf(codeInvalid, "x"), codeInvalid}, {checkpoint.ErrUnknown, codeUnknown}, {&checkpoint.DamageError{}, codeDamaged},
		{&checkpoint.BusyError{}, codeBusy}, {checkpoint.ErrFull, codeFull}, {&checkpoint.LimitError{}, codeTooLarge},
		{&checkpoint.InvalidError{}, codeInvalid}, {checkpoint.ErrConflict, codeConflict}, {checkpoint.ErrFenced, codeConflict},
		{checkpoint.ErrReadOnly, codeReadOnly}, {checkpoint.ErrNotFound, codeNotFound}, {checkpoint.ErrVersion, codeVersion},
		{checkpoint.ErrClosed, codeClosed}, {context.Canceled, codeClosed}, {errors.New("disk on fire"), codeInternal},
	} {
		if got := toFault(fmt.Errorf("subject: %w", c.err)); got.Code != c.code || got.Message == "" {
			t.Errorf("%v: %+v, want %s", c.err, got, c.code)
		}
	}
}

// TestDamage: a record that is not what was written makes its thread's requests fail with its place, and no other's. Deleting the
// thread helps.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	open := func() *checkpoint.Store {
		d, err := filestore.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		return checkpoint.New(d, nil)
	}
	s := open()
	c := connect(t, New(s, nil))
	for _, id := range []string{"1", "2"} {
		for _, thread := range []string{"hurt", "sound"} {
			c.ok(t, putOf(thread, "", id, "", nil, obj{"c": id}, []obj{{"channel": "c", "version": id, "value": val("precious " + thread + id)}}), nil)
		}
	}
	c.close(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log", "00000001")
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	at := indexOf(t, b, "precious hurt1")
	b[at] ^= 1
	if err := os.WriteFile(log, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	c = connect(t, New(s, nil))
	defer c.close(t)
	for _, q := range []obj{
		{"op": "get_tuple", "thread": "hurt"}, {"op": "get_tuple", "thread": "hurt", "checkpoint_id": "2"}, {"op": "list", "thread": "hurt"},
		{"op": "copy_thread", "from": "hurt", "to": "x"}, {"op": "prune", "threads": []string{"hurt"}, "strategy": keepLatest},
		{"op": "delete_for_runs", "runs": []string{"x"}}, writesOf("hurt", "", "2", "task", "", write(0, "c", "1")), {"op": "list"},
	} {
		if text := c.fails(t, codeDamaged, q); text == "" {
			t.Errorf("%v: no text", q)
		}
	}
	if got := c.tuple(t, "sound", "", ""); got == nil || string(got.Values[0].Value.Data) != "precious sound2" {
		t.Errorf("%+v", got)
	}
	c.ok(t, obj{"op": "delete_thread", "thread": "hurt"}, nil)
	if got := c.list(t, obj{}); len(got) != 2 {
		t.Errorf("%d checkpoints, want the two of the sound thread", len(got))
	}
}

func indexOf(t *testing.T, b []byte, s string) int {
	t.Helper()
	for i := range b {
		if i+len(s) <= len(b) && string(b[i:i+len(s)]) == s {
			return i
		}
	}
	t.Fatalf("%q is not in the log", s)
	return 0
}
