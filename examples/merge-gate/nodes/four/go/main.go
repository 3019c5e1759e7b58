// Command go is the check of ../README.md in Go. It takes the input as bytes, so that sizes
// are passed on as they were written.
package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	dash "github.com/dashhost/dashhost/sdk/go"
)

// Config is the node's config in the manifest.
type Config struct {
	To string `json:"to"`
}

// In is the input. Size is not decoded: it may be a number that no type of Go holds.
type In struct {
	Files []struct {
		Path  string          `json:"path"`
		Size  json.RawMessage `json:"size"`
		Added []struct {
			Line int64  `json:"line"`
			Text string `json:"text"`
		} `json:"added"`
	} `json:"files"`
}

var node = dash.Serve(dash.RawConfigured(setup))

func main() {}

func setup(config []byte) (func(*dash.Call, []byte) ([]byte, error), error) {
	var cfg Config
	if err := json.Unmarshal(config, &cfg); err != nil || cfg.To == "" {
		return nil, dash.Fatal("bad_config", "config: want {\"to\": CHANNEL}")
	}
	return func(_ *dash.Call, input []byte) ([]byte, error) { return check(cfg.To, input) }, nil
}

func check(to string, input []byte) ([]byte, error) {
	var in In
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, dash.Fatal("bad_input", "input: "+err.Error())
	}
	out := append(dash.AppendString([]byte("{"), to), ':', '[')
	comma := ""
	for _, file := range in.Files {
		for _, run := range file.Added {
			number := run.Line
			for line := range strings.SplitSeq(run.Text, "\n") {
				line = strings.TrimSuffix(line, "\r")
				if text := strings.TrimRight(line, " \t\u00a0\u3000"); text != line {
					out = append(append(out, comma...), `{"path":`...)
					out = append(dash.AppendString(out, file.Path), `,"line":`...)
					out = append(strconv.AppendInt(out, number, 10), `,"column":`...)
					out = strconv.AppendInt(out, int64(utf8.RuneCountInString(text))+1, 10)
					out = dash.AppendString(append(out, `,"excerpt":`...), last(line, 20))
					if len(file.Size) > 0 && string(file.Size) != "null" {
						out = append(append(out, `,"size":`...), file.Size...)
					}
					out = append(out, '}')
					comma = ","
				}
				number++
			}
		}
	}
	return append(out, ']', '}'), nil
}

// last returns the last n characters of s.
func last(s string, n int) string {
	from := len(s)
	for ; from > 0 && n > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:from])
		from -= size
	}
	return s[from:]
}
