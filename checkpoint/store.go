package checkpoint

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Options of a Store. The zero value is fine.
type Options struct {
	Logger hclog.Logger     // default silent
	Now    func() time.Time // default time.Now
	Owner  string           // what this process says of itself to others that find its claims; default ""
}

// Store keeps threads. It is safe for concurrent use; other processes may use the same one.
type Store struct {
	d    driver.Driver
	own  driver.Owners // nil if the driver cannot tell who is alive
	seal *sealer
	log  hclog.Logger
	now  func() time.Time
	text string
	low  atomic.Int64 // bytes left when that was last logged, 0 if there were enough

	mu      sync.Mutex
	owner   Owner // of this Store, made by its first claim
	release func() error
	claims  map[string]*Claim // live ones of this Store by thread
	closed  bool
}

// New returns a Store over d, which it owns from then on.
func New(d driver.Driver, o *Options) *Store {
	if o == nil {
		o = &Options{}
	}
	s := &Store{d: d, seal: newSealer(), log: o.Logger, now: o.Now, text: o.Owner, claims: map[string]*Claim{}}
	s.own, _ = d.(driver.Owners)
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// ThreadInfo is what is known of a thread without reading its records.
type ThreadInfo struct {
	Thread  string
	Attrs   map[string]string // newest value of each
	Head    map[string]string // id of the newest step by namespace
	Epoch   uint64
	Claimed bool  // the last claim was not released
	Alive   bool  // and its holder lives
	Holder  Owner // of the last claim, as far as it is known
	Created int64 // microseconds since 1970 UTC
	Updated int64
	Due     int64 // microseconds since 1970 UTC, 0 none
	Records int64
	Last    uint64       // Seq of the newest record
	Events  uint64       // number of the last lifecycle event
	Damage  *DamageError // nil if sound
}

// Filter selects threads. The zero value and nil select all.
type Filter struct {
	Prefix string            // of the name, default all
	After  string            // only names greater than this, default all
	Limit  int               // at most this many, default (0) all
	Attrs  map[string]string // all must be equal, default none
}

// ID is the store's random identity in hex and its incarnation, "" and 0 if the driver has none.
func (s *Store) ID() (id string, incarnation uint64) {
	m, ok := s.d.(driver.Maintenance)
	if !ok {
		return "", 0
	}
	raw, inc := m.Identity()
	return hex.EncodeToString(raw[:]), inc
}

// Thread returns what is known of one thread, or ErrNotFound.
func (s *Store) Thread(ctx context.Context, thread string) (*ThreadInfo, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	t, err := s.thread(ctx, thread)
	if err != nil {
		return nil, err
	}
	return s.info(ctx, t, nil)
}

// thread is the driver's Thread without deleted ones.
func (s *Store) thread(ctx context.Context, thread string) (*driver.Thread, error) {
	t, err := s.d.Thread(ctx, thread)
	if err == nil && t.Deleted {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("thread %q: %w", thread, err)
	}
	return t, nil
}

// Threads yields threads in the order of their names. Damaged ones are among them, with Damage set.
func (s *Store) Threads(ctx context.Context, f *Filter) iter.Seq2[*ThreadInfo, error] {
	if f == nil {
		f = &Filter{}
	}
	df := driver.Filter{Prefix: f.Prefix, After: f.After, Limit: f.Limit, Attrs: f.Attrs}
	return func(yield func(*ThreadInfo, error) bool) {
		seen := map[string]lookedUp{}
		for t, err := range s.d.Threads(ctx, df) {
			var info *ThreadInfo
			if err == nil {
				info, err = s.info(ctx, t, seen)
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// Due returns at most limit threads whose due time is at or before the given one, in microseconds since 1970 UTC, earliest
// first. A live process may hold some of them: a claim decides.
func (s *Store) Due(ctx context.Context, before int64, limit int) ([]*ThreadInfo, error) {
	ts, err := s.d.Due(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	infos := make([]*ThreadInfo, len(ts))
	seen := map[string]lookedUp{}
	for i, t := range ts {
		if infos[i], err = s.info(ctx, t, seen); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// lookedUp is an owner that a listing has asked for: many threads have one owner.
type lookedUp struct {
	owner Owner
	alive bool
}

// info is t for users. seen, which may be nil, remembers owners.
func (s *Store) info(ctx context.Context, t *driver.Thread, seen map[string]lookedUp) (*ThreadInfo, error) {
	i := &ThreadInfo{
		Thread: t.Name, Epoch: t.Epoch, Claimed: t.Claimed, Holder: Owner{ID: t.Owner}, Created: t.Created, Updated: t.Updated,
		Due: t.Due, Records: t.Records, Last: t.LastSeq, Events: t.Events, Attrs: make(map[string]string, len(t.Attrs)), Head: make(map[string]string, len(t.Heads)),
	}
	for _, a := range t.Attrs {
		i.Attrs[a.Name] = a.Value
	}
	for _, h := range t.Heads {
		i.Head[h.Namespace] = h.ID
	}
	if t.Damage != nil {
		i.Damage = damage(t.Name, t.Damage, "")
	}
	if !t.Claimed {
		return i, nil
	}
	if known, ok := seen[t.Owner]; ok {
		i.Holder, i.Alive = known.owner, known.alive
		return i, nil
	}
	var err error
	if i.Holder, i.Alive, err = s.holder(ctx, t); err != nil {
		return nil, err
	}
	if seen != nil && !s.mine(t) { // claims of this Store live one by one
		seen[t.Owner] = lookedUp{i.Holder, i.Alive}
	}
	return i, nil
}

// holder says who holds a claimed thread and whether it lives. A claim of this Store lives as long as its Claim.
func (s *Store) holder(ctx context.Context, t *driver.Thread) (Owner, bool, error) {
	s.mu.Lock()
	me, mine := s.owner, s.claims[t.Name]
	s.mu.Unlock()
	if t.Owner == me.ID {
		return me, mine != nil && mine.epoch == t.Epoch, nil
	}
	if s.own == nil {
		return Owner{ID: t.Owner}, true, nil
	}
	o, alive, err := s.own.Owner(ctx, t.Owner)
	if o.ID == "" {
		o.ID = t.Owner
	}
	return o, alive, err
}

// mine says whether the last claim of t is of this Store.
func (s *Store) mine(t *driver.Thread) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.Owner == s.owner.ID
}

// register makes this Store an owner, once, and again if that one has ended.
func (s *Store) register(ctx context.Context) (Owner, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return Owner{}, ErrClosed
	}
	switch {
	case s.owner.ID == "" && s.own == nil:
		s.owner = Owner{ID: NewID(s.now(), ""), Text: s.text}
		return s.owner, nil
	case s.owner.ID != "" && s.own == nil:
		return s.owner, nil
	case s.owner.ID != "":
		if _, alive, err := s.own.Owner(ctx, s.owner.ID); err != nil || alive {
			return s.owner, err
		}
		s.log.Warn("the owner of this process has ended, as after too long without its server: its claims are lost", "owner", s.owner.ID)
		if err := s.release(); err != nil {
			return Owner{}, err
		}
		s.owner = Owner{}
	}
	o, release, err := s.own.Register(ctx, s.text)
	if err == nil {
		s.owner, s.release = o, release
	}
	return o, err
}

// Cancel asks the holder of a thread to stop. It needs no claim: the holder sees it at its next append, a later claim in its
// Tail. meta is opaque. ErrNotFound if there is no such thread.
func (s *Store) Cancel(ctx context.Context, thread string, meta []byte) (*Commit, error) {
	if err := checkThread(thread); err != nil {
		return nil, err
	}
	r := &Record{Kind: KindCancel, Meta: meta}
	return s.append(ctx, thread, driver.Expect{AnyEpoch: true, Exists: true}, r)
}

// Delete ends a thread with all its namespaces: one record, durable when it returns nil. Who holds it gets ErrFenced at its next
// append. A live holder makes it a *BusyError unless force is set.
func (s *Store) Delete(ctx context.Context, thread string, force bool) error {
	if err := checkThread(thread); err != nil {
		return err
	}
	for {
		t, err := s.thread(ctx, thread)
		if err != nil {
			return err
		}
		if t.Claimed && !force {
			h, alive, err := s.holder(ctx, t)
			if err != nil {
				return err
			}
			if alive {
				return &BusyError{Thread: thread, Holder: h}
			}
		}
		c, err := s.append(ctx, thread, driver.Expect{Epoch: t.Epoch, AcceptLoss: true}, &Record{Kind: KindTombstone})
		if errors.Is(err, ErrFenced) {
			continue // a claim or another delete came between: look again
		}
		if err != nil {
			return err
		}
		return c.Wait(ctx)
	}
}

// append seals recs and gives them to the driver.
func (s *Store) append(ctx context.Context, thread string, e driver.Expect, recs ...*Record) (*Commit, error) {
	sealed := make([]*driver.Record, len(recs))
	for i, r := range recs {
		if r.Time == 0 {
			r.Time = s.micros(0)
		}
		sealed[i] = toDriver(r)
		s.seal.seal(sealed[i], r)
	}
	return s.write(ctx, thread, e, recs, sealed)
}

func (s *Store) write(ctx context.Context, thread string, e driver.Expect, recs []*Record, sealed []*driver.Record) (*Commit, error) {
	c, err := s.d.Append(ctx, thread, e, sealed)
	if err != nil {
		return nil, s.appendError(thread, err)
	}
	s.warnLow(c.Low)
	for i, r := range recs {
		d := sealed[i]
		r.Thread, r.Epoch, r.Seq, r.FirstEvent = thread, d.Epoch, d.Seq, d.FirstEvent
	}
	return &Commit{thread: thread, c: c}, nil
}

// warnLow logs that space is running out: the first time, and each time only half as much is left.
func (s *Store) warnLow(left int64) {
	last := s.low.Load()
	if left == last || left != 0 && last != 0 && left > last/2 {
		return
	}
	if s.low.CompareAndSwap(last, left) && left != 0 {
		s.log.Warn("little space is left where the store is: prune it, or make room", "bytes", left)
	}
}

// micros is the clock in microseconds since 1970, at least 1 and at least after.
func (s *Store) micros(after int64) int64 { return max(s.now().UnixMicro(), after, 1) }

// appendError puts the thread in front of a driver's error.
func (s *Store) appendError(thread string, err error) error {
	var d *driver.Damage
	if errors.As(err, &d) {
		return damage(thread, d, "")
	}
	return fmt.Errorf("%s: %w", subject(thread), err)
}

// subject is what errors say of a thread, or of the blob that it is.
func subject(thread string) string {
	if digest, ok := strings.CutPrefix(thread, blobPrefix); ok {
		return "blob " + digest
	}
	return fmt.Sprintf("thread %q", thread)
}

func damage(thread string, d *driver.Damage, lost string) *DamageError {
	digest, ok := strings.CutPrefix(thread, blobPrefix)
	if ok {
		thread = ""
	} else {
		digest = ""
	}
	return &DamageError{
		Thread: thread, Blob: digest, File: d.File, Offset: d.Offset, Reason: d.Reason, Suspect: d.Suspect, Lost: lost,
		Length: d.Length, Record: d.Seq, Accepted: d.Accepted,
	}
}

// Close releases nothing that is still claimed: such claims are taken over by whoever comes next. It makes everything appended
// durable and closes the driver.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	release := s.release
	s.mu.Unlock()
	var err error
	if release != nil {
		err = release()
	}
	if e := s.d.Close(); e != nil {
		err = e
	}
	s.seal.close()
	return err
}

// Commit is an append that was written and is on its way to the disk.
type Commit struct {
	thread string
	c      *driver.Commit
}

// Wait returns nil when the records are durable: acknowledged. An error that Is ErrUnknown says that nobody can know; any other
// is ctx's, and waiting again is fine. Any number of goroutines may wait.
func (c *Commit) Wait(ctx context.Context) error {
	if err := c.c.Wait(ctx); err != nil {
		return fmt.Errorf("%s: %w", subject(c.thread), err)
	}
	return nil
}
