package signature

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

const (
	algorithm    = "ed25519"
	publicPrefix = "ed25519:"
	secretPrefix = "ed25519-secret:"
)

// PublicKey checks signatures. The zero value is none.
type PublicKey struct {
	key [ed25519.PublicKeySize]byte
}

// ParsePublicKey reads a public key; space around it does not matter. The error never has the text, which may be a secret
// by mistake.
func ParsePublicKey(text string) (PublicKey, error) {
	b, err := parse(text, publicPrefix, ed25519.PublicKeySize)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	return PublicKey{[ed25519.PublicKeySize]byte(b)}, nil
}

// ParsePublicKeys reads several.
func ParsePublicKeys(texts []string) ([]PublicKey, error) {
	var keys []PublicKey
	for _, t := range texts {
		k, err := ParsePublicKey(t)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// String gives the key as it is written.
func (k PublicKey) String() string { return publicPrefix + base64.StdEncoding.EncodeToString(k.key[:]) }

// ID gives the id of the key: 16 hex digits.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.key[:])
	return hex.EncodeToString(sum[:8])
}

// SecretKey makes signatures.
type SecretKey struct {
	key ed25519.PrivateKey
}

// NewSecretKey makes a key that nobody can foresee.
func NewSecretKey() SecretKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic("BUG: the system's source of randomness does not fail: " + err.Error())
	}
	return SecretKey{key}
}

// ParseSecretKey reads a secret key; space around it does not matter. The error never has the text.
func ParseSecretKey(text string) (SecretKey, error) {
	b, err := parse(text, secretPrefix, ed25519.SeedSize)
	if err != nil {
		return SecretKey{}, fmt.Errorf("secret key: %w", err)
	}
	return SecretKey{ed25519.NewKeyFromSeed(b)}, nil
}

// Text gives the key as it is written. There is no String, so that no log shows it by accident.
func (k SecretKey) Text() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(k.key.Seed())
}

// GoString keeps the key out of what %#v prints.
func (k SecretKey) GoString() string { return "signature.SecretKey{" + k.Public().ID() + "}" }

// Format keeps the key out of what is printed of it.
func (k SecretKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.GoString()) }

// Public gives the key that checks what this one signs.
func (k SecretKey) Public() PublicKey {
	return PublicKey{[ed25519.PublicKeySize]byte(k.key.Public().(ed25519.PublicKey))}
}

func parse(text, prefix string, size int) ([]byte, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), prefix)
	if !ok {
		return nil, fmt.Errorf("expected %s and %d bytes in base64", prefix, size)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) != size {
		return nil, fmt.Errorf("expected %d bytes in base64 behind %s", size, prefix)
	}
	return b, nil
}
