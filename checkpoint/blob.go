package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

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
		c, err = s.append(ctx, thread, driver.Expect{AnyEpoch: true})
		return digest, c, err
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

// isBlob says whether a reserved thread's name is a blob's.
func isBlob(key string) bool { return strings.HasPrefix(key, blobPrefix) }
