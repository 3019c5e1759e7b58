package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

func check1(t *testing.T, f finding.File, config string) []finding.Finding {
	t.Helper()
	input, err := json.Marshal(In{Item: []finding.File{f}})
	if err != nil {
		t.Fatal(err)
	}
	res := dashtest.Run(node, string(input), &dashtest.Options{Config: config})
	if res.Failure != nil {
		t.Fatalf("failed: %+v", res.Failure)
	}
	var out Out
	if err := json.Unmarshal([]byte(res.Output), &out); err != nil {
		t.Fatal(err)
	}
	return out.Findings
}

// rules runs the check over one line and returns "rule severity" of what it found.
func rules(t *testing.T, path, text string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range check1(t, finding.File{Path: path, Added: []finding.Run{{Line: 7, Text: text}}}, "") {
		b.WriteString(f.Rule + " " + f.Severity + "; ")
		if f.Path != path || f.Line < 7 || f.ID != finding.ID(f.Rule, path, text) {
			t.Errorf("%q: %+v", text, f)
		}
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestWhatAReviewerCannotSeeIsFound(t *testing.T) {
	cases := []struct{ name, path, text, want string }{
		{"trojan source", "a.c", "/*\u202e } \u2066if (isAdmin)\u2069 \u2066 begin admins only */", "bidi-control high"},
		{"isolate in Go", "a.go", `x := "user\u2066"` + "\u2066", "bidi-control high"},
		{"override in prose", "a.md", "see \u202eexe.txt", "bidi-control high"},
		{"unclosed isolate in Hebrew prose", "a.md", "\u2066\u05e9\u05dc\u05d5\u05dd", "bidi-control high"},
		{"mark without such writing", "a.go", "x\u200f := 1", "bidi-control medium"},
		{"zero-width space", "a.py", "pass\u200bword = 1", "invisible medium"},
		{"zero-width joiner between letters", "a.py", "is\u200dAdmin = 1", "invisible medium"},
		{"BOM in the middle", "a.py", "x\ufeff = 1", "invisible medium"},
		{"Hangul filler as a name", "a.js", "const \u3164 = 1", "invisible medium"},
		{"tag characters", "a.md", "hello\U000e0069\U000e0067", "invisible high"},
		{"hidden bytes in selectors", "a.js", "x\U000e0101\U000e0102\U000e0103", "invisible medium"},
		{"hidden bytes after an emoji", "a.js", "😀\U000e0101\U000e0102\U000e0103", "invisible high"},
		{"escape sequence", "a.sh", "echo \x1b[2K", "control-char medium"},
		{"carriage return", "a.sh", "evil\r# harmless", "control-char high"},
		{"Cyrillic a", "a.go", "func isАdmin() {}", "confusable high"},
		{"Greek omicron", "a.ts", "gοogle.com", "confusable high"},
		{"full width", "a.py", "ｅval(x)", "confusable high"},
		{"mathematical", "a.py", "𝐞val(x)", "confusable high"},
		{"in prose", "a.md", "visit https://pаypal.com", "confusable medium"},
		{"typing slip in Russian prose", "a.md", "это наш сomment", "confusable low"},
		{"whole word, called", "a.py", "сору(x)", "confusable medium"},
		{"two rules", "a.py", "pаss\u200b = 1", "invisible medium; confusable high"},
		{"in a fixture", "testdata/a.py", "pass\u200bword", "invisible low"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := rules(t, c.path, c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRealTextIsFine(t *testing.T) {
	for name, text := range map[string]string{
		"Russian comment":       "x = 1 // это кодировка, а не ошибка: сор и рос",
		"Russian in a string":   `fmt.Println("Привет, мир")`,
		"Russian and a product": "// подключи USB-кабель к Raspberry Pi",
		"Greek":                 "# Καλημέρα κόσμε, το είδος",
		"physics":               "Δx := λ*2 + σ1 + μs",
		"micro sign":            "timeout: 10µs, 5Ω",
		"CJK":                   "// 你好，世界 テスト 안녕하세요",
		"full width CJK":        "// 数字は１２３です",
		"accents":               "naïve café Straße Łódź señor İstanbul",
		"emoji sequences":       "👩‍👩‍👧‍👦 ❤️ 🏳️‍🌈 1️⃣ ©️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 👍🏽",
		"Persian joiner":        "می‌خواهم",
		"Hindi joiner":          "क्‍ष",
		"Arabic with a mark":    "مرحبا\u200f (world)",
		"CRLF kept":             "x := 1\r",
		"form feed":             "\f",
		"mixed visibly":         "const usb_кабель = 1",
		"ligature and dashes":   "ﬁne – “quoted” … →",
	} {
		t.Run(name, func(t *testing.T) {
			if got := rules(t, "a.go", text); got != "" {
				t.Errorf("%q: got %q, want nothing", text, got)
			}
		})
	}
	if got := rules(t, "he.md", "\u2067שלום\u2069"); got != "" {
		t.Errorf("isolates closed in Hebrew prose: got %q", got)
	}
	bom := finding.File{Path: "a.cs", Added: []finding.Run{{Line: 1, Text: "\ufeffusing X;"}}}
	if got := check1(t, bom, ""); got != nil {
		t.Errorf("byte order mark: got %+v", got)
	}
}

func TestBlobs(t *testing.T) {
	long := strings.Repeat("x", 101)
	cases := []struct {
		name, want string
		file       finding.File
	}{
		{"large binary", "large-binary medium", finding.File{Path: "a.png", Binary: true, Size: 1001}},
		{"at the limit", "", finding.File{Path: "a.png", Binary: true, Size: 1000}},
		{"deleted", "", finding.File{Path: "a.exe", Binary: true, Size: 9999, Status: "deleted"}},
		{"executable by mode", "executable-binary medium", finding.File{Path: "tool", Binary: true, Mode: "100755"}},
		{"library", "executable-binary medium", finding.File{Path: "a.SO", Binary: true}},
		{"long line", "large-line medium", finding.File{Path: "a.go", Added: []finding.Run{{Line: 1, Text: "a\n" + long + "\nb"}}}},
		{"long line of a program", "large-line low", finding.File{Path: "a.min.js", Added: []finding.Run{{Line: 1, Text: long}}}},
		{"large file", "large-file medium", finding.File{Path: "a.go", Added: []finding.Run{{Line: 1, Text: strings.Repeat("abcdefg\n", 40)}}}},
		{"large lock file", "large-file low", finding.File{Path: "package-lock.json", Added: []finding.Run{{Line: 1, Text: strings.Repeat("abcdefg\n", 40)}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			for _, f := range check1(t, c.file, `{"max_binary":1000,"max_line":100,"max_added":300}`) {
				got += f.Rule + " " + f.Severity
				if f.Rule == "large-line" && f.Message != "a line of 101 bytes: too long to be read" {
					t.Errorf("message %q", f.Message)
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAFloodIsCounted(t *testing.T) {
	f := finding.File{Path: "a.go", Added: []finding.Run{{Line: 1, Text: strings.Repeat("x\u200b\n", 50)}}}
	got := check1(t, f, `{"max_per":3}`)
	if len(got) != 3 || !strings.HasSuffix(got[2].Message, "(and 47 more in this file)") || strings.Count(got[2].Message, "more") != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestExcerptIsPrintableAndShort(t *testing.T) {
	if got := excerpt("\t a\u202eb\x1b\tc\u200b"); got != "a<U+202E>b<U+001B> c<U+200B>" {
		t.Errorf("got %q", got)
	}
	if got := excerpt(strings.Repeat("é", 500)); len([]rune(got)) != 123 {
		t.Errorf("got %d characters", len([]rune(got)))
	}
}

func TestBadConfig(t *testing.T) {
	res := dashtest.Run(node, `{"item":[]}`, &dashtest.Options{Config: `{"max_line":-1}`})
	if res.Started || res.Failure.Code != "bad_config" {
		t.Errorf("got %+v", res.Failure)
	}
}
