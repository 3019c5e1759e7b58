package langgraph

import (
	"slices"

	"github.com/dashhost/dashhost/checkpoint"
)

// index says what the records of one thread hold, without the bytes of values. Its owner has the lock.
type index struct {
	epoch  uint64
	last   uint64 // Seq of the newest record that is in
	spaces map[string]*space
	cost   int64 // about how many bytes it takes, without recent
	recent *recent
	hidden bool // there are records of checkpoints that were removed
}

// space is one checkpoint_ns.
type space struct {
	ids    []string         // of checkpoints, ascending
	nodes  map[string]*node // by checkpoint id
	values map[string][]source
}

// node is a checkpoint, or writes that came before theirs, or what is left of one that was removed: its parent.
type node struct {
	id, parent string
	seq        uint64   // of its newest record, 0: not there
	writes     []uint64 // Seqs of records of writes, in their order
}

// live says whether there is anything to remove.
func (n *node) live() bool { return n.seq != 0 || len(n.writes) > 0 }

// source is a record that says what an entry is.
type source struct {
	id    string // of the checkpoint
	seq   uint64
	empty bool // there is no value
}

// About what the parts of an index take, in bytes.
const (
	costNode  = 200
	costEntry = 120
	costWrite = 8
)

func newIndex(epoch uint64, recentBytes int64) *index {
	return &index{epoch: epoch, spaces: map[string]*space{}, recent: newRecent(recentBytes)}
}

// add takes in the next record of the thread.
func (x *index) add(r *checkpoint.Record) error {
	x.last = max(x.last, r.Seq)
	x.recent.add(r)
	if r.Kind != checkpoint.KindKV {
		return nil
	}
	s := x.spaces[r.Namespace]
	if s == nil {
		s = &space{nodes: map[string]*node{}, values: map[string][]source{}}
		x.spaces[r.Namespace] = s
		x.cost += costNode
	}
	if isRemoval(r) {
		x.hidden = true
		for _, id := range r.Parts {
			s.remove(string(id))
		}
		return nil
	}
	n := s.nodes[r.ID]
	if n == nil {
		n = &node{id: r.ID}
		s.nodes[r.ID] = n
		x.cost += costNode
	}
	if isWrites(r) {
		n.writes = append(n.writes, r.Seq)
		x.cost += costWrite
		return nil
	}
	h, err := parseHeader(r.Meta)
	if err != nil {
		return err
	}
	if n.seq == 0 {
		i, _ := slices.BinarySearch(s.ids, r.ID)
		s.ids = slices.Insert(s.ids, i, r.ID)
	}
	n.seq, n.parent = r.Seq, h.parent
	for _, op := range r.Ops {
		x.cost += costEntry + int64(len(op.Name))
		s.put(op.Name, source{id: r.ID, seq: r.Seq, empty: op.Kind == checkpoint.OpDel})
	}
	return nil
}

// put adds a source of an entry; of one checkpoint the last counts.
func (s *space) put(name string, from source) {
	all := s.values[name]
	if i := slices.IndexFunc(all, func(f source) bool { return f.id == from.id }); i >= 0 {
		all[i] = from
		return
	}
	s.values[name] = append(all, from)
}

// remove hides a checkpoint and its writes. Others may still need the values of its record, and the way to its ancestors.
func (s *space) remove(id string) {
	n := s.nodes[id]
	if n == nil {
		return
	}
	if i, there := slices.BinarySearch(s.ids, id); there {
		s.ids = slices.Delete(s.ids, i, i+1)
	}
	n.seq, n.writes = 0, nil
}

// newest is the checkpoint with the greatest id, nil if there is none.
func (s *space) newest() *node {
	if s == nil || len(s.ids) == 0 {
		return nil
	}
	return s.nodes[s.ids[len(s.ids)-1]]
}

// find is a checkpoint by id, "" for the newest; nil if it is not there.
func (s *space) find(id string) *node {
	if s == nil || id == "" {
		return s.newest()
	}
	if n := s.nodes[id]; n != nil && n.seq != 0 {
		return n
	}
	return nil
}

// ancestors yields the checkpoints that n continues, nearest first. It ends at one that is not there, and where clients made a ring.
func (s *space) ancestors(n *node, yield func(*node) bool) {
	seen := map[*node]bool{n: true}
	for n.parent != "" {
		if n = s.find(n.parent); n == nil || seen[n] || !yield(n) {
			return
		}
		seen[n] = true
	}
}

// resolve says where the entry of a checkpoint is. ok is false if nobody ever put it.
func (s *space) resolve(n *node, name string) (from source, ok bool) {
	all := s.values[name]
	switch len(all) {
	case 0:
		return source{}, false
	case 1:
		return all[0], true
	}
	if from, ok := s.nearest(n, all); ok {
		return from, true
	}
	return s.before(n, all), true // a copy of a checkpoint that is no ancestor
}

// nearest is the source at n or at its nearest ancestor, removed ones too.
func (s *space) nearest(n *node, all []source) (from source, ok bool) {
	for seen := map[*node]bool{}; n != nil && !seen[n]; n = s.nodes[n.parent] {
		if i := slices.IndexFunc(all, func(f source) bool { return f.id == n.id }); i >= 0 {
			return all[i], true
		}
		seen[n] = true
	}
	return source{}, false
}

// before is the newest source that n can have known.
func (s *space) before(n *node, all []source) source {
	for _, f := range slices.Backward(all) {
		if f.seq < n.seq {
			return f
		}
	}
	return all[len(all)-1]
}
