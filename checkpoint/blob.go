package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// blobPrefix begins the reserved thread of a blob, its digest follows. Part of the format.
const blobPrefix = "\x01blob/"

// PutBlob keeps b under its digest, "sha256:" and 64 hex digits. Bytes that are there already are not written again; the Commit
// waits for them all the same.
func (s *Store) PutBlob(ctx context.Context, b []byte) (digest string, c *Commit, err error) {
	if len(b) > MaxRecord-64 {
		return "", nil, &LimitError{Field: "blob", Max: MaxRecord - 64, Got: int64(len(b))}
	}
	sum := sha256.Sum256(b)
	digest = "sha256:" + hex.EncodeToString(sum[:])
	thread := blobPrefix + digest
	e := driver.Expect{AnyEpoch: true, Empty: true}
	switch err := s.hasBlob(ctx, thread); {
	case err == nil:
		if c, err = s.touch(ctx, thread); !errors.Is(err, ErrNotFound) {
			return digest, c, err
		} // pruned since
	case errors.Is(err, ErrDamaged):
		e = driver.Expect{AnyEpoch: true, AcceptLoss: true} // write it again: what is there cannot be read
	case !errors.Is(err, ErrNotFound):
		return "", nil, fmt.Errorf("blob %s: %w", digest, err)
	}
	c, err = s.append(ctx, thread, e, &Record{Kind: KindBlob, Parts: [][]byte{b}, AcceptLoss: e.AcceptLoss})
	if errors.Is(err, ErrConflict) { // another process was first
		c, err = s.append(ctx, thread, driver.Expect{AnyEpoch: true})
	}
	if err != nil {
		return "", nil, err
	}
	return digest, c, nil
}

// A blob that no thread names goes when nobody has put it for blobGrace: so much time is there between putting it and the record that
// names it. Putting it again counts, if the last time is older than touchAfter.
const (
	blobGrace  = 24 * time.Hour
	touchAfter = time.Hour
)

// touch sees to it that a blob that is there stays. The record that it may write is a claim: it has an epoch of its own, so a Prune that
// did not see it cannot delete the blob.
func (s *Store) touch(ctx context.Context, thread string) (*Commit, error) {
	t, err := s.d.Thread(ctx, thread)
	if err != nil {
		return nil, s.appendError(thread, err)
	}
	if s.micros(0)-t.Updated < touchAfter.Microseconds() {
		return s.append(ctx, thread, driver.Expect{AnyEpoch: true, Exists: true})
	}
	return s.append(ctx, thread, driver.Expect{AnyEpoch: true, Exists: true}, &Record{Kind: KindClaim})
}

// pruneBlobs deletes blobs that no thread needs, and that nobody has put for a while.
func (s *Store) pruneBlobs(ctx context.Context, o *PruneOptions, rep *PruneReport) error {
	needed := map[string]bool{}
	for t, err := range s.Threads(ctx, nil) {
		if err != nil {
			return err
		}
		if t.Damage != nil { // nobody can tell what it needs
			return nil
		}
		digests, err := o.Blobs(ctx, s, t.Thread)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		for _, d := range digests {
			needed[blobPrefix+d] = true
		}
	}
	oldest := s.micros(0) - blobGrace.Microseconds()
	for t, err := range s.d.Threads(ctx, driver.Filter{Prefix: blobPrefix, Reserved: true}) {
		if err != nil {
			return err
		}
		if needed[t.Name] || t.Updated > oldest {
			continue
		}
		if !o.DryRun {
			_, err := s.append(ctx, t.Name, driver.Expect{Epoch: t.Epoch, AcceptLoss: true}, &Record{Kind: KindTombstone})
			if errors.Is(err, ErrFenced) { // put again
				continue
			}
			if err != nil {
				return err
			}
		}
		rep.Blobs++
	}
	return nil
}

// hasBlob reads a blob as far as the driver checks it: what PutBlob finds kept must be there for a resume.
func (s *Store) hasBlob(ctx context.Context, thread string) error {
	bad := ErrNotFound
	for _, err := range s.d.Read(ctx, thread, driver.Query{Kinds: driver.Kinds(KindBlob), Reverse: true}) {
		switch {
		case errors.Is(err, ErrDamaged):
			bad = err
		default:
			return err
		}
	}
	if t, err := s.d.Thread(ctx, thread); err == nil && t.Damage != nil {
		return t.Damage
	}
	return bad
}

// Blob returns the bytes of a digest. ErrNotFound if they are not kept, *DamageError if they are not what was put.
func (s *Store) Blob(ctx context.Context, digest string) ([]byte, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	thread := blobPrefix + digest
	var bad *DamageError
	for r, err := range s.read(ctx, thread, driver.Query{Kinds: driver.Kinds(KindBlob), Reverse: true}) {
		if errors.Is(err, ErrNotFound) {
			break
		}
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(r.Parts) == 1 {
			if sum := sha256.Sum256(r.Parts[0]); "sha256:"+hex.EncodeToString(sum[:]) == digest {
				return r.Parts[0], nil
			}
		}
		bad = &DamageError{Reason: fmt.Sprintf("record %d does not have the digest it is kept under", r.Seq)}
	}
	if t, err := s.d.Thread(ctx, thread); bad == nil && err == nil && t.Damage != nil {
		bad = damage(thread, t.Damage, "")
	}
	if bad != nil {
		bad.Thread, bad.Blob = "", digest
		return nil, bad
	}
	return nil, fmt.Errorf("blob %s: %w", digest, ErrNotFound)
}

func checkDigest(digest string) error {
	if raw, ok := strings.CutPrefix(digest, "sha256:"); !ok || len(raw) != 64 || strings.Trim(raw, "0123456789abcdef") != "" {
		return &InvalidError{Field: fmt.Sprintf("digest %.80q", digest), Reason: `want "sha256:" and 64 hex digits in lower case`}
	}
	return nil
}
