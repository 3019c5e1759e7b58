package pgstore

import (
	"maps"

	"github.com/dashhost/dashhost/checkpoint/internal/table"
)

// threadKnown is a thread as an append of this handle has left it. Another process may have changed it since: the server compares
// version and last_seq.
type threadKnown struct {
	thread *table.Thread
	state  threadState
}

// maxKnown is how many threads are remembered.
const maxKnown = 4096

// remember returns a batch with copies of its threads as this handle knows them, nil if it does not know one of them.
func (s *store) remember(batch []*request) *batchState {
	b := &batchState{s: s, table: table.New(), rows: make(map[string]*threadState, len(batch))}
	for _, r := range batch {
		if b.rows[r.thread] != nil {
			continue
		}
		s.mu.Lock()
		k := s.known[r.thread]
		s.mu.Unlock()
		if k == nil {
			return nil
		}
		th, st := *k.thread, k.state
		th.Heads, th.Attrs = maps.Clone(th.Heads), maps.Clone(th.Attrs)
		b.put(&th)
		b.rows[r.thread] = &st
	}
	return b
}

// forget makes the next batch with one of these threads read it.
func (s *store) forget(batch []*request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range batch {
		delete(s.known, r.thread)
	}
}

// learn keeps a thread as a batch has left it. s.mu is held, and th belongs to nobody else.
func (s *store) learn(th *table.Thread, st *threadState, base uint64) {
	if !st.touched {
		return
	}
	if st.moved { // the server has counted its records again
		delete(s.known, th.Name)
		return
	}
	for ns, h := range th.Heads {
		real(&h.Seq, base)
		th.Heads[ns] = h
	}
	real(&th.LastSeq, base)
	real(&th.Cancel, base)
	real(&th.Accepted, base)
	real(&st.first, base)
	th.Damage, th.Namespaces = nil, nil
	if th.Refs = nil; st.records > 0 {
		th.Refs = []table.Ref{{}}
	}
	if len(s.known) >= maxKnown {
		for name := range s.known { // any one: who is written to again comes back
			delete(s.known, name)
			break
		}
	}
	s.known[th.Name] = &threadKnown{th, threadState{
		version: st.version + 1, prior: int64(th.LastSeq), records: st.records, first: st.first, firstOrd: st.firstOrd,
	}}
}
