package capability

import (
	"strings"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// OutputWrite replaces the output. It must be a JSON object that has only members the node declares in
// its writes, as "channel" or "channel!"; of a node with raw output it may be anything. What is refused
// leaves the earlier output as it was. Its errors are ErrClosed, *LimitError (the attempt has failed) and
// abi.Invalid.
func (s *Set) OutputWrite(b []byte) error {
	if s.closed.Load() {
		return ErrClosed
	}
	n := s.cfg.Node
	if limit := outputLimit(n.Limits.Output); int64(len(b)) > limit {
		return s.breach(&LimitError{Limit: "output", Max: limit, Got: int64(len(b)), Field: "limits.output"})
	}
	b, err := s.clone(b)
	if err != nil {
		return err
	}
	var writes []Write
	if n.RawOut == "" {
		if writes, err = s.split(b); err != nil {
			return err
		}
	}
	return s.keep(func() error {
		s.out.Output, s.out.Writes = b, writes
		return nil
	})
}

// split checks an output and takes it apart, in one scan.
func (s *Set) split(b []byte) ([]Write, error) {
	declared := s.cfg.Node.Writes
	writes := make([]Write, 0, min(len(declared), 8))
	err := rawjson.ObjectUntil(b, s.stop(len(b)), func(key string, val []byte) error {
		name, replace := strings.CutSuffix(key, "!")
		for _, w := range declared {
			if w == name {
				writes = append(writes, Write{Channel: w, Replace: replace, Value: val})
				return nil
			}
		}
		return abi.Errorf(abi.Invalid, "output_write: member %.64q is not in the writes of node %q (%s)",
			key, s.cfg.Node.Name, listed(declared))
	})
	switch e := err.(type) {
	case nil:
		return writes, nil
	case *abi.Error:
		return nil, e
	}
	return nil, abi.Errorf(abi.Invalid, "output_write: %w", err)
}

// breach notes that a limit was broken that ends the call.
func (s *Set) breach(e *LimitError) error {
	if p, ok := s.cfg.Node.Limits.Places[e.Limit]; ok {
		e.Place = p.String()
	}
	return s.keep(func() error {
		if s.out.Limit == nil {
			s.out.Limit = e
		}
		return e
	})
}

func outputLimit(declared int64) int64 {
	if declared == 0 {
		return abi.DefaultOutput
	}
	return declared
}

// RouteTo chooses a target that the graph lets the node choose. Naming it again changes nothing. Its
// errors are ErrClosed and abi.Denied.
func (s *Set) RouteTo(node []byte) error {
	target, err := s.target("route_to", node)
	if err != nil {
		return err
	}
	return s.keep(func() error {
		for _, have := range s.out.Routes {
			if have == target {
				return nil
			}
		}
		s.out.Routes = append(s.out.Routes, target)
		return nil
	})
}

// RouteSend starts a task of a target with an item of its own, which must be JSON. Its errors are
// ErrClosed, abi.Denied, abi.Invalid, abi.Limited for too many in one call and abi.TooLarge for too many
// bytes in all.
func (s *Set) RouteSend(node, item []byte) error {
	target, err := s.target("route_send", node)
	if err != nil {
		return err
	}
	size := int64(len(item))
	if err := s.keep(func() error { return s.roomToSend(size) }); err != nil {
		return err
	}
	if err := rawjson.ValidUntil(item, s.stop(len(item))); err != nil {
		return abi.Errorf(abi.Invalid, "route_send: item: %w", err)
	}
	if item, err = s.clone(item); err != nil {
		return err
	}
	return s.keep(func() error {
		if err := s.roomToSend(size); err != nil { // again: others may have sent since
			return err
		}
		s.sent += size
		s.out.Sends = append(s.out.Sends, Send{Node: target, Item: item})
		return nil
	})
}

// roomToSend tells whether one more item of this size fits. The caller holds mu.
func (s *Set) roomToSend(size int64) error {
	if len(s.out.Sends) >= abi.DefaultSends {
		return abi.Errorf(abi.Limited, "route_send: limit sends: more than %d in one call", abi.DefaultSends)
	}
	if limit := outputLimit(s.cfg.Node.Limits.Output); size > limit-s.sent {
		return abi.Errorf(abi.TooLarge, "route_send: limit sent: %d bytes after %d exceed %d (raise limits.output)", size, s.sent, limit)
	}
	return nil
}

// target gives the route that a node names.
func (s *Set) target(fn string, node []byte) (string, error) {
	if s.closed.Load() {
		return "", ErrClosed
	}
	for _, r := range s.cfg.Routes {
		if r == string(node) {
			return r, nil
		}
	}
	if len(s.cfg.Routes) == 0 {
		return "", abi.Errorf(abi.Denied, "%s: node %q has no targets to choose from: add an edge with route", fn, s.cfg.Node.Name)
	}
	return "", abi.Errorf(abi.Denied, "%s: %.64q is not among the targets of node %q (%s)", fn, node, s.cfg.Node.Name, listed(s.cfg.Routes))
}

// listed names at most a few of names, for error texts.
func listed(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}
