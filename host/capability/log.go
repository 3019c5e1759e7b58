package capability

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/host/workflow"
)

const (
	// lineCost is what each message costs beside its bytes, so that empty ones are bounded too.
	lineCost = 32
	// maxLine is the longest line of standard output or error, in bytes; a longer one comes in pieces.
	maxLine = 8 << 10
)

// Log passes a message on, if its level is wanted and the node's limit of log bytes is not used up. Bytes
// that are not UTF-8 become U+FFFD, and characters that could forge a line or steer a terminal are
// escaped. An unknown level counts as abi.LevelError.
func (s *Set) Log(level abi.Level, msg []byte) {
	if !s.closed.Load() {
		s.log.write(level, msg, "")
	}
}

// LogEnabled tells whether a message of this level would be kept.
func (s *Set) LogEnabled(level abi.Level) bool {
	return !s.closed.Load() && s.log.enabled(level)
}

// Stdio logs what a guest writes to standard output (fd 1, level info) or standard error (fd 2, level
// warn): each line is a message, without its end and without empty lines. A line longer than 8 KiB comes
// in pieces. What has no end yet waits for more, or for Finish.
func (s *Set) Stdio(fd int, b []byte) {
	if !s.closed.Load() && (fd == 1 || fd == 2) {
		s.log.lines(fd, b)
	}
}

// flush logs the lines that have not ended.
func (s *Set) flush() {
	if !s.closed.Load() {
		s.log.flush(1)
		s.log.flush(2)
	}
}

// journal passes a node's messages on, up to a number of bytes.
type journal struct {
	out     hclog.Logger // nil: nothing is kept
	node    string
	key     string // what each message carries beside the node
	value   fmt.Stringer
	limit   int64
	left    atomic.Int64 // below 0 once the limit is broken
	dropped atomic.Int64
	half    [2][]byte // lines of standard output and error that have not ended yet
}

func (j *journal) open(out hclog.Logger, n *workflow.Node, key string, value fmt.Stringer) {
	j.out, j.node, j.key, j.value, j.limit = out, n.Name, key, value, n.Limits.Log
	if j.limit == 0 {
		j.limit = abi.DefaultLog
	}
	j.left.Store(j.limit)
}

func (j *journal) enabled(level abi.Level) bool {
	if j.out == nil || j.left.Load() < 0 {
		return false
	}
	return j.wanted(level)
}

func (j *journal) wanted(level abi.Level) bool {
	switch level.Clamp() {
	case abi.LevelTrace:
		return j.out.IsTrace()
	case abi.LevelDebug:
		return j.out.IsDebug()
	case abi.LevelInfo:
		return j.out.IsInfo()
	case abi.LevelWarn:
		return j.out.IsWarn()
	default:
		return j.out.IsError()
	}
}

// write logs one message, which came by stream if that is not "".
func (j *journal) write(level abi.Level, msg []byte, stream string) {
	if j.out == nil || !j.wanted(level) {
		return
	}
	cost := int64(len(msg)) + lineCost
	if left := j.left.Add(-cost); left < 0 {
		j.dropped.Add(int64(len(msg)))
		if left+cost >= 0 {
			j.out.Warn(fmt.Sprintf("limit log: more than %d bytes, the rest of this call's log is dropped (raise limits.log)", j.limit),
				"node", j.node, j.key, j.value.String())
		}
		return
	}
	args := []any{"node", j.node, j.key, j.value.String()}
	if stream != "" {
		args = append(args, "stream", stream)
	}
	j.out.Log(hclog.Trace+hclog.Level(level.Clamp()), printable(msg), args...)
}

// lines takes the next bytes of a standard stream.
func (j *journal) lines(fd int, b []byte) {
	if j.out == nil || !j.wanted(stdioLevel(fd)) {
		return
	}
	half := &j.half[fd-1]
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		ended := end >= 0
		if !ended {
			end = len(b)
		}
		room := maxLine - len(*half)
		if end > room {
			ended, end = false, room
		}
		if ended && len(*half) == 0 {
			j.line(fd, bytes.TrimSuffix(b[:end], []byte{'\r'}))
		} else {
			*half = append(*half, b[:end]...)
			switch {
			case ended:
				j.flush(fd)
			case len(*half) == maxLine:
				j.cut(fd)
			}
		}
		b = b[end:]
		if ended {
			b = b[1:]
		}
	}
}

// cut logs a line that has become too long, up to its last whole character. A carriage return waits for
// what comes next: it may be part of the line's end.
func (j *journal) cut(fd int) {
	half := &j.half[fd-1]
	end := len(*half)
	for back := 1; back < utf8.UTFMax; back++ {
		if c := (*half)[end-back]; utf8.RuneStart(c) {
			if !utf8.FullRune((*half)[end-back:]) {
				end -= back
			}
			break
		}
	}
	if (*half)[end-1] == '\r' {
		end--
	}
	j.line(fd, (*half)[:end])
	*half = append((*half)[:0], (*half)[end:]...)
}

// flush logs the half line of a stream, if there is one.
func (j *journal) flush(fd int) {
	half := &j.half[fd-1]
	if len(*half) > 0 {
		j.line(fd, bytes.TrimSuffix(*half, []byte{'\r'}))
		*half = (*half)[:0]
	}
}

func (j *journal) line(fd int, b []byte) {
	if len(b) == 0 {
		return
	}
	stream := "stdout"
	if fd == 2 {
		stream = "stderr"
	}
	j.write(stdioLevel(fd), b, stream)
}

func stdioLevel(fd int) abi.Level {
	if fd == 2 {
		return abi.LevelWarn
	}
	return abi.LevelInfo
}

// printable gives msg as text that stays on its line and does nothing to a terminal.
func printable(msg []byte) string {
	clean := 0
	for clean < len(msg) && msg[clean] >= ' ' && msg[clean] < 0x7f {
		clean++
	}
	if clean == len(msg) {
		return string(msg)
	}
	var b strings.Builder
	b.Grow(len(msg) + len(msg)/8)
	b.Write(msg[:clean])
	for rest := msg[clean:]; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
		rest = rest[n:]
	}
	return b.String()
}

// escape writes a character as Go source does.
func escape(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
