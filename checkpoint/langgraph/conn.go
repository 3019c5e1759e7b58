package langgraph

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
)

// pending is how many requests of a connection are carried out at once.
const pending = 64

// conn is one client's connection.
type conn struct {
	s    *Server
	room *semaphore.Weighted // bytes of requests that have no reply yet
	busy sync.WaitGroup
	met  bool // hello was agreed on

	mu     sync.Mutex
	w      io.Writer
	failed error         // of a write: nobody listens any more
	gone   chan struct{} // closed then
}

// Serve answers the requests that r holds until it ends or ctx does; then it finishes those it has begun, and returns. The error is
// r's or w's, nil at the end of either. After ctx has ended, r may still be read from: closing it is the caller's.
func (s *Server) Serve(ctx context.Context, r io.Reader, w io.Writer) error {
	c := &conn{s: s, w: w, room: semaphore.NewWeighted(int64(s.o.MaxLine)), gone: make(chan struct{})}
	lines := make(chan line)
	left := make(chan struct{})
	defer close(left)
	go readLines(r, s.o.MaxLine, lines, left)
	err := c.serve(ctx, lines)
	c.busy.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(err, c.failed)
}

func (c *conn) serve(ctx context.Context, lines <-chan line) error {
	for {
		var l line
		select {
		case l = <-lines:
		case <-ctx.Done():
			return nil
		case <-c.gone:
			return nil
		}
		switch {
		case l.long:
			c.reply(&reply{Error: faultf(codeTooLarge, "request: its line is longer than %d bytes", c.s.o.MaxLine)})
		case len(bytes.TrimSpace(l.text)) > 0:
			c.request(ctx, l.text)
		}
		if l.err != nil {
			if errors.Is(l.err, io.EOF) {
				return nil
			}
			return l.err
		}
	}
}

// request carries out what has to be in order, and leaves the rest to a goroutine. A write that was begun is finished, whatever
// happens to the connection.
func (c *conn) request(ctx context.Context, text []byte) {
	q, err := parse(text)
	if err == nil && !c.met {
		c.hello(q)
		return
	}
	if err == nil && q.Op == "hello" {
		err = faultf(codeHandshake, "hello: was said already")
	}
	if err != nil {
		c.answer(q, nil, err)
		return
	}
	cost := int64(max(len(text), c.s.o.MaxLine/pending))
	if err := c.room.Acquire(ctx, cost); err != nil {
		c.answer(q, nil, err)
		return
	}
	rest, err := c.s.begin(ctx, q)
	if err != nil {
		c.room.Release(cost)
		c.answer(q, nil, err)
		return
	}
	c.busy.Go(func() {
		defer c.room.Release(cost)
		ok, err := rest()
		c.answer(q, ok, err)
	})
}

func (c *conn) hello(q *request) {
	if q.Op != "hello" {
		c.answer(q, nil, faultf(codeHandshake, `op %q: the first request must be hello, with "protocol":%d`, q.Op, protocol))
		return
	}
	ok, err := c.s.hello(q)
	c.met = err == nil
	c.answer(q, ok, err)
}

func (c *conn) answer(q *request, ok any, err error) {
	if err != nil {
		c.reply(&reply{ID: q.ID, Error: toFault(err)})
		return
	}
	c.reply(&reply{ID: q.ID, OK: ok})
}

// reply writes one line.
func (c *conn) reply(r *reply) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		panic("BUG: a reply is not JSON: " + err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return
	}
	if _, c.failed = c.w.Write(b.Bytes()); c.failed != nil {
		close(c.gone)
	}
}

// line is a request as it came, without its newline.
type line struct {
	text []byte
	long bool  // longer than the limit; text is empty
	err  error // after it
}

// readLines sends lines until r ends, which the last of them says, or left is closed.
func readLines(r io.Reader, limit int, lines chan<- line, left <-chan struct{}) {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		l := readLine(b, limit)
		select {
		case lines <- l:
		case <-left:
			return
		}
		if l.err != nil {
			return
		}
	}
}

func readLine(b *bufio.Reader, limit int) (l line) {
	for {
		part, err := b.ReadSlice('\n')
		if l.long = l.long || len(l.text)+len(part) > limit; l.long {
			l.text = nil
		} else {
			l.text = append(l.text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			l.err = err
			return l
		}
	}
}
