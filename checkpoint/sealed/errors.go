package sealed

import (
	"errors"
	"strings"

	"github.com/dashhost/dashhost/internal/seal"
)

// Identities of errors, to be tested with errors.Is.
var (
	// ErrPlain: keys were given, and the store has records that are not encrypted.
	ErrPlain = errors.New("the store is not encrypted: copy it into a new store to encrypt it, or give no key")
	// ErrKey: a key is missing or is not the right one (*KeyError).
	ErrKey = errors.New("the store is encrypted")
	// ErrDriver: the driver cannot do all that an encrypted store needs.
	ErrDriver = errors.New("a store of this kind cannot be encrypted")
)

// KeyError says which key a store or a record needs. It Is ErrKey.
type KeyError struct {
	Need  string   // id of the key in hex
	Given []string // ids of the keys that were given
}

func (e *KeyError) Error() string {
	if len(e.Given) == 0 {
		return "the store is encrypted: it needs key " + e.Need + ", and none was given"
	}
	return "the store is encrypted: it needs key " + e.Need + ", given was " + strings.Join(e.Given, ", ")
}

// Is matches ErrKey.
func (e *KeyError) Is(target error) bool { return target == ErrKey }

func keyError(e *seal.KeyError, given []Key) *KeyError {
	k := &KeyError{Need: e.ID.String()}
	for _, g := range given {
		k.Given = append(k.Given, g.ID().String())
	}
	return k
}
