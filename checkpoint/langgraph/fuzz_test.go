package langgraph

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// FuzzServe: whatever a client sends, each line that is not empty gets one reply that is JSON, and the server ends when the input does.
func FuzzServe(f *testing.F) {
	f.Add(`{"id":1,"op":"put","thread":"t","checkpoint":{"id":"a","value":{"type":"x","data":""},"metadata":{"type":"x","data":""},"versions":{"c":1}},"values":[{"channel":"c","version":1}]}`)
	f.Add(`{"id":1,"op":"put_writes","thread":"t","checkpoint_id":"a","task":"x","writes":[{"index":-1,"channel":"c","value":{"type":"x","data":"AA=="}}]}` + "\n" + `{"id":2,"op":"list"}`)
	f.Add(`{"id":1,"op":"list","cursor":{"thread":"","id":"","ns":""},"filter":{"a":{"b":[1,1.0,1e400]}}}`)
	f.Add("{}\n[]\n\n\xff")
	f.Fuzz(func(t *testing.T, in string) {
		store := checkpoint.New(memstore.New(), nil)
		defer store.Close()
		var out strings.Builder
		in = `{"id":0,"op":"hello","protocol":1}` + "\n" + in
		if err := New(store, &Options{MaxLine: 4096}).Serve(context.Background(), strings.NewReader(in), &out); err != nil {
			t.Fatal(err)
		}
		want := 0
		for line := range strings.Lines(in) {
			if strings.TrimSpace(line) != "" {
				want++
			}
		}
		got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(got) != want {
			t.Fatalf("%d replies to %d lines", len(got), want)
		}
		for _, line := range got {
			if !json.Valid([]byte(line)) {
				t.Fatalf("not JSON: %q", line)
			}
		}
	})
}

// FuzzRecord: bytes that are no record are an error, and a record is what it was.
func FuzzRecord(f *testing.F) {
	h := header{parent: "p", checkpoint: *val("c"), metadata: *val("m"), fields: []byte("{}"), versions: map[string]string{"a": "1"}}
	f.Add(h.record("", "x", nil).Meta)
	w := taskWrites{task: "t", path: "p", writes: []writeMessage{{Index: -3, Channel: "c", Value: val("v")}}}
	f.Add(w.record("", "x").Parts[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHeader(b); err == nil {
			again, err := parseHeader(h.record("", "x", nil).Meta)
			if err != nil || again.parent != h.parent || len(again.versions) != len(h.versions) {
				t.Errorf("%+v, %v, want %+v", again, err, h)
			}
		}
		if _, err := parseWrites(&checkpoint.Record{Meta: w.record("", "x").Meta, Parts: [][]byte{b}}); err != nil {
			return
		}
		if _, err := decodeValue(b); err != nil {
			return
		}
	})
}
