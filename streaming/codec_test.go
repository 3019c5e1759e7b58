package streaming_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/eventpb"
	"github.com/dashhost/dashhost/streaming/memsink"
)

func decodeAll(t testing.TB, records []memsink.Record) []streaming.Event {
	t.Helper()
	d := streaming.NewDecoder(0)
	defer d.Close()
	all := make([]streaming.Event, len(records))
	for i := range records {
		if err := d.Decode(&records[i].Record, &all[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	return all
}

// send publishes one event and returns its record.
func send(t testing.TB, e *streaming.Event) memsink.Record {
	t.Helper()
	mem := memsink.New(nil)
	p, s := newStream(t, mem, nil, nil)
	if err := s.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	shut(t, p)
	return mem.Records()[0]
}

var sameEvent = cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(streaming.Value{})}

// full is an event of a type with everything that travels with that type.
func full(typ streaming.Type) *streaming.Event {
	e := &streaming.Event{
		Type: typ, Thread: "thread é", Node: "node", Seq: 7, ID: [16]byte{1, 15: 2}, Time: 1_700_000_000_123_456,
		Task: [16]byte{9, 15: 8}, Attempt: 3, N: 12, Tenant: "tenant-a",
		Trace: streaming.Trace{Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Tracestate: "a=1,b=2", Baggage: "user=é"},
	}
	if typ == streaming.TypeToken {
		e.Text, e.Label, e.Final = "some text\n", "answer: a", true
		return e
	}
	e.Name, e.Run, e.Path, e.Step, e.Duration, e.Status, e.Checkpoint = "guest name", "01HRUN", "each:3", 5, 1500*time.Microsecond, "failed", "01HCHECKPOINT"
	e.Error = streaming.Error{Code: "timeout", Message: "too slow", Retryable: true, Cause: []string{"a\nb", "c", ""}}
	e.Payload = []byte(`{"a": [1, 2.50, 9007199254740993]}`)
	e.Attrs = []streaming.Attr{streaming.String("s", ""), streaming.String("s2", "x")}
	if typ != streaming.TypeError && typ != streaming.TypeState {
		e.Attrs = append(e.Attrs, streaming.Int("i", -1), streaming.Int("zero", 0), streaming.Float("f", -0.5), streaming.Bool("b", true),
			streaming.Bool("no", false), streaming.Strings("l", []string{"", "x"}), streaming.Strings("none", nil))
	}
	return e
}

var allTypes = []streaming.Type{
	streaming.TypeRunStart, streaming.TypeRunEnd, streaming.TypeRunError, streaming.TypeRunStop, streaming.TypeNodeStart, streaming.TypeNodeEnd,
	streaming.TypeNodeRetry, streaming.TypeNodeError, streaming.TypeCheckpoint, streaming.TypeInterrupt, streaming.TypeAnswer, streaming.TypeState,
	streaming.TypeGuest, streaming.TypeProgress, streaming.TypeWarning, streaming.TypeToken, streaming.TypeError,
}

func TestEveryTypeComesBackWhole(t *testing.T) {
	for _, typ := range allTypes {
		for _, e := range []*streaming.Event{full(typ), {Type: typ, Thread: "t", Checkpoint: "c", Time: 1, ID: [16]byte{1}}} {
			if typ == streaming.TypeToken {
				e.Checkpoint = ""
			}
			r := send(t, e)
			got := decodeAll(t, []memsink.Record{r})[0]
			if diff := cmp.Diff(*e, got, sameEvent); diff != "" {
				t.Errorf("%s (-sent +received):\n%s", typ, diff)
			}
			if string(r.Key) != e.Thread || r.ID != e.ID || r.Time != e.Time {
				t.Errorf("%s: record %+v", typ, r)
			}
		}
	}
}

// The generated messages are the oracle of the writer: they read what it wrote and would write the same bytes.
func TestEncodedAsTheGeneratedCodeWould(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	for _, typ := range allTypes {
		r := send(t, full(typ))
		m, err := codec.Decode(r.Value)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		h := eventpb.HeaderOf(m)
		if int32(h.GetType()) == 0 || h.GetSchemaVersion() != 1 || h.GetThreadId() != "thread é" || h.GetTenantId() != "tenant-a" || h.GetSequence() != 7 {
			t.Errorf("%s: header %v", typ, h)
		}
		if compressed := r.Value[0] == eventpb.FrameZstd; compressed != (h.GetCompression() == eventpb.CompressionType_COMPRESSION_ZSTD) {
			t.Errorf("%s: frame byte %d, header says %v", typ, r.Value[0], h.GetCompression())
		}
		payload, err := codec.Payload(nil, r.Value)
		if err != nil {
			t.Fatal(err)
		}
		again, err := codec.Encode(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := codec.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		other, err := codec.Payload(nil, again)
		if err != nil || !proto.Equal(m, back) || len(other) != len(payload) {
			t.Errorf("%s: %d bytes, through the generated code %d (%v)", typ, len(payload), len(other), err)
		}
	}
}

func TestErrorIsAMessageOfItsOwn(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	m, err := codec.Decode(send(t, full(streaming.TypeError)).Value)
	if err != nil {
		t.Fatal(err)
	}
	e := m.GetError()
	if e.GetErrorCode() != "timeout" || e.GetMessage() != "too slow" || e.GetSeverity() != eventpb.Error_SEVERITY_ERROR ||
		e.GetContext()["dash.node"] != "node" || e.GetContext()["dash.retryable"] != "true" || e.GetContext()["dash.duration_us"] != "1500" {
		t.Errorf("%v", e)
	}
}

// A lifecycle error says all there is to say, with types.
func TestLesson15_NodeErrorIsWhole(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	m, err := codec.Decode(send(t, full(streaming.TypeNodeError)).Value)
	if err != nil {
		t.Fatal(err)
	}
	e := m.GetEvent()
	a := e.GetAttributes()
	if e.GetEventType() != eventpb.EventType_EVENT_TYPE_NODE_ERROR || e.GetNodeId() != "node" || e.GetDurationUs() != 1500 ||
		a["dash.code"].GetStringValue() != "timeout" || a["dash.message"].GetStringValue() != "too slow" ||
		a["dash.attempt"].GetIntValue() != 3 || !a["dash.retryable"].GetBoolValue() || len(a["dash.cause"].GetArrayValue().GetValues()) != 3 {
		t.Errorf("%v", e)
	}
}

func TestStateIsCompressedAndSummed(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	for _, n := range []int{0, 511, 512, 100_000} {
		state := []byte(`"` + string(bytes.Repeat([]byte("x"), max(n-2, 0))) + `"`)
		e := &streaming.Event{Type: streaming.TypeState, Thread: "t", Checkpoint: "c", Payload: state}
		r := send(t, e)
		m, err := codec.Decode(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		info := m.GetCheckpoint().GetCompressionInfo()
		if (info != nil) != (len(state) >= 512) || info != nil && (info.GetUncompressedSize() != uint64(len(state)) || info.GetCompressedSize() != uint64(len(m.GetCheckpoint().GetState()))) {
			t.Errorf("%d bytes: %v", len(state), info)
		}
		if got := decodeAll(t, []memsink.Record{r})[0]; !bytes.Equal(got.Payload, state) {
			t.Errorf("%d bytes came back as %d", len(state), len(got.Payload))
		}
	}
}

// What is said about an event when it is made arrives, whatever happens to the caller's memory and context afterwards.
func TestLesson02_HeadersArriveAsTheyWereMade(t *testing.T) {
	mem := memsink.New(nil)
	sink, open := gate(mem)
	p, s := newStream(t, sink, nil, nil)
	type pair struct{ key, value string }
	var want [][]pair
	e := full(streaming.TypeNodeEnd)
	for i := range 10 {
		e.Trace = streaming.Trace{Traceparent: fmt.Sprint("00-", i), Tracestate: fmt.Sprint("s=", i), Baggage: fmt.Sprint("b=", i)}
		e.Tenant = fmt.Sprint("tenant ", i)
		if err := s.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want = append(want, []pair{{"baggage", e.Trace.Baggage}, {"tenant_id", e.Tenant}, {"traceparent", e.Trace.Traceparent}, {"tracestate", e.Trace.Tracestate}})
		e.Trace, e.Tenant = streaming.Trace{}, ""
		clear(e.Payload)
		e.Payload = []byte("{}")
	}
	open()
	shut(t, p)
	var got [][]pair
	for _, r := range mem.Records() {
		var one []pair
		for _, h := range r.Headers {
			one = append(one, pair{h.Key, string(h.Value)})
		}
		slices.SortFunc(one, func(a, b pair) int { return bytes.Compare([]byte(a.key+a.value), []byte(b.key+b.value)) })
		got = append(got, one)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(pair{})); diff != "" {
		t.Errorf("headers as multisets (-made +received):\n%s", diff)
	}
}

func TestBadEventsAreNamedAndCounted(t *testing.T) {
	bad := "\xff"
	cases := map[string]*streaming.Event{
		"Type":          {Thread: "t"},
		"Thread":        {Type: streaming.TypeRunEnd, Thread: " \t"},
		"Checkpoint":    {Type: streaming.TypeState, Thread: "t"},
		"Node":          {Type: streaming.TypeRunEnd, Thread: "t", Node: bad},
		"Node: colon":   {Type: streaming.TypeToken, Thread: "t", Node: "a:b"},
		"Payload":       {Type: streaming.TypeRunEnd, Thread: "t", Payload: []byte(bad)},
		"Error.Cause":   {Type: streaming.TypeRunEnd, Thread: "t", Error: streaming.Error{Cause: []string{bad}}},
		"Text":          {Type: streaming.TypeToken, Thread: "t", Text: bad},
		"Attrs":         {Type: streaming.TypeRunEnd, Thread: "t", Attrs: []streaming.Attr{streaming.Int("dash.step", 1)}},
		"Attrs: not":    {Type: streaming.TypeRunEnd, Thread: "t", Attrs: []streaming.Attr{streaming.Strings("l", []string{bad})}},
		"Step, Attempt": {Type: streaming.TypeRunEnd, Thread: "t", Step: -1},
	}
	p, s := newStream(t, memsink.New(nil), nil, nil)
	for field, e := range cases {
		err := s.Publish(t.Context(), e)
		var event *streaming.EventError
		if !errors.As(err, &event) || !errors.Is(err, streaming.ErrEvent) || field[:4] != event.Field[:4] {
			t.Errorf("%s: %v", field, err)
		}
	}
	if c := shut(t, p); c.Reasons[streaming.Invalid] != uint64(len(cases)) || c.Produced != uint64(len(cases)) {
		t.Errorf("%s", c)
	}
}

// Any event that can be published comes back as it was.
func TestRapidRoundTrip(t *testing.T) {
	mem := memsink.New(&memsink.Options{Max: 1})
	p, s := newStream(t, mem, nil, nil)
	defer shut(t, p)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		e := full(rapid.SampledFrom(allTypes).Draw(t, "type"))
		e.Thread = "t" + text.Draw(t, "thread")
		e.Tenant, e.Node = text.Draw(t, "tenant"), rapid.StringMatching(`[a-z]*`).Draw(t, "node")
		e.Seq, e.Attempt = rapid.Uint64().Draw(t, "seq"), rapid.IntRange(0, 1<<31-1).Draw(t, "attempt")
		if e.Type == streaming.TypeToken {
			e.Text, e.Label = text.Draw(t, "text"), text.Draw(t, "label")
		} else {
			e.Step = rapid.IntRange(0, 1<<40).Draw(t, "step")
			e.Error.Cause = rapid.SliceOf(text).Draw(t, "cause")
			e.Payload, _ = json.Marshal(rapid.SliceOfN(text, 0, 200).Draw(t, "payload"))
			e.Attrs = append(e.Attrs, streaming.String("drawn "+text.Draw(t, "name"), text.Draw(t, "value")))
		}
		if err := s.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := streaming.NewDecoder(0)
		defer d.Close()
		var got streaming.Event
		if err := d.Decode(&mem.Records()[0].Record, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*e, got, sameEvent); diff != "" {
			t.Fatalf("(-sent +received):\n%s", diff)
		}
	})
}

// Messages of other producers.
func TestDecodeForeignMessages(t *testing.T) {
	codec := eventpb.NewCodec(nil)
	defer codec.Close()
	d := streaming.NewDecoder(0)
	defer d.Close()
	header := &eventpb.Header{ThreadId: "t", Sequence: 3, TimestampUs: 5, MessageId: []byte("short")}
	attrs := map[string]*eventpb.AttributeValue{
		"nested": {Value: &eventpb.AttributeValue_MapValue{MapValue: &eventpb.AttributeMap{}}},
		"mixed":  {Value: &eventpb.AttributeValue_ArrayValue{ArrayValue: &eventpb.AttributeArray{Values: []*eventpb.AttributeValue{{Value: &eventpb.AttributeValue_IntValue{IntValue: 1}}}}}},
		"unset":  {},
		// a member's name with another kind is no member
		"dash.step": {Value: &eventpb.AttributeValue_StringValue{StringValue: "x"}},
	}
	for name, c := range map[string]struct {
		m    *eventpb.DashStreamMessage
		typ  streaming.Type
		kept int
		bad  bool
	}{
		"event":     {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{Header: header, EventType: 20, Attributes: attrs}}}, typ: "edge_traversal", kept: 4},
		"unset":     {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{Header: header}}}, typ: "unspecified"},
		"unknown":   {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{Header: header, EventType: 12345}}}, typ: "12345"},
		"metrics":   {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Metrics{Metrics: &eventpb.Metrics{Header: header}}}, typ: "metrics"},
		"token":     {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_TokenChunk{TokenChunk: &eventpb.TokenChunk{Header: header, RequestId: "req-9"}}}, typ: streaming.TypeToken},
		"headless":  {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{}}}, bad: true},
		"version 2": {m: &eventpb.DashStreamMessage{Message: &eventpb.DashStreamMessage_Event{Event: &eventpb.Event{Header: &eventpb.Header{SchemaVersion: 2}}}}, bad: true},
		"nothing":   {m: &eventpb.DashStreamMessage{}, bad: true},
	} {
		frame, err := codec.Encode(nil, c.m)
		if err != nil {
			t.Fatal(err)
		}
		var e streaming.Event
		err = d.Decode(&driver.Record{Value: frame}, &e)
		if errors.Is(err, streaming.ErrEvent) != c.bad || (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
		if !c.bad && (e.Type != c.typ || e.Thread != "t" || e.Seq != 3 || len(e.Attrs) != c.kept || e.Step != 0) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, typ := range allTypes {
		f.Add(send(f, full(typ)).Value)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		d := streaming.NewDecoder(1 << 16)
		defer d.Close()
		var e streaming.Event
		if err := d.Decode(&driver.Record{Value: frame}, &e); err != nil {
			return
		}
		var again streaming.Event
		if err := d.Decode(&driver.Record{Value: frame}, &again); err != nil || cmp.Diff(e, again, sameEvent) != "" {
			t.Errorf("decoded twice: %v", err)
		}
	})
}
