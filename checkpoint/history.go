package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// A history is all records of a thread, as Copy, Export and Import move it. Its digest the
// SHA-256 of the lines that Export writes of it, so it is the same in every store and driver.

// history yields the records of a thread that stand at or before Seq to, 0 for all. What a claim has given up is left out;
// other damage is an error, and the end.
func (s *Store) history(ctx context.Context, thread string, to uint64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		given, err := s.givenUp(ctx, thread)
		if err != nil {
			yield(nil, err)
			return
		}
		for r, err := range s.read(ctx, thread, driver.Query{AllNamespaces: true, To: to}) {
			if given.has(err) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// digester makes the digest of a history on its way.
type digester struct {
	sum     hash.Hash
	line    []byte
	records int64
}

func newDigester() *digester { return &digester{sum: sha256.New()} }

// add takes the next record and returns its line, which is valid until the next call.
func (d *digester) add(r *Record) []byte {
	d.line = appendRecordLine(d.line[:0], r)
	d.sum.Write(d.line)
	d.records++
	return d.line
}

func (d *digester) text() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// digest reads a history up to Seq to, and at most that many records of it, and returns its digest; 0 is no bound.
func (s *Store) digest(ctx context.Context, thread string, to uint64, records int64) (string, error) {
	d := newDigester()
	for r, err := range s.history(ctx, thread, to) {
		if err != nil {
			return "", err
		}
		if d.add(r); d.records == records {
			break
		}
	}
	return d.text(), nil
}

// importHistory makes a thread of records that another store has numbered. The records must keep their rules.
func (s *Store) importHistory(ctx context.Context, thread string, recs iter.Seq2[*Record, error]) error {
	im, ok := s.d.(driver.Importer)
	if !ok {
		return fmt.Errorf("thread %q: this kind of store takes no threads from others: %w", thread, errors.ErrUnsupported)
	}
	err := im.Import(ctx, thread, func(yield func(*driver.Record, error) bool) {
		var rule historyRule
		for r, err := range recs {
			var d *driver.Record
			if err == nil {
				err = rule.check(r)
			}
			if err == nil {
				d = toDriver(r)
				d.Epoch, d.FirstEvent = r.Epoch, r.FirstEvent
				s.seal.seal(d, r)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	})
	if errors.Is(err, ErrConflict) {
		return &CollisionError{Threads: []string{thread}}
	}
	return err
}

// historyRule is what the records of a history keep one after another, in any store.
type historyRule struct {
	began bool
	epoch uint64
	event uint64            // the least number that the next record's first event may have
	ids   map[string]string // newest step by namespace
}

func (h *historyRule) check(r *Record) error {
	if err := checkImported(r); err != nil {
		return err
	}
	switch {
	case r.FirstEvent == 0 || r.FirstEvent < h.event || r.FirstEvent+uint64(r.Events) < r.FirstEvent:
		return &InvalidError{Field: "first_event", Reason: fmt.Sprintf("is %d, expected at least %d", r.FirstEvent, max(h.event, 1))}
	case h.began && r.Kind == KindClaim && r.Epoch <= h.epoch:
		return &InvalidError{Field: "epoch", Reason: fmt.Sprintf("a claim has %d, after %d", r.Epoch, h.epoch)}
	case h.began && r.Kind != KindClaim && r.Epoch != h.epoch:
		return &InvalidError{Field: "epoch", Reason: fmt.Sprintf("is %d, the claim before has %d", r.Epoch, h.epoch)}
	case r.Kind == KindStep && r.ID <= h.ids[r.Namespace]:
		return &InvalidError{Field: "id", Reason: fmt.Sprintf("%q comes after %q", r.ID, h.ids[r.Namespace])}
	}
	if r.Kind == KindStep {
		if h.ids == nil {
			h.ids = map[string]string{}
		}
		h.ids[r.Namespace] = r.ID
	}
	h.began, h.epoch, h.event = true, r.Epoch, r.FirstEvent+uint64(r.Events)
	return nil
}

// checkImported checks a record on its own: what a claim's holder may append, and what the store appends itself.
func checkImported(r *Record) error {
	own := *r
	switch r.Kind {
	case KindClaim, KindCancel:
		own.Kind = KindRelease
	case KindSnapshot:
		own.Kind = KindStep
		if r.ID == "" {
			return &InvalidError{Field: "id", Reason: "is empty"}
		}
	case KindStep:
		if r.ID == "" {
			return &InvalidError{Field: "id", Reason: "is empty"}
		}
	}
	if err := checkRecord(&own); err != nil {
		return err
	}
	if r.Time < 0 {
		return &InvalidError{Field: "time", Reason: "is before 1970"}
	}
	if err := checkName("owner", r.Owner, MaxThread); err != nil {
		return err
	}
	if n := bodySize(r); n > MaxRecord {
		return &LimitError{Field: "record", Max: MaxRecord, Got: n}
	}
	return nil
}

// plainName is the digest that a blob's reserved thread is named after.
func plainName(thread string) string { return strings.TrimPrefix(thread, blobPrefix) }
