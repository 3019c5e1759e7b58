package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	dash "github.com/dashhost/dashhost/sdk/go"
	"github.com/dashhost/dashhost/sdk/go/dashtest"
)

type run struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

type fileOut struct {
	Path    string `json:"path"`
	Old     string `json:"old"`
	Status  string `json:"status"`
	Mode    string `json:"mode"`
	OldMode string `json:"old_mode"`
	Binary  bool   `json:"binary"`
	Size    *int64 `json:"size"`
	Added   []run  `json:"added"`
	Hunks   []run  `json:"hunks"`
}

type output struct {
	Findings []any     `json:"findings!"`
	Files    []fileOut `json:"files"`
	Change   struct {
		Files, Binary, Added, Removed int
		Context                       []string
	} `json:"change"`
}

// splitText runs the node as the host does: the patch is a member of the input.
func splitText(t *testing.T, patch, config string) (output, *dashtest.Failure) {
	t.Helper()
	input := append(dash.AppendString([]byte(`{"x":[{"patch":"no"}],"patch":`), patch), '}')
	res := dashtest.Run(node, string(input), &dashtest.Options{Config: config})
	var out output
	if res.Output != "" {
		dec := json.NewDecoder(strings.NewReader(res.Output))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&out); err != nil {
			t.Fatalf("output: %v\n%s", err, res.Output)
		}
		if out.Findings == nil || out.Files == nil || out.Change.Files != len(out.Files) {
			t.Fatalf("output misses members: %s", res.Output)
		}
	}
	return out, res.Failure
}

// brief is one line a file: what a reader of the test can check by eye.
func brief(out output) string {
	var b strings.Builder
	for _, f := range out.Files {
		b.WriteString(f.Status + " " + f.Path)
		if f.Old != "" {
			b.WriteString(" from " + f.Old)
		}
		if f.OldMode != "" {
			b.WriteString(" mode " + f.OldMode + ">" + f.Mode)
		} else if f.Mode != "" {
			b.WriteString(" mode " + f.Mode)
		}
		if f.Binary {
			b.WriteString(" binary")
		}
		if f.Size != nil {
			n, _ := json.Marshal(*f.Size)
			b.WriteString(" size " + string(n))
		}
		for _, r := range f.Added {
			n, _ := json.Marshal(r)
			b.Write(append([]byte(" "), n...))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func lines(l ...string) string { return strings.Join(l, "\n") + "\n" }

func TestSplit(t *testing.T) {
	cases := []struct{ name, patch, want string }{
		{"empty", "", ""},
		{"only space", " \n\n", ""},
		{"modified", lines("diff --git a/x.go b/x.go", "index 1..2 100644", "--- a/x.go", "+++ b/x.go",
			"@@ -1,3 +1,4 @@ func f() {", " a", "-b", "+B", "+c", " d"),
			`modified x.go mode 100644 {"line":2,"text":"B\nc"}`},
		{"runs", lines("--- a/x", "+++ b/x", "@@ -1,3 +1,5 @@", "+one", " a", "-b", "+two", "-c", "+three", "+four", "@@ -9 +11 @@", "-x", "+y"),
			`modified x {"line":1,"text":"one"} {"line":3,"text":"two\nthree\nfour"} {"line":11,"text":"y"}`},
		{"new, deleted, empty", lines("diff --git a/n b/n", "new file mode 100755", "index 0..1", "--- /dev/null", "+++ b/n", "@@ -0,0 +1 @@", "+x",
			"diff --git a/d b/d", "deleted file mode 100644", "index 1..0", "--- a/d", "+++ /dev/null", "@@ -1 +0,0 @@", "-x",
			"diff --git a/e b/e", "new file mode 100644", "index 0..0"),
			lines(`added n mode 100755 {"line":1,"text":"x"}`, "deleted d mode 100644", "added e mode 100644")},
		{"rename with change, pure copy", lines("diff --git a/old name b/new name", "similarity index 90%", "rename from old name", "rename to new name",
			"index 1..2 100644", "--- a/old name\t", "+++ b/new name\t", "@@ -1 +1 @@", "-a", "+b",
			"diff --git a/x b/y", "similarity index 100%", "copy from x", "copy to y"),
			lines(`renamed new name from old name mode 100644 {"line":1,"text":"b"}`, "copied y from x")},
		{"mode change", lines("diff --git a/run.sh b/run.sh", "old mode 100644", "new mode 100755"),
			"modified run.sh mode 100644>100755"},
		{"path with spaces and b/ in it", lines("diff --git a/a b/x b/a b/x", "old mode 100644", "new mode 100755"),
			"modified a b/x mode 100644>100755"},
		{"quoted path", lines(`diff --git "a/tab\there \303\251\"\\.txt" "b/tab\there \303\251\"\\.txt"`, "index 1..2 100644",
			`--- "a/tab\there \303\251\"\\.txt"`, `+++ "b/tab\there \303\251\"\\.txt"`, "@@ -1 +1 @@", "-a", "+b"),
			"modified tab\there é\"\\.txt mode 100644 " + `{"line":1,"text":"b"}`},
		{"one side quoted", lines(`diff --git a/x "b/\303\251"`, "similarity index 100%", "rename from x", `rename to "\303\251"`),
			"renamed é from x"},
		{"no prefix, custom prefix, mnemonic prefix", lines("diff --git src/x src/x", "old mode 100644", "new mode 100755",
			"diff --git left/src/y right/src/y", "old mode 100644", "new mode 100755", "diff --git i/z w/z", "old mode 100644", "new mode 100755"),
			lines("modified src/x mode 100644>100755", "modified src/y mode 100644>100755", "modified z mode 100644>100755")},
		{"binary", lines("diff --git a/p.png b/p.png", "index 1..2 100644", "Binary files a/p.png and b/p.png differ",
			"diff --git a/q.png b/q.png", "new file mode 100644", "index 0..1", "GIT binary patch", "literal 6", "FcmYdfPs#uN", "", "literal 0", "HcmV?d00001", "",
			"diff --git a/t b/t", "index 1..2 100644", "--- a/t", "+++ b/t", "@@ -1 +1 @@", "-a", "+b"),
			lines("modified p.png mode 100644 binary", "added q.png mode 100644 binary size 6", `modified t mode 100644 {"line":1,"text":"b"}`)},
		{"no newline at the end", lines("--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", `\ No newline at end of file`, "+b", `\ No newline at end of file`),
			`modified x {"line":1,"text":"b"}`},
		{"headers inside a hunk", lines("--- a/x", "+++ b/x", "@@ -1,3 +1,5 @@", "--- a/evil", "+++ b/evil", "+diff --git a/p b/p", "+@@ -1 +1 @@", " -- ", "-- ", "++++ b/y"),
			`modified x {"line":1,"text":"++ b/evil\ndiff --git a/p b/p\n@@ -1 +1 @@"} {"line":5,"text":"+++ b/y"}`},
		{"CRLF content", "--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n a\r\n+b\r\n", `modified x {"line":2,"text":"b"}`},
		{"CRLF everywhere", strings.ReplaceAll(lines("diff --git a/x b/x", "index 1..2 100644", "--- a/x", "+++ b/x", "@@ -1,2 +1,3 @@", " a", "", "+b"), "\n", "\r\n"),
			`modified x mode 100644 {"line":3,"text":"b"}`},
		{"no newline at the end of the patch", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b", `modified x {"line":1,"text":"b"}`},
		{"format-patch mail", lines("From 1 Mon Sep 17 00:00:00 2001", "From: A <a@b>", "Subject: [PATCH] @@ -1 x", "", "--- not a header", "+text of a mail", "---", " x | 2 +-", "",
			"diff --git a/x b/x", "index 1..2 100644", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+b", "-- ", "2.39.0", "",
			"From 2", "", "diff --git a/y b/y", "index 1..2 100644", "--- a/y", "+++ b/y", "@@ -1 +1 @@", "-a", "+b", "--", "2.39.0"),
			lines(`modified x mode 100644 {"line":1,"text":"b"}`, `modified y mode 100644 {"line":1,"text":"b"}`)},
		{"diff -ru", lines("diff -ru old/d/x new/d/x", "--- old/d/x\t2024-01-01 00:00:00.0 +0000", "+++ new/d/x\t2024-01-02 00:00:00.0 +0000", "@@ -1 +1 @@", "-a", "+b",
			"Binary files old/b and new/b differ", "--- old/n\t1970-01-01 00:00:00.0 +0000", "+++ new/n\t2024-01-02", "@@ -0,0 +1 @@", "+b",
			"--- old/g\t2024", "+++ new/g\t1970-01-01", "@@ -1 +0,0 @@", "-b"),
			lines(`modified d/x {"line":1,"text":"b"}`, "modified b binary", `added n {"line":1,"text":"b"}`, "deleted g")},
		{"merge", lines("diff --cc x.go", "index 1,2..3", "mode 100644,100644..100755", "--- a/x.go", "+++ b/x.go", "@@@ -1,4 -1,4 +1,5 @@@ f", "  a", "- b", " -c", "++both", "+ one", " +two", "  d",
			"diff --git a/y b/y", "old mode 100644", "new mode 100755"),
			lines(`modified x.go mode 100755 {"line":2,"text":"both\none\ntwo"}`, "modified y mode 100644>100755")},
		{"submodule", lines("diff --git a/sub b/sub", "index 1..2 160000", "--- a/sub", "+++ b/sub", "@@ -1 +1 @@", "-Subproject commit 1", "+Subproject commit 2"),
			`modified sub mode 160000 {"line":1,"text":"Subproject commit 2"}`},
		{"not UTF-8 became U+FFFD", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\ufffd\x00\u2028\n", "modified x {\"line\":1,\"text\":\"\ufffd\\u0000\\u2028\"}"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, failure := splitText(t, c.patch, "")
			if failure != nil {
				t.Fatalf("failed: %s", failure.Message)
			}
			if got, want := strings.TrimSpace(brief(out)), strings.TrimSpace(c.want); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestMalformedPatchNamesTheLine(t *testing.T) {
	head := "diff --git a/x b/x\n--- a/x\n+++ b/x\n"
	cases := []struct{ name, patch, want string }{
		{"no diff", "hello\nworld\n", "patch has 2 lines and no diff in them"},
		{"truncated", head + "@@ -1,2 +1,2 @@\n a\n-b\n", "line 7: x: the patch ends inside the hunk of line 4, which misses 1 lines"},
		{"wrong line", head + "@@ -1,2 +1,2 @@\n a\nb\n", "line 6: x: not a line of the hunk of line 4"},
		{"too many removed", head + "@@ -1,1 +1,2 @@\n-a\n-b\n", "line 6: x: not a line of the hunk"},
		{"too long", head + "@@ -1 +1 @@\n-a\n+b\n+c\n", "line 7: x: the hunk of line 4 goes on after its end"},
		{"too long, removed", head + "@@ -1 +1 @@\n-a\n+b\n-c\n", "line 7: x: the hunk of line 4 goes on"},
		{"broken header", head + "@@ -1 +x @@\n-a\n+b\n", "line 4: x: a broken hunk header"},
		{"huge count", head + "@@ -1,99999999999 +1 @@\n", "line 4: x: a broken hunk header"},
		{"no hunk", head + "diff --git a/y b/y\n", "line 4: x: want a hunk"},
		{"hunk without file", "x\n@@ -1 +1 @@\n-a\n+b\n", "line 2: a hunk without a file"},
		{"two names", "diff --git a/x b/x\n--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", `+++ names "b/y", the lines before it "x"`},
		{"no +++", "diff --git a/x b/x\n--- a/x\n@@ -1 +1 @@\n", "line 3: want +++ after ---"},
		{"no name", "diff --git a/x b/y\nindex 1..2\n", "line 1: cannot tell the path"},
		{"open quote", "diff --git \"a/x b/y\nindex 1..2\n", "line 1: names: a quote is not closed"},
		{"bad escape", "diff --git a/x b/x\nrename from \"\\q\"\n", "line 2: rename from: a quoted path has an escape"},
		{"binary size", "diff --git a/x b/x\nGIT binary patch\nliteral x\n", "line 3: size of binary data"},
		{"binary kind", "diff --git a/x b/x\nGIT binary patch\nfoo 1\n", "line 3: x: want literal or delta"},
		{"binary line", "diff --git a/x b/x\nGIT binary patch\nliteral 6\nNcmYdf\n", "line 4: not a line of a git binary patch"},
		{"nothing on both sides", "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "both name /dev/null"},
		{"columns disagree", "diff --cc x\n--- a/x\n+++ b/x\n@@@ -1 -1 +1 @@@\n+-a\n", "line 5: x: not a line of the hunk"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, failure := splitText(t, c.patch, "")
			if failure == nil || failure.Code != "bad_patch" || failure.RetryUS != -1 || !strings.Contains(failure.Message, c.want) {
				t.Errorf("got %+v\nwant bad_patch, final, with %q", failure, c.want)
			}
		})
	}
}

func TestContextFilesKeepTheirHunks(t *testing.T) {
	patch := lines("--- a/d/go.mod", "+++ b/d/go.mod", "@@ -4,2 +4,2 @@ require (", ` "q"`, `-a v1 "`, `+a v2 "`,
		"@@ -9 +9 @@", "-x", "+y", "--- a/x.go", "+++ b/x.go", "@@ -1 +1 @@", "-x", "+y")
	out, failure := splitText(t, patch, `{"context":["go.mod","requirements*.txt"]}`)
	if failure != nil || len(out.Files) != 2 {
		t.Fatalf("got %+v, %+v", out, failure)
	}
	got, _ := json.Marshal(out.Files[0].Hunks)
	if want := `[{"line":4,"text":" \"q\"\n-a v1 \"\n+a v2 \""},{"line":9,"text":"-x\n+y"}]`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Join(out.Change.Context, ",") != "d/go.mod" {
		t.Errorf("change.context is %q", out.Change.Context)
	}
	if out.Files[1].Hunks != nil {
		t.Errorf("x.go has hunks: %v", out.Files[1].Hunks)
	}
	for config, want := range map[string]string{`{"context":["["]}`: "syntax error in pattern", `{"context":1}`: "cannot unmarshal"} {
		if _, failure := splitText(t, patch, config); failure == nil || !strings.Contains(failure.Message, want) {
			t.Errorf("config %s: got %+v", config, failure)
		}
	}
}

func TestPatchMissingOrNotText(t *testing.T) {
	for input, want := range map[string]string{
		`{}`: "nothing there", `{"patch":7}`: "want a text", `{"a":"patch","b":{"patch":"x"}}`: "nothing there",
		`[`: "not the JSON object", `{"patch":"a\q"}`: "not the JSON object", `{"patch":"a`: "not the JSON object",
	} {
		res := dashtest.Run(node, input, nil)
		if res.Failure == nil || res.Failure.Code != "bad_input" || !strings.Contains(res.Failure.Message, want) {
			t.Errorf("%s: got %+v, want bad_input with %q", input, res.Failure, want)
		}
	}
}

func FuzzTextMemberIsWhatEncodingJSONSays(f *testing.F) {
	f.Add(`{"patch":"a\nb\u00e9\ud83d\ude00\ud83dx\"\\\/\b\f\r\t"}`)
	f.Add(` { "a" : [1,{"patch":"}"}] , "patch" : "x" , "b":null}`)
	f.Fuzz(func(t *testing.T, input string) {
		if !utf8.ValidString(input) {
			return // the host sends UTF-8
		}
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(input), &want) != nil || want == nil {
			_, _ = textMember([]byte(input), "patch") // must not panic
			return
		}
		if strings.Count(input, "patch") > 1 || strings.Contains(input, `\u`) && want["patch"] == nil {
			return // duplicate or escaped keys: the host does not send them
		}
		var s string
		isText := want["patch"] != nil && json.Unmarshal(want["patch"], &s) == nil && want["patch"][0] == '"'
		got, err := textMember([]byte(input), "patch")
		if isText != (err == nil) || isText && strings.ToValidUTF8(string(got), "\ufffd") != strings.ToValidUTF8(s, "\ufffd") {
			t.Fatalf("got %q, %v; want %q (%v)", got, err, s, isText)
		}
	})
}

func FuzzSplitNeverPanicsAndWritesJSON(f *testing.F) {
	f.Add("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,4 @@ f\n a\n-b\n+B\n+c\n d\n")
	f.Add("diff --cc x\n--- a/x\n+++ b/x\n@@@ -1 -1 +1,2 @@@\n++a\n  b\n")
	f.Add("diff --git \"a/\\303\\251\" \"b/\\303\\251\"\nGIT binary patch\nliteral 6\nFcmYdfPs#uN\n\n")
	f.Fuzz(func(t *testing.T, patch string) {
		out, err := split([]byte(patch), []string{"x"})
		if err == nil && !json.Valid(out) {
			t.Fatalf("not JSON: %q", out)
		}
	})
}
