package capability

import (
	"strings"
	"unicode/utf8"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/internal/rawjson"
)

// Live takes what a node tells while it runs, best effort. n numbers it within the attempt, from 0. Its
// methods copy what they keep. Errors are *abi.Error: abi.Full when there is no room.
type Live interface {
	// Event takes an event of the node's own, with a JSON payload.
	Event(name string, payload []byte, n uint32) error
	// Text takes a piece of text for people, UTF-8.
	Text(label string, text []byte, n uint32) error
}

// maxLiveName is the length of the longest event type or label, in bytes.
const maxLiveName = 128

// EventEmit tells an event. Its errors are ErrClosed, abi.Invalid, abi.Denied for a type that the grant does
// not name, abi.Limited, abi.Full, and abi.Unsupported if the host has nowhere to send it.
func (s *Set) EventEmit(typ, payload []byte) error {
	if s.cfg.Live == nil {
		return unsupported(abi.FnEventEmit)
	}
	if err := rawjson.ValidUntil(payload, s.stop(len(payload))); err != nil {
		return abi.Errorf(abi.Invalid, "event_emit: payload: %v", err)
	}
	name, err := s.liveName("event_emit", typ)
	if err != nil {
		return err
	}
	return s.tell(abi.EffectEvent, func(n uint32) error { return s.cfg.Live.Event(name, payload, n) })
}

// StreamWrite tells a piece of text under a label, with the errors of EventEmit.
func (s *Set) StreamWrite(label, data []byte) error {
	if s.cfg.Live == nil {
		return unsupported(abi.FnStreamWrite)
	}
	if !utf8.Valid(data) {
		return abi.Errorf(abi.Invalid, "stream_write: byte %d is not UTF-8", invalidAt(data))
	}
	name, err := s.liveName("stream_write", label)
	if err != nil {
		return err
	}
	return s.tell(abi.EffectStream, func(n uint32) error { return s.cfg.Live.Text(name, data, n) })
}

// liveName checks a type or label against the grant.
func (s *Set) liveName(fn string, name []byte) (string, error) {
	if len(name) == 0 || len(name) > maxLiveName || !utf8.Valid(name) {
		return "", abi.Errorf(abi.Invalid, "%s: the name has %d bytes, expected 1 to %d of UTF-8", fn, len(name), maxLiveName)
	}
	for _, allowed := range s.cfg.Node.Grants.Telemetry.Names {
		prefix, open := strings.CutSuffix(allowed, "*")
		if string(name) == allowed || open && strings.HasPrefix(string(name), prefix) {
			return string(name), nil
		}
	}
	return "", abi.Errorf(abi.Denied, "%s: node %q is not granted %q: add it to the names of its telemetry grant", fn, s.cfg.Node.Name, name)
}

// tell numbers what is told and hands it on, outside the lock: a full queue may make it wait.
func (s *Set) tell(kind abi.Effect, send func(n uint32) error) error {
	if _, err := s.Effect(kind); err != nil {
		return err
	}
	var n uint32
	err := s.keep(func() error {
		n = s.out.Live
		s.out.Live++
		return nil
	})
	if err != nil {
		return err
	}
	return send(n)
}
