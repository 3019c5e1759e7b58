package checkpoint

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// ErrSyntax: what Import reads is not what Export writes (*SyntaxError).
var ErrSyntax = errors.New("not an export")

// SyntaxError says where text is not what Export writes. It Is ErrSyntax.
type SyntaxError struct {
	Line int64  // from 1
	Name string // thread or blob, "" outside of them
	Err  error  // what is wrong; *InvalidError and *LimitError if it is a record that breaks a rule
}

func (e *SyntaxError) Error() string {
	where := fmt.Sprintf("line %d", e.Line)
	if e.Name != "" {
		where += fmt.Sprintf(", in %q", e.Name)
	}
	return where + ": " + e.Err.Error()
}

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Is matches ErrSyntax.
func (e *SyntaxError) Is(target error) bool { return target == ErrSyntax }

// ImportOptions of Import. The zero value and nil are fine.
type ImportOptions struct {
	// Progress is told how many records were read, now and then, from the calling goroutine. Default nil.
	Progress func(records int64)
}

// Import makes the threads and blobs in s that r, written by Export, holds. It takes exactly what Export writes: anything else is a
// *SyntaxError with the number of the line. A thread is there as a whole, its digest checked, or not at all; those before a fault
// stay. One that is there already with the same history is left alone, so an import that was cut off is just run again; one with
// another history ends it with a *CollisionError.
func Import(ctx context.Context, s *Store, r io.Reader, o *ImportOptions) (*CopyReport, error) {
	return importText(ctx, s, r, o)
}

// CheckExport reads what Import would, and makes nothing.
func CheckExport(ctx context.Context, r io.Reader, o *ImportOptions) (*CopyReport, error) {
	return importText(ctx, nil, r, o)
}

func importText(ctx context.Context, s *Store, r io.Reader, o *ImportOptions) (*CopyReport, error) {
	if o == nil {
		o = &ImportOptions{}
	}
	t := &textReader{in: bufio.NewReaderSize(r, 1<<20), told: o.Progress}
	return t.all(ctx, s)
}

// textReader reads an export line by line.
type textReader struct {
	in      *bufio.Reader
	line    int64
	name    string // thread or blob in progress
	records int64
	told    func(int64)
	long    []byte
}

// syntax makes a fault of the line read last.
func (t *textReader) syntax(err error) error {
	return &SyntaxError{Line: t.line, Name: t.name, Err: err}
}

func (t *textReader) syntaxf(format string, args ...any) error {
	return t.syntax(fmt.Errorf(format, args...))
}

// next returns a line without its newline, valid until the next call.
func (t *textReader) next(l *textLine) ([]byte, error) {
	t.line++
	b, err := t.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		t.long = append(t.long[:0], b...)
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(t.long) > maxLine {
				return nil, t.syntax(&LimitError{Field: "line", Max: maxLine, Got: int64(len(t.long))})
			}
			b, err = t.in.ReadSlice('\n')
			t.long = append(t.long, b...)
		}
		b = t.long
	}
	switch {
	case errors.Is(err, io.EOF) && len(b) == 0:
		return nil, t.syntaxf("the export ends here, without its last line")
	case errors.Is(err, io.EOF):
		return nil, t.syntaxf("the export is cut off in this line")
	case err != nil:
		return nil, err
	}
	*l = textLine{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return nil, t.syntaxf("%w", err)
	}
	return b, nil
}

// written says whether a line is the one that Export writes of what it holds.
func (t *textReader) written(line, want []byte) error {
	if bytes.Equal(line, want) {
		return nil
	}
	at := 0
	for at < min(len(line), len(want)) && line[at] == want[at] {
		at++
	}
	return t.syntaxf("is not as an export writes it: column %d has %.20q, expected %.20q", at+1, line[at:], want[at:])
}

func (t *textReader) all(ctx context.Context, s *Store) (*CopyReport, error) {
	report := &CopyReport{}
	var l textLine
	b, err := t.next(&l)
	if err != nil {
		return report, err
	}
	if l.Format != textFormat {
		return report, t.syntaxf("expected {\"format\":%q,...}", textFormat)
	}
	if l.Version != textVersion {
		return report, t.syntaxf("%w: %d, this program reads %d", ErrVersion, l.Version, textVersion)
	}
	if err := t.written(b, fmt.Appendf(nil, `{"format":%q,"version":%d}`+"\n", textFormat, textVersion)); err != nil {
		return report, err
	}
	last := ""
	for {
		if b, err = t.next(&l); err != nil {
			return report, err
		}
		switch {
		case l.End != nil:
			return report, t.end(b, report)
		case l.Blob != nil && last < blobPrefix+*l.Blob:
			last = blobPrefix + *l.Blob
			err = t.blob(ctx, s, &l, b, report)
		case l.Thread != nil && (last < *l.Thread || *l.Thread == ""):
			last = *l.Thread
			err = t.thread(ctx, s, last, b, report)
		case l.Blob != nil || l.Thread != nil:
			err = t.syntaxf("comes after %q", plainName(last))
		default:
			err = t.syntaxf("expected a thread, a blob or the end")
		}
		if err != nil {
			return report, err
		}
	}
}

// end checks the last line. Nothing may follow.
func (t *textReader) end(b []byte, report *CopyReport) error {
	threads, blobs := report.Threads, report.Blobs
	want := fmt.Sprintf(`{"end":"","threads":%d,"blobs":%d,"records":%d}`+"\n", threads+report.presentThreads, blobs+report.Present-report.presentThreads, t.records)
	if string(b) != want {
		return t.syntaxf("the last line should be %s", bytes.TrimSpace([]byte(want)))
	}
	if _, err := t.in.ReadByte(); err == nil {
		t.line++
		return t.syntaxf("something follows the last line")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// blob takes a line that holds a blob.
func (t *textReader) blob(ctx context.Context, s *Store, l *textLine, line []byte, report *CopyReport) error {
	digest := *l.Blob
	if err := checkDigest(digest); err != nil {
		return t.syntax(err)
	}
	v := textValue{l.JSON, l.Base64}
	b := v.bytes()
	if err := t.written(line, appendBlob(nil, digest, b)); err != nil {
		return err
	}
	if sum := sha256.Sum256(b); "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return t.syntaxf("blob %s: the bytes do not have that digest", digest)
	}
	if s != nil {
		there, err := s.holds(ctx, digest)
		if err != nil {
			return err
		}
		if there {
			report.Present++
			return nil
		}
		if err := s.takeBlob(ctx, b); err != nil {
			return err
		}
	}
	report.Blobs++
	return nil
}

// thread reads a thread whose first line is given, into s unless that is nil. Threads come in the order of their names.
func (t *textReader) thread(ctx context.Context, s *Store, thread string, line []byte, report *CopyReport) error {
	if err := checkThread(thread); err != nil {
		return t.syntax(err)
	}
	if err := t.written(line, appendBegin(nil, thread)); err != nil {
		return err
	}
	t.name = thread
	sum := newDigester()
	recs := func(yield func(*Record, error) bool) {
		if err := t.recordsOf(ctx, thread, sum, func(r *Record) bool { return yield(r, nil) }); err != nil {
			yield(nil, err)
		}
	}
	there, err := s.present(ctx, thread)
	if err != nil {
		return err
	}
	if s == nil || there {
		err = checkHistory(recs)
	} else {
		err = s.importHistory(ctx, thread, recs)
	}
	if err != nil {
		return t.at(err)
	}
	t.name = ""
	if there {
		return s.compare(ctx, thread, sum, report)
	}
	report.Threads++
	report.Records += sum.records
	return nil
}

// checkHistory is importHistory without a store.
func checkHistory(recs iter.Seq2[*Record, error]) error {
	var rule historyRule
	for r, err := range recs {
		if err == nil {
			err = rule.check(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// at gives an error of a record that breaks a rule its line.
func (t *textReader) at(err error) error {
	if errors.As(err, new(*SyntaxError)) {
		return err
	}
	if errors.Is(err, ErrInvalid) || errors.As(err, new(*LimitError)) {
		return t.syntax(err)
	}
	return err
}

// compare looks whether what is there is what was read.
func (s *Store) compare(ctx context.Context, thread string, sum *digester, report *CopyReport) error {
	there, err := s.digest(ctx, thread, 0, 0)
	if err != nil {
		return err
	}
	if there != sum.text() {
		return &CollisionError{Threads: []string{thread}}
	}
	report.Present++
	report.presentThreads++
	return nil
}

// recordsOf reads records up to the line that ends the history, and checks that line.
func (t *textReader) recordsOf(ctx context.Context, thread string, sum *digester, visit func(*Record) bool) error {
	var l textLine
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := t.next(&l)
		if err != nil {
			return err
		}
		if l.End != nil {
			if want := appendEnd(nil, thread, sum.records, sum.text()); string(want) != string(b) {
				return t.syntaxf("the line that ends it should be %s", bytes.TrimSpace(want))
			}
			if sum.records == 0 {
				return t.syntaxf("holds no record")
			}
			return nil
		}
		r, err := l.record()
		if err != nil {
			return t.syntax(err)
		}
		if err := t.written(b, sum.add(r)); err != nil {
			return err
		}
		if t.records++; t.told != nil && t.records%progressEvery == 0 {
			t.told(t.records)
		}
		if !visit(r) {
			return nil
		}
	}
}

// present says whether a thread is there; one that was deleted is a collision.
func (s *Store) present(ctx context.Context, thread string) (bool, error) {
	if s == nil {
		return false, nil
	}
	t, err := s.d.Thread(ctx, thread)
	switch {
	case errors.Is(err, ErrNotFound):
		return false, nil
	case err != nil:
		return false, s.appendError(thread, err)
	case t.Deleted:
		return false, &CollisionError{Threads: []string{thread}}
	}
	return true, nil
}
