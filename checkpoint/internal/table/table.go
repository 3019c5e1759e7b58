// Package table is the view of threads that a driver over a log keeps in memory: epochs, heads, attributes, due times and where
// each record is. It decides what an append may do, and it is a pure function of the records applied to it in log order, so
// every process arrives at the same one.
//
// A Table does no I/O and has no lock; its owner has both.
package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// ReservedMark begins the names of threads that are no user's. Part of the format.
const ReservedMark = "\x01"

// Ref says where a record is. Segment, Offset and Index mean what the driver wants them to.
type Ref struct {
	Seq     uint64
	Segment uint32
	Offset  uint32
	NS      uint32 // index into Thread.Namespaces
	Index   uint16
	Kind    driver.Kind
}

// Head is the newest step of a namespace.
type Head struct {
	ID         string
	Seq        uint64
	FirstEvent uint64
	Epoch      uint64
}

// Thread is the state of one thread. Its fields are for codecs; who holds the Table's lock may read them.
type Thread struct {
	Name       string
	Epoch      uint64
	Claimed    bool
	Deleted    bool
	Owner      string
	Heads      map[string]Head
	Namespaces []string
	MinID      string
	Attrs      map[string]string
	Due        int64
	Created    int64
	Updated    int64
	Events     uint64
	LastSeq    uint64
	Cancel     uint64
	Count      uint32 // records of all generations, modulo 2^32
	Accepted   uint64 // Seq of the newest record that accepts a loss: damage before it is no news
	Dropped    uint64 // records with a lower Seq were dropped
	Base       uint32 // segment of its first record, or of the newest one that repeats what is known of it
	Moved      uint32 // ordinal of the first Floor record with records that were moved, since that one; 0 none
	Damage     *driver.Damage
	Refs       []Ref // of this generation that can be read, ascending
	Importing  bool  // the records so far are of an import that has not come to its end: to everybody else there is no thread
}

// Table holds threads by name.
type Table struct {
	threads map[string]*Thread
	sorted  []string // names in order, nil when a thread was added
}

// New returns an empty Table.
func New() *Table { return &Table{threads: map[string]*Thread{}} }

// Get returns a thread, or nil. One that is being imported is not there.
func (t *Table) Get(name string) *Thread {
	if th := t.threads[name]; th != nil && !th.Importing {
		return th
	}
	return nil
}

// Entry is Get, and also returns a thread that is being imported.
func (t *Table) Entry(name string) *Thread { return t.threads[name] }

// Len is the number of threads, deleted and reserved ones too.
func (t *Table) Len() int { return len(t.threads) }

// Put adds a thread that was decoded from an index.
func (t *Table) Put(th *Thread) {
	t.threads[th.Name] = th
	t.sorted = nil
}

// Names returns all names in order. The slice must not be changed.
func (t *Table) Names() []string {
	if t.sorted == nil {
		t.sorted = make([]string, 0, len(t.threads))
		for n := range t.threads {
			t.sorted = append(t.sorted, n)
		}
		slices.Sort(t.sorted)
	}
	return t.sorted
}

// Check says whether recs may be appended. done: they were already, and recs carry what they were given then.
func (t *Table) Check(name string, e driver.Expect, recs []*driver.Record) (done bool, err error) {
	th := t.Get(name)
	if th == nil {
		th = &Thread{}
	}
	switch exists := len(th.Refs) > 0; {
	case th.Damage != nil && !e.AcceptLoss && len(recs) > 0:
		return false, th.Damage
	case !e.AnyEpoch && e.Epoch != th.Epoch:
		return false, driver.ErrFenced
	case e.Empty && exists:
		return false, driver.ErrConflict
	case e.Exists && !exists:
		return false, driver.ErrNotFound
	case e.Last != 0 && e.Last != th.LastSeq:
		return false, driver.ErrConflict
	}
	if th.appended(recs) {
		return true, nil
	}
	for _, h := range e.Heads {
		if th.Heads[h.Namespace].ID != h.ID {
			return false, driver.ErrConflict
		}
	}
	return false, th.ordered(recs)
}

// appended says whether the last step of recs is its namespace's head already, and gives the steps their numbers.
func (th *Thread) appended(recs []*driver.Record) bool {
	for _, r := range slices.Backward(recs) {
		if r.Kind == driver.KindStep {
			h, ok := th.Heads[r.Namespace]
			if !ok || h.ID != r.ID {
				return false
			}
			r.Seq, r.FirstEvent, r.Epoch = h.Seq, h.FirstEvent, h.Epoch
			return true
		}
	}
	return false
}

// ordered refuses a step whose id is not greater than all before it in its namespace.
func (th *Thread) ordered(recs []*driver.Record) error {
	last := map[string]string{}
	for _, r := range recs {
		if r.Kind != driver.KindStep {
			continue
		}
		floor, ok := last[r.Namespace]
		if !ok {
			floor = max(th.Heads[r.Namespace].ID, th.MinID)
		}
		if r.ID <= floor {
			return driver.ErrConflict
		}
		last[r.Namespace] = r.ID
	}
	return nil
}

// unknownEvents is what event numbers are rounded up to when records with numbers may be lost, so that none repeats.
const unknownEvents = 1 << 32

// Number gives recs, which passed Check, their Seq from seq on, FirstEvent, Epoch and Ordinal.
func (t *Table) Number(name string, recs []*driver.Record, seq uint64) {
	var epoch, events uint64
	var count uint32
	if th := t.Get(name); th != nil {
		epoch, events, count = th.Epoch, th.Events, th.Count
		if d := th.Damage; d != nil && (d.Seq == 0 || d.Seq > th.LastSeq) {
			events = (events/unknownEvents + 1) * unknownEvents
		}
	}
	for _, r := range recs {
		if r.Kind == driver.KindClaim || r.Kind == driver.KindTombstone {
			epoch++
		}
		count++
		r.Seq, r.Epoch, r.FirstEvent, r.Ordinal = seq, epoch, events+1, count
		events += uint64(r.Events)
		seq++
	}
}

// Apply takes in a record that stands in the log, with its place.
func (t *Table) Apply(name string, r *driver.Record, at Ref) {
	th := t.threads[name]
	if th == nil {
		th = &Thread{Name: name, Base: at.Segment}
		t.Put(th)
	}
	if th.Importing { // somebody begins the thread anew: what was imported of it counts for nothing
		*th = Thread{Name: name, Base: at.Segment}
	}
	th.apply(r, at)
}

func (th *Thread) apply(r *driver.Record, at Ref) {
	switch {
	case r.Flags&driver.FlagAcceptLoss != 0:
		th.Damage, th.Accepted = nil, r.Seq
		if r.Kind == driver.KindClaim {
			// Behind it, in the same append, stands a step for each namespace that goes on. Of others no step can be read, and whether they are
			// known at all depends on whether there was an index.
			th.Heads = nil
		}
	case r.Ordinal != th.Count+1:
		th.miss(r)
	case th.Damage != nil && th.Damage.Suspect:
		th.Damage = nil // the next record after a suspect place: none of the thread is missing there
	}
	th.Epoch, th.Count = r.Epoch, r.Ordinal
	th.Events = r.FirstEvent - 1 + uint64(r.Events)
	if r.Kind == driver.KindFloor { // of the store's own making: to everybody else nothing has happened
		return
	}
	th.LastSeq = r.Seq
	if r.Kind == driver.KindTombstone {
		th.end()
		return
	}
	if len(th.Refs) == 0 {
		th.Created, th.Deleted = r.Time, false
	}
	th.Updated = max(th.Updated, r.Time)
	at.Seq, at.Kind, at.NS = r.Seq, r.Kind, th.namespace(r.Namespace)
	th.Refs = append(th.Refs, at)
	for _, a := range r.Attrs {
		th.setAttr(a)
	}
	if r.Due != 0 || r.Kind == driver.KindStep {
		th.Due = r.Due
	}
	switch r.Kind {
	case driver.KindClaim:
		th.Claimed, th.Owner = true, r.Owner
	case driver.KindRelease:
		th.Claimed = false
	case driver.KindCancel:
		th.Cancel = r.Seq
	case driver.KindStep:
		if th.Heads == nil {
			th.Heads = map[string]Head{}
		}
		old := th.Heads[r.Namespace]
		th.Heads[r.Namespace] = Head{ID: r.ID, Seq: r.Seq, FirstEvent: r.FirstEvent, Epoch: r.Epoch}
		if old.Seq < th.Dropped {
			th.prune()
		}
	}
}

// miss records that records of the thread are missing in front of r. Where they were is known only if the place was suspect; the
// owner of the Table fills in an empty File.
func (th *Thread) miss(r *driver.Record) {
	if th.Damage != nil && !th.Damage.Suspect {
		return
	}
	d := driver.Damage{Thread: th.Name}
	if th.Damage != nil {
		d = *th.Damage
		d.Suspect = false
		d.Reason += "; "
	}
	d.Reason += fmt.Sprintf("%d records of the thread are missing before record %d", r.Ordinal-th.Count-1, r.Seq)
	th.Damage = &d
}

// end is what a tombstone leaves: numbers go on, nothing else does.
func (th *Thread) end() {
	floor := th.MinID
	for _, h := range th.Heads {
		floor = max(floor, h.ID)
	}
	*th = Thread{
		Name: th.Name, Epoch: th.Epoch, Events: th.Events, LastSeq: th.LastSeq, MinID: floor, Deleted: true,
		Count: th.Count, Base: th.Base,
	}
}

func (th *Thread) setAttr(a driver.Attr) {
	if a.Value == "" {
		delete(th.Attrs, a.Name)
		return
	}
	if th.Attrs == nil {
		th.Attrs = map[string]string{}
	}
	th.Attrs[a.Name] = a.Value
}

func (th *Thread) namespace(ns string) uint32 {
	if i := slices.Index(th.Namespaces, ns); i >= 0 {
		return uint32(i)
	}
	th.Namespaces = append(th.Namespaces, ns)
	return uint32(len(th.Namespaces) - 1)
}

// Reserved says whether the thread is no user's.
func Reserved(name string) bool { return strings.HasPrefix(name, ReservedMark) }

// Hurt records that a record of a thread cannot be read. at is where it is; its Kind is 0, which every query finds.
func (t *Table) Hurt(name string, d *driver.Damage, at Ref) {
	th := t.threads[name]
	if th == nil {
		th = &Thread{Name: name}
		t.Put(th)
	}
	th.Importing = false // its last record may be what cannot be read
	th.Damaged(d, at.Seq)
	at.Kind = 0
	th.Refs = append(th.Refs, at)
}

// Damaged records that the thread's record seq cannot be read, unless that was accepted, and says whether it was.
func (th *Thread) Damaged(d *driver.Damage, seq uint64) (accepted bool) {
	if seq != 0 && seq < th.Accepted {
		return true
	}
	if th.Damage == nil || th.Damage.Suspect {
		own := *d
		own.Thread = th.Name
		th.Damage = &own
	}
	return false
}

// Raise lets a thread's numbers go on behind those of damaged records: epoch, events and how many records there were.
func (t *Table) Raise(name string, epoch, events uint64, count uint32) {
	th := t.threads[name]
	th.Epoch, th.Events, th.Count = max(th.Epoch, epoch), max(th.Events, events), count
}

// Suspect marks all threads that are sound so far: records of any of them may be missing.
func (t *Table) Suspect(d *driver.Damage) {
	for name, th := range t.threads {
		if th.Damage == nil {
			own := *d
			own.Thread, own.Suspect = name, true
			th.Damage, th.Importing = &own, false
		}
	}
}
