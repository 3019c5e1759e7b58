package checkpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Export writes threads of s, with the blobs they need, to w as text: lines of JSON in UTF-8, each with a newline.
//
//	{"format":"dashhost-threads","version":1}
//	{"blob":"sha256:9f2c...","base64":"AGFz..."}              a blob; or "json", as values below
//	{"thread":"pr-42"}                                        begins a thread
//	{"kind":"claim",...}                                      its records, oldest first
//	{"kind":"step","id":"01J...","time":1700000000000000,"epoch":1,"first_event":1,"events":2,"ops":[...],"meta":{...}}
//	{"end":"pr-42","records":2,"sha256":"..."}                the digest of the record lines, newlines too
//	{"end":"","threads":1,"blobs":1,"records":3}              the last line: without it the export is not whole
//
// Members of a record are those of Record, in a fixed order, left out if zero: kind, namespace, id, parent, task, owner, time, due,
// epoch, first_event, events, accept_loss, attrs [{name, value}], ops, meta, parts. Times are microseconds since 1970 UTC. A value
// (meta, parts, of an op) is {"json": V} if V is JSON on one line, {"base64": "..."} if not, {} if it is empty. An op is
//
//	{"op":"put","name":"x","json":V}    or "base64"
//	{"op":"append","name":"x","elements":[1,2]}    Value without the brackets is what the op holds; or "base64"
//	{"op":"del","name":"x"}
//
// with name_base64 in place of a name that is not UTF-8. Threads and blobs are in the order of their names. So an export is a
// function of the histories in it, and export, import, export gives the same bytes.
//
// A damaged thread is left out and reported. A thread that runs is written up to where it was.
func Export(ctx context.Context, w io.Writer, s *Store, o *CopyOptions) (*CopyReport, error) {
	if o == nil {
		o = &CopyOptions{}
	}
	p, err := s.plan(ctx, o)
	if err != nil {
		return nil, err
	}
	report := p.report()
	out := bufio.NewWriterSize(w, 1<<20)
	fmt.Fprintf(out, `{"format":%q,"version":%d}`+"\n", textFormat, textVersion)
	for _, digest := range p.blobs {
		if err := s.exportBlob(ctx, out, p, digest, report); err != nil {
			return report, err
		}
	}
	for _, h := range p.histories {
		if err := s.exportHistory(ctx, out, p, h, report); err != nil {
			return report, err
		}
	}
	fmt.Fprintf(out, `{"end":"","threads":%d,"blobs":%d,"records":%d}`+"\n", report.Threads, report.Blobs, report.Records)
	return report, out.Flush()
}

func (s *Store) exportBlob(ctx context.Context, out *bufio.Writer, p *plan, digest string, report *CopyReport) error {
	p.step(1)
	b, err := s.Blob(ctx, digest)
	var bad *DamageError
	if errors.As(err, &bad) {
		bad.Lost = "left out"
		report.Damaged = append(report.Damaged, bad)
		return nil
	}
	if err != nil {
		return err
	}
	report.Blobs++
	_, err = out.Write(appendBlob(nil, digest, b))
	return err
}

// appendBlob appends the line of a blob.
func appendBlob(line []byte, digest string, b []byte) []byte {
	line = appendText(append(line, `{"blob":`...), digest)
	if len(b) == 0 {
		return append(line, "}\n"...)
	}
	v := appendValue(nil, b)
	v[0] = ','
	return append(append(line, v...), '\n')
}

// exportHistory writes a history that reads whole, and reports one that does not. It is read twice: a line that was written cannot
// be taken back.
func (s *Store) exportHistory(ctx context.Context, out *bufio.Writer, p *plan, h *planned, report *CopyReport) error {
	sum, err := s.digest(ctx, h.thread, h.last, 0)
	var bad *DamageError
	if errors.As(err, &bad) {
		bad.Lost = "left out"
		report.Damaged = append(report.Damaged, bad)
		p.step(h.records)
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := out.Write(appendBegin(nil, h.thread)); err != nil {
		return err
	}
	d := newDigester()
	for r, err := range s.history(ctx, h.thread, h.last) {
		if err != nil {
			return err
		}
		if _, err := out.Write(d.add(r)); err != nil {
			return err
		}
		p.step(1)
	}
	if d.text() != sum {
		return fmt.Errorf("thread %q: %w: changed while it was exported", h.thread, ErrConflict)
	}
	report.Threads++
	report.Records += d.records
	_, err = out.Write(appendEnd(nil, h.thread, d.records, sum))
	return err
}

// appendBegin appends the line that begins a thread.
func appendBegin(b []byte, thread string) []byte {
	return append(appendText(append(b, `{"thread":`...), thread), "}\n"...)
}

// appendEnd appends the line that ends a thread.
func appendEnd(b []byte, thread string, records int64, sum string) []byte {
	b = appendText(append(b, `{"end":`...), thread)
	b = strconv.AppendInt(append(b, `,"records":`...), records, 10)
	return append(appendText(append(b, `,"sha256":`...), sum), "}\n"...)
}
