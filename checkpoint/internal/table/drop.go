package table

import (
	"cmp"
	"slices"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Drop forgets records below a Seq, but for heads and what came after them, and returns those that it forgot. It stays in force:
// when a head moves, what it was is forgotten too. So what is left does not depend on what happened in between.
func (th *Thread) Drop(below uint64) []Ref {
	if below <= th.Dropped {
		return nil
	}
	th.Dropped = below
	return th.prune()
}

// prune forgets what Dropped says.
func (th *Thread) prune() (dropped []Ref) {
	heads, oldest := th.headSeqs()
	kept := make([]Ref, 0, len(th.Refs))
	for _, r := range th.Refs {
		head := heads[r.NS]
		if r.Kind == 0 || driver.ThreadKinds.Has(r.Kind) {
			head = oldest
		}
		if r.Seq < th.Dropped && r.Seq < head {
			dropped = append(dropped, r)
		} else {
			kept = append(kept, r)
		}
	}
	th.Refs = kept
	return dropped
}

// headSeqs returns where the head of each namespace is, 0 for none, and the least of those that are.
func (th *Thread) headSeqs() (heads []uint64, oldest uint64) {
	heads = make([]uint64, max(len(th.Namespaces), 1))
	for i, ns := range th.Namespaces {
		heads[i] = th.Heads[ns].Seq
	}
	seqs := slices.DeleteFunc(slices.Clone(heads), func(seq uint64) bool { return seq == 0 })
	if len(seqs) > 0 {
		oldest = slices.Min(seqs)
	}
	return heads, oldest
}

// Begin adds a thread whose first records are not in the log any more: a Floor record will say what they were. count is how many
// there were.
func (t *Table) Begin(name string, count, segment uint32) {
	t.Put(&Thread{Name: name, Count: count, Base: segment})
}

// Forget removes threads whose import began in a segment before floor and has not come to its end.
func (t *Table) Forget(floor uint32) {
	for name, th := range t.threads {
		if th.Importing && th.Base < floor {
			delete(t.threads, name)
			t.sorted = nil
		}
	}
}

// Find returns the index in Refs of a record, and whether it is there.
func (th *Thread) Find(seq uint64) (int, bool) { return slices.BinarySearchFunc(th.Refs, seq, bySeq) }

// Move takes in that recs, ascending, stand somewhere else now, recs[i] at at[i].
func (th *Thread) Move(recs []*driver.Record, at []Ref) {
	var added []Ref
	for i, r := range recs {
		ref := at[i]
		ref.Seq, ref.Kind, ref.NS = r.Seq, r.Kind, th.namespace(r.Namespace)
		if j, ok := th.Find(r.Seq); ok {
			th.Refs[j] = ref
		} else {
			added = append(added, ref)
		}
	}
	if len(added) > 0 {
		th.Refs = append(th.Refs, added...)
		slices.SortFunc(th.Refs, func(a, b Ref) int { return cmp.Compare(a.Seq, b.Seq) })
	}
}

// Restate takes in what a Floor record in segment base says of the thread: all of it but names of namespaces, places and damage.
// Records in segments below floor are gone.
func (th *Thread) Restate(state *Thread, floor, base uint32) {
	own := *state
	own.Name, own.Namespaces, own.Refs = th.Name, th.Namespaces, th.Refs
	own.Epoch, own.Count = th.Epoch, th.Count
	own.Damage, own.Base, own.Moved = th.Damage, base, 0
	own.Refs = slices.DeleteFunc(own.Refs, func(r Ref) bool { return r.Segment < floor })
	*th = own
	th.prune()
}
