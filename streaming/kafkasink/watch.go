package kafkasink

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watch is what the client tells of its connections.
type watch struct {
	throttled atomic.Int64 // nanoseconds that brokers made us wait

	mu        sync.Mutex
	live      map[net.Conn]bool // that are up: authenticated, and not yet closed
	early     map[net.Conn]bool // that were closed before we were told that they are up
	connected int64             // how many ever were up
	last      error             // of the newest attempt to connect, nil if it worked
}

func newWatch() *watch { return &watch{live: map[net.Conn]bool{}, early: map[net.Conn]bool{}} }

// OnBrokerConnect implements kgo.HookBrokerConnect. It is called before a connection is used. One that could not be made ready, or is
// not wanted any more, was told to be closed before.
func (w *watch) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
	if err == nil {
		w.connected++
		if !w.early[conn] {
			w.live[conn] = true
		}
	}
	delete(w.early, conn)
}

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (w *watch) OnBrokerDisconnect(_ kgo.BrokerMetadata, conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.live[conn] {
		w.early[conn] = true
	}
	delete(w.live, conn)
}

// connections says how many are up, and how many ever were.
func (w *watch) connections() (live int, connected int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.live), w.connected
}

// OnBrokerThrottle implements kgo.HookBrokerThrottle.
func (w *watch) OnBrokerThrottle(_ kgo.BrokerMetadata, d time.Duration, _ bool) {
	w.throttled.Add(int64(d))
}

func (w *watch) lastError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// adaptor lets the client library log. It logs what it also returns as errors, so each level is one lower.
type adaptor struct{ log hclog.Logger }

// Level implements kgo.Logger.
func (a adaptor) Level() kgo.LogLevel {
	switch {
	case a.log.IsTrace():
		return kgo.LogLevelDebug
	case a.log.IsDebug():
		return kgo.LogLevelInfo
	case a.log.IsInfo():
		return kgo.LogLevelWarn
	case a.log.IsWarn():
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (a adaptor) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch level {
	case kgo.LogLevelError:
		a.log.Warn(msg, keyvals...)
	case kgo.LogLevelWarn:
		a.log.Info(msg, keyvals...)
	case kgo.LogLevelInfo:
		a.log.Debug(msg, keyvals...)
	case kgo.LogLevelDebug:
		a.log.Trace(msg, keyvals...)
	}
}
