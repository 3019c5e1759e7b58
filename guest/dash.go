package guest

import (
	"encoding/binary"
	"fmt"

	"github.com/dashhost/dashhost/abi"
)

// versionArg is the place of kv_get's pointer to the eight bytes of the version.
const versionArg = 4

// answers gives the implementation of every function of dash_v1, by its place in the table.
func answers() [abi.FuncCount]answer {
	value := func(f func(h Host) ([]byte, error)) answer {
		return answer{value: func(in *instance, _ *args) ([]byte, error) { return f(in.host) }}
	}
	plain := func(f func(in *instance, a *args) (int64, error)) answer { return answer{plain: f} }
	done := func(f func(h Host, a *args) error) answer {
		return answer{plain: func(in *instance, a *args) (int64, error) { return 0, f(in.host, a) }}
	}
	return [abi.FuncCount]answer{
		abi.FnInputRead:  value(func(h Host) ([]byte, error) { return h.Input(), nil }),
		abi.FnConfigRead: value(func(h Host) ([]byte, error) { return h.Config(), nil }),
		abi.FnMetaRead:   value(func(h Host) ([]byte, error) { return h.Meta(), nil }),

		abi.FnOutputWrite: plain(outputWrite),
		abi.FnFail:        plain(fail),
		abi.FnLastError: {value: func(in *instance, _ *args) ([]byte, error) {
			return []byte(in.lastErr), nil
		}},

		abi.FnRouteTo:   done(func(h Host, a *args) error { return h.RouteTo(a.in[0]) }),
		abi.FnRouteSend: done(func(h Host, a *args) error { return h.RouteSend(a.in[0], a.in[1]) }),

		abi.FnInterrupt:  plain(interrupt),
		abi.FnAnswerRead: value(func(h Host) ([]byte, error) { return h.Answer() }),

		abi.FnLog: plain(logMessage),
		abi.FnLogEnabled: plain(func(in *instance, a *args) (int64, error) {
			if in.host.LogEnabled(abi.Level(a.i32(0)).Clamp()) {
				return 1, nil
			}
			return 0, nil
		}),

		abi.FnEventEmit:   done(func(h Host, a *args) error { return h.EventEmit(a.in[0], a.in[1]) }),
		abi.FnStreamWrite: done(func(h Host, a *args) error { return h.StreamWrite(a.in[0], a.in[1]) }),
		abi.FnMetric:      done(func(h Host, a *args) error { return h.Metric(a.i32(0), a.in[0], a.f64(3)) }),

		abi.FnCheckpointSave: plain(func(in *instance, a *args) (int64, error) {
			return in.host.CheckpointSave(a.in[0])
		}),
		abi.FnCheckpointLoad: value(func(h Host) ([]byte, error) { return h.CheckpointLoad() }),

		abi.FnKVGet: plain(kvGet),
		abi.FnKVPut: plain(func(in *instance, a *args) (int64, error) {
			return in.host.KVPut(a.in[0], a.in[1], a.i64(4))
		}),
		abi.FnKVDelete: done(func(h Host, a *args) error { return h.KVDelete(a.in[0], a.i64(2)) }),
		abi.FnKVList:   plain(kvList),

		abi.FnHTTPFetch: plain(func(in *instance, a *args) (int64, error) {
			h, err := in.host.HTTPFetch(a.in[0], a.in[1])
			return int64(h), err
		}),
		abi.FnHTTPHead: {value: func(in *instance, a *args) ([]byte, error) {
			return in.host.HTTPHead(a.i32(0))
		}},
		abi.FnHTTPBody:  plain(httpBody),
		abi.FnHTTPClose: done(func(h Host, a *args) error { return h.HTTPClose(a.i32(0)) }),

		abi.FnClockNow: plain(func(in *instance, _ *args) (int64, error) { return in.host.Now(), nil }),
		abi.FnRandom:   plain(random),
	}
}

// outputWrite ends the call when the output is over its limit: an output that is cut is no output.
func outputWrite(in *instance, a *args) (int64, error) {
	if got := int64(len(a.in[0])); got > in.limits.Output {
		in.abort(breach("output", in.limits.Output, got))
	}
	return 0, in.host.OutputWrite(a.in[0])
}

func fail(in *instance, a *args) (int64, error) {
	if len(a.in[0]) > abi.MaxFailure {
		return 0, tooLarge("fail", "failure", abi.MaxFailure, int64(len(a.in[0])))
	}
	if err := in.host.Fail(a.in[0], a.i64(2)); err != nil {
		return 0, err
	}
	if in.phase == abi.PhaseStart {
		in.failure = string(a.in[0])
	}
	return 0, nil
}

func interrupt(in *instance, a *args) (int64, error) {
	n, err := in.host.Interrupt(a.in[0])
	if abi.ErrnoOf(err) == abi.Pending {
		in.pending = true
	}
	return int64(n), err
}

func logMessage(in *instance, a *args) (int64, error) {
	if msg := in.spend(a.in[0]); len(msg) > 0 || len(a.in[0]) == 0 {
		in.host.Log(abi.Level(a.i32(0)).Clamp(), msg)
	}
	return 0, nil
}

// spend takes b from the call's budget of log bytes and gives what is left of it. The first time something
// is dropped, one line in the log says so.
func (in *instance) spend(b []byte) []byte {
	room := in.limits.LogBytes - in.logged
	if int64(len(b)) <= room {
		in.logged += int64(len(b))
		return b
	}
	if in.dropped == 0 {
		in.host.Log(abi.LevelWarn, fmt.Appendf(nil, "limit log: %d bytes are used up, the rest of this call is dropped (raise limits.log)",
			in.limits.LogBytes))
	}
	in.logged += room
	in.dropped += int64(len(b)) - room
	return b[:room]
}

// kvGet writes the version also when the value did not fit, and 0 when there is none.
func kvGet(in *instance, a *args) (int64, error) {
	val, version, err := in.host.KVGet(a.in[0])
	if err != nil {
		version = 0
	}
	if err == nil || abi.ErrnoOf(err) == abi.NotFound {
		binary.LittleEndian.PutUint64(in.view(uint32(a.word[versionArg]), 8), uint64(version))
	}
	if err != nil {
		return 0, err
	}
	if int64(len(val)) > in.limits.HostArg {
		return 0, tooLarge("kv_get", "argument", in.limits.HostArg, int64(len(val)))
	}
	return in.deliver(val), nil
}

func kvList(in *instance, a *args) (int64, error) {
	buf := in.room(a)
	lines, err := in.host.KVList(a.in[0], a.in[1], len(buf))
	if err == nil && len(lines) > len(buf) {
		err = abi.Errorf(abi.Internal, "kv_list: the host gave %d bytes for a buffer of %d", len(lines), len(buf))
	}
	if err != nil {
		return 0, err
	}
	in.charge(len(lines) / bytesPerUnit)
	return int64(copy(buf, lines)), nil
}

// room is what a STREAM may fill: no more than the limit of one argument, so that one call stays short.
func (in *instance) room(a *args) []byte {
	return a.out[:min(int64(len(a.out)), in.limits.HostArg)]
}

func httpBody(in *instance, a *args) (int64, error) {
	buf := in.room(a)
	n, err := in.host.HTTPBody(a.i32(0), buf)
	if err == nil && (n < 0 || n > len(buf)) {
		err = abi.Errorf(abi.Internal, "http_body: the host says it gave %d bytes for a buffer of %d", n, len(buf))
	}
	in.charge(max(n, 0) / bytesPerUnit)
	return int64(n), err
}

func random(in *instance, a *args) (int64, error) {
	if got := int64(len(a.out)); got > in.limits.HostArg {
		return 0, tooLarge("random", "argument", in.limits.HostArg, got)
	}
	in.charge(len(a.out) / bytesPerUnit)
	for out := a.out; len(out) > 0; {
		n := min(len(out), randomPiece)
		if err := in.host.Random(out[:n:n]); err != nil {
			return 0, err
		}
		out = out[n:]
		in.halt()
	}
	return 0, nil
}
