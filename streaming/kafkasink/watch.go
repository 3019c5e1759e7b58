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

// moment is what was connected at some time.
type moment struct {
	live      int
	connected int64
}

func (w *watch) now() moment {
	live, connected := w.connections()
	return moment{live, connected}
}

// reached says whether a broker was connected at m or at any time since.
func (w *watch) reached(m moment) bool {
	live, connected := w.connections()
	return m.live > 0 || live > 0 || connected > m.connected
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

// adaptor lets the client library log. Most of it is also returned as errors, to whoever knows what it means, so each level is lower.
type adaptor struct{ log hclog.Logger }

// Level implements kgo.Logger.
func (a adaptor) Level() kgo.LogLevel {
	switch {
	case a.log.IsTrace():
		return kgo.LogLevelDebug
	case a.log.IsDebug():
		return kgo.LogLevelWarn
	case a.log.IsInfo():
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (a adaptor) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch level {
	case kgo.LogLevelError:
		a.log.Info(msg, keyvals...)
	case kgo.LogLevelWarn:
		a.log.Debug(msg, keyvals...)
	case kgo.LogLevelInfo, kgo.LogLevelDebug:
		a.log.Trace(msg, keyvals...)
	}
}
