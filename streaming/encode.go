package streaming

import (
	"crypto/sha256"

	"github.com/dashhost/dashhost/streaming/eventpb"
)

// encoder turns an event into a payload of dashstream.v1. It is used by one goroutine at a time.
type encoder struct {
	w           writer
	compression int // offset of the header's compression in the payload, 0 if it has none

	id    [16]byte
	time  int64
	clock ClockFault
}

// payload is what encode made.
func (n *encoder) payload() []byte { return n.w.b[n.w.at:] }

// encode makes the payload. The event was checked; n.id and n.time are those to send. state compresses the state of a checkpoint, and
// returns nil if that does not pay.
func (n *encoder) encode(e *Event, state func([]byte) []byte) {
	n.w.reset()
	v := variantOf(e.Type)
	switch v.kind {
	case kindToken:
		n.token(e)
	case kindError:
		n.failure(e)
	case kindCheckpoint:
		n.checkpoint(e, state)
	default:
		n.event(e, v)
	}
	// The header comes first. Only a payload that will be compressed has a byte that says so.
	body := n.w.mark()
	n.header(e, v.kind, false)
	n.w.close(uint64(v.kind), 0)
	n.compression = 0
	if n.w.mark() > eventpb.CompressAbove {
		n.w.back(body)
		at := n.header(e, v.kind, true)
		n.w.close(uint64(v.kind), 0)
		n.compression = n.w.mark() - at
	}
}

// header returns the mark behind which the value of its compression stands.
func (n *encoder) header(e *Event, k kind, compression bool) (at int) {
	w := &n.w
	start := w.mark()
	w.number(9, eventpb.SchemaVersion)
	if compression {
		w.uvarint(0)
		at = w.mark()
		w.tag(8, wireVarint)
	}
	if e.Task != [16]byte{} {
		w.bytes(7, e.Task[:])
	}
	w.number(6, uint64(k))
	w.number(5, e.Seq)
	w.text(4, e.Thread)
	w.text(3, e.Tenant)
	w.number(2, uint64(n.time))
	w.bytes(1, n.id[:])
	w.close(1, start)
	return at
}

func (n *encoder) event(e *Event, v variant) {
	w := &n.w
	w.number(5, uint64(e.Duration.Microseconds()))
	for i := len(e.Attrs) - 1; i >= 0; i-- {
		n.attribute(4, e.Attrs[i].Name, e.Attrs[i].Value)
	}
	if e.Payload != nil {
		n.attributeJSON(e.Payload)
	}
	for i := len(members) - 1; i >= 0; i-- {
		if m := &members[i]; m.own&setOf(kindEvent) == 0 {
			n.member(m, e)
		}
	}
	w.text(3, e.Node)
	w.number(2, uint64(v.event))
}

// member writes a field of the event as an attribute.
func (n *encoder) member(m *member, e *Event) {
	w := &n.w
	entry := w.mark()
	switch {
	case m.text != nil:
		s := *m.text(e)
		if s == "" {
			return
		}
		w.rawText(1, s)
	case m.num != nil:
		v := m.num(e)
		if v == 0 {
			return
		}
		w.uvarint(uint64(v))
		w.tag(2, wireVarint)
	default:
		n.attribute(4, m.name, m.get(e))
		return
	}
	w.close(2, entry)
	w.text(1, m.name)
	w.close(4, entry)
}

// attribute writes an entry of a map of AttributeValue, unless the value is none.
func (n *encoder) attribute(field uint64, name string, v Value) {
	if v.kind == KindNone {
		return
	}
	w := &n.w
	entry := w.mark()
	n.value(v)
	w.close(2, entry)
	w.text(1, name)
	w.close(field, entry)
}

func (n *encoder) attributeJSON(payload []byte) {
	w := &n.w
	entry := w.mark()
	w.append(payload)
	w.close(1, entry)
	w.close(2, entry)
	w.text(1, payloadName)
	w.close(4, entry)
}

// value writes the fields of an AttributeValue.
func (n *encoder) value(v Value) {
	w := &n.w
	switch v.kind {
	case KindString:
		w.rawText(1, v.str)
	case KindInt:
		w.uvarint(v.num)
		w.tag(2, wireVarint)
	case KindFloat:
		w.fixed64(3, v.num)
	case KindBool:
		w.uvarint(v.num)
		w.tag(4, wireVarint)
	case KindStrings:
		list := w.mark()
		for i := len(v.list) - 1; i >= 0; i-- {
			element := w.mark()
			w.rawText(1, v.list[i])
			w.close(1, element)
		}
		w.close(6, list)
	case KindOther:
		w.appendText(v.str)
	}
}

// texts writes members and attributes as entries of a map of text.
func (n *encoder) texts(field uint64, e *Event, k kind) {
	for i := len(e.Attrs) - 1; i >= 0; i-- {
		n.entry(field, e.Attrs[i].Name, e.Attrs[i].Value.String())
	}
	for i := len(members) - 1; i >= 0; i-- {
		m := &members[i]
		if v := m.value(e); v.kind != KindNone && m.own&setOf(k) == 0 {
			n.entry(field, m.name, v.String())
		}
	}
}

func (n *encoder) entry(field uint64, key, value string) {
	entry := n.w.mark()
	n.w.text(2, value)
	n.w.text(1, key)
	n.w.close(field, entry)
}

func (n *encoder) token(e *Event) {
	w := &n.w
	if e.Final {
		w.number(7, 1)
	}
	w.number(6, uint64(e.N))
	w.text(3, e.Text)
	request := w.mark()
	w.appendText(e.Label)
	w.appendText(":")
	w.appendInt(e.Attempt)
	w.appendText(":")
	w.appendText(e.Node)
	w.close(2, request)
}

// severityError is Error.Severity of what this package sends.
const severityError = uint64(eventpb.Error_SEVERITY_ERROR)

func (n *encoder) failure(e *Event) {
	w := &n.w
	w.number(6, severityError)
	if e.Payload != nil {
		n.entry(5, payloadName, string(e.Payload))
	}
	n.texts(5, e, kindError)
	w.text(3, e.Error.Message)
	w.text(2, e.Error.Code)
}

func (n *encoder) checkpoint(e *Event, compress func([]byte) []byte) {
	w := &n.w
	n.texts(8, e, kindCheckpoint)
	state := e.Payload
	if small := compress(state); small != nil {
		info := w.mark()
		w.fixed32(4, float32(len(small))/float32(len(state)))
		w.number(3, uint64(len(state)))
		w.number(2, uint64(len(small)))
		w.number(1, uint64(eventpb.CompressionType_COMPRESSION_ZSTD))
		w.close(7, info)
		state = small
	}
	sum := sha256.Sum256(e.Payload)
	w.bytes(5, sum[:])
	w.text(4, "json")
	w.bytes(3, state)
	w.text(2, e.Checkpoint)
}
