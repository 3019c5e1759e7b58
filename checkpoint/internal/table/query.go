package table

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// Select returns the places of the records that q asks for, in its order. The slice belongs to the caller.
func (th *Thread) Select(q driver.Query) []Ref {
	ns := th.asked(q)
	from, _ := slices.BinarySearchFunc(th.Refs, q.From, bySeq)
	to := len(th.Refs)
	if q.To > 0 {
		to, _ = slices.BinarySearchFunc(th.Refs, q.To+1, bySeq)
	}
	var out []Ref
	for _, r := range th.Refs[from:max(from, to)] {
		if selects(q, ns, r) {
			out = append(out, r)
		}
	}
	if q.Reverse {
		slices.Reverse(out)
	}
	return out
}

// Newest returns what Select would for a reverse query, but no more than n places, and the query for the others;
// more says whether there may be any. Who reads back from the end seldom reads far.
func (th *Thread) Newest(q driver.Query, n int) (out []Ref, rest driver.Query, more bool) {
	to := len(th.Refs)
	if q.To > 0 {
		to, _ = slices.BinarySearchFunc(th.Refs, q.To+1, bySeq)
	}
	from, _ := slices.BinarySearchFunc(th.Refs, q.From, bySeq)
	ns := th.asked(q)
	for to--; to >= from; to-- {
		if r := th.Refs[to]; selects(q, ns, r) {
			if len(out) == n {
				rest = q
				rest.To = r.Seq
				return out, rest, true
			}
			out = append(out, r)
		}
	}
	return out, q, false
}

// asked is the number of the namespace that q asks for, -1 if it asks for all or the thread has none of the name.
func (th *Thread) asked(q driver.Query) int {
	if q.AllNamespaces {
		return -1
	}
	return slices.Index(th.Namespaces, q.Namespace)
}

func selects(q driver.Query, ns int, r Ref) bool {
	whole := driver.ThreadKinds.Has(r.Kind)
	return r.Kind == 0 || (q.Kinds == 0 || q.Kinds.Has(r.Kind)) && (q.AllNamespaces || whole || int(r.NS) == ns)
}

func bySeq(r Ref, seq uint64) int { return cmp.Compare(r.Seq, seq) }

// Info is what a driver returns of a thread.
func (th *Thread) Info() *driver.Thread {
	i := &driver.Thread{
		Name: th.Name, Epoch: th.Epoch, Claimed: th.Claimed, Owner: th.Owner, Deleted: th.Deleted, MinID: th.MinID, Due: th.Due,
		Created: th.Created, Updated: th.Updated, Records: int64(len(th.Refs)), Events: th.Events, LastSeq: th.LastSeq,
		Cancel: th.Cancel, Accepted: th.Accepted, Dropped: th.Dropped, Reserved: Reserved(th.Name),
	}
	for _, ns := range slices.Sorted(maps.Keys(th.Heads)) {
		i.Heads = append(i.Heads, driver.Head{Namespace: ns, ID: th.Heads[ns].ID})
	}
	for _, n := range slices.Sorted(maps.Keys(th.Attrs)) {
		i.Attrs = append(i.Attrs, driver.Attr{Name: n, Value: th.Attrs[n]})
	}
	if th.Damage != nil {
		d := *th.Damage
		i.Damage = &d
	}
	return i
}

// List returns the threads that f selects.
func (t *Table) List(f driver.Filter) []*driver.Thread {
	names := t.Names()
	i, found := slices.BinarySearch(names, max(f.After, f.Prefix))
	if found && f.After >= f.Prefix && f.After != "" {
		i++
	}
	var out []*driver.Thread
	for ; i < len(names) && strings.HasPrefix(names[i], f.Prefix); i++ {
		th := t.threads[names[i]]
		if th.Deleted || th.Importing || Reserved(th.Name) != f.Reserved || !th.matches(f.Attrs) {
			continue
		}
		out = append(out, th.Info())
		if f.Limit > 0 && len(out) == f.Limit {
			break
		}
	}
	return out
}

func (th *Thread) matches(attrs map[string]string) bool {
	for n, v := range attrs {
		if th.Attrs[n] != v {
			return false
		}
	}
	return true
}

// Due returns the threads that are due, earliest first.
func (t *Table) Due(before int64, limit int) []*driver.Thread {
	var due []*Thread
	for _, th := range t.threads {
		if th.Due > 0 && th.Due <= before && !th.Importing && !Reserved(th.Name) {
			due = append(due, th)
		}
	}
	slices.SortFunc(due, func(a, b *Thread) int { return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Name, b.Name)) })
	due = due[:min(len(due), max(limit, 0))]
	out := make([]*driver.Thread, len(due))
	for i, th := range due {
		out[i] = th.Info()
	}
	return out
}

// Damaged says whether any thread has damage that was not accepted.
func (t *Table) Damaged() bool {
	for _, th := range t.threads {
		if th.Damage != nil {
			return true
		}
	}
	return false
}

// Stats counts threads and records.
func (t *Table) Stats() *driver.Stats {
	s := &driver.Stats{}
	for _, th := range t.threads {
		s.Records += int64(len(th.Refs))
		switch {
		case Reserved(th.Name):
			s.Reserved++
		case th.Deleted:
			s.Deleted++
		default:
			s.Threads++
		}
		if th.Damage != nil {
			s.Damaged++
		}
	}
	return s
}
