package langgraph

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// tb is what a test and a property have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// obj is a JSON object in the making.
type obj = map[string]any

// client speaks the protocol, one request at a time.
type client struct {
	in   io.WriteCloser
	out  *bufio.Reader
	next int64
	done chan error
}

// answered is a reply as it was read.
type answered struct {
	ID    *int64          `json:"id"`
	OK    json.RawMessage `json:"ok"`
	Error *fault          `json:"error"`
}

// connect serves s to a new client that has said hello.
func connect(t tb, srv *Server) *client {
	t.Helper()
	c := open(srv)
	c.ok(t, obj{"op": "hello", "protocol": 1, "client": "test"}, nil)
	return c
}

// open is connect without hello.
func open(srv *Server) *client {
	reqR, reqW := io.Pipe()
	repR, repW := io.Pipe()
	c := &client{in: reqW, out: bufio.NewReader(repR), done: make(chan error, 1)}
	go func() {
		c.done <- srv.Serve(context.Background(), reqR, repW)
		repW.Close()
	}()
	return c
}

func (c *client) close(t tb) {
	t.Helper()
	c.in.Close()
	if err := <-c.done; err != nil {
		t.Errorf("serve: %v", err)
	}
}

// line sends one line and returns the reply.
func (c *client) line(t tb, text []byte) *answered {
	t.Helper()
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		t.Fatalf("write: %v", err)
	}
	return c.read(t)
}

func (c *client) read(t tb) *answered {
	t.Helper()
	b, err := c.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	var a answered
	if err := json.Unmarshal(b, &a); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return &a
}

// send sends a request and returns the reply, whatever it is.
func (c *client) send(t tb, q obj) *answered {
	t.Helper()
	c.next++
	q["id"] = c.next
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatalf("%v", err)
	}
	a := c.line(t, b)
	if a.ID == nil || *a.ID != c.next {
		t.Fatalf("reply to %d: %+v", c.next, a)
	}
	return a
}

// ok is send for a request that must succeed; into may be nil.
func (c *client) ok(t tb, q obj, into any) {
	t.Helper()
	a := c.send(t, q)
	if a.Error != nil {
		t.Fatalf("%v: %s: %s", q["op"], a.Error.Code, a.Error.Message)
	}
	if into != nil {
		if err := json.Unmarshal(a.OK, into); err != nil {
			t.Fatalf("%s: %v", a.OK, err)
		}
	}
}

// fails is send for a request that must be refused.
func (c *client) fails(t tb, code string, q obj) string {
	t.Helper()
	a := c.send(t, q)
	if a.Error == nil || a.Error.Code != code {
		t.Errorf("%v: %+v, want an error %q", q, a, code)
		return ""
	}
	return a.Error.Message
}

// tuple is get_tuple, nil if there is none.
func (c *client) tuple(t tb, thread, ns, id string) *tuple {
	t.Helper()
	var r tupleReply
	c.ok(t, obj{"op": "get_tuple", "thread": thread, "ns": ns, "checkpoint_id": id}, &r)
	return r.Tuple
}

// list reads all pages.
func (c *client) list(t tb, q obj) []*tuple {
	t.Helper()
	var all []*tuple
	q["op"] = "list"
	for {
		var r listReply
		c.ok(t, q, &r)
		all = append(all, r.Tuples...)
		if r.Cursor == nil {
			return all
		}
		q["cursor"] = r.Cursor
		if limit, ok := q["limit"].(int); ok {
			if limit -= len(r.Tuples); limit == 0 {
				return all
			}
			q["limit"] = limit
		}
	}
}

func val(s string) *typed { return &typed{Type: "text", Data: []byte(s)} }

// putOf is a put of a checkpoint with values of new versions.
func putOf(thread, ns, id, parent string, fields obj, versions map[string]any, values []obj) obj {
	return obj{"op": "put", "thread": thread, "ns": ns, "values": values, "checkpoint": obj{
		"id": id, "parent": parent, "value": val("checkpoint " + id), "metadata": val("metadata of " + id), "fields": fields, "versions": versions,
	}}
}

func writesOf(thread, ns, id, task, path string, writes ...obj) obj {
	return obj{"op": "put_writes", "thread": thread, "ns": ns, "checkpoint_id": id, "task": task, "path": path, "writes": writes}
}

func write(index int, channel, value string) obj {
	return obj{"index": index, "channel": channel, "value": val(value)}
}

// drivers are the places that a test runs over: each call of what they return opens the same store again.
func drivers(t *testing.T) map[string]func() func() driver.Driver {
	return map[string]func() func() driver.Driver{
		"memory": func() func() driver.Driver { return memstore.NewMemory().Open },
		"file": func() func() driver.Driver {
			dir := t.TempDir()
			return func() driver.Driver {
				d, err := filestore.Open(dir, nil)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
		},
	}
}

// serve opens a server over a driver, closed with the test.
func serve(t *testing.T, d driver.Driver, o *Options) *Server {
	s := checkpoint.New(d, nil)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(s, o)
}

// everywhere runs f over each driver, with a client of one server.
func everywhere(t *testing.T, f func(t *testing.T, c *client)) {
	for name, open := range drivers(t) {
		t.Run(name, func(t *testing.T) {
			c := connect(t, serve(t, open()(), nil))
			defer c.close(t)
			f(t, c)
		})
	}
}

// together runs n functions at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
