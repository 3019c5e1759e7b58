package langgraph

import (
	"sync"

	"github.com/dashhost/dashhost/checkpoint"
)

// recent keeps records of one generation of a thread that were read lately: they do not change. It is safe for concurrent use.
type recent struct {
	limit int64 // bytes of bodies

	mu    sync.Mutex
	bytes int64
	bySeq map[uint64]*checkpoint.Record
	order []uint64 // as they came
}

func newRecent(limit int64) *recent {
	return &recent{limit: limit, bySeq: map[uint64]*checkpoint.Record{}}
}

// add keeps r, and lets those go that have been there for longest if that is too much. One that takes much of the room is not kept.
func (c *recent) add(r *checkpoint.Record) {
	size := int64(recordSize(r)) + costNode
	c.mu.Lock()
	defer c.mu.Unlock()
	if size > c.limit/4 || c.bySeq[r.Seq] != nil {
		return
	}
	c.bySeq[r.Seq] = r
	c.order = append(c.order, r.Seq)
	c.bytes += size
	for c.bytes > c.limit {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.bytes -= int64(recordSize(c.bySeq[oldest])) + costNode
		delete(c.bySeq, oldest)
	}
}

// get is a record that is kept, or nil.
func (c *recent) get(seq uint64) *checkpoint.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bySeq[seq]
}

func (c *recent) size() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
