package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// keyPrefix begins the text of a master key. Part of the format.
const keyPrefix = "dashhost-key-1:"

// Key is a secret. Printing it with fmt shows its id only; Text is the whole.
type Key struct{ b [KeySize]byte }

// ID names a key without telling it.
type ID [8]byte

// String is the id in hex.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ErrKey: a text is not a key.
var ErrKey = errors.New("not a key: expected " + keyPrefix + " and 43 characters of base64")

// NewKey draws a key.
func NewKey() Key {
	var k Key
	rand.Read(k.b[:]) //nolint:errcheck // never fails: it ends the process
	return k
}

// ParseKey reads what Text wrote, and space around it. The error does not repeat the text.
func ParseKey(text string) (Key, error) {
	var k Key
	body, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	if !ok {
		return k, ErrKey
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) != KeySize {
		return k, ErrKey
	}
	copy(k.b[:], b)
	return k, nil
}

// Text is the key as a person keeps it.
func (k Key) Text() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k.b[:]) }

// ID is the key's id.
func (k Key) ID() ID {
	var id ID
	sum := sha256.Sum256(append([]byte("dashhost key id 1\n"), k.b[:]...))
	copy(id[:], sum[:])
	return id
}

// Format implements fmt.Formatter: no verb shows the secret.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key %s", k.ID()) }

// MarshalText implements encoding.TextMarshaler. It fails: a key does not get into a document by accident.
func (k Key) MarshalText() ([]byte, error) {
	return nil, errors.New("a key is not written by accident")
}
