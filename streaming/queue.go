package streaming

import (
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
)

// Keys of record headers.
const (
	HeaderTraceparent = "traceparent"
	HeaderTracestate  = "tracestate"
	HeaderBaggage     = "baggage"
	HeaderTenant      = "tenant_id"
	HeaderClock       = "dash-clock" // a ClockFault
)

// headerKeys in the order of slot.headers.
var headerKeys = [...]string{HeaderTraceparent, HeaderTracestate, HeaderBaggage, HeaderTenant, HeaderClock}

// chunk is some events, one after the other in one buffer: key, headers, frame byte, payload. It is filled under the stream's lock,
// and when it is on its way it belongs to the goroutine that delivers.
type chunk struct {
	data  []byte
	slots []slot
	head  int    // slots before it made room for others
	first uint64 // number of slots[0] in the stream
}

// slot says where an event is in a chunk.
type slot struct {
	from, to    int // in data
	key         int // bytes
	headers     [len(headerKeys)]int
	compression int // as encoder.compression
	id          [16]byte
	time        int64
}

func (s *slot) size() int { return s.to - s.from }

// add copies an event.
func (c *chunk) add(n *encoder, thread string, headers *[len(headerKeys)]string) {
	s := slot{from: len(c.data), key: len(thread), compression: n.compression, id: n.id, time: n.time}
	c.data = append(c.data, thread...)
	for i, h := range headers {
		s.headers[i] = len(h)
		c.data = append(c.data, h...)
	}
	c.data = append(append(c.data, eventpb.FrameRaw), n.payload()...)
	s.to = len(c.data)
	c.slots = append(c.slots, s)
}

func (c *chunk) reset() {
	c.data, c.slots, c.head = c.data[:0], c.slots[:0], 0
}

// batch turns chunks into records. Its memory is used again for each.
type batch struct {
	records []driver.Record
	headers []driver.Header
	frames  []byte
}

// fill makes the records of a chunk, in views of it; what gets smaller is compressed.
func (b *batch) fill(c *chunk, codec *eventpb.Codec) []driver.Record {
	b.records, b.headers, b.frames = b.records[:0], b.headers[:0], b.frames[:0]
	for i := range c.slots[c.head:] {
		s := &c.slots[c.head+i]
		at := s.from + s.key
		r := driver.Record{ID: s.id, Time: s.time, Key: c.data[s.from:at:at]}
		first := len(b.headers)
		for h, n := range s.headers {
			if n > 0 {
				b.headers = append(b.headers, driver.Header{Key: headerKeys[h], Value: c.data[at : at+n : at+n]})
				at += n
			}
		}
		r.Headers = b.headers[first:len(b.headers):len(b.headers)]
		r.Value = c.data[at:s.to:s.to]
		if s.compression > 0 {
			from := len(b.frames)
			b.frames = codec.AppendFrame(b.frames, r.Value[1:], s.compression)
			r.Value = b.frames[from:len(b.frames):len(b.frames)]
		}
		b.records = append(b.records, r)
	}
	return b.records
}
