package sealed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/seal"
)

// complete is what a driver must be.
type complete interface {
	driver.Driver
	driver.Owners
	driver.Maintenance
	driver.Importer
}

// store is a driver over another one.
type store struct {
	complete
	keys  []Key
	vault atomic.Pointer[seal.Vault]
	names *seal.Names // the same in every vault of a store

	mu     sync.Mutex
	forged map[string]*driver.Damage // threads with records that do not open, by name
}

// Open returns a driver that encrypts over d, which it owns from then on. The first key seals the vault of a store that is empty and is
// encrypted from then on; the others are tried too. Without keys, a store that is not encrypted is d itself.
//
// Errors: *KeyError, ErrPlain, ErrDriver, and those of d. After an error d is still the caller's.
func Open(ctx context.Context, d driver.Driver, keys ...Key) (driver.Driver, error) {
	for {
		v, err := load(ctx, d, keys)
		if err != nil {
			return nil, err
		}
		if v == nil && len(keys) == 0 {
			return d, nil
		}
		c, ok := d.(complete)
		if !ok {
			return nil, ErrDriver
		}
		if v == nil {
			if v, err = create(ctx, d, keys[0]); errors.Is(err, driver.ErrConflict) { // another process was first
				continue
			} else if err != nil {
				return nil, err
			}
		}
		s := &store{complete: c, keys: slices.Clone(keys), names: v.Names(), forged: map[string]*driver.Damage{}}
		s.vault.Store(v)
		return s, nil
	}
}

func create(ctx context.Context, d driver.Driver, master Key) (*seal.Vault, error) {
	switch none, err := empty(ctx, d); {
	case err != nil:
		return nil, err
	case !none:
		// Somebody else's vault is a thread too, and may have come since load looked.
		if there, err := Encrypted(ctx, d); err != nil || there {
			return nil, errors.Join(err, driver.ErrConflict)
		}
		return nil, ErrPlain
	}
	v := seal.NewVault()
	return v, save(ctx, d, v, master, true)
}

// Append implements driver.Driver.
func (s *store) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	if len(e.Heads) > 0 {
		e.Heads = headTokens(s.names, e.Heads)
	}
	v := s.vault.Load()
	sealed := make([]*driver.Record, len(recs))
	for i, r := range recs {
		sealed[i] = sealRecord(v, thread, r)
	}
	c, err := s.complete.Append(ctx, threadToken(s.names, thread), e, sealed)
	for i, r := range recs {
		r.Seq, r.FirstEvent, r.Epoch, r.Ordinal = sealed[i].Seq, sealed[i].FirstEvent, sealed[i].Epoch, sealed[i].Ordinal
	}
	return c, s.named(err)
}

// named puts the thread's name into an error that has its token.
func (s *store) named(err error) error {
	if d := (*driver.Damage)(nil); errors.As(err, &d) {
		return openDamage(s.names, d)
	}
	return err
}

// Read implements driver.Driver. A record that does not open is damage; one that needs a key which was not given ends the iteration with
// a *KeyError.
func (s *store) Read(ctx context.Context, thread string, q driver.Query) iter.Seq2[*driver.Record, error] {
	q.Namespace = s.names.Token(domainNamespace, q.Namespace)
	return func(yield func(*driver.Record, error) bool) {
		for stored, err := range s.complete.Read(ctx, threadToken(s.names, thread), q) {
			var r *driver.Record
			if err == nil {
				r, err = s.open(ctx, thread, stored)
			} else {
				err = s.named(err)
			}
			if !yield(r, err) || errors.Is(err, ErrKey) {
				return
			}
		}
	}
}

// open is a stored record as it was given. A data key that we do not know may be in a newer vault.
func (s *store) open(ctx context.Context, thread string, stored *driver.Record) (*driver.Record, error) {
	r, err := openRecord(s.vault.Load(), thread, stored)
	if missing := (*seal.KeyError)(nil); errors.As(err, &missing) {
		newer, loadErr := load(ctx, s.complete, s.keys)
		if loadErr != nil {
			return nil, loadErr
		}
		if newer != nil {
			s.vault.Store(newer)
			r, err = openRecord(newer, thread, stored)
		}
	}
	if err == nil {
		return r, nil
	}
	d := &driver.Damage{Thread: thread, Seq: stored.Seq, Reason: fmt.Sprintf("record %d: %v", stored.Seq, err)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forged[thread] = d
	return nil, d
}

// info opens t and adds what Read has found.
func (s *store) info(t *driver.Thread) *driver.Thread {
	openThread(s.names, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.forged[t.Name]; t.Damage == nil && d != nil && d.Seq > t.Accepted {
		t.Damage = d
	}
	return t
}

// Thread implements driver.Driver.
func (s *store) Thread(ctx context.Context, thread string) (*driver.Thread, error) {
	t, err := s.complete.Thread(ctx, threadToken(s.names, thread))
	if err != nil {
		return nil, s.named(err)
	}
	return s.info(t), nil
}

// Threads implements driver.Driver. Tokens have another order than names, so it collects all that could be wanted.
func (s *store) Threads(ctx context.Context, f driver.Filter) iter.Seq2[*driver.Thread, error] {
	return func(yield func(*driver.Thread, error) bool) {
		all, err := s.list(ctx, f)
		if err != nil {
			yield(nil, err)
			return
		}
		if f.Limit > 0 {
			all = all[:min(len(all), f.Limit)]
		}
		for _, t := range all {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func (s *store) list(ctx context.Context, f driver.Filter) ([]*driver.Thread, error) {
	stored := driver.Filter{Reserved: f.Reserved}
	if len(f.Attrs) > 0 {
		stored.Attrs = make(map[string]string, len(f.Attrs))
		for k, v := range f.Attrs {
			stored.Attrs[s.names.Token(domainAttr, k)] = s.names.Token(domainValue+k, v)
		}
	}
	var all []*driver.Thread
	for t, err := range s.complete.Threads(ctx, stored) {
		if err != nil {
			return nil, s.named(err)
		}
		if t.Name == vaultThread {
			continue
		}
		t = s.info(t)
		if strings.HasPrefix(t.Name, f.Prefix) && t.Name > f.After {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *driver.Thread) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Due implements driver.Driver.
func (s *store) Due(ctx context.Context, before int64, limit int) ([]*driver.Thread, error) {
	ts, err := s.complete.Due(ctx, before, limit)
	if err != nil {
		return nil, s.named(err)
	}
	for i := range ts {
		ts[i] = s.info(ts[i])
	}
	return ts, nil
}

// Drop implements driver.Driver.
func (s *store) Drop(ctx context.Context, thread string, below uint64) error {
	return s.named(s.complete.Drop(ctx, threadToken(s.names, thread), below))
}

// Verify implements driver.Maintenance: what is stored is what was written. Whether it opens too, Read tells.
func (s *store) Verify(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	return s.complete.Verify(ctx, func(d *driver.Damage) { report(openDamage(s.names, d)) }, p)
}

// Repair implements driver.Maintenance.
func (s *store) Repair(ctx context.Context, report func(*driver.Damage), p driver.Progress) error {
	return s.complete.Repair(ctx, func(d *driver.Damage) { report(openDamage(s.names, d)) }, p)
}

// Import implements driver.Importer.
func (s *store) Import(ctx context.Context, thread string, recs iter.Seq2[*driver.Record, error]) error {
	v := s.vault.Load()
	sealed := func(yield func(*driver.Record, error) bool) {
		for r, err := range recs {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(sealRecord(v, thread, r), nil) {
				return
			}
		}
	}
	return s.named(s.complete.Import(ctx, threadToken(s.names, thread), sealed))
}

// Backup implements driver.Backuper, if the driver below does: what is encrypted stays so, and so does the vault.
func (s *store) Backup(ctx context.Context, w io.Writer, p driver.Progress) (*driver.BackupReport, error) {
	b, ok := s.complete.(driver.Backuper)
	if !ok {
		return nil, fmt.Errorf("backup: this kind of store has none: %w", errors.ErrUnsupported)
	}
	r, err := b.Backup(ctx, w, p)
	if err != nil {
		return nil, s.named(err)
	}
	for i, d := range r.Damage {
		r.Damage[i] = openDamage(s.names, d)
	}
	return r, nil
}
