package host_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/openurl"
	"github.com/dashhost/dashhost/streaming"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/memsink"
)

const streamed = `
channels: {v: {}}
nodes: {a: {native: a, writes: [v], grants: {telemetry: {names: ["scan.*", tokens]}}}}
edges: [{from: START, to: a}]
stream: {url: "mem:"}
`

// TestStream: lifecycle events carry the numbers and ids of the log, live ones
// task, attempt and number; everything is accounted for.
func TestStream(t *testing.T) {
	sink := memsink.New(nil)
	h := newHost(t, &host.Options{OpenStream: func(context.Context, string) (driver.Sink, error) { return sink, nil }})
	g := load(t, h, project(t, streamed), host.Nodes{"a": func(task *host.Task) error {
		if err := task.Emit("scan.found", []byte(`{"n":9007199254740993}`)); err != nil {
			return err
		}
		if err := task.Emit("other", []byte(`1`)); abi.ErrnoOf(err) != abi.Denied {
			t.Errorf("a name that is not granted: %v", err)
		}
		if err := task.Emit("scan.found", []byte(`{`)); abi.ErrnoOf(err) != abi.Invalid {
			t.Errorf("a payload that is not JSON: %v", err)
		}
		if err := task.Stream("tokens", "hello"); err != nil {
			return err
		}
		return task.Write([]byte(`{"v":1}`))
	}})
	run, err := h.Start(t.Context(), g, []byte(`{}`), &host.RunOptions{Thread: "t"})
	if err != nil {
		t.Fatal(err)
	}
	var told []host.Event
	for e := range run.Events() {
		told = append(told, e)
	}
	wait(t, run, nil)
	s, err := h.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, incarnation := s.ID()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	total := h.StreamReport().Total()
	if total.Produced != total.Delivered || total.Dropped != 0 || total.Waiting != 0 {
		t.Errorf("report %v", total)
	}
	dec := streaming.NewDecoder(0)
	defer dec.Close()
	var lifecycle, live []streaming.Event
	for _, rec := range records(sink) {
		var e streaming.Event
		if err := dec.Decode(&rec, &e); err != nil {
			t.Fatal(err)
		}
		if e.Seq > 0 {
			lifecycle = append(lifecycle, e)
		} else {
			live = append(live, e)
		}
	}
	for i, e := range lifecycle {
		if e.Seq != uint64(i+1) || e.ID != streaming.LifecycleID(id, incarnation, "t", e.Seq) || e.Thread != "t" {
			t.Errorf("lifecycle event %d: %+v", i, e)
		}
	}
	// Iterators are told of steps, not of the checkpoint that an input makes.
	if len(lifecycle) != len(told)+1 || lifecycle[0].Type != streaming.TypeRunStart || lifecycle[len(lifecycle)-1].Type != streaming.TypeRunEnd {
		t.Errorf("%d lifecycle events, told %d", len(lifecycle), len(told))
	}
	if len(live) != 2 || live[0].Name != "scan.found" || string(live[0].Payload) != `{"n":9007199254740993}` || live[0].Attempt != 1 || live[0].N != 0 ||
		live[1].Type != streaming.TypeToken || live[1].Text != "hello" || live[1].N != 1 {
		t.Errorf("live events %+v", live)
	}
	if i := slices.IndexFunc(lifecycle, func(e streaming.Event) bool { return e.Type == streaming.TypeNodeEnd }); i < 0 || len(lifecycle[i].Attrs) == 0 {
		t.Error("the end of the node does not say how many live events there were")
	}
}

func records(s *memsink.Sink) []driver.Record {
	var out []driver.Record
	for _, r := range s.Records() {
		out = append(out, r.Record)
	}
	return out
}

func TestStreamNeedsAnOpener(t *testing.T) {
	h := newHost(t, nil)
	var scheme *host.SchemeError
	if _, err := h.Load(t.Context(), project(t, streamed), &host.LoadOptions{Nodes: host.Nodes{"a": func(*host.Task) error { return nil }}}); !errors.As(err, &scheme) {
		t.Errorf("%v", err)
	}
	if _, err := openurl.Stream(t.Context(), "ftp:x", nil); !errors.As(err, &scheme) {
		t.Errorf("%v", err)
	}
}
