package checkpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/memstore"
)

// sample is a store with a blob and the threads a, b and c of two claims each.
func sample(t *testing.T) *checkpoint.Store {
	t.Helper()
	ctx := context.Background()
	s := memory(t)
	if _, _, err := s.PutBlob(ctx, []byte(`{"graph":1}`)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"c", "a", "b"} {
		for range 2 {
			c, err := s.Claim(ctx, name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				r := &checkpoint.Record{
					Kind: checkpoint.KindStep, Events: 2, Ops: []checkpoint.Op{put("x", fmt.Sprintf(`{"i":%d}`, i)), add("list", `"e"`)}, Meta: []byte{0xff},
					Attrs: []checkpoint.Attr{{Name: "status", Value: "running"}}, Parts: [][]byte{nil, []byte("[]")},
				}
				if _, err := c.Append(ctx, r, &checkpoint.Record{Kind: checkpoint.KindTaskDone, Task: "cafe"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Release(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func names(t *testing.T, s *checkpoint.Store) []string {
	t.Helper()
	var names []string
	for info, err := range s.Threads(context.Background(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Thread)
	}
	return names
}

// refused imports text that has a fault, and checks that the error is typed and names the line, that checking finds the same, and
// that what is there of it is whole threads.
func refused(t *testing.T, what, text string, line int64, want []string) error {
	t.Helper()
	s := memory(t)
	_, err := checkpoint.Import(context.Background(), s, strings.NewReader(text), nil)
	var syntax *checkpoint.SyntaxError
	if !errors.As(err, &syntax) || !errors.Is(err, checkpoint.ErrSyntax) || syntax.Line != line {
		t.Fatalf("%s: %v, want a fault in line %d", what, err, line)
	}
	if _, checked := checkpoint.CheckExport(context.Background(), strings.NewReader(text), nil); checked == nil || checked.Error() != err.Error() {
		t.Fatalf("%s: import says %v, a check %v", what, err, checked)
	}
	if got := names(t, s); !slices.Equal(got, want) {
		t.Fatalf("%s: threads %q are there, want %q", what, got, want)
	}
	for _, n := range want {
		if count(t, s, n) != 12 {
			t.Fatalf("%s: %q has %d records", what, n, count(t, s, n))
		}
	}
	return err
}

func count(t *testing.T, s *checkpoint.Store, thread string) int {
	t.Helper()
	info, err := s.Thread(context.Background(), thread)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Records)
}

// TestImportHostile: whatever is changed of an export is found, in its line, and no thread is half there.
func TestImportHostile(t *testing.T) {
	text := exported(t, sample(t))
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1]
	const begin, records = 3, 12       // thread a begins in line 3, behind the first line and the blob
	whole := func(line int) []string { // threads that end before a line, from 1
		var w []string
		for i, n := range []string{"a", "b", "c"} {
			if line > begin+(i+1)*(records+2)-1 {
				w = append(w, n)
			}
		}
		return w
	}
	for i := range lines {
		cut := strings.Join(lines[:i], "")
		_ = refused(t, fmt.Sprint("cut before line ", i+1), cut, int64(i+1), whole(i+1))
		_ = refused(t, fmt.Sprint("cut in line ", i+1), cut+lines[i][:len(lines[i])/2], int64(i+1), whole(i+1))
		_ = refused(t, fmt.Sprint("newline missing at line ", i+1), strings.TrimSuffix(cut+lines[i], "\n"), int64(i+1), whole(i+1))
		rest := strings.Join(lines[i+1:], "")
		for what, line := range map[string]string{
			"space":   strings.Replace(lines[i], ":", ": ", 1),
			"case":    strings.Replace(lines[i], `"`, `"X`, 1),
			"empty":   "\n",
			"not":     "hello\n",
			"array":   "[" + strings.TrimSuffix(lines[i], "\n") + "]\n",
			"twice":   lines[i] + lines[i],
			"windows": strings.TrimSuffix(lines[i], "\n") + "\r\n",
			"null":    "null\n",
			"zero":    "\x00" + lines[i],
		} {
			_, err := checkpoint.Import(context.Background(), memory(t), strings.NewReader(cut+line+rest), nil)
			if !errors.Is(err, checkpoint.ErrSyntax) {
				t.Errorf("line %d, %s: %v", i+1, what, err)
			}
		}
		if _, err := checkpoint.Import(context.Background(), memory(t), strings.NewReader(cut+rest), nil); !errors.Is(err, checkpoint.ErrSyntax) {
			t.Errorf("line %d left out: %v", i+1, err)
		}
		if i > 0 && lines[i] != lines[i-1] {
			swapped := strings.Join(lines[:i-1], "") + lines[i] + lines[i-1] + rest
			if _, err := checkpoint.Import(context.Background(), memory(t), strings.NewReader(swapped), nil); !errors.Is(err, checkpoint.ErrSyntax) {
				t.Errorf("lines %d and %d swapped: %v", i, i+1, err)
			}
		}
	}
	_ = refused(t, "something behind", text+"{}\n", int64(len(lines)+1), whole(1000))
	_ = refused(t, "a newer version", strings.Replace(text, `"version":1`, `"version":2`, 1), 1, nil)
}

// TestImportRules: records that were made up are refused although the digests fit.
func TestImportRules(t *testing.T) {
	const claim = `{"kind":"claim","owner":"o","time":1,"epoch":1,"first_event":1}`
	for what, c := range map[string]struct {
		begin string
		recs  []string
		want  error
	}{
		"unknown kind":           {`{"thread":"t"}`, []string{`{"kind":"magic","time":1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"tombstone":              {`{"thread":"t"}`, []string{claim, `{"kind":"tombstone","time":1,"epoch":2,"first_event":1}`}, checkpoint.ErrInvalid},
		"mark":                   {`{"thread":"t"}`, []string{`{"kind":"mark","time":1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"claim twice":            {`{"thread":"t"}`, []string{claim, claim}, checkpoint.ErrInvalid},
		"other epoch":            {`{"thread":"t"}`, []string{claim, `{"kind":"release","time":1,"epoch":2,"first_event":1}`}, checkpoint.ErrInvalid},
		"event 0":                {`{"thread":"t"}`, []string{`{"kind":"claim","time":1,"epoch":1,"first_event":0}`}, checkpoint.ErrInvalid},
		"events go back":         {`{"thread":"t"}`, []string{claim, `{"kind":"release","time":1,"epoch":1,"first_event":5,"events":9}`, `{"kind":"release","time":1,"epoch":1,"first_event":13}`}, checkpoint.ErrInvalid},
		"events overflow":        {`{"thread":"t"}`, []string{`{"kind":"claim","time":1,"epoch":1,"first_event":18446744073709551615,"events":4}`}, checkpoint.ErrInvalid},
		"ids go back":            {`{"thread":"t"}`, []string{claim, `{"kind":"step","id":"b","time":1,"epoch":1,"first_event":1}`, `{"kind":"step","id":"a","time":1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"step without id":        {`{"thread":"t"}`, []string{claim, `{"kind":"step","time":1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"time":                   {`{"thread":"t"}`, []string{`{"kind":"claim","time":-1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"blob in a thread":       {`{"thread":"t"}`, []string{`{"kind":"blob","time":1,"epoch":0,"first_event":1,"parts":[{"base64":"/w=="}]}`}, checkpoint.ErrInvalid},
		"no blob":                {`{"blob":"sha256:` + strings.Repeat("0", 64) + `","base64":"/w=="}`, nil, checkpoint.ErrSyntax},
		"long name":              {`{"thread":"` + strings.Repeat("x", 201) + `"}`, []string{claim}, checkpoint.ErrTooLarge},
		"no name":                {`{"thread":""}`, []string{claim}, checkpoint.ErrInvalid},
		"reserved name":          {`{"thread":"\u0001blob/x"}`, []string{claim}, checkpoint.ErrInvalid},
		"blob that is no digest": {`{"blob":"../x"}`, []string{claim}, checkpoint.ErrInvalid},
		"long id":                {`{"thread":"t"}`, []string{claim, `{"kind":"step","id":"` + strings.Repeat("x", 65) + `","time":1,"epoch":1,"first_event":1}`}, checkpoint.ErrTooLarge},
		"due":                    {`{"thread":"t"}`, []string{`{"kind":"release","time":1,"due":-1,"epoch":1,"first_event":1}`}, checkpoint.ErrInvalid},
		"op":                     {`{"thread":"t"}`, []string{claim, `{"kind":"step","id":"a","time":1,"epoch":1,"first_event":1,"ops":[{"op":"run","name":"x"}]}`}, checkpoint.ErrInvalid},
		"no record":              {`{"thread":"t"}`, nil, checkpoint.ErrSyntax},
	} {
		var b bytes.Buffer
		fmt.Fprintf(&b, "{\"format\":\"dashhost-threads\",\"version\":1}\n%s\n", c.begin)
		recs := strings.Join(c.recs, "\n") + "\n"
		if c.recs == nil {
			recs = ""
		}
		name := strings.TrimSuffix(c.begin[strings.Index(c.begin, ":")+1:], "}")
		fmt.Fprintf(&b, "%s{\"end\":%s,\"records\":%d,\"sha256\":\"%x\"}\n", recs, name, len(c.recs), sum256(recs))
		fmt.Fprintf(&b, "{\"end\":\"\",\"threads\":1,\"blobs\":0,\"records\":%d}\n", len(c.recs))
		s := memory(t)
		_, err := checkpoint.Import(context.Background(), s, &b, nil)
		if !errors.Is(err, checkpoint.ErrSyntax) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", what, err)
		}
		if n := names(t, s); len(n) > 0 {
			t.Errorf("%s: %q is there", what, n)
		}
	}
}

// TestImportCollides: a thread that is there with another history, or was deleted, is not touched.
func TestImportCollides(t *testing.T) {
	ctx := context.Background()
	src := sample(t)
	text := exported(t, src)
	for what, change := range map[string]func(s *checkpoint.Store) error{
		"went on": func(s *checkpoint.Store) error { _, err := s.Cancel(ctx, "b", nil); return err },
		"deleted": func(s *checkpoint.Store) error { return s.Delete(ctx, "b", false) },
	} {
		s := memory(t)
		if _, err := checkpoint.Copy(ctx, s, src, &checkpoint.CopyOptions{Threads: []string{"b"}}); err != nil {
			t.Fatal(err)
		}
		if err := change(s); err != nil {
			t.Fatal(err)
		}
		var collision *checkpoint.CollisionError
		_, err := checkpoint.Import(ctx, s, strings.NewReader(text), nil)
		if !errors.As(err, &collision) || !errors.Is(err, checkpoint.ErrConflict) || !slices.Equal(collision.Threads, []string{"b"}) {
			t.Errorf("import of a thread that %s: %v", what, err)
		}
		if n := names(t, s); n[0] != "a" || slices.Contains(n, "c") {
			t.Errorf("%s: threads %q: those before should be there, those after not", what, n)
		}
		before := names(t, s)
		_, err = checkpoint.Copy(ctx, s, src, nil)
		if !errors.As(err, &collision) || !slices.Equal(names(t, s), before) {
			t.Errorf("copy of a thread that %s: %v, threads %q", what, err, names(t, s))
		}
	}
}

// FuzzImport: no text makes it panic or leave half a thread, and what it takes is written again as it was.
func FuzzImport(f *testing.F) {
	s := checkpoint.New(memstore.New(), nil)
	f.Cleanup(func() { s.Close() })
	f.Add([]byte("{\"format\":\"dashhost-threads\",\"version\":1}\n{\"end\":\"\",\"threads\":0,\"blobs\":0,\"records\":0}\n"))
	f.Add([]byte("{\"format\":\"dashhost-threads\",\"version\":1}\n{\"thread\":\"t\"}\n{\"kind\":\"claim\",\"time\":1,\"epoch\":1,\"first_event\":1}\n{\"end\":\"t\",\"records\":1,\"sha256\":\"" + fmt.Sprintf("%x", sum256("{\"kind\":\"claim\",\"time\":1,\"epoch\":1,\"first_event\":1}\n")) + "\"}\n{\"end\":\"\",\"threads\":1,\"blobs\":0,\"records\":1}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := checkpoint.New(memstore.New(), nil)
		defer s.Close()
		if _, err := checkpoint.Import(context.Background(), s, bytes.NewReader(text), nil); err != nil {
			if !errors.Is(err, checkpoint.ErrSyntax) {
				t.Fatal(err)
			}
			return
		}
		var again bytes.Buffer
		if _, err := checkpoint.Export(context.Background(), &again, s, nil); err != nil || !bytes.Equal(again.Bytes(), text) {
			t.Fatalf("%v: %q is written as %q", err, text, again.Bytes())
		}
	})
}
