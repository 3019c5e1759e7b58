package streaming

import (
	"strings"
	"time"

	"github.com/dashhost/dashhost/streaming/eventpb"
)

// kind is the message that an event becomes: its number in DashStreamMessage, which is that of the header's type too.
type kind uint8

const (
	kindEvent      = kind(eventpb.MessageType_MESSAGE_TYPE_EVENT)
	kindToken      = kind(eventpb.MessageType_MESSAGE_TYPE_TOKEN_CHUNK)
	kindCheckpoint = kind(eventpb.MessageType_MESSAGE_TYPE_CHECKPOINT)
	kindError      = kind(eventpb.MessageType_MESSAGE_TYPE_ERROR)
)

// variant is how a type travels. Where several types share an event type, all but the first are named in dash.type.
type variant struct {
	typ   Type
	kind  kind
	event eventpb.EventType
	named bool
}

var variants = [...]variant{
	{TypeNodeStart, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_START, false},
	{TypeNodeEnd, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_END, false},
	{TypeCheckpoint, kindEvent, eventpb.EventType_EVENT_TYPE_CHECKPOINT_SAVE, false},
	{TypeToken, kindToken, 0, false},
	{TypeRunStart, kindEvent, eventpb.EventType_EVENT_TYPE_GRAPH_START, false},
	{TypeRunEnd, kindEvent, eventpb.EventType_EVENT_TYPE_GRAPH_END, false},
	{TypeRunError, kindEvent, eventpb.EventType_EVENT_TYPE_GRAPH_ERROR, false},
	{TypeRunStop, kindEvent, eventpb.EventType_EVENT_TYPE_GRAPH_END, true},
	{TypeNodeError, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_ERROR, false},
	{TypeWarning, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_WARNING, false},
	{TypeNodeRetry, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_WARNING, true},
	{TypeInterrupt, kindEvent, eventpb.EventType_EVENT_TYPE_HUMAN_INTERRUPT, false},
	{TypeAnswer, kindEvent, eventpb.EventType_EVENT_TYPE_HUMAN_RESUME, false},
	{TypeProgress, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_PROGRESS, false},
	{TypeGuest, kindEvent, eventpb.EventType_EVENT_TYPE_NODE_PROGRESS, true},
	{TypeError, kindError, 0, false},
	{TypeState, kindCheckpoint, 0, false},
}

// variantOf returns the zero variant for an unknown type.
func variantOf(t Type) variant {
	for i := range variants {
		if variants[i].typ == t {
			return variants[i]
		}
	}
	return variant{}
}

// typeOf returns the type of an event type that is not named, its own name in lower case for one that this package never sends.
func typeOf(event eventpb.EventType) Type {
	for i := range variants {
		if variants[i].kind == kindEvent && variants[i].event == event && !variants[i].named {
			return variants[i].typ
		}
	}
	return Type(strings.ToLower(strings.TrimPrefix(event.String(), "EVENT_TYPE_")))
}

// member is a field of Event that travels as an attribute, or as text where a message has only text. It is text, a number, or what
// get and set make of it. Kinds in own have a place for it already.
type member struct {
	name string
	own  kinds
	kind Kind

	text   func(*Event) *string
	num    func(*Event) int64
	setNum func(*Event, int64)
	get    func(*Event) Value
	set    func(*Event, Value)
}

// kinds is a set of kinds.
type kinds uint16

func setOf(k kind) kinds { return 1 << k }

func text(name string, own kinds, at func(*Event) *string) member {
	return member{name: name, own: own, kind: KindString, text: at}
}

func number(name string, own kinds, get func(*Event) int64, set func(*Event, int64)) member {
	return member{name: name, own: own, kind: KindInt, num: get, setNum: set}
}

var members = [...]member{
	{name: "dash.type", kind: KindString,
		get: func(e *Event) Value {
			if v := variantOf(e.Type); v.named {
				return textValue(string(e.Type))
			}
			return Value{}
		},
		set: func(e *Event, v Value) { e.Type = Type(v.str) }},
	text("dash.name", 0, func(e *Event) *string { return &e.Name }),
	text("dash.run", 0, func(e *Event) *string { return &e.Run }),
	text("dash.node", setOf(kindEvent), func(e *Event) *string { return &e.Node }),
	text("dash.path", 0, func(e *Event) *string { return &e.Path }),
	number("dash.step", 0, func(e *Event) int64 { return int64(e.Step) }, func(e *Event, n int64) { e.Step = int(n) }),
	number("dash.attempt", 0, func(e *Event) int64 { return int64(e.Attempt) }, func(e *Event, n int64) { e.Attempt = int(n) }),
	number("dash.n", 0, func(e *Event) int64 { return int64(e.N) }, func(e *Event, n int64) { e.N = uint32(n) }),
	number("dash.duration_us", setOf(kindEvent), func(e *Event) int64 { return e.Duration.Microseconds() },
		func(e *Event, n int64) { e.Duration = time.Duration(n) * time.Microsecond }),
	text("dash.status", 0, func(e *Event) *string { return &e.Status }),
	text("dash.checkpoint", setOf(kindCheckpoint), func(e *Event) *string { return &e.Checkpoint }),
	text("dash.code", setOf(kindError), func(e *Event) *string { return &e.Error.Code }),
	text("dash.message", setOf(kindError), func(e *Event) *string { return &e.Error.Message }),
	{name: "dash.retryable", kind: KindBool,
		get: func(e *Event) Value {
			if e.Error.isZero() {
				return Value{}
			}
			return boolValue(e.Error.Retryable)
		},
		set: func(e *Event, v Value) { e.Error.Retryable = v.Bool() }},
	{name: "dash.cause", kind: KindStrings,
		get: func(e *Event) Value {
			if len(e.Error.Cause) == 0 {
				return Value{}
			}
			return Value{kind: KindStrings, list: e.Error.Cause}
		},
		set: func(e *Event, v Value) { e.Error.Cause = v.list }},
}

// value is none for a zero.
func (m *member) value(e *Event) Value {
	switch {
	case m.text != nil:
		return textValue(*m.text(e))
	case m.num != nil:
		return intValue(m.num(e))
	}
	return m.get(e)
}

// assign sets the field; v has the member's kind.
func (m *member) assign(e *Event, v Value) {
	switch {
	case m.text != nil:
		*m.text(e) = v.str
	case m.setNum != nil:
		m.setNum(e, v.Int())
	default:
		m.set(e, v)
	}
}

// memberOf finds the member of a name.
func memberOf(name string) *member {
	if !strings.HasPrefix(name, reserved) {
		return nil
	}
	for i := range members {
		if members[i].name == name {
			return &members[i]
		}
	}
	return nil
}

// payloadName is the attribute that holds the payload. It is no member, because it is bytes in an Event and text on the wire.
const payloadName = "dash.payload"
