package streaming

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
)

// Decoder turns records back into events: those of this package whole, and of messages by other producers the header, the type and,
// for an Event, node, duration and attributes. It is not safe for concurrent use.
type Decoder struct {
	codec *eventpb.Codec
	text  []byte
}

// NewDecoder returns a decoder, which must be closed. maxBytes is the largest payload that it accepts; 0 = eventpb.MaxDecoded.
func NewDecoder(maxBytes int) *Decoder {
	return &Decoder{codec: eventpb.NewCodec(&eventpb.Options{MaxBytes: maxBytes})}
}

// Close frees what decompression holds.
func (d *Decoder) Close() { d.codec.Close() }

// Decode sets e to the event in a record; what e held is lost, and its Attrs are used again. e.Payload may share memory with the
// record. Errors are those of eventpb, or an *EventError for a message without a header or of another schema version.
func (d *Decoder) Decode(r *driver.Record, e *Event) error {
	payload, err := d.codec.Payload(nil, r.Value)
	if err != nil {
		return err
	}
	*e = Event{Attrs: e.Attrs[:0]}
	// All text of the event is cut from one string: the payload, then what the headers say.
	d.text = append(d.text[:0], payload...)
	for _, h := range r.Headers {
		d.text = append(d.text, h.Value...)
	}
	all := string(d.text)
	rest := all[len(payload):]
	for _, h := range r.Headers {
		setHeader(e, h.Key, rest[:len(h.Value)])
		rest = rest[len(h.Value):]
	}
	p := parser{b: payload, s: all, e: e, codec: d.codec, tenant: e.Tenant}
	return p.message()
}

// parser walks over a payload that was checked, so that lengths are right and wire types known. s begins with it.
type parser struct {
	b     []byte
	s     string
	e     *Event
	codec *eventpb.Codec

	kind      kind // of the variant, 0 if there was none
	header    bool
	version   uint64
	eventType eventpb.EventType
	packed    uint64 // CompressionType of a checkpoint's state
	tenant    string // of the record's headers
}

// span is a part of the payload.
type span struct{ from, to int }

func (p *parser) text(s span) string { return p.s[s.from:s.to] }

// next reads a field at *at: its number, and its value as a number or as a span.
func (p *parser) next(at *int) (number protowire.Number, v uint64, s span) {
	number, wire := protowire.DecodeTag(p.varint(at))
	switch wire {
	case protowire.VarintType:
		return number, p.varint(at), s
	case protowire.BytesType:
		n := int(p.varint(at))
		s = span{*at, *at + n}
		*at += n
		return number, 0, s
	}
	n := 0
	if wire == protowire.Fixed64Type {
		v, n = protowire.ConsumeFixed64(p.b[*at:])
	} else {
		n = protowire.ConsumeFieldValue(number, wire, p.b[*at:])
	}
	*at += n
	return number, v, s
}

func (p *parser) varint(at *int) uint64 {
	if b := p.b[*at]; b < 0x80 {
		*at++
		return uint64(b)
	}
	v, n := protowire.ConsumeVarint(p.b[*at:])
	*at += n
	return v
}

// message reads DashStreamMessage. If a variant is there twice it is merged, and of several variants the last one counts.
func (p *parser) message() error {
	for at := 0; at < len(p.b); {
		number, _, s := p.next(&at)
		if number > maxVariant {
			continue
		}
		if p.kind != 0 && kind(number) != p.kind {
			e := p.e
			*e = Event{Attrs: e.Attrs[:0], Trace: e.Trace, Tenant: p.tenant, Clock: e.Clock}
			p.header, p.version, p.packed, p.eventType = false, 0, 0, 0
		}
		p.variant(kind(number), s)
	}
	return p.finish()
}

// maxVariant is the last number of DashStreamMessage.
const maxVariant = 9

// names of variants that are no events of this package.
var otherTypes = [maxVariant + 1]Type{2: "state_diff", 4: "tool_execution", 6: "metrics", 8: "event_batch", 9: "execution_trace"}

func (p *parser) variant(k kind, s span) {
	p.kind = k
	for at := s.from; at < s.to; {
		number, v, in := p.next(&at)
		switch {
		case number == 1:
			p.headerFields(in)
		case k == kindEvent:
			p.event(number, v, in)
		case k == kindToken:
			p.token(number, v, in)
		case k == kindError:
			p.failure(number, in)
		case k == kindCheckpoint:
			p.checkpoint(number, in)
		}
	}
}

// finish sets the type, unless an attribute said it.
func (p *parser) finish() error {
	switch {
	case p.kind == 0:
		return &EventError{"message", "none of the known variants"}
	case !p.header:
		return &EventError{"header", "missing"}
	case p.version > eventpb.SchemaVersion:
		return &EventError{"header.schema_version", fmt.Sprintf("%d, this program reads %d", p.version, eventpb.SchemaVersion)}
	case p.kind == kindToken:
		p.e.Type = TypeToken
	case p.kind == kindError:
		p.e.Type = TypeError
	case p.kind == kindCheckpoint:
		p.e.Type = TypeState
	case p.kind != kindEvent:
		p.e.Type = otherTypes[p.kind]
	case p.e.Type == "":
		p.e.Type = typeOf(p.eventType)
	}
	if p.packed != 0 {
		return p.decompress()
	}
	return nil
}

func (p *parser) headerFields(s span) {
	p.header = true
	for at := s.from; at < s.to; {
		number, v, in := p.next(&at)
		switch number {
		case 1:
			p.e.ID = id16(p.b[in.from:in.to])
		case 2:
			p.e.Time = int64(v)
		case 3:
			p.e.Tenant = p.text(in)
		case 4:
			p.e.Thread = p.text(in)
		case 5:
			p.e.Seq = v
		case 7:
			p.e.Task = id16(p.b[in.from:in.to])
		case 9:
			p.version = v
		}
	}
}

func id16(b []byte) (id [16]byte) {
	copy(id[:], b)
	return id
}

func (p *parser) event(number protowire.Number, v uint64, s span) {
	switch number {
	case 2:
		p.eventType = eventpb.EventType(int32(v))
	case 3:
		p.e.Node = p.text(s)
	case 4:
		p.attribute(s)
	case 5:
		p.e.Duration = time.Duration(int64(v)) * time.Microsecond
	}
}

// attribute reads a map entry with an AttributeValue.
func (p *parser) attribute(s span) {
	name, value, raw := "", Value{}, span{}
	for at := s.from; at < s.to; {
		number, _, in := p.next(&at)
		switch number {
		case 1:
			name = p.text(in)
		case 2:
			value, raw = p.value(in)
		}
	}
	switch m := memberOf(name); {
	case name == payloadName && value.kind == KindString:
		p.e.Payload = p.b[raw.from:raw.to:raw.to]
	case m != nil && m.kind == value.kind:
		m.assign(p.e, value)
	default:
		p.e.Attrs = append(p.e.Attrs, Attr{name, value})
	}
}

// value reads an AttributeValue; raw is where the text of a KindString is.
func (p *parser) value(s span) (value Value, raw span) {
	for at := s.from; at < s.to; {
		number, v, in := p.next(&at)
		switch number {
		case 1:
			value, raw = Value{kind: KindString, str: p.text(in)}, in
		case 2:
			value = Value{kind: KindInt, num: v}
		case 3:
			value = Value{kind: KindFloat, num: v}
		case 4:
			value = Value{kind: KindBool, num: min(v, 1)}
		case 6:
			value = p.list(s, in)
		case 5, 7:
			value = Value{kind: KindOther, str: p.text(s)}
		}
	}
	return value, raw
}

// list reads an AttributeArray: a list of text if all of it is.
func (p *parser) list(whole, s span) Value {
	list := []string{}
	for at := s.from; at < s.to; {
		number, _, in := p.next(&at)
		if number != 1 {
			continue
		}
		v, _ := p.value(in)
		if v.kind != KindString {
			return Value{kind: KindOther, str: p.text(whole)}
		}
		list = append(list, v.str)
	}
	return Value{kind: KindStrings, list: list}
}

func (p *parser) token(number protowire.Number, v uint64, s span) {
	switch number {
	case 2:
		p.e.Node, p.e.Attempt, p.e.Label = splitRequest(p.text(s))
	case 3:
		p.e.Text = p.text(s)
	case 6:
		p.e.N = uint32(v)
	case 7:
		p.e.Final = v != 0
	}
}

// splitRequest takes "node:attempt:label" apart. An id of another form, as other producers use, is a label.
func splitRequest(id string) (node string, attempt int, label string) {
	node, rest, ok := strings.Cut(id, ":")
	number, label, ok2 := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || !ok2 || err != nil {
		return "", 0, id
	}
	return node, int(n), label
}

func (p *parser) failure(number protowire.Number, s span) {
	switch number {
	case 2:
		p.e.Error.Code = p.text(s)
	case 3:
		p.e.Error.Message = p.text(s)
	case 5:
		p.entry(s)
	}
}

// entry reads a map entry of text.
func (p *parser) entry(s span) {
	var key, value span
	for at := s.from; at < s.to; {
		number, _, in := p.next(&at)
		switch number {
		case 1:
			key = in
		case 2:
			value = in
		}
	}
	switch m := memberOf(p.text(key)); {
	case p.text(key) == payloadName:
		p.e.Payload = p.b[value.from:value.to:value.to]
	case m != nil:
		m.assign(p.e, valueOf(p.text(value), m.kind))
	default:
		p.e.Attrs = append(p.e.Attrs, String(p.text(key), p.text(value)))
	}
}

func (p *parser) checkpoint(number protowire.Number, s span) {
	switch number {
	case 2:
		p.e.Checkpoint = p.text(s)
	case 3:
		p.e.Payload = p.b[s.from:s.to:s.to]
	case 7:
		p.compression(s)
	case 8:
		p.entry(s)
	}
}

// compression reads a CompressionInfo.
func (p *parser) compression(s span) {
	for at := s.from; at < s.to; {
		if number, v, _ := p.next(&at); number == 1 {
			p.packed = v
		}
	}
}

// decompress replaces a compressed state by the state.
func (p *parser) decompress() error {
	if p.packed != uint64(eventpb.CompressionType_COMPRESSION_ZSTD) {
		return fmt.Errorf("%w: a state compressed by method %d", eventpb.ErrUnknownCompression, p.packed)
	}
	state, err := p.codec.Decompress(p.e.Payload)
	if err != nil {
		return err
	}
	p.e.Payload = state
	return nil
}

// setHeader takes over what travels beside a record.
func setHeader(e *Event, key, value string) {
	switch key {
	case HeaderTraceparent:
		e.Trace.Traceparent = value
	case HeaderTracestate:
		e.Trace.Tracestate = value
	case HeaderBaggage:
		e.Trace.Baggage = value
	case HeaderTenant:
		e.Tenant = value
	case HeaderClock:
		e.Clock = ClockFault(value)
	}
}
