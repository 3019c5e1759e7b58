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

// member is a field of Event that travels as an attribute, or as text where a message has only text. Kinds in own have a place for it
// already.
type member struct {
	name string
	kind Kind
	own  []kind
	get  func(*Event) Value
	set  func(*Event, Value)
}

var members = [...]member{
	{"dash.type", KindString, nil,
		func(e *Event) Value {
			if v := variantOf(e.Type); v.named {
				return textValue(string(e.Type))
			}
			return Value{}
		},
		func(e *Event, v Value) { e.Type = Type(v.str) }},
	{"dash.name", KindString, nil, func(e *Event) Value { return textValue(e.Name) }, func(e *Event, v Value) { e.Name = v.str }},
	{"dash.run", KindString, nil, func(e *Event) Value { return textValue(e.Run) }, func(e *Event, v Value) { e.Run = v.str }},
	{"dash.node", KindString, []kind{kindEvent}, func(e *Event) Value { return textValue(e.Node) }, func(e *Event, v Value) { e.Node = v.str }},
	{"dash.path", KindString, nil, func(e *Event) Value { return textValue(e.Path) }, func(e *Event, v Value) { e.Path = v.str }},
	{"dash.step", KindInt, nil, func(e *Event) Value { return intValue(int64(e.Step)) }, func(e *Event, v Value) { e.Step = int(v.Int()) }},
	{"dash.attempt", KindInt, nil, func(e *Event) Value { return intValue(int64(e.Attempt)) }, func(e *Event, v Value) { e.Attempt = int(v.Int()) }},
	{"dash.n", KindInt, nil, func(e *Event) Value { return intValue(int64(e.N)) }, func(e *Event, v Value) { e.N = uint32(v.Int()) }},
	{"dash.duration_us", KindInt, []kind{kindEvent},
		func(e *Event) Value { return intValue(e.Duration.Microseconds()) },
		func(e *Event, v Value) { e.Duration = time.Duration(v.Int()) * time.Microsecond }},
	{"dash.status", KindString, nil, func(e *Event) Value { return textValue(e.Status) }, func(e *Event, v Value) { e.Status = v.str }},
	{"dash.checkpoint", KindString, []kind{kindCheckpoint},
		func(e *Event) Value { return textValue(e.Checkpoint) }, func(e *Event, v Value) { e.Checkpoint = v.str }},
	{"dash.code", KindString, []kind{kindError}, func(e *Event) Value { return textValue(e.Error.Code) }, func(e *Event, v Value) { e.Error.Code = v.str }},
	{"dash.message", KindString, []kind{kindError},
		func(e *Event) Value { return textValue(e.Error.Message) }, func(e *Event, v Value) { e.Error.Message = v.str }},
	{"dash.retryable", KindBool, nil,
		func(e *Event) Value {
			if e.Error.isZero() {
				return Value{}
			}
			return boolValue(e.Error.Retryable)
		},
		func(e *Event, v Value) { e.Error.Retryable = v.Bool() }},
	{"dash.cause", KindStrings, nil,
		func(e *Event) Value {
			if len(e.Error.Cause) == 0 {
				return Value{}
			}
			return Value{kind: KindStrings, list: e.Error.Cause}
		},
		func(e *Event, v Value) { e.Error.Cause = v.list }},
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
