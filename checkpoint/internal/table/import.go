package table

import "github.com/dashhost/dashhost/checkpoint/driver"

// CheckImport says whether the import of a thread may go on: after is the Seq of the record that it wrote last, 0 at its begin.
func (t *Table) CheckImport(name string, after uint64) error {
	th := t.threads[name]
	switch {
	case after != 0 && (th == nil || !th.Importing || th.LastSeq != after): // somebody else began the thread
		return driver.ErrConflict
	case after == 0 && th != nil && !th.Importing && (th.Count > 0 || len(th.Refs) > 0 || th.Damage != nil):
		return driver.ErrConflict
	}
	return nil
}

// NumberImport gives recs, of an import that passed CheckImport, their Seq from seq on and Ordinal. Epoch and FirstEvent are theirs.
func (t *Table) NumberImport(name string, recs []*driver.Record, seq, after uint64) {
	var count uint32
	if after != 0 {
		count = t.threads[name].Count
	}
	for i, r := range recs {
		r.Seq, r.Ordinal = seq+uint64(i), count+uint32(i)+1
	}
}

// Import takes in a record of an import that stands in the log, with its place. The thread is there with the last one.
func (t *Table) Import(name string, r *driver.Record, at Ref, last bool) {
	th := t.threads[name]
	switch {
	case th == nil:
		th = &Thread{Name: name, Base: at.Segment}
		t.Put(th)
	case r.Ordinal == 1: // what an import that did not come to its end has left counts for nothing
		*th = Thread{Name: name, Base: at.Segment}
	}
	th.Importing = false
	th.apply(r, at)
	th.Importing = !last && th.Damage == nil
}
