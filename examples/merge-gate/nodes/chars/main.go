// Command chars is a check of merge-gate for what a reviewer cannot see: text that
// is displayed differently from what a compiler reads, and content too large or too
// binary to be read at all.
//
//	bidi-control       reorders what is displayed ("Trojan Source")
//	invisible          characters without a glyph, hidden text
//	control-char       escape sequences, backspace, carriage return inside a line
//	confusable         a word of Latin letters with look-alikes of other scripts
//	large-line         one line too long to be read
//	large-file         more added text than anyone reads
//	large-binary       binary data over the limit
//	executable-binary  a binary that will be run or loaded
//
// Text in other scripts than Latin is fine, everywhere; so are emoji sequences,
// joiners in the scripts that need them, and a byte order mark at the start of a
// file.
package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
	dash "github.com/dashhost/dashhost/sdk/go"
)

// Config of the node in the manifest. Sizes are bytes; 0 is the default.
type Config struct {
	MaxBinary int64 `json:"max_binary"` // default 1 MiB
	MaxLine   int   `json:"max_line"`   // default 20,000
	MaxAdded  int   `json:"max_added"`  // text added to one file; default 2 MiB
	MaxPer    int   `json:"max_per"`    // findings of one rule in one file; default 20
}

// In is the input: a batch of files.
type In struct {
	Item []finding.File `json:"item"`
}

// Out is the output; no findings, no write.
type Out struct {
	Findings []finding.Finding `json:"findings,omitempty"`
}

var node = dash.Serve(dash.Configured(setup))

func main() {}

func setup(cfg Config) (func(*dash.Call, In) (Out, error), error) {
	if cfg.MaxBinary < 0 || cfg.MaxLine < 0 || cfg.MaxAdded < 0 || cfg.MaxPer < 0 {
		return nil, dash.Fatal("bad_config", "config: sizes and counts must not be negative")
	}
	cfg.MaxBinary = orDefault(cfg.MaxBinary, 1<<20)
	cfg.MaxLine = orDefault(cfg.MaxLine, 20_000)
	cfg.MaxAdded = orDefault(cfg.MaxAdded, 2<<20)
	cfg.MaxPer = orDefault(cfg.MaxPer, 20)
	return func(_ *dash.Call, in In) (Out, error) {
		var out Out
		for i := range in.Item {
			c := check{file: &in.Item[i], cfg: &cfg, counts: make(map[string]int)}
			c.run()
			out.Findings = append(out.Findings, c.found...)
		}
		return out, nil
	}, nil
}

func orDefault[T int | int64](n, def T) T {
	if n == 0 {
		return def
	}
	return n
}

// check looks at one file.
type check struct {
	file   *finding.File
	cfg    *Config
	prose  bool // documentation or translations: other scripts are its point
	counts map[string]int
	found  []finding.Finding
}

func (c *check) run() {
	if c.file.Binary {
		c.binary()
		return
	}
	c.prose = isProse(c.file.Path)
	added := 0
	for _, r := range c.file.Added {
		added += len(r.Text)
		if plain(r.Text) && len(r.Text) <= c.cfg.MaxLine {
			continue
		}
		for number := r.Line; ; number++ {
			line, rest, more := strings.Cut(r.Text, "\n")
			c.line(number, line)
			if !more {
				break
			}
			r.Text = rest
		}
	}
	if added > c.cfg.MaxAdded {
		c.add("large-file", c.large(), 0, "", fmt.Sprintf("%s of added text: too much to be read", size(int64(added))))
	}
}

// plain reports whether s has nothing but printable ASCII, tabs and line ends.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x7f || c < ' ' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

func (c *check) line(number int, line string) {
	if len(line) > c.cfg.MaxLine {
		c.add("large-line", c.large(), number, line, fmt.Sprintf("a line of %s: too long to be read", size(int64(len(line)))))
	}
	if plain(line) {
		return
	}
	for _, h := range look(line, number == 1, c.prose) {
		severity := h.severity
		if finding.Fixture(c.file.Path) {
			severity = finding.Low
		}
		c.add(h.rule, severity, number, line, h.message)
	}
}

// large is the severity of large text: low where a program writes it.
func (c *check) large() string {
	base := strings.ToLower(path.Base(c.file.Path))
	for _, suffix := range []string{".min.js", ".min.css", ".map", ".lock", ".sum", ".svg", ".ipynb", ".json", ".csv", ".tsv", ".pb.go", ".snap", ".golden"} {
		if strings.HasSuffix(base, suffix) {
			return finding.Low
		}
	}
	if finding.Fixture(c.file.Path) || strings.Contains("/"+c.file.Path, "/vendor/") || strings.Contains(base, "lock.") {
		return finding.Low
	}
	return finding.Medium
}

var executables = []string{
	".exe", ".dll", ".so", ".dylib", ".a", ".o", ".obj", ".lib", ".jar", ".class", ".war", ".wasm", ".pyc", ".pyd", ".node", ".bin", ".apk", ".msi", ".deb", ".rpm",
}

func (c *check) binary() {
	if c.file.Status == "deleted" {
		return
	}
	if c.file.Size > c.cfg.MaxBinary {
		c.add("large-binary", finding.Medium, 0, "", fmt.Sprintf("%s of binary data, the limit is %s", size(c.file.Size), size(c.cfg.MaxBinary)))
	}
	ext := strings.ToLower(path.Ext(c.file.Path))
	for _, e := range executables {
		if ext == e || c.file.Mode == "100755" {
			c.add("executable-binary", finding.Medium, 0, "", "a binary that runs or is loaded: build it from source, or pin its digest")
			return
		}
	}
}

// add records a finding; over the limit of one rule in one file, the last one says
// that there are more.
func (c *check) add(rule, severity string, number int, content, message string) {
	c.counts[rule]++
	if c.counts[rule] > c.cfg.MaxPer {
		last := &c.found[c.lastOf(rule)]
		last.Message = strings.TrimSuffix(last.Message, more(c.counts[rule]-1-c.cfg.MaxPer)) + more(c.counts[rule]-c.cfg.MaxPer)
		return
	}
	c.found = append(c.found, finding.Finding{
		ID: finding.ID(rule, c.file.Path, content), Rule: rule, Severity: severity,
		Path: c.file.Path, Line: number, Message: message, Excerpt: excerpt(content),
	})
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more in this file)", n)
}

func (c *check) lastOf(rule string) int {
	i := len(c.found) - 1
	for c.found[i].Rule != rule {
		i--
	}
	return i
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

func isProse(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".markdown", ".txt", ".rst", ".adoc", ".html", ".htm", ".tex", ".po", ".pot", ".arb", ".xlf", ".xliff", ".strings", ".properties", ".resx", ".srt", ".csv":
		return true
	}
	for _, dir := range strings.Split(strings.ToLower(path.Dir(name)), "/") {
		switch dir {
		case "locale", "locales", "i18n", "l10n", "lang", "langs", "translations", "po":
			return true
		}
	}
	return false
}
