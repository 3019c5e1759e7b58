package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	version  = 1
	headSize = 1 + len(ID{})
	// Overhead is by how many bytes a sealed text is longer than the plain one.
	Overhead = headSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// ErrForged: a sealed text was changed, or is not where it was sealed for.
var ErrForged = errors.New("sealed text does not check: it was changed or moved")

// KeyError: a text is sealed with a key that is not there.
type KeyError struct{ ID ID }

func (e *KeyError) Error() string {
	return fmt.Sprintf("sealed with key %s, which was not given", e.ID)
}

// aead is the cipher of a key.
func (k Key) aead() cipher.AEAD {
	a, err := chacha20poly1305.NewX(k.b[:])
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return a
}

// Seal appends the sealed text to dst. ad is not part of it and must be the same when it is opened.
func (k Key) Seal(dst, text, ad []byte) []byte { return seal(k.aead(), k.ID(), dst, text, ad) }

// Open appends the plain text to dst. The error is ErrForged, or a *KeyError if another key sealed it.
func (k Key) Open(dst, sealed, ad []byte) ([]byte, error) {
	id, err := KeyOf(sealed)
	if err != nil {
		return nil, err
	}
	if id != k.ID() {
		return nil, &KeyError{ID: id}
	}
	return open(k.aead(), dst, sealed, ad)
}

// KeyOf is the id of the key that a text is sealed with, as the text says.
func KeyOf(sealed []byte) (ID, error) {
	var id ID
	if len(sealed) < Overhead {
		return id, fmt.Errorf("%w: %d bytes, the shortest has %d", ErrForged, len(sealed), Overhead)
	}
	if sealed[0] != version {
		return id, fmt.Errorf("sealed in format %d, this program knows %d", sealed[0], version)
	}
	copy(id[:], sealed[1:])
	return id, nil
}

func seal(a cipher.AEAD, id ID, dst, text, ad []byte) []byte {
	start := len(dst)
	dst = append(append(dst, version), id[:]...)
	nonce := len(dst)
	dst = append(dst, make([]byte, a.NonceSize())...)
	rand.Read(dst[nonce:]) //nolint:errcheck // never fails: it ends the process
	return a.Seal(dst, dst[nonce:], text, bind(dst[start:nonce], ad))
}

func open(a cipher.AEAD, dst, sealed, ad []byte) ([]byte, error) {
	nonce := sealed[headSize:][:a.NonceSize()]
	text, err := a.Open(dst, nonce, sealed[headSize+a.NonceSize():], bind(sealed[:headSize], ad))
	if err != nil {
		return nil, ErrForged
	}
	return text, nil
}

// bind is the associated data of the cipher: the head is as long as ever, so the two cannot be told apart in another way.
func bind(head, ad []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(ad)), head...), ad...)
}
