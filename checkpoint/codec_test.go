package checkpoint

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

func FuzzBody(f *testing.F) {
	f.Add(appendBody(nil, &Record{
		Ops:  []Op{{Kind: OpPut, Name: "a", Value: []byte("1")}, {Kind: OpAppend, Name: "b", Value: []byte("2,3")}, {Kind: OpDel, Name: "c"}},
		Meta: []byte("{}"), Parts: [][]byte{[]byte("p"), nil},
	}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if err := parseBody(&r, b); err != nil {
			return
		}
		var again Record
		c := appendBody(nil, &r)
		if int64(len(c)) != bodySize(&r) {
			t.Fatalf("size %d, want %d", bodySize(&r), len(c))
		}
		if err := parseBody(&again, c); err != nil || len(again.Ops) != len(r.Ops) || !bytes.Equal(again.Meta, r.Meta) || len(again.Parts) != len(r.Parts) {
			t.Fatalf("what was parsed does not encode: %v", err)
		}
		var s State
		if s.fold(r.Ops) == nil {
			for range s.All() {
			}
		}
	})
}

// TestLesson14_CapIsInsideTheDecoder: a body that says it is small and is large allocates no more than it said.
func TestLesson14_CapIsInsideTheDecoder(t *testing.T) {
	s := newSealer()
	defer s.close()
	d := &driver.Record{}
	s.seal(d, &Record{Meta: make([]byte, 64<<20)})
	if d.Codec != driver.CodecZstd || len(d.Body) > 1<<20 {
		t.Fatalf("codec %d, %d bytes", d.Codec, len(d.Body))
	}
	for _, size := range []int64{100, d.Size - 1, d.Size + 1, MaxRecord + 1, -1} {
		lie := *d
		lie.Size = size
		if _, err := s.open(&lie); err == nil {
			t.Errorf("a body of %d bytes that says it has %d", d.Size, size)
		}
	}
	lie := *d
	lie.Size = 100
	if n := testing.AllocsPerRun(5, func() { _, _ = s.open(&lie) }); n > 50 {
		t.Errorf("%v allocations", n)
	}
	if b, err := s.open(d); err != nil || int64(len(b)) != d.Size {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestLesson06_NewID: greater than the one before, whatever the clock does.
func TestLesson06_NewID(t *testing.T) {
	last := ""
	for _, now := range []time.Time{time.UnixMilli(5000), time.UnixMilli(5000), time.UnixMilli(1), time.Unix(-9, 0), {}, time.UnixMilli(6000), time.Unix(1<<55, 0)} {
		id := NewID(now, last)
		if len(id) != 26 || id <= last {
			t.Errorf("%v: %q after %q", now, id, last)
		}
		last = id
	}
}

func TestErrors(t *testing.T) {
	for err, is := range map[error]error{
		&BusyError{Thread: "t"}:        ErrBusy,
		&DamageError{Thread: "t"}:      ErrDamaged,
		&LimitError{Field: "f"}:        ErrTooLarge,
		&InvalidError{Field: "f"}:      ErrInvalid,
		&driver.LockError{File: "l"}:   ErrBusy,
		&driver.Damage{File: "f"}:      ErrDamaged,
		&driver.TooLarge{What: "w"}:    ErrTooLarge,
		&driver.VersionError{File: ""}: ErrVersion,
	} {
		n := 0
		for _, id := range []error{ErrNotFound, ErrConflict, ErrFenced, ErrBusy, ErrFull, ErrUnknown, ErrClosed, ErrReadOnly, ErrDamaged, ErrTooLarge, ErrVersion, ErrInvalid} {
			if errors.Is(err, id) {
				n++
			}
		}
		if !errors.Is(err, is) || n != 1 || err.Error() == "" {
			t.Errorf("%T is %d identities, %v among them: %v", err, n, is, errors.Is(err, is))
		}
	}
}
