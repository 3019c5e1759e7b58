package storetest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// call is what a client asks of a driver.
type call struct {
	Kind   string // "claim", "step", "delete", "read"
	Thread string
	Epoch  uint64
	Head   string // expected by a step
	ID     string // of a step
}

// reply is what the driver answered.
type reply struct {
	Err   string // identity of the error, "ok" if there was none
	Epoch uint64 // after the call
	Head  string // of a read
	Event uint64 // first event number of the record
}

// thread is the state that all clients together see: the specification, in a few lines.
type thread struct {
	epoch  uint64
	events uint64
	head   string
	first  uint64 // event number of the head
	minID  string
}

// step says whether the answer is right in this state, and what the state is then.
func (s thread) step(in call, out reply) (bool, thread) {
	if in.Kind == "read" {
		return out.Err == "ok" && out.Epoch == s.epoch && out.Head == s.head, s
	}
	if in.Epoch != s.epoch {
		return out.Err == driver.ErrFenced.Error(), s
	}
	next := s
	next.events++
	switch in.Kind {
	case "claim":
		next.epoch++
	case "delete":
		next.epoch++
		next.minID, next.head, next.first = max(s.minID, s.head), "", 0
	case "step":
		if in.ID == s.head {
			return out.Err == "ok" && out.Event == s.first, s
		}
		if in.Head != s.head || in.ID <= max(s.head, s.minID) {
			return out.Err == driver.ErrConflict.Error(), s
		}
		next.head, next.first = in.ID, next.events
	}
	return out.Err == "ok" && out.Event == next.events && out.Epoch == next.epoch, next
}

// do carries out a call.
func (in call) do(d driver.Driver) reply {
	ctx := context.Background()
	if in.Kind == "read" {
		th, err := d.Thread(ctx, in.Thread)
		switch {
		case errors.Is(err, driver.ErrNotFound):
			return reply{Err: "ok"}
		case err != nil:
			return reply{Err: err.Error()}
		}
		out := reply{Err: "ok", Epoch: th.Epoch}
		for _, h := range th.Heads {
			out.Head = h.ID
		}
		return out
	}
	r := &driver.Record{Time: 1, Events: 1}
	e := driver.Expect{Epoch: in.Epoch}
	switch in.Kind {
	case "claim":
		r.Kind = driver.KindClaim
	case "delete":
		r.Kind = driver.KindTombstone
	default:
		r.Kind, r.ID = driver.KindStep, in.ID
		e.Heads = []driver.Head{{ID: in.Head}}
	}
	c, err := d.Append(ctx, in.Thread, e, []*driver.Record{r})
	if err == nil {
		err = c.Wait(ctx)
	}
	if err != nil {
		return reply{Err: identity(err)}
	}
	return reply{Err: "ok", Epoch: r.Epoch, Event: r.FirstEvent}
}

// A Client carries out calls somewhere: in this process on a handle of its own, or in another one. It is used by one goroutine.
type Client func(call) (reply, error)

// Handle is a client in this process.
func Handle(d driver.Driver) Client { return func(in call) (reply, error) { return in.do(d), nil } }

// Serve carries out the calls of a Remote client, one a line, until in ends.
func Serve(d driver.Driver, in io.Reader, out io.Writer) error {
	lines, enc := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var c call
		if err := lines.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := enc.Encode(c.do(d)); err != nil {
			return err
		}
	}
}

// Remote is a client whose calls are carried out by Serve at the other end of two pipes.
func Remote(in io.Writer, out io.Reader) Client {
	enc, lines := json.NewEncoder(in), json.NewDecoder(bufio.NewReader(out))
	return func(c call) (r reply, err error) {
		if err := enc.Encode(c); err != nil {
			return r, err
		}
		err = lines.Decode(&r)
		return r, err
	}
}

// Linearizable lets each client make random claims, steps, deletes and reads, calls of them all on the same few threads, and fails
// the test unless the answers are those of one order of the calls in which each took effect at one moment between its begin and
// its end.
func Linearizable(t *testing.T, calls int, clients ...Client) {
	t.Helper()
	history, err := perform(calls, clients)
	if err != nil {
		t.Fatal(err)
	}
	if result := porcupine.CheckOperationsTimeout(specification(), history, time.Minute); result != porcupine.Ok {
		t.Fatalf("no order of %d calls explains their answers (%s): %s", len(history), result, tell(history))
	}
	done := map[string]int{}
	for _, op := range history {
		done[op.Input.(call).Kind+" "+op.Output.(reply).Err]++
	}
	for _, kind := range []string{"claim ok", "step ok", "delete ok", "read ok", "step " + driver.ErrFenced.Error(), "step " + driver.ErrConflict.Error()} {
		if done[kind] == 0 {
			t.Errorf("no %s among the calls: the test asks too little: %v", kind, done)
		}
	}
	t.Logf("%d calls: %v", len(history), done)
}

// perform records what the clients did.
func perform(calls int, clients []Client) ([]porcupine.Operation, error) {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		all    []porcupine.Operation
		failed error
		ids    atomic.Int64
	)
	begun := time.Now()
	together := make(chan struct{})
	for i, client := range clients {
		wg.Go(func() {
			p := &performer{known: map[string]reply{}, older: map[string]reply{}, rnd: rand.New(rand.NewPCG(uint64(i), uint64(begun.UnixNano()))), ids: &ids}
			<-together
			for range calls {
				in := p.choose()
				from := time.Since(begun)
				out, err := client(in)
				to := time.Since(begun)
				p.learn(in, out)
				mu.Lock()
				all = append(all, porcupine.Operation{ClientId: i, Input: in, Output: out, Call: int64(from), Return: int64(to)})
				failed = errors.Join(failed, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	close(together)
	wg.Wait()
	return all, failed
}

// performer chooses the calls of a client from what it has learned, which others may have overtaken.
type performer struct {
	known map[string]reply // epoch and head, by thread
	older map[string]reply // what was known before
	last  call             // step
	rnd   *rand.Rand
	ids   *atomic.Int64
}

func (p *performer) choose() call {
	c := call{Thread: fmt.Sprint("t", p.rnd.IntN(2))}
	k := p.known[c.Thread]
	if p.rnd.IntN(10) == 0 {
		k = p.older[c.Thread]
	}
	c.Epoch, c.Head = k.Epoch, k.Head
	switch n := p.rnd.IntN(20); {
	case n < 4:
		c.Kind = "read"
	case n < 6:
		c.Kind = "claim"
	case n < 7:
		c.Kind = "delete"
	case n < 9 && p.last.Kind != "":
		return p.last // a step again
	default:
		c.Kind, c.ID = "step", fmt.Sprintf("%08d", p.ids.Add(1))
		p.last = c
	}
	return c
}

func (p *performer) learn(in call, out reply) {
	k := p.known[in.Thread]
	switch {
	case in.Kind == "read":
		k = out
	case out.Err != "ok": // look again, or not
	case in.Kind == "step":
		k.Epoch, k.Head = out.Epoch, in.ID
	default:
		k.Epoch = out.Epoch
		if in.Kind == "delete" {
			k.Head = ""
		}
	}
	if k != p.known[in.Thread] {
		p.older[in.Thread], p.known[in.Thread] = p.known[in.Thread], k
	}
}

func specification() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			parts := map[string][]porcupine.Operation{}
			for _, op := range history {
				name := op.Input.(call).Thread
				parts[name] = append(parts[name], op)
			}
			var out [][]porcupine.Operation
			for _, p := range parts {
				out = append(out, p)
			}
			return out
		},
		Init: func() any { return thread{} },
		Step: func(state, input, output any) (bool, any) {
			ok, next := state.(thread).step(input.(call), output.(reply))
			return ok, next
		},
	}
}

// tell is the begin of a history, for people.
func tell(history []porcupine.Operation) string {
	s := ""
	for _, op := range history[:min(len(history), 40)] {
		s += fmt.Sprintf("\n%9d-%9d client %d: %+v -> %+v", op.Call, op.Return, op.ClientId, op.Input, op.Output)
	}
	return s
}

// NotLinearizable fails the test if the check of Linearizable does not notice what the clients do wrong.
func NotLinearizable(t *testing.T, calls int, clients ...Client) {
	t.Helper()
	history, err := perform(calls, clients)
	if err != nil {
		t.Fatal(err)
	}
	if result := porcupine.CheckOperationsTimeout(specification(), history, time.Minute); result != porcupine.Illegal {
		t.Fatalf("the check of %d calls says %s", len(history), result)
	}
}
