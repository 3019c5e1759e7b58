package langgraph

import (
	"context"

	"github.com/dashhost/dashhost/checkpoint"
)

// protocol is the version that hello agrees on.
const protocol = 1

// Options of a Server. The zero value and nil are fine.
type Options struct {
	Version string // what the server calls itself to clients, default "dashhost"
	MaxLine int    // bytes of a request's line with its newline, default 64 MiB. A connection takes about four times that at most
	Index   int64  // about how many bytes indexes and records of threads in use may take, default 64 MiB
}

// Server answers clients from a store. It is safe for concurrent use; other processes may serve the same store.
type Server struct {
	store    *checkpoint.Store
	cache    *cache
	page     int64 // tuples of a list's page
	rewrites int   // how often a removal tries to write a thread anew
	o        Options
}

// New returns a Server over s, which stays the caller's to close, after every Serve has returned.
func New(s *checkpoint.Store, o *Options) *Server {
	srv := &Server{store: s, page: pageTuples, rewrites: rewrites}
	if o != nil {
		srv.o = *o
	}
	if srv.o.Version == "" {
		srv.o.Version = "dashhost"
	}
	if srv.o.MaxLine <= 0 {
		srv.o.MaxLine = 64 << 20
	}
	if srv.o.Index <= 0 {
		srv.o.Index = 64 << 20
	}
	srv.cache = newCache(s, srv.o.Index)
	return srv
}

type helloReply struct {
	Protocol int    `json:"protocol"`
	Server   string `json:"server"`
	Store    string `json:"store"` // its identity, "" if it has none
	MaxLine  int    `json:"max_line"`
}

func (s *Server) hello(q *request) (any, error) {
	if q.Protocol != protocol {
		return nil, faultf(codeVersion, "protocol %d: this server speaks %d", q.Protocol, protocol)
	}
	id, _ := s.store.ID()
	return &helloReply{Protocol: protocol, Server: s.o.Version, Store: id, MaxLine: s.o.MaxLine}, nil
}

// rest is what is left of a request when the next one may begin: reading, or waiting until it is durable.
type rest func() (any, error)

// begin carries out the part of a request that has to come before the next one's. A write goes on when ctx ends.
func (s *Server) begin(ctx context.Context, q *request) (rest, error) {
	reads := func(f func(context.Context, *request) (any, error)) (rest, error) {
		return func() (any, error) { return f(ctx, q) }, nil
	}
	writes := func(f func(context.Context, *request) (rest, error)) (rest, error) {
		return f(context.WithoutCancel(ctx), q)
	}
	switch q.Op {
	case "put":
		return writes(s.put)
	case "put_writes":
		return writes(s.putWrites)
	case "get_tuple":
		return reads(s.getTuple)
	case "list":
		return reads(s.list)
	case "delta_history":
		return reads(s.deltaHistory)
	case "delete_thread":
		return writes(s.deleteThread)
	case "delete_for_runs":
		return writes(s.deleteForRuns)
	case "copy_thread":
		return writes(s.copyThread)
	case "prune":
		return writes(s.prune)
	}
	return nil, faultf(codeInvalid, "op %q: not one of hello, put, put_writes, get_tuple, list, delta_history, delete_thread, delete_for_runs, copy_thread, prune", q.Op)
}
