package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/langgraph"
	"github.com/dashhost/dashhost/host/openurl"
)

// least is a line that still holds any request of ordinary size.
const leastLine = 64 << 10

func (a *app) storeLanggraphCommand() *cobra.Command {
	var socket string
	var maxLine, clients int
	c := &cobra.Command{
		Use:   "langgraph",
		Short: "Serve the store to LangGraph's checkpointers",
		Long: `Serve the store to LangGraph's checkpointers, which sdk/langgraph-python and sdk/langgraph-js are the clients of: JSON
lines on stdin and stdout until stdin ends, or for several clients on a unix socket until a signal comes. What is acknowledged is durable.
Any number of servers may serve one store at once. A store that is not there is made.`,
		Example: `  dashhost store langgraph --store checkpoints
  dashhost store langgraph --store checkpoints --socket /run/user/1000/langgraph.sock`,
		Args: args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			if maxLine < leastLine || maxLine > checkpoint.MaxRecord {
				return &usageError{Text: fmt.Sprintf("--max-line %d: not from %d to %d", maxLine, leastLine, checkpoint.MaxRecord)}
			}
			if clients < 1 {
				return &usageError{Text: fmt.Sprintf("--clients %d: less than 1", clients)}
			}
			ctx, done := a.untilSignal(c.Context())
			defer done()
			return a.serveLanggraph(ctx, socket, clients, maxLine)
		},
	}
	c.Flags().StringVar(&socket, "socket", "", "listen on a unix socket at `PATH`, for this user only (default stdin and stdout)")
	c.Flags().IntVar(&maxLine, "max-line", 64<<20, "refuse requests of more than `BYTES`; a client takes up to four times that of memory")
	c.Flags().IntVar(&clients, "clients", 64, "serve at most `N` clients of the socket at once, others wait")
	_ = c.MarkFlagFilename("socket")
	return c
}

func (a *app) serveLanggraph(ctx context.Context, socket string, clients, maxLine int) (err error) {
	url, err := a.projectStore()
	if err != nil {
		return err
	}
	a.scene.store = url
	s, err := a.open(ctx, url, &openurl.Options{Owner: "dashhost store langgraph"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	srv := langgraph.New(s, &langgraph.Options{Version: "dashhost " + buildVersion().Version, MaxLine: maxLine})
	if socket == "" {
		a.talk.linef("serving %s to LangGraph on stdin and stdout", storeName(url))
		return srv.Serve(ctx, a.Stdin, a.stdout)
	}
	l, err := listenSocket(ctx, socket)
	if err != nil {
		return err
	}
	a.talk.linef("serving %s to LangGraph on %s", storeName(url), socket)
	return errors.Join(a.acceptClients(ctx, l, srv, clients), l.close())
}

// acceptClients serves each connection until ctx ends, and returns when all are done.
func (a *app) acceptClients(ctx context.Context, l *socketListener, srv *langgraph.Server, clients int) error {
	var busy sync.WaitGroup
	defer busy.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // its error comes again from close
	defer stop()
	free := make(chan struct{}, clients)
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("socket %s: %w", l.path, err)
		}
		busy.Go(func() {
			defer func() { <-free }()
			defer func() { _ = conn.Close() }() // what mattered of it is in Serve's error
			if err := srv.Serve(ctx, conn, conn); err != nil && !errors.Is(err, io.EOF) {
				a.logger().Debug("a client went away", "error", err)
			}
		})
	}
}

// socketListener listens on a path of the file system.
type socketListener struct {
	*net.UnixListener
	path string
	made os.FileInfo
}

// socketError is a path where nothing can listen.
type socketError struct {
	Path, Reason string
	Hint         string
}

// Error implements error.
func (e *socketError) Error() string { return "socket " + e.Path + ": " + e.Reason }

// maxSocketPath is what the systems' addresses of sockets hold at least, in bytes.
const maxSocketPath = 103

// listenSocket makes the socket in a folder that only this user can enter, and then moves it to its place, so that nobody else can
// connect before its mode is set. A socket that nobody listens on any more is replaced.
func listenSocket(ctx context.Context, path string) (*socketListener, error) {
	if err := freeSocket(ctx, path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".dashhost-")
	if err != nil {
		return nil, &socketError{Path: path, Reason: cause(err)}
	}
	defer func() { _ = os.Remove(dir) }() // empty, unless the socket could not be moved
	tmp := filepath.Join(dir, "s")
	if n := len(tmp); n > maxSocketPath {
		return nil, &socketError{Path: path, Reason: fmt.Sprintf("the path is %d bytes too long for a socket", n-maxSocketPath), Hint: "name one in a folder nearer to the root"}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", tmp)
	if err != nil {
		return nil, &socketError{Path: path, Reason: err.Error()}
	}
	own := &socketListener{UnixListener: l.(*net.UnixListener), path: path}
	own.SetUnlinkOnClose(false)
	if err = os.Chmod(tmp, 0o600); err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		own.made, err = os.Lstat(path)
	}
	if err != nil {
		err = errors.Join(err, own.Close(), os.Remove(tmp))
		return nil, &socketError{Path: path, Reason: cause(err)}
	}
	return own, nil
}

// freeSocket refuses a path where something is that is not left over.
func freeSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return &socketError{Path: path, Reason: cause(err)}
	case info.Mode()&os.ModeSocket == 0:
		return &socketError{Path: path, Reason: "is there, and is not a socket", Hint: "name a path where nothing is"}
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
		used := &socketError{Path: path, Reason: "another process listens there", Hint: "connect to that one, or name another path"}
		return errors.Join(used, conn.Close())
	}
	return nil // nobody listens any more: it is left over
}

// close takes the socket away, unless another process has put its own there.
func (l *socketListener) close() error {
	err := l.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if now, e := os.Lstat(l.path); e == nil && os.SameFile(now, l.made) {
		err = errors.Join(err, os.Remove(l.path))
	}
	return err
}
