package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/chacha20"
)

const sivSize = 16

// Names makes tokens of names. It is safe for concurrent use.
type Names struct{ mac, enc [KeySize]byte }

// newNames derives the two keys of one.
func newNames(k Key) *Names {
	n := &Names{}
	derive := func(out *[KeySize]byte, label string) {
		h := hmac.New(sha256.New, k.b[:])
		h.Write([]byte(label))
		copy(out[:], h.Sum(nil))
	}
	derive(&n.mac, "dashhost names 1: authentication")
	derive(&n.enc, "dashhost names 1: encryption")
	return n
}

// Token is the token of a name in a domain. The empty name is its own token.
func (n *Names) Token(domain, name string) string {
	if name == "" {
		return ""
	}
	b := make([]byte, sivSize+len(name))
	n.siv(b, domain, []byte(name))
	n.crypt(b, []byte(name))
	return base64.RawURLEncoding.EncodeToString(b)
}

// Name is the name that a token was made of. The error is ErrForged.
func (n *Names) Name(domain, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) <= sivSize {
		return "", fmt.Errorf("%w: a %s that is no token", ErrForged, domain)
	}
	name := make([]byte, len(b)-sivSize)
	siv := [sivSize]byte(b)
	n.crypt(b, b[sivSize:])
	copy(name, b[sivSize:])
	var want [sivSize]byte
	n.siv(want[:], domain, name)
	if subtle.ConstantTimeCompare(siv[:], want[:]) != 1 {
		return "", fmt.Errorf("%w: the token of a %s", ErrForged, domain)
	}
	return string(name), nil
}

// siv writes the synthetic nonce to the start of b.
func (n *Names) siv(b []byte, domain string, name []byte) {
	h := hmac.New(sha256.New, n.mac[:])
	h.Write([]byte(domain))
	h.Write([]byte{0})
	h.Write(name)
	var sum [sha256.Size]byte
	copy(b[:sivSize], h.Sum(sum[:0]))
}

// crypt encrypts or decrypts text to b behind the nonce that b begins with.
func (n *Names) crypt(b, text []byte) {
	var nonce [chacha20.NonceSizeX]byte
	copy(nonce[:], b[:sivSize])
	c, err := chacha20.NewUnauthenticatedCipher(n.enc[:], nonce[:])
	if err != nil {
		panic("BUG: " + err.Error())
	}
	c.XORKeyStream(b[sivSize:], text)
}
