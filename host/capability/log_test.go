package capability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"pgregory.net/rapid"

	"github.com/dashhost/dashhost/abi"
)

// entry is one message as it reached the log.
type entry struct {
	Level   string `json:"@level"`
	Message string `json:"@message"`
	Node    string `json:"node"`
	Task    string `json:"task"`
	Phase   string `json:"phase"`
	Stream  string `json:"stream"`
}

// record opens a Set that logs into a buffer, and a func that reads it.
func record(level hclog.Level, limit int64) (*Set, func() []entry) {
	var b bytes.Buffer
	s := open(func(c *Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &b, Level: level, JSONFormat: true})
		c.Node.Limits.Log = limit
	})
	return s, func() []entry {
		var all []entry
		for line := range bytes.Lines(b.Bytes()) {
			var e entry
			if err := json.Unmarshal(line, &e); err != nil {
				panic(fmt.Sprintf("log line %q: %v", line, err))
			}
			all = append(all, e)
		}
		return all
	}
}

func TestLogLevels(t *testing.T) {
	names := []string{"trace", "debug", "info", "warn", "error"}
	for at, level := range []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn, hclog.Error} {
		s, read := record(level, 0)
		for i := range names {
			if got := s.LogEnabled(abi.Level(i)); got != (i >= at) {
				t.Errorf("logger at %v: LogEnabled(%s) = %v", level, names[i], got)
			}
			s.Log(abi.Level(i), []byte(names[i]))
		}
		var got []string
		for _, e := range read() {
			if e.Level != e.Message || e.Node != "check" || e.Task != someTask.String() || e.Stream != "" {
				t.Errorf("entry %+v", e)
			}
			got = append(got, e.Message)
		}
		if !slices.Equal(got, names[at:]) {
			t.Errorf("logger at %v: %q", level, got)
		}
	}
	s, read := record(hclog.Error, 0)
	s.Log(-1, []byte("below"))
	s.Log(5, []byte("above"))
	if got := read(); len(got) != 2 || got[0].Level != "error" || !s.LogEnabled(99) {
		t.Errorf("unknown levels: %+v", got)
	}
	silent := open(nil)
	silent.Log(abi.LevelError, []byte("m"))
	silent.Stdio(2, []byte("m\n"))
	if silent.LogEnabled(abi.LevelError) || silent.Finish().LogDropped != 0 {
		t.Error("without a logger")
	}
}

func TestLogOfTheStartPhase(t *testing.T) {
	var b bytes.Buffer
	s := Start(startSet().cfg.Node, "00", hclog.New(&hclog.LoggerOptions{Output: &b, JSONFormat: true}))
	if err := through(s, abi.FnLog, abi.PhaseStart); err != nil {
		t.Fatal(err)
	}
	var e entry
	if err := json.Unmarshal(b.Bytes(), &e); err != nil || e.Phase != "start" || e.Node != "check" || e.Message != "hello" {
		t.Errorf("entry %+v, %v", e, err)
	}
}

// A guest cannot forge a line of the log, steer a terminal, or turn text around.
func TestLogIsPrintable(t *testing.T) {
	for msg, want := range map[string]string{
		"":                            "",
		"plain ascii ~":               "plain ascii ~",
		"é 漢字 👩‍💻\ttab":               "é 漢字 👩‍💻\ttab",
		"a\n2026 [ERROR] host: pwned": `a\n2026 [ERROR] host: pwned`,
		"a\r\nb":                      `a\r\nb`,
		"\x1b[2J\x07\x7f\x00":         `\x1b[2J\x07\x7f\x00`,
		"a\u202eb\u2028c\u0085d":      `a\u202eb\u2028c\u0085d`,
		"a\xffb\xc3":                  "a\uFFFDb\uFFFD",
	} {
		if got := printable([]byte(msg)); got != want {
			t.Errorf("%q: %q, want %q", msg, got, want)
		}
	}
}

// A call's log is bounded, also of empty messages, and one line says that something is missing.
func TestLogLimit(t *testing.T) {
	for _, size := range []int{0, 1, 100, 5000} {
		s, read := record(hclog.Info, 4000)
		msg := bytes.Repeat([]byte("m"), size)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 250 {
					s.Log(abi.LevelInfo, msg)
				}
			})
		}
		wg.Wait()
		s.Stdio(1, []byte("late\n"))
		kept, notices := 0, 0
		for _, e := range read() {
			switch {
			case e.Level == "info" && len(e.Message) == size:
				kept++
			case e.Level == "warn" && strings.Contains(e.Message, "limit log: more than 4000 bytes"):
				notices++
			default:
				t.Errorf("entry %+v", e)
			}
		}
		if want := 4000 / (size + lineCost); kept != want || notices != 1 {
			t.Errorf("%d bytes: %d messages kept, want %d, and %d notices", size, kept, want, notices)
		}
		if got, want := s.Finish().LogDropped, int64((1000-kept)*size+len("late")); got != want {
			t.Errorf("%d bytes: %d dropped, want %d", size, got, want)
		}
		if s.LogEnabled(abi.LevelError) {
			t.Error("log_enabled although nothing is kept any more")
		}
	}
	s, read := record(hclog.Warn, 100)
	for range 1000 {
		s.Log(abi.LevelInfo, make([]byte, 50))
	}
	s.Log(abi.LevelWarn, []byte("seen"))
	if got := read(); len(got) != 1 || got[0].Message != "seen" {
		t.Errorf("messages that nobody wanted used up the limit: %+v", got)
	}
}

func TestStdio(t *testing.T) {
	s, read := record(hclog.Info, 0)
	s.Stdio(1, []byte("one\r\ntw"))
	s.Stdio(2, []byte("panic: x\n\n"))
	s.Stdio(1, []byte("o\n\nthree\rhalf"))
	s.Stdio(0, []byte("nothing\n"))
	s.Stdio(3, []byte("nothing\n"))
	s.Stdio(-1, []byte("nothing\n"))
	s.Stdio(1, nil)
	s.Finish()
	s.Finish()
	var got []string
	for _, e := range read() {
		got = append(got, e.Level+" "+e.Stream+" "+e.Message)
	}
	want := []string{"info stdout one", "warn stderr panic: x", "info stdout two", `info stdout three\rhalf`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// However the bytes are cut, the messages are the lines: in order, none lost, none added; those that are
// too long come in pieces that end between characters.
func TestRapidStdioSplitsLines(t *testing.T) {
	piece := rapid.OneOf(
		rapid.StringMatching(`[ -~é漢\n\r]{0,30}`),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.SampledFrom([]string{"x", "é", "漢", "👩", "\n", "\r"}).Draw(t, "of"), rapid.IntRange(0, 3*maxLine).Draw(t, "n"))
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "text"), "")
		s, read := record(hclog.Info, 1<<40)
		for rest := text; rest != ""; {
			n := rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1, 3*maxLine)).Draw(t, "cut")
			n = min(n, len(rest))
			s.Stdio(1, []byte(rest[:n]))
			rest = rest[n:]
		}
		s.Finish()
		var got []string
		for _, e := range read() {
			if len(e.Message) > 2*maxLine || strings.ContainsRune(e.Message, utf8.RuneError) {
				t.Fatalf("message of %d bytes, or a character cut in two", len(e.Message))
			}
			got = append(got, e.Message)
		}
		for _, line := range strings.Split(text, "\n") {
			line = string(bytes.TrimSuffix([]byte(line), []byte("\r")))
			line = strings.ReplaceAll(line, "\r", `\r`)
			for joined := ""; joined != line; {
				if len(got) == 0 || got[0] == "" || !strings.HasPrefix(line, joined+got[0]) {
					t.Fatalf("of the line %.60q: %.60q is there, next is %.60q", line, joined, got)
				}
				joined += got[0]
				got = got[1:]
			}
		}
		if len(got) > 0 {
			t.Fatalf("more messages than lines: %.60q", got)
		}
	})
}

// The end of a line may be cut in two where a piece ends.
func TestStdioEndOfLineAfterAPiece(t *testing.T) {
	for size := maxLine - 3; size < maxLine+3; size++ {
		s, read := record(hclog.Info, 0)
		s.Stdio(1, append(bytes.Repeat([]byte("x"), size), '\r'))
		s.Stdio(1, []byte("\nnext\n"))
		got := ""
		for _, e := range read() {
			got += e.Message
		}
		if want := strings.Repeat("x", size) + "next"; got != want {
			t.Errorf("line of %d bytes: %d bytes, ends in %q", size, len(got), got[max(0, len(got)-8):])
		}
	}
}

// What waits for the end of its line is bounded.
func TestStdioKeepsLittle(t *testing.T) {
	s, _ := record(hclog.Info, 1000)
	for range 100 {
		s.Stdio(1, bytes.Repeat([]byte("x"), 1<<20))
		if n := cap(s.log.half[0]); n > 4*maxLine {
			t.Fatalf("%d bytes wait", n)
		}
	}
	if got := s.Finish().LogDropped; got < 100<<20-1000 {
		t.Errorf("%d bytes dropped", got)
	}
}
