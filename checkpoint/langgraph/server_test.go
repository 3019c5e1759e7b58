package langgraph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestExample is the conversation of the package comment.
func TestExample(t *testing.T) {
	everywhere(t, func(t *testing.T, c *client) {
		first := putOf("t", "", "1f0a-1", "", obj{"source": "input"}, obj{"messages": "001.3", "step": "001.3"}, []obj{
			{"channel": "messages", "version": "001.3", "value": val("[]")}, {"channel": "step", "version": "001.3", "value": val("1")},
		})
		c.ok(t, first, nil)
		c.ok(t, putOf("t", "", "1f0a-2", "1f0a-1", obj{"source": "loop"}, obj{"messages": "002.7", "step": "001.3"}, []obj{
			{"channel": "messages", "version": "002.7", "value": val("[1]")},
		}), nil)
		c.ok(t, writesOf("t", "", "1f0a-2", "5b6f", "~__pregel_pull, node", write(0, "messages", "[2]")), nil)
		got := c.tuple(t, "t", "", "")
		if got.ID != "1f0a-2" || got.Parent != "1f0a-1" || len(got.Values) != 2 || string(got.Values[0].Value.Data) != "[1]" ||
			string(got.Values[1].Value.Data) != "1" || len(got.Writes) != 1 || got.Writes[0].Task != "5b6f" {
			t.Errorf("%+v", got)
		}
	})
}

// TestHandshake: nothing is done before hello, and none but this version is spoken.
func TestHandshake(t *testing.T) {
	c := open(serve(t, memstore.New(), nil))
	defer c.close(t)
	c.fails(t, codeHandshake, obj{"op": "list"})
	if text := c.fails(t, codeVersion, obj{"op": "hello", "protocol": 2}); !strings.Contains(text, "this server speaks 1") {
		t.Errorf("%s", text)
	}
	c.fails(t, codeHandshake, obj{"op": "list"})
	var h helloReply
	c.ok(t, obj{"op": "hello", "protocol": 1}, &h)
	if h.Protocol != 1 || h.MaxLine != 64<<20 || len(h.Store) != 32 {
		t.Errorf("%+v", h)
	}
	c.fails(t, codeHandshake, obj{"op": "hello", "protocol": 1})
	c.ok(t, obj{"op": "list"}, nil)
}

// TestMisuse: whatever comes, its reply says what is wrong, nothing is kept of it, and the next request is served.
func TestMisuse(t *testing.T) {
	c := connect(t, serve(t, memstore.New(), nil))
	defer c.close(t)
	long := strings.Repeat("x", 5000)
	put := func(change func(q, checkpoint obj)) obj {
		q := putOf("t", "", "a", "", obj{}, obj{"c": 1}, []obj{{"channel": "c", "version": 1, "value": val("1")}})
		change(q, q["checkpoint"].(obj))
		return q
	}
	for _, m := range []struct {
		code string
		q    obj
	}{
		{codeInvalid, obj{"op": "rewind"}},
		{codeInvalid, obj{}},
		{codeInvalid, obj{"op": "put"}},
		{codeInvalid, obj{"op": "put", "thread": "t"}},
		{codeInvalid, obj{"op": "get_tuple"}},
		{codeInvalid, obj{"op": "get_tuple", "thread": ""}},
		{codeInvalid, obj{"op": "delete_thread"}},
		{codeInvalid, obj{"op": "copy_thread", "from": "t"}},
		{codeInvalid, obj{"op": "prune", "threads": []string{"t"}}},
		{codeInvalid, obj{"op": "prune", "strategy": "keep_first"}},
		{codeInvalid, obj{"op": "prune", "threads": []string{""}, "strategy": "delete"}},
		{codeInvalid, obj{"op": "delete_for_runs", "runs": []string{""}}},
		{codeMalformed, obj{"op": "list", "limits": 1}},
		{codeMalformed, obj{"op": "list", "limit": "1"}},
		{codeMalformed, obj{"op": "list", "limit": 1.5}},
		{codeMalformed, obj{"op": []int{1}}},
		{codeInvalid, put(func(q, _ obj) { q["thread"] = "a\x00b" })},
		{codeInvalid, put(func(q, _ obj) { q["thread"] = "a\ufffdb" })},
		{codeTooLarge, put(func(q, _ obj) { q["thread"] = long })},
		{codeTooLarge, put(func(q, _ obj) { q["ns"] = long })},
		{codeInvalid, put(func(_, c obj) { c["id"] = "" })},
		{codeInvalid, put(func(_, c obj) { c["id"] = "a\nb" })},
		{codeTooLarge, put(func(_, c obj) { c["id"] = long })},
		{codeTooLarge, put(func(_, c obj) { c["parent"] = long })},
		{codeInvalid, put(func(_, c obj) { c["value"] = obj{"data": ""} })},
		{codeMalformed, put(func(_, c obj) { c["value"] = obj{"type": "x", "data": "not base64"} })},
		{codeTooLarge, put(func(_, c obj) { c["metadata"] = obj{"type": long} })},
		{codeInvalid, put(func(_, c obj) { c["versions"] = obj{"c": true} })},
		{codeInvalid, put(func(_, c obj) { c["versions"] = obj{"c": nil} })},
		{codeInvalid, put(func(_, c obj) { c["versions"] = obj{"": 1} })},
		{codeTooLarge, put(func(_, c obj) { c["versions"] = obj{"c": long} })},
		{codeTooLarge, put(func(_, c obj) { c["fields"] = obj{"x": strings.Repeat("x", maxFields)} })},
		{codeMalformed, put(func(_, c obj) { c["fields"] = []int{1} })},
		{codeInvalid, put(func(q, _ obj) { q["values"] = []obj{{"channel": "c", "value": val("1")}} })},
		{codeInvalid, put(func(q, _ obj) { q["values"] = []obj{{"channel": "", "version": 1, "value": val("1")}} })},
		{codeInvalid, put(func(q, _ obj) { q["values"] = []obj{{"channel": "c", "version": 1, "value": obj{}}} })},
		{codeInvalid, put(func(q, _ obj) { q["values"] = []obj{{"channel": "c", "version": 1}, {"channel": "c", "version": 1}} })},
		{codeTooLarge, put(func(q, _ obj) { q["values"] = []obj{{"channel": long, "version": 1, "value": val("1")}} })},
		{codeTooLarge, put(func(q, _ obj) {
			q["values"] = []obj{{"channel": long[:250], "version": "1234567890", "value": val("1")}}
		})},
		{codeInvalid, writesOf("t", "", "", "task", "", write(0, "c", "1"))},
		{codeInvalid, writesOf("t", "", "a", "", "", write(0, "c", "1"))},
		{codeTooLarge, writesOf("t", "", "a", long, "", write(0, "c", "1"))},
		{codeTooLarge, writesOf("t", "", "a", "task", long, write(0, "c", "1"))},
		{codeInvalid, writesOf("t", "", "a", "task", "", write(1<<20, "c", "1"))},
		{codeInvalid, writesOf("t", "", "a", "task", "", write(0, "", "1"))},
		{codeInvalid, writesOf("t", "", "a", "task", "", obj{"index": 0, "channel": "c"})},
	} {
		if text := c.fails(t, m.code, m.q); text == "" {
			t.Errorf("%v: no text", m.q)
		}
	}
	for text, id := range map[string]bool{
		"": false, "x": false, "[]": false, "null": false, `{"id":7,"op":`: false, `{"id":"7","op":"list"}`: false, `{"op":"list"}`: false,
		`{"id":7,"op":"list"} {}`: false, `{"id":7,"op":"list","what":1}`: true, "{\"id\":7,\"op\":\"\xff\"}": false, strings.Repeat("[", 20000): false,
	} {
		if text == "" {
			continue // an empty line is no request
		}
		if a := c.line(t, []byte(text)); a.Error == nil || a.Error.Code != codeMalformed || (a.ID != nil) != id {
			t.Errorf("%.40q: %+v", text, a)
		}
	}
	if got := c.list(t, obj{}); len(got) > 0 {
		t.Errorf("kept of what was refused: %+v", got)
	}
}

// TestBrokenSurrogates: two names that JSON makes one are refused, not mixed up.
func TestBrokenSurrogates(t *testing.T) {
	c := connect(t, serve(t, memstore.New(), nil))
	defer c.close(t)
	for _, s := range []string{`\ud800`, `\udfff`} {
		if a := c.line(t, []byte(`{"id":1,"op":"get_tuple","thread":"`+s+`"}`)); a.Error == nil || a.Error.Code != codeInvalid {
			t.Errorf("%s: %+v", s, a)
		}
	}
}

// TestLongLine: a line over the limit is not kept in memory, is refused, and the next one is read.
func TestLongLine(t *testing.T) {
	c := connect(t, serve(t, memstore.New(), &Options{MaxLine: 1000}))
	defer c.close(t)
	for _, n := range []int{1000, 1001, 70000, 1 << 20} {
		a := c.line(t, []byte(`{"id":1,"op":"list","before":"`+strings.Repeat("x", n)+`"}`))
		if a.ID != nil || a.Error == nil || a.Error.Code != codeTooLarge || !strings.Contains(a.Error.Message, "1000 bytes") {
			t.Errorf("%d: %+v", n, a)
		}
		c.ok(t, obj{"op": "list"}, nil)
	}
	exact := `{"id":1,"op":"list","before":"`
	exact += strings.Repeat("x", 1000-1-2-len(exact)) + `"}`
	if a := c.line(t, []byte(exact)); a.Error != nil {
		t.Errorf("a line of exactly the limit: %+v", a)
	}
}

// TestHalfLine: a client that dies in the middle of a line has not asked for anything.
func TestHalfLine(t *testing.T) {
	store := checkpoint.New(memstore.New(), nil)
	defer store.Close()
	srv := New(store, nil)
	var out strings.Builder
	in := `{"id":0,"op":"hello","protocol":1}` + "\n" + `{"id":1,"op":"put_writes","thread":"t","checkpoint_id":"a","task":"x","writes":[{"index":0,"chan`
	if err := srv.Serve(context.Background(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], codeMalformed) {
		t.Errorf("%q", lines)
	}
	if _, err := store.Thread(context.Background(), "langgraph/t"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("half a line was carried out: %v", err)
	}
}

// gated is a driver whose commits become durable when the gate says so.
type gated struct {
	driver.Driver
	gate chan error
}

func (g *gated) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	c, err := g.Driver.Append(ctx, thread, e, recs)
	if err == nil {
		c.Wait = func(context.Context) error { return <-g.gate }
	}
	return c, err
}

// TestAcknowledgedIsDurable: no ok before the store has said so, other requests go on meanwhile, and a doubt is passed on.
func TestAcknowledgedIsDurable(t *testing.T) {
	g := &gated{Driver: memstore.New(), gate: make(chan error)}
	c := connect(t, serve(t, g, nil))
	defer c.close(t)
	send := func(id int64, q obj) {
		q["id"] = id
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.in.Write(append(b, '\n')); err != nil {
			t.Fatal(err)
		}
	}
	send(100, putOf("t", "", "a", "", nil, nil, nil))
	send(101, writesOf("t", "", "a", "task", "", write(0, "c", "1")))
	send(102, obj{"op": "get_tuple", "thread": "t"})
	if a := c.read(t); *a.ID != 102 || !strings.Contains(string(a.OK), `"task":"task"`) {
		t.Fatalf("a read waits for what is before it to be there, and not for the disk: %+v %s", a, a.OK)
	}
	g.gate <- nil
	first := c.read(t)
	if first.Error != nil || (*first.ID != 100 && *first.ID != 101) {
		t.Fatalf("%+v", first)
	}
	g.gate <- fmt.Errorf("fsync: %w", driver.ErrUnknown)
	if a := c.read(t); a.Error == nil || a.Error.Code != codeUnknown || *a.ID == *first.ID {
		t.Fatalf("%+v", a)
	}
}

// TestReplyNobodyReads: a client that went away ends its connection; what it asked for before is done.
func TestReplyNobodyReads(t *testing.T) {
	store := checkpoint.New(memstore.New(), nil)
	defer store.Close()
	r, w := io.Pipe()
	gone, closed := io.Pipe()
	gone.Close()
	done := make(chan error)
	go func() { done <- New(store, nil).Serve(context.Background(), r, closed) }()
	if _, err := io.WriteString(w, `{"id":0,"op":"hello","protocol":1}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v", err)
	}
	w.Close()
}

// TestStop: when the context ends, Serve returns although the client is silent.
func TestStop(t *testing.T) {
	store := checkpoint.New(memstore.New(), nil)
	defer store.Close()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- New(store, nil).Serve(ctx, r, io.Discard) }()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.Close()
}

// TestConcurrentClients: several clients of two servers put and write to one thread while others remove from it: nothing that was
// acknowledged and not removed is lost, and values survive the removal of the checkpoint that brought them.
func TestConcurrentClients(t *testing.T) {
	for name, fresh := range drivers(t) {
		t.Run(name, func(t *testing.T) { checkConcurrentClients(t, fresh()) })
	}
}

func checkConcurrentClients(t *testing.T, reopen func() driver.Driver) {
	const clients, each = 4, 15
	servers := []*Server{serve(t, reopen(), nil), serve(t, reopen(), nil)}
	var left atomic.Int64
	left.Store(clients)
	together(clients+1, func(i int) {
		c := connect(t, servers[i%2])
		defer c.close(t)
		if i == clients {
			for left.Load() > 0 {
				c.ok(t, obj{"op": "delete_for_runs", "runs": []string{"gone"}}, nil)
			}
			c.ok(t, obj{"op": "delete_for_runs", "runs": []string{"gone"}}, nil)
			return
		}
		defer left.Add(-1)
		for j := range each {
			id := fmt.Sprintf("%02d-%d", j, i)
			version := "v" + id
			c.ok(t, putOf("t", "", id+"a", "", obj{"run_id": "gone"}, obj{"c": version}, []obj{{"channel": "c", "version": version, "value": val(id)}}), nil)
			c.ok(t, putOf("t", "", id+"b", id+"a", obj{"run_id": "stays"}, obj{"c": version}, nil), nil)
			c.ok(t, writesOf("t", "", id+"b", "task", "", write(0, "w", id)), nil)
		}
	})
	for _, srv := range servers {
		c := connect(t, srv)
		defer c.close(t)
		all := c.list(t, obj{"thread": "t"})
		if len(all) != clients*each {
			t.Errorf("%d checkpoints, want %d", len(all), clients*each)
		}
		for _, got := range all {
			if len(got.Writes) != 1 || string(got.Writes[0].Value.Data)+"b" != got.ID {
				t.Errorf("%s: writes %+v", got.ID, got.Writes)
			}
			// The value is lost only if its checkpoint was removed before the one that needs it was put.
			if len(got.Values) > 1 || len(got.Values) == 1 && string(got.Values[0].Value.Data)+"b" != got.ID {
				t.Errorf("%s: values %+v", got.ID, got.Values)
			}
		}
	}
}

// TestRemovedWay: two branches have counted to the same version; when the checkpoint between one of them and its ancestor is removed,
// its value is still the ancestor's, and not the other branch's.
func TestRemovedWay(t *testing.T) {
	everywhere(t, func(t *testing.T, c *client) {
		value := func(s string) []obj { return []obj{{"channel": "c", "version": 1, "value": val(s)}} }
		c.ok(t, putOf("t", "", "1", "", nil, obj{"c": 1}, value("ancestor")), nil)
		c.ok(t, putOf("t", "", "2", "1", obj{"run_id": "gone"}, obj{"c": 1}, nil), nil)
		c.ok(t, putOf("t", "", "3", "", nil, obj{"c": 1}, value("other branch")), nil)
		c.ok(t, putOf("t", "", "4", "2", nil, obj{"c": 1}, nil), nil)
		for range 2 {
			if got := c.tuple(t, "t", "", "4"); string(got.Values[0].Value.Data) != "ancestor" {
				t.Errorf("%s", got.Values[0].Value.Data)
			}
			c.ok(t, obj{"op": "delete_for_runs", "runs": []string{"gone"}}, nil)
		}
	})
}

// TestRing: clients that make a checkpoint its own ancestor get answers, not a server that walks in circles.
func TestRing(t *testing.T) {
	c := connect(t, serve(t, memstore.New(), nil))
	defer c.close(t)
	for id, parent := range map[string]string{"1": "2", "2": "1", "3": "3"} {
		c.ok(t, putOf("t", "", id, parent, obj{counters: obj{"c": []int{1, 1}}}, obj{"c": 1}, []obj{{"channel": "c", "version": 1}}), nil)
	}
	for _, id := range []string{"1", "2", "3"} {
		if got := c.tuple(t, "t", "", id); len(got.Values) > 0 {
			t.Errorf("%+v", got)
		}
		c.ok(t, obj{"op": "delta_history", "thread": "t", "checkpoint_id": id, "channels": []string{"c"}}, nil)
	}
	c.ok(t, obj{"op": "prune", "threads": []string{"t"}, "strategy": keepLatest}, nil)
	c.ok(t, obj{"op": "delete_for_runs", "runs": []string{"x"}}, nil)
}

// TestOthersThreads: threads of workflows are not LangGraph's, whatever the client asks for.
func TestOthersThreads(t *testing.T) {
	ctx := context.Background()
	store := checkpoint.New(memstore.New(), nil)
	defer store.Close()
	claim, err := store.Claim(ctx, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim.Append(ctx, &checkpoint.Record{Kind: checkpoint.KindStep, Meta: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, New(store, nil))
	defer c.close(t)
	if got := c.tuple(t, "t", "", ""); got != nil {
		t.Errorf("%+v", got)
	}
	c.ok(t, obj{"op": "delete_thread", "thread": "t"}, nil)
	c.ok(t, obj{"op": "prune", "threads": []string{"t"}, "strategy": deleteAll}, nil)
	if got := c.list(t, obj{}); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	if info, err := store.Thread(ctx, "t"); err != nil || info.Records != 2 {
		t.Errorf("%+v, %v", info, err)
	}
}
